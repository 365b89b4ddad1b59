"""Tables of an index: words once, rows chosen and counted as if each stood there by itself."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from histories import index_of_numbers, nights, noisy
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.history import store, table
from bench.history.index import CASES, index_of
from bench.history.nights import MOST, histories, same_of
from bench.history.noise import is_usable
from bench.history.series import COLUMNS
from bench.history.table import Columns, Table, joined, stacked

WORDS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), max_size=30)
TWO = Columns(("one", "other"))


def made(*parts: Sequence[tuple[str, str]]) -> Table:
    return joined(
        ({"one": [a for a, _ in part], "other": [b for _, b in part]} for part in parts), TWO
    )


@given(first=WORDS, second=WORDS)
def test_rows_have_one_number_exactly_if_their_words_are_the_same(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    both = stacked((made(first), made(second)), ("one", "other"))
    codes = both.codes(("one", "other")).tolist()
    rows = [*first, *second]

    assert list(both.rows(("one", "other"))) == rows
    assert all(
        (codes[i] == codes[j]) == (a == b) for i, a in enumerate(rows) for j, b in enumerate(rows)
    )


def test_numbers_of_rows_stay_apart_where_they_would_overflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = made([("a", "x"), ("b", "x"), ("a", "y"), ("a", "x")])
    monkeypatch.setattr(table, "_MOST", 3)

    first, second, third, again = found.codes(("one", "other", "one")).tolist()

    assert first == again
    assert len({first, second, third}) == 3


@given(words=WORDS)
def test_a_table_chooses_and_counts_as_a_list_does(words: list[tuple[str, str]]) -> None:
    found, ones = made(words), [one for one, _ in words]

    assert found.counts("one") == {each: ones.count(each) for each in sorted(set(ones))}
    assert found.where(found.is_("one", "a"))["one"] == [each for each in ones if each == "a"]
    assert found.within("one", ("b", "nowhere")).tolist() == [each == "b" for each in ones]
    assert found.less("one", "b").tolist() == [each < "b" for each in ones]
    assert [found.at("one", place) for place in range(len(ones))] == ones


NIGHT = st.tuples(
    st.sampled_from(("w/a/eager/cpu/b1", "w/b/eager/cpu/b1")),
    st.sampled_from((0.01, 0.02, 0.03, 0.0, math.nan, math.inf, -1.0)),
    st.sampled_from(("2026-01-01", "2026-01-02", "2026-01-03")),
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(NIGHT, max_size=40),
    since=st.sampled_from(("", "2026-01-02", "2027-01-01")),
    most=st.sampled_from((2, MOST)),
)
def test_the_nights_of_a_case_are_those_that_a_loop_over_all_rows_finds(
    rows: list[tuple[str, float, str]], since: str, most: int
) -> None:
    names = ("w/a/eager/cpu/b1", "w/b/eager/cpu/b1", "w/new/eager/cpu/b1")
    now = index_of_numbers(names, 1, noisy(1)).cases
    before = index_of_numbers([case for case, *_ in rows] or ["none"], 1, noisy(1)).cases
    changed = {
        "energy": np.array([value for _, value, _ in rows], dtype=float),
        "started": joined([{"one": [at for *_, at in rows]}], Columns(("one",))).columns["one"],
    }
    before = Table({**before.columns, **changed}) if rows else before
    begins = {names[0]: since} if since else {}

    found = histories(now, before, "energy", same_of("energy"), begins=begins, most=most)

    wanted = {
        name: [
            value
            for case, value, at in rows
            if case == name and is_usable(value) and at >= begins.get(case, "")
        ][-most:]
        for name in names
    }
    assert {key[0]: values for key, values in found.items()} == wanted


@pytest.mark.parametrize("parquet", [True, False])
def test_only_the_columns_that_are_asked_for_are_read(
    parquet: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parquet:
        pytest.importorskip("pyarrow")
    monkeypatch.setattr(store, "has_parquet", lambda: parquet)
    paths = nights(tmp_path, 3)
    whole = index_of(tmp_path).cases

    some = index_of(tmp_path, only=("energy", "case")).cases

    assert list(some.columns) == ["journal", "case", "energy"]
    assert [some[name] for name in some.columns] == [whole[name] for name in some.columns]

    paths[0].unlink()
    index_of(tmp_path, only=COLUMNS)  # what is written anew has every column
    assert list(index_of(tmp_path).cases.columns) == CASES.names
