"""The index of a results folder: each journal summarised once, for journals never change.

It is kept in ``results/.index/`` and made anew where it is missing or damaged, or where the code
that makes its numbers is another one. A journal that changed is summarised again, one that
vanished is dropped, and one that cannot be read is a row of its own, with the reason.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from bench import average, compare, cover, pairs, quantities, record, records, replicates, row
from bench import statistics as statistics_
from bench import uncertainty as uncertainty_
from bench import window as window_
from bench.history import summary
from bench.history.store import Store
from bench.history.summary import clean
from bench.history.table import Columns, Part, Table, joined

FOLDER = ".index"
RULES = (
    average, compare, cover, pairs, quantities, record, records, replicates, row, statistics_,
    summary, uncertainty_, window_,
)  # fmt: skip
"""The modules that make the numbers of an index."""

CASES = Columns(summary.TEXTS, summary.COUNTS, summary.NUMBERS)
RUNS = Columns(summary.RUN_TEXTS, summary.RUN_COUNTS)
UNREADABLE = Columns(summary.UNREADABLE_TEXTS)

_END = 4096  # bytes of either end of a journal that its key is made from
_FEW = 4  # journals for which no second process is worth its start


@dataclass(frozen=True, slots=True)
class Index:
    """What a results folder holds.

    Args:
        cases: One row for each case of each journal; its columns: `bench.history.summary`.
        runs: One row for each journal that can be read, oldest first.
        unreadable: One row for each that cannot: journal, key, reason.
    """

    cases: Table
    runs: Table
    unreadable: Table

    @property
    def newest(self) -> str | None:
        """The name of the journal that was begun last and holds a case; None if there is none."""
        names = [name for name, count in self.runs.rows(("journal", "cases")) if count]
        return str(names[-1]) if names else None


class _Found(NamedTuple):
    """What one journal gave: its run and its cases, or why it gave nothing."""

    name: str
    key: str
    run: dict[str, Any] | None = None
    cases: Mapping[str, Sequence[Any]] = {}
    reason: str = ""


def index_of(
    folder: Path,
    *,
    only: Sequence[str] = (),
    workers: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> Index:
    """The index of a folder, brought up to date.

    A folder that cannot be written has an index all the same; it is then made each time.

    Args:
        folder: Where the journals are.
        only: Columns of the cases that are wanted; all by default. A year has fifty of them, of
            which nobody needs all.
        workers: How many processes read journals that are not in the index yet. More than one
            needs a program that can be imported without doing anything.
        say: Is told what takes long, and what could not be kept.

    Raises:
        JournalError: There is no such folder.
    """
    if not folder.is_dir():
        raise record.JournalError(f"found no folder {folder}; give one with journals")
    store = Store(folder / FOLDER, made_by())
    keys = {clean(path.name): (path, _key(path)) for path in records.journals(folder)}
    wanted = {"journal", *only} if only else CASES.names
    known = _load(store, [name for name in CASES.names if name in wanted])
    kept = _keep(known, {name: key for name, (_, key) in keys.items()}) if known else None
    have = {*kept.runs["journal"], *kept.unreadable["journal"]} if kept else set()
    new = [(path, key) for name, (path, key) in keys.items() if name not in have]
    if kept and not new and len(have) == _journals(known):
        return kept
    if kept and only:
        return index_of(folder, workers=workers, say=say)  # what is written has all columns
    if len(new) > _FEW:
        say(f"indexing {len(new)} journals of {folder}")
    index = _join(kept, _summaries(new, workers))
    try:
        store.write("cases", index.cases, CASES)
        store.write("unreadable", index.unreadable, UNREADABLE)
        store.write("runs", index.runs, RUNS)  # last: what is not in it is read again
    except OSError as error:
        say(f"cannot keep the index in {folder / FOLDER}: {error.strerror}; it is made each time")
    return index


@functools.cache
def made_by() -> str:
    """A hash of the code that makes the numbers."""
    whole = hashlib.sha256()
    for module in RULES:
        whole.update(Path(str(module.__file__)).read_bytes())
    return whole.hexdigest()[:12]


def _key(path: Path) -> str:
    """What tells a file's content from another: size, time, and both of its ends."""
    try:
        state = path.stat()
        with path.open("rb") as file:
            ends = file.read(_END)
            file.seek(max(0, state.st_size - _END))
            ends += file.read(_END)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    return f"{state.st_size}-{state.st_mtime_ns}-{hashlib.sha256(ends).hexdigest()[:16]}"


def _load(store: Store, only: Sequence[str]) -> Index | None:
    cases, runs = store.read("cases", CASES, only), store.read("runs", RUNS)
    unreadable = store.read("unreadable", UNREADABLE)
    if cases is None or runs is None or unreadable is None:
        return None
    return Index(cases, runs, unreadable)


def _journals(index: Index | None) -> int:
    return len(index.runs) + len(index.unreadable) if index else 0


def _keep(index: Index, keys: Mapping[str, str]) -> Index:
    """The index without journals that changed, vanished, or of which not all cases are there."""
    import numpy as np

    def same(table: Table) -> Any:  # noqa: ANN401 - an array of truth values
        return np.array([keys.get(n) == k for n, k in table.rows(("journal", "key"))], dtype=bool)

    counted = index.cases.counts("journal")
    whole = [counted.get(name, 0) == count for name, count in index.runs.rows(("journal", "cases"))]
    runs = index.runs.where(same(index.runs) & np.array(whole, dtype=bool))
    unreadable = index.unreadable.where(same(index.unreadable))
    names = set(runs["journal"])
    if names >= set(counted):
        return Index(index.cases, runs, unreadable)
    return Index(index.cases.where(index.cases.within("journal", names)), runs, unreadable)


def _summaries(new: Sequence[tuple[Path, str]], workers: int) -> Iterator[_Found]:
    if workers == 1 or len(new) <= _FEW:
        yield from map(_summary, new)
        return
    # a fork of a program with threads may hang: each worker starts anew
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(_summary, new, chunksize=4)


def _summary(journal: tuple[Path, str]) -> _Found:
    """One journal's rows; whatever is wrong with it is its reason, and the others go on."""
    path, key = journal
    name = clean(path.name)
    try:
        found = records.read(path)
        return _Found(name, key, summary.run_of(found, key), summary.columns(found))
    except record.JournalError as error:
        reason = str(error).replace(f"{path}, ", "").replace(str(path), name)
        return _Found(name, key, reason=clean(reason))
    except Exception as error:  # noqa: BLE001 - a journal may hold anything
        reason = f"its numbers make no table ({type(error).__name__}: {error})"
        return _Found(name, key, reason=clean(reason))


def _join(index: Index | None, found: Iterable[_Found]) -> Index:
    """An index with more journals in it, in the order of their start."""
    import numpy as np

    cases: list[Part] = [index.cases.columns] if index else []
    runs: list[Part] = [index.runs.columns] if index else []
    unreadable: list[Part] = [index.unreadable.columns] if index else []
    for each in found:
        if each.run is None:
            bad = {"journal": each.name, "key": each.key, "reason": each.reason}
            unreadable.append({name: [value] for name, value in bad.items()})
        else:
            runs.append({name: [value] for name, value in each.run.items()})
            cases.append(each.cases)
    all_runs = _ordered(joined(runs, RUNS), ("started", "journal"))
    place = {name: number for number, name in enumerate(all_runs["journal"])}
    all_cases = joined(cases, CASES)
    order = np.array([place[name] for name in all_cases["journal"]], dtype=int)
    bad_ones = _ordered(joined(unreadable, UNREADABLE), ("journal",))
    return Index(all_cases.where(order.argsort(kind="stable")), all_runs, bad_ones)


def _ordered(table: Table, by: Sequence[str]) -> Table:
    import numpy as np

    keys = list(table.rows(by))
    return table.where(np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=int))
