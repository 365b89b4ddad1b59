"""``joulebench gate --history``: the newest night of a folder, judged by those before it.

Thin: it opens the index and says what the look-back found. Unpaired, and every text says so.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.gate.answer import Decision, Night, Word
from bench.gate.canary import DEFAULT_MARGIN
from bench.gate.lookback import look_back, multiplicity, tonight_of
from bench.history.index import Index, index_of
from bench.history.nights import COLUMNS
from bench.history.series import facts_changed

_MOST = 12
_SHOWN = (Word.REGRESSED, Word.IMPROVED, Word.INCONCLUSIVE, Word.NOT_COMPARABLE, Word.NOT_MEASURED)


def from_history(
    folder: Path,
    *,
    tonight: str | None = None,
    accepted: Mapping[str, str] | None = None,
    asked: float = DEFAULT_MARGIN,
    allow_estimates: bool = False,
    part: str = "",
    workers: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Night, list[str]]:
    """The night, and what a terminal says of it.

    Args:
        folder: Where the journals are.
        tonight: As in `bench.gate.lookback.look_back`, with all that follow.
        accepted: By case from when its nights count: a UTC time, or a commit.
        asked: Least change that counts, as a share.
        allow_estimates: Whether estimated energy is judged too.
        part: Only cases with this in their id.
        workers: How many processes read new journals; see `bench.history.index.index_of`.
        say: Is told what takes long.

    Raises:
        JournalError: There is no folder, or no night in it.
    """
    index = index_of(folder, only=COLUMNS, workers=workers, say=say)
    name = tonight_of(index, tonight)
    night = look_back(
        index,
        tonight=name,
        accepted=accepted,
        asked=asked,
        allow_estimates=allow_estimates,
        part=part,
    )
    return night, list(_lines(index, name, night))


def _lines(index: Index, name: str, night: Night) -> Iterator[str]:
    counts = ((word, len(night.having(word))) for word in Word)
    said = " · ".join(f"{count} {word}" for word, count in counts if count)
    yield f"{_plain(name)}: {said or 'no case'} (unpaired: judged by the nights before it)"
    if night.untrusted:
        yield f"UNTRUSTED: {_plain(night.untrusted)}"
    for word in _SHOWN:
        yield from _part(word, night.having(word))
    for change in also_changed(index, name):
        yield f"also changed since the night before: {_plain(change)}"
    if len(index.unreadable):
        yield f"{len(index.unreadable)} journals cannot be read: joulebench trend lists them"
    yield multiplicity(night)


def _part(word: Word, found: tuple[Decision, ...]) -> Iterator[str]:
    for each in found[:_MOST]:
        yield f"{word.mark} {word} {_plain(each.series.case)} {each.series.quantity}"
        yield f"    {_plain(each.reason)}"
    if len(found) > _MOST:
        yield f"{word.mark} and {len(found) - _MOST} more {word}"


def also_changed(index: Index, name: str) -> list[str]:
    """What differs in the environment of a night from that of the one before on its machine."""
    runs = list(index.runs.rows(("journal", "machine", "facts")))
    place = next(number for number, run in enumerate(runs) if run[0] == name)
    before = [facts for _, machine, facts in runs[:place] if machine == runs[place][1]]
    return facts_changed(before[-1], runs[place][2]) if before else []


def _plain(text: str) -> str:
    """One printable line: what a terminal cannot be tricked by."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
