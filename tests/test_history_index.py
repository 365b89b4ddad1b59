"""The index of a results folder: what compare() says, for each journal once."""

import json
import math
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from histories import night, nights, pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import PACKAGE, PROCESS, Cost, a_case, save

from bench.compare import compare
from bench.history import store
from bench.history.index import CASES, FOLDER, Index, index_of
from bench.quantities import Absent, Quantity
from bench.record import JournalError
from bench.records import Journal, read

FORMS = [pytest.param(True, id="parquet"), pytest.param(False, id="csv")]


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Each test with Parquet, and as if pyarrow were not installed."""
    parquet: bool = request.param
    if parquet:
        pytest.importorskip("pyarrow")
    monkeypatch.setattr(store, "has_parquet", lambda: parquet)
    return parquet


def table(index: Index) -> list[list[Any]]:
    """All cells of an index; NaN as None, which equals itself."""
    frames = (index.cases, index.runs, index.unreadable)
    return [
        [None if value != value else value for value in frame[name]]  # noqa: PLR0124
        for frame in frames
        for name in frame.columns
    ]


def said(journal: Journal) -> list[dict[str, Any]]:
    """What compare() says of a journal's cases."""
    found = []
    for row in (row for table in compare([journal]) for row in table.rows):
        energy = row.energy
        time = row.budgets.time
        found.append(
            {
                "case": row.case.case,
                "energy": energy.value if isinstance(energy, Quantity) else None,
                "energy_low": energy.low if isinstance(energy, Quantity) else None,
                "kind": str(energy.kind) if isinstance(energy, Quantity) else "",
                "boundary": energy.boundary if isinstance(energy, Quantity) else "",
                "absent": str(energy) if isinstance(energy, Absent) else "",
                "time": time.value if time else None,
                "power": row.power.value if isinstance(row.power, Quantity) else None,
                "energy_ratio_high": row.energy_ratio.high if row.energy_ratio else None,
                "time_ratio": row.time_ratio.value if row.time_ratio else None,
                "estimate": row.estimate.value if row.estimate else None,
                "windows": row.windows,
                "is_control": int(row.is_baseline),
            }
        )
    return found


def indexed(index: Index, names: Sequence[str]) -> list[dict[str, Any]]:
    columns = [index.cases[name] for name in names]
    return [
        {n: None if v != v else v for n, v in zip(names, values, strict=True)}  # noqa: PLR0124
        for values in zip(*columns, strict=True)
    ]


COSTS = st.tuples(st.floats(1e-6, 10.0), st.floats(1e-6, 1.0), st.floats(0.1, 10.0))


@settings(max_examples=10, deadline=None)
@given(costs=st.lists(COSTS, min_size=1, max_size=4), measured=st.booleans())
def test_a_row_of_the_index_is_what_compare_says(
    costs: list[tuple[float, float, float]],
    measured: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("results")
    channel = "cpu/0/package" if measured else PROCESS.id
    cases = [
        (a_case(f"t{place}" if place else "baseline"), pairs(*cost, channel=channel))
        for place, cost in enumerate(costs)
    ]
    channel_ = PACKAGE if measured else PROCESS
    path = save(night(0, cases, channels=(channel_,)), folder)

    wanted = said(read(path))
    assert indexed(index_of(folder), list(wanted[0])) == wanted


def test_what_was_read_back_is_what_was_made(tmp_path: Path, form: bool) -> None:
    nights(tmp_path, 3)

    made = index_of(tmp_path)
    again = index_of(tmp_path)

    suffix = "parquet" if form else "csv"
    assert len(list((tmp_path / FOLDER).glob(f"cases-*.{suffix}"))) == 1
    assert table(again) == table(made)
    assert list(again.cases.columns) == CASES.names


def test_an_index_with_a_journal_added_is_the_one_made_from_scratch(
    tmp_path: Path, form: bool
) -> None:
    nights(tmp_path, 3)
    index_of(tmp_path)
    save(night(9, [(a_case("tiny"), pairs(0.01, 0.001, 0.3))]), tmp_path)
    added = index_of(tmp_path)
    shutil.rmtree(tmp_path / FOLDER)

    assert table(added) == table(index_of(tmp_path))


def test_the_nights_stand_in_the_order_of_their_start_whatever_came_first(tmp_path: Path) -> None:
    for number in (5, 1, 3):
        save(night(number), tmp_path)
        index_of(tmp_path)

    index = index_of(tmp_path)

    assert index.runs["run"] == ["n0001", "n0003", "n0005"]
    assert index.cases["run"] == [n for n in ("n0001", "n0003", "n0005") for _ in range(2)]
    assert index.newest == night(5).path.name


def test_a_journal_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights(tmp_path, 2)
    index_of(tmp_path)
    read_again: list[Path] = []

    def noting(path: Path) -> Journal:
        read_again.append(path)
        return read(path)

    monkeypatch.setattr("bench.history.index.records.read", noting)
    index_of(tmp_path)
    assert read_again == []

    new = save(night(7), tmp_path)
    index_of(tmp_path)
    assert read_again == [new]


def test_a_journal_that_changed_is_summarised_again(tmp_path: Path) -> None:
    nights(tmp_path, 2)
    before = index_of(tmp_path).cases["energy"]

    save(night(1, scale=2.0), tmp_path)

    after = index_of(tmp_path).cases["energy"]
    assert after[:2] == before[:2]
    assert after[2] == pytest.approx(2 * before[2])


def test_a_journal_of_other_content_and_the_same_size_and_time_is_seen(tmp_path: Path) -> None:
    path = save(night(0), tmp_path)
    state = path.stat()
    index_of(tmp_path)

    text = path.read_text(encoding="utf-8").replace('"run_id":"n0000"', '"run_id":"n9999"')
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert index_of(tmp_path).runs["run"] == ["n9999"]


def test_a_journal_that_vanished_is_dropped(tmp_path: Path, form: bool) -> None:
    paths = nights(tmp_path, 3)
    index_of(tmp_path)

    paths[1].unlink()

    for _ in range(2):
        index = index_of(tmp_path)
        assert index.runs["run"] == ["n0000", "n0002"]
        assert set(index.cases["run"]) == {"n0000", "n0002"}


@pytest.mark.parametrize("name", ["cases", "runs", "unreadable"])
@pytest.mark.parametrize("damage", [b"", b"PAR1 no", b'"journal"\n"\xff"\n'])
def test_a_damaged_index_is_made_anew(name: str, damage: bytes, tmp_path: Path, form: bool) -> None:
    nights(tmp_path, 2)
    wanted = table(index_of(tmp_path))
    (path,) = (tmp_path / FOLDER).glob(f"{name}-*")

    path.write_bytes(damage)

    assert table(index_of(tmp_path)) == wanted
    assert table(index_of(tmp_path)) == wanted


def test_two_writers_at_once_lose_no_journal(tmp_path: Path, form: bool) -> None:
    nights(tmp_path, 2)
    index_of(tmp_path)
    (old,) = (tmp_path / FOLDER).glob("cases-*")
    kept = old.read_bytes()
    save(night(5), tmp_path)
    wanted = table(index_of(tmp_path))

    old.write_bytes(kept)  # the other one knew nothing of the new night, and wrote last

    assert table(index_of(tmp_path)) == wanted


def test_an_index_by_other_code_is_no_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights(tmp_path, 1)
    index_of(tmp_path)

    monkeypatch.setattr("bench.history.index.made_by", lambda: "another")
    index_of(tmp_path)

    names = [path.name for path in (tmp_path / FOLDER).glob("cases-*")]
    assert [name.split(".")[0] for name in names] == ["cases-another"]


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def newer(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace('"schema":1', '"schema":99')
    path.write_text(text, encoding="utf-8")


def damaged(path: Path) -> None:
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b"{not json", *lines[2:]]))


def no_numbers(path: Path) -> None:
    text = re.sub(r'"joules":[-+.e\d]+', '"joules":NaN', path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")


def half_a_character(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace('"digits"', '"\\ud800"')
    path.write_text(text, encoding="utf-8")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (newer, "the journal has schema 99, this joulebench reads up to 1"),
        (damaged, "line 2 is damaged"),
        (empty, "does not begin with a run record"),
        (no_numbers, "NaN"),
        (half_a_character, "surrogate"),
    ],
)
def test_a_journal_that_cannot_be_read_is_a_visible_row_and_stops_no_other(
    harm: Any, reason: str, tmp_path: Path, form: bool
) -> None:
    paths = nights(tmp_path, 3)
    harm(paths[1])

    for _ in range(2):
        index = index_of(tmp_path)
        assert index.runs["run"] == ["n0000", "n0002"]
        assert index.unreadable["journal"] == [paths[1].name]
        assert reason in index.unreadable["reason"][0]


def test_a_torn_journal_has_the_cases_that_were_finished(tmp_path: Path) -> None:
    paths = nights(tmp_path, 2)
    torn(paths[1])

    assert index_of(tmp_path).runs["run"] == ["n0000", "n0001"]


def test_numbers_beyond_all_bounds_stop_no_other(tmp_path: Path) -> None:
    cases = [(a_case(), [(Cost({"cpu/0/package": 1e300}, 1e-3),) * 2] * 3)]
    save(night(0, cases), tmp_path)
    save(night(1), tmp_path)

    index = index_of(tmp_path)

    assert len(index.runs) + len(index.unreadable) == 2
    assert "n0001" in set(index.cases["run"])


STRANGE = '=1+1,"<b>\n\r\t\0;\u202e|' + "x" * 3


def test_strange_names_come_back_as_they_went_in(tmp_path: Path, form: bool) -> None:
    case = a_case(workload=STRANGE, unit="NA", workload_version="", quality=None)
    save_strange(night(0, [(case, pairs(0.01, 0.001))], packages={STRANGE: "1e5"}), tmp_path)

    made, again = index_of(tmp_path), index_of(tmp_path)

    assert table(made) == table(again)
    assert again.cases["unit"] == ["NA"]
    assert again.cases["workload_version"] == [""]
    assert again.cases["workload"] == [STRANGE.replace("\0", "?")]


def save_strange(journal: Journal, folder: Path) -> Path:
    """As another program writes it: in ASCII."""
    from bench.record import Record, to_json

    records: list[Record] = [journal.run, *journal.windows, *journal.cases]
    path = folder / journal.path.name
    text = "".join(f"{json.dumps(json.loads(to_json(record)))}\n" for record in records)
    path.write_text(text, encoding="ascii")
    return path


def test_what_is_absent_is_no_number(tmp_path: Path, form: bool) -> None:
    guess = [
        (a_case(size_bytes={"disk": None, "nominal": None}), [(Cost({PROCESS.id: 0.001}),) * 2] * 3)
    ]
    save(night(0, guess, channels=(PROCESS,)), tmp_path)

    for _ in range(2):
        cases = index_of(tmp_path).cases
        for name in ("energy", "energy_ratio", "power", "energy_step", "size_bytes"):
            assert math.isnan(cases[name][0])
        assert cases["kind"] == [""]
        assert cases["estimate"][0] > 0


def test_a_folder_without_journals_has_an_empty_index(tmp_path: Path, form: bool) -> None:
    for _ in range(2):
        index = index_of(tmp_path)
        assert (len(index.cases), len(index.runs), index.newest) == (0, 0, None)


def test_a_folder_that_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="found no folder"):
        index_of(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_written_has_an_index_all_the_same(tmp_path: Path) -> None:
    nights(tmp_path, 1)
    (tmp_path / FOLDER).write_text("in the way", encoding="utf-8")
    lines: list[str] = []

    index = index_of(tmp_path, say=lines.append)

    assert len(index.runs) == 1
    assert "cannot keep the index" in lines[0]


def test_several_processes_give_the_same_index_as_one(tmp_path: Path) -> None:
    nights(tmp_path, 6)
    lines: list[str] = []
    alone = table(index_of(tmp_path, say=lines.append))
    shutil.rmtree(tmp_path / FOLDER)

    assert table(index_of(tmp_path, workers=2)) == alone
    assert lines == [f"indexing 6 journals of {tmp_path}"]


def test_git_sees_nothing_of_an_index(tmp_path: Path) -> None:
    nights(tmp_path, 1)
    index_of(tmp_path)

    assert "*" in (tmp_path / FOLDER / ".gitignore").read_text(encoding="utf-8").splitlines()
