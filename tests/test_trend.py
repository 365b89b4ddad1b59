"""Series over the nights: confirmed shifts, segments that are never joined, and the page."""

import importlib.util
import json
import math
import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from histories import index_of_numbers, night, nights, noisy, started
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import PROCESS, Cost, a_case, save

from bench.cli import main
from bench.history import shifts as shifts_
from bench.history.series import ENERGY, TIME, lines
from bench.history.shifts import Shift, levels, shifts
from bench.report.sparkline import sparkline
from bench.report.trend import Trend, trend
from bench.report.trend_page import files

ONE = "w/t/eager/cpu/b1"
ROOF = "roofline:gemm-fp32/baseline/eager/cpu/b1"
OUT = Path("reports/trend.md")
Number = Callable[[str, int], float]


def needs_ruptures() -> None:
    pytest.importorskip("ruptures", reason="pip install joulebench[trend]")


def page(found: Trend) -> str:
    return files(found, OUT, "joulebench trend")[OUT]


def moved(seed: int, at: int, factor: float, sigma: float = 0.005) -> Number:
    usual = noisy(seed, sigma)
    return lambda case, night_: (
        usual(case, night_) * (factor if night_ >= at and case == ONE else 1.0)
    )


def series(seed: int, count: int, steps: Mapping[int, float], sigma: float) -> list[float]:
    draw, level, found = random.Random(seed), 1.0, []
    for place in range(count):
        level *= steps.get(place, 1.0)
        found.append(level * math.exp(draw.gauss(0.0, sigma)))
    return found


def test_a_step_is_found_where_it_is_with_its_size() -> None:
    needs_ruptures()
    (found,) = shifts(series(1, 60, {35: 1.05}, 0.005))

    assert found.at == 35
    assert found.ratio.low < 1.05 < found.ratio.high
    assert found.p <= shifts_.P_VALUE


def test_each_of_two_steps_is_sized_by_the_levels_around_it() -> None:
    needs_ruptures()
    first, second = shifts(series(2, 150, {50: 1.10, 100: 0.95}, 0.005))

    assert (first.at, second.at) == (50, 100)
    assert first.ratio.value == pytest.approx(1.10, abs=0.01)
    assert second.ratio.value == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(
    ("steps", "count"),
    [({}, 200), ({40: 1.01}, 80), ({57: 1.2}, 59), ({}, 3)],
    ids=["calm", "below 2 %", "two nights after it", "too short"],
)
def test_no_shift_is_confirmed(steps: dict[int, float], count: int) -> None:
    needs_ruptures()

    assert shifts(series(3, count, steps, 0.005)) == ()


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    scale=st.floats(1e-6, 1e6),
    step=st.floats(1.05, 1.5),
    at=st.integers(10, 50),
)
def test_a_step_is_found_whatever_the_unit_and_mirrored_in_the_inverse(
    seed: int, scale: float, step: float, at: int
) -> None:
    needs_ruptures()
    values = series(seed, 60, {at: step}, 0.005)

    (found,) = shifts([scale * value for value in values])
    (mirrored,) = shifts([1 / value for value in values])

    assert found.at == mirrored.at == at
    assert found.ratio.value == pytest.approx(1 / mirrored.ratio.value)


def test_nights_that_are_all_equal_but_for_a_step_show_it() -> None:
    needs_ruptures()
    (found,) = shifts([1.0] * 20 + [1.5] * 20)

    assert found.at == 20
    assert found.ratio.value == pytest.approx(1.5)


def test_one_bad_night_is_no_shift() -> None:
    needs_ruptures()
    values = series(4, 60, {}, 0.005)
    values[30] *= 3

    assert shifts(values) == ()


def test_nights_that_drift_slowly_make_few_shifts() -> None:
    """At this correlation a t test of independent nights calls every eleventh series shifted."""
    needs_ruptures()
    false = 0
    for seed in range(100):
        draw, x, values = random.Random(seed), 0.0, []
        for _ in range(60):
            x = 0.5 * x + math.sqrt(0.75) * draw.gauss(0.0, 1.0)
            values.append(math.exp(0.016 * x))
        false += bool(shifts(values))

    assert false <= 4


def test_levels_lie_between_the_shifts() -> None:
    values = [1.0, 1.0, 2.0, 2.0, 2.0]
    from bench.statistics import Interval

    found = levels(values, [Shift(2, Interval(2.0, 2.0, 2.0, 2), 0.0)])

    assert [(begin, end) for begin, end, _ in found] == [(0, 2), (2, 5)]
    assert [math.exp(each.middle) for _, _, each in found] == pytest.approx([1.0, 2.0])


def changed(at: int, **columns: Any) -> Callable[[int], Mapping[str, Any]]:
    return lambda number: columns if number >= at else {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"workload_version": "v2"}, "workload version v1 → v2"),
        ({"device_id": "cuda:1"}, "device id cpu → cuda:1"),
        ({"kind": "sampled"}, "kind measured → sampled"),
        ({"boundary": "dram"}, "boundary cpu-package → dram"),
        ({"facts": json.dumps({"kernel": "6.9"})}, "kernel absent → 6.9"),
    ],
)
def test_a_change_of_circumstances_begins_a_segment_that_is_never_joined(
    change: dict[str, str], why: str
) -> None:
    index = index_of_numbers([ONE], 30, noisy(1), of_night=changed(20, **change))

    (line,) = [each for each in lines(index) if each.quantity == ENERGY]

    assert [len(segment.values) for segment in line.segments] == [20, 10]
    assert line.segments[1].why == why


def test_another_machine_is_another_series() -> None:
    index = index_of_numbers([ONE], 40, moved(1, 20, 1.5), of_night=changed(20, machine="other"))

    found = [line for line in lines(index) if line.quantity == ENERGY]

    assert [(line.machine, line.length) for line in found] == [("m", 20), ("other", 20)]
    assert [line.machine for line in lines(index, machine="other")] == ["other", "other"]


def test_a_jump_at_a_new_environment_is_no_shift() -> None:
    needs_ruptures()
    facts = json.dumps({"package torch": "3.0"})
    index = index_of_numbers([ONE], 60, moved(1, 30, 1.5), of_night=changed(30, facts=facts))

    found = trend(index)

    assert not any(course.shifts for course in found.courses)
    assert "package torch absent → 3.0" in page(found).replace("&#42;", "*")


def test_what_a_night_does_to_all_is_gone_from_the_ratio_to_the_control() -> None:
    def energy(case: str, number: int) -> float:
        return 0.01 * math.exp(random.Random(number).gauss(0, 0.1)) * (2 if case == ROOF else 1)

    line, _ = lines(index_of_numbers([ONE, ROOF], 20, energy), part=ONE)

    assert line.control == ROOF
    assert line.segments[0].values == pytest.approx([0.5] * 20)


def test_the_control_is_what_was_asked_for_or_none() -> None:
    index = index_of_numbers([ONE, ROOF, "w/c/eager/cpu/b1"], 10, noisy(1))

    assert {line.control for line in lines(index, control="")} == {""}
    by = {line.case: line.control for line in lines(index, control="w/c/eager/cpu/b1")}
    assert by[ONE] == "w/c/eager/cpu/b1"
    assert by["w/c/eager/cpu/b1"] == ""
    with pytest.raises(ValueError, match="found no case 'nothing' to divide by"):
        lines(index, control="nothing")


def test_without_a_roofline_nothing_is_divided_and_the_page_says_so() -> None:
    found = trend(index_of_numbers([ONE], 10, noisy(1)))

    assert "what a night does to all of them is in each series" in page(found)


def test_a_night_in_which_the_control_did_not_run_is_left_out_and_counted() -> None:
    index = index_of_numbers([ONE, ROOF], 10, noisy(1))
    third = index.cases.is_("run", "n0003") & index.cases.is_("case", ROOF)
    index = replace(index, cases=index.cases.where(~third))

    (energy, time) = lines(index, part=ONE)

    assert (energy.length, energy.left_out) == (9, 1)
    assert time.left_out == 1
    assert "2 nights are left out" in page(trend(index, part=ONE))


def test_estimated_energy_is_no_series(tmp_path: Path) -> None:
    from bench.history.index import index_of

    guess = [(a_case(), [(Cost({PROCESS.id: 0.001}),) * 2] * 3)]
    for number in range(4):
        save(night(number, guess, channels=(PROCESS,)), tmp_path)

    assert [line.quantity for line in lines(index_of(tmp_path))] == [TIME]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.0])
def test_a_number_that_is_none_is_no_night(value: float) -> None:
    index = index_of_numbers(
        [ONE], 10, noisy(1), of_night=lambda n: {"energy": value} if n == 4 else {}
    )

    assert [line.length for line in lines(index)] == [9, 10]


def shifted() -> Trend:
    needs_ruptures()
    return trend(
        index_of_numbers([ONE, "w/u/eager/cpu/b1"], 60, moved(5, 35, 1.08), noisy(6, 0.004))
    )


def test_the_page_names_a_shift_with_date_size_and_both_commits() -> None:
    made = files(shifted(), OUT, "joulebench trend")

    text = made[OUT]
    assert "**1 confirmed shift** in 2 cases on 1 machine; 60 journals." in text
    row = next(line for line in text.splitlines() if line.startswith(f"| {ONE} | energy"))
    assert f"| {started(35)[:10]} |" in row
    assert re.search(r"\+[78]\.\d \[\+7\.\d, \+8\.\d\]", row)
    assert "<code>002200220</code> | <code>002300230</code>" in row


def test_the_figure_is_valid_and_says_in_words_what_it_shows() -> None:
    made = files(shifted(), OUT, "joulebench trend")

    (figure,) = (path for path in made if path != OUT)
    root = ET.fromstring(made[figure])
    assert figure.name == "trend-m.svg"
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert "prefers-color-scheme:dark" in made[figure]
    assert f"![Series over the nights: {ONE} energy +" in made[OUT]
    assert f"]({figure.name})" in made[OUT]


def test_the_same_index_gives_the_same_bytes() -> None:
    assert files(shifted(), OUT, "c") == files(shifted(), OUT, "c")


def test_without_ruptures_the_page_shows_the_series_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "ruptures" else real(name, *rest),
    )

    text = page(trend(index_of_numbers([ONE], 60, moved(5, 35, 1.5))))

    assert "pip install joulebench" in text
    assert "Shifts were not looked for" in text
    assert "confirmed by a t test" not in text
    assert re.search("[▁▂▃▄▅▆▇█]{60}", text)


HOSTILE = '<img src=x onerror="alert(1)">|[x](javascript:1)</svg><script>&"\n`$\\'


def test_no_text_of_a_journal_is_markup_in_page_or_figure() -> None:
    needs_ruptures()
    usual = noisy(5, 0.004)
    index = index_of_numbers(
        [HOSTILE],
        60,
        lambda case, n: usual(case, n) * (1.1 if n >= 35 else 1.0),
        of_night=lambda n: {
            "unit": HOSTILE, "machine": HOSTILE, "commit": HOSTILE, "cpu": HOSTILE,
            "facts": json.dumps({HOSTILE: "1" if n < 5 else HOSTILE}),
        },
    )  # fmt: skip

    made = files(trend(index), OUT, HOSTILE)

    assert len(made) == 2
    for path, text in made.items():
        assert "<img" not in text
        assert "<script" not in text
        if path == OUT:
            assert "](java" not in text
        else:
            ET.fromstring(text)
            assert re.fullmatch(r"[\w.-]+", path.name)


def test_journals_that_cannot_be_read_stand_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = nights(tmp_path / "results", 4)
    text = paths[2].read_text(encoding="utf-8").replace('"schema":1', '"schema":99')
    paths[2].write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert main(["trend"]) == 0

    shown = (tmp_path / "reports" / "trend.md").read_text(encoding="utf-8")
    assert "**1 cannot be read (below)**" in shown
    assert f"| {paths[2].name} | line 1: the journal has schema 99" in shown


def test_the_verb_takes_part_machine_and_control(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nights(tmp_path, 3)
    out = tmp_path / "page.md"
    control = "digits/baseline/eager/cpu/b1"

    asked = ["-k", "student", "--machine", "0123456789ab", "--control", control]
    assert main(["trend", str(tmp_path), "-o", str(out), *asked]) == 0

    text = out.read_text(encoding="utf-8")
    assert "student" in text
    assert f"divided by that of <code>{control}</code>" in text
    assert "wrote" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-k", "nothing"], "found no night with a case to show"),
        (["--machine", "nobody"], "found no night with a case to show"),
        (["-o", "page.html"], "give a name ending in .md"),
        (["--control", "x"], "found no case 'x' to divide by"),
    ],
)
def test_a_wrong_call_says_what_to_do(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nights(tmp_path, 1)

    assert main(["trend", str(tmp_path), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_sparkline_shows_parts_on_one_scale_and_the_last_numbers_only() -> None:
    assert sparkline([[1.0] * 5]) == "▄▄▄▄▄"
    assert sparkline([[1.0, 2.0], [8.0, 1.0]], most=3) == "▂┊█▁"
    assert sparkline([]) == ""


def test_marks_stand_where_a_series_shifts_or_begins_anew() -> None:
    needs_ruptures()
    facts = json.dumps({"kernel": "6.9"})
    index = index_of_numbers([ONE], 50, moved(5, 20, 1.2, 0.003), of_night=changed(40, facts=facts))

    row = next(line for line in page(trend(index)).splitlines() if "┊" in line)

    spark = row.split(" | ")[-1]
    assert re.fullmatch(r"[▁▂▃▄▅▆▇█]{20}│[▁▂▃▄▅▆▇█]{20}┊[▁▂▃▄▅▆▇█]{10} \|", spark)


def test_runs_of_tests_without_a_machine_are_no_history() -> None:
    assert lines(index_of_numbers([ONE], 5, noisy(1), of_night=lambda _: {"machine": ""})) == ()


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(6, 120),
    at=st.integers(1, 119),
    step=st.floats(0.7, 1.4),
)
def test_the_compiled_part_of_ruptures_cuts_where_ruptures_does(
    seed: int, count: int, at: int, step: float
) -> None:
    needs_ruptures()
    logs = [math.log(value) for value in series(seed, count, {at: step}, 0.01)]

    assert shifts_.cutter() is not shifts_.by_package
    found = shifts_._cuts(logs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shifts_, "cutter", lambda: shifts_.by_package)
        assert shifts_._cuts(logs) == found


def test_where_the_compiled_part_stands_elsewhere_ruptures_itself_cuts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs_ruptures()
    monkeypatch.setattr(shifts_, "EXTENSION_SUFFIXES", [".nowhere"])

    assert shifts_.cutter.__wrapped__() is shifts_.by_package
