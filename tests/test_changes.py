"""Two runs beside each other: energy is time × power, and what may not be compared is not."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from histories import night, other_machine, pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import DRAM, MACHINE, PACKAGE, PROCESS, Cost, a_case, package, quality, save

from bench.cli import main
from bench.history.changes import Change, Word, changes
from bench.history.differences import Forbids
from bench.quantities import Absent
from bench.records import Journal
from bench.report import change_page, change_terminal
from bench.statistics import Interval
from reports import sampled

FACTORS = st.floats(0.2, 5.0)


def ratio(value: Interval | Absent) -> Interval:
    assert isinstance(value, Interval), value
    return value


def one(before: Journal, after: Journal, case: str = "digits/baseline/eager/cpu/b1") -> Change:
    (found,) = [change for change in changes(before, after).cases if change.case == case]
    return found


def of_costs(number: int, energy: float, time: float, **run: Any) -> Journal:
    return night(number, [(a_case(), pairs(energy, time))], **run)


@settings(max_examples=25, deadline=None)
@given(time=FACTORS, power=FACTORS)
def test_the_ratio_of_energy_is_that_of_time_times_that_of_power(time: float, power: float) -> None:
    before, after = of_costs(0, 0.010, 0.001), of_costs(1, 0.010 * time * power, 0.001 * time)

    found = one(before, after)

    assert ratio(found.energy).value == pytest.approx(time * power)
    product = ratio(found.time).value * ratio(found.power).value
    assert ratio(found.energy).value == pytest.approx(product, rel=1e-12)


@settings(max_examples=15, deadline=None)
@given(time=FACTORS, power=FACTORS)
def test_the_other_way_round_each_ratio_is_its_inverse(time: float, power: float) -> None:
    before, after = of_costs(0, 0.010, 0.001), of_costs(1, 0.010 * time * power, 0.001 * time)

    there, back = one(before, after), one(after, before)

    for name in ("energy", "time", "power"):
        forth, inverse = ratio(getattr(there, name)), ratio(getattr(back, name))
        assert forth.value == pytest.approx(1 / inverse.value)
        assert forth.low == pytest.approx(1 / inverse.high)


def test_a_case_that_draws_more_power_is_dearer_and_no_slower() -> None:
    found = one(of_costs(0, 0.010, 0.001), of_costs(1, 0.011, 0.001))

    assert ratio(found.energy).value == pytest.approx(1.1)
    assert ratio(found.time).value == pytest.approx(1.0)
    assert ratio(found.power).value == pytest.approx(1.1)
    assert (found.word, found.time_word) == (Word.MORE, Word.SAME)


def test_the_uncertainty_of_both_sides_adds_in_quadrature_on_logarithms() -> None:
    before, after = of_costs(0, 0.010, 0.001), of_costs(1, 0.020, 0.001)
    found = one(before, after)
    assert found.before
    assert found.after
    budgets = [found.before.budgets.energy, found.after.budgets.energy]
    relative = [budget.combined / budget.value for budget in budgets if budget]

    half = math.log(ratio(found.energy).high / ratio(found.energy).low) / 2

    assert len(relative) == 2
    assert half > 1.96 * math.hypot(*relative)
    assert half < 3 * math.hypot(*relative)


def test_the_error_of_a_meter_that_both_runs_share_is_not_counted_twice() -> None:
    exact, vague = PACKAGE, replace(PACKAGE, range=(0.9, 1.1))
    found = [
        one(
            of_costs(0, 0.010, 0.001, channels=(channel,)),
            of_costs(1, 0.011, 0.001, channels=(channel,)),
        )
        for channel in (exact, vague)
    ]

    assert ratio(found[0].energy) == ratio(found[1].energy)


def test_a_meters_error_counts_as_far_as_its_share_of_the_joules_moved() -> None:
    channels = (replace(PACKAGE, range=(0.9, 1.1)), DRAM)

    def both(number: int, dram: float) -> Journal:
        sides = [
            (Cost({PACKAGE.id: 0.010 * w, DRAM.id: dram * w}, 0.001 * w),) * 2
            for w in (0.999, 1.0, 1.001)
        ]
        return night(number, [(a_case(), sides)], channels=channels)

    same, moved = one(both(0, 0.010), both(1, 0.010)), one(both(0, 0.010), both(1, 0.030))

    def half(change: Change) -> float:
        return math.log(ratio(change.energy).high / ratio(change.energy).low)

    # the share of the package goes from 1/2 to 1/4: a quarter of ± 10 %
    assert half(moved) > 2 * 1.9 * 0.025 / math.sqrt(3)
    assert half(same) < 2 * half(moved) / 3


def test_what_the_night_does_to_both_sides_is_not_in_the_change_beside_the_baseline() -> None:
    found = one(night(0), night(1, scale=1.05), "digits/student/eager/cpu/b1")

    assert ratio(found.energy).value == pytest.approx(1.05, rel=1e-3)
    assert ratio(found.paired_energy).value == pytest.approx(1.0, rel=1e-9)
    assert ratio(found.paired_time).value == pytest.approx(1.0, rel=1e-9)


def test_a_baseline_has_no_baseline_beside_it() -> None:
    found = one(night(0), night(1))

    assert isinstance(found.paired_energy, Absent)


def test_another_machine_gives_no_ratio_and_is_named() -> None:
    before, after = night(0), night(1, machine=other_machine("ffffffffffff"))

    found = changes(before, after)

    assert not found.is_comparable
    assert [str(d) for d in found.refusals] == ["machine: 0123456789ab → ffffffffffff"]
    for change in found.cases:
        assert isinstance(change.energy, Absent)
        assert isinstance(change.time, Absent)
        assert isinstance(change.paired_energy, Absent)
        assert change.word is Word.NOT_COMPARABLE


def test_a_machine_that_nobody_named_is_no_machine_to_compare_with() -> None:
    nameless = {name: value for name, value in MACHINE.items() if name != "id"}

    found = changes(night(0, machine=nameless), night(1, machine=nameless))

    assert not found.is_comparable


def test_another_workload_version_refuses_that_case_alone() -> None:
    cases = [(a_case(), pairs(0.01, 0.001)), (a_case(workload="faces"), pairs(0.01, 0.001))]
    other = [cases[0], (a_case(workload="faces", workload_version="v2"), pairs(0.01, 0.001))]

    found = {c.case.partition("/")[0]: c for c in changes(night(0, cases), night(1, other)).cases}

    assert isinstance(found["digits"].energy, Interval)
    assert found["faces"].word is Word.NOT_COMPARABLE
    assert "workload version: v1 → v2" in str(found["faces"].time)


def test_another_kind_of_energy_leaves_the_time_to_compare() -> None:
    before = night(0)
    gauge = replace(PACKAGE, kind=sampled(before.windows[0]).energy[0].kind)
    after = night(1, channels=(gauge,))
    after = replace(after, windows=tuple(map(sampled, after.windows)))

    found = one(before, after)

    assert found.word is Word.NOT_COMPARABLE
    assert "kind: measured → sampled" in str(found.energy)
    assert isinstance(found.power, Absent)
    assert ratio(found.time).value == pytest.approx(1.0)


def test_another_boundary_leaves_the_time_to_compare() -> None:
    both = [(Cost({PACKAGE.id: 0.01, DRAM.id: 0.001 * w}, 0.001),) * 2 for w in (1.0, 1.01, 1.02)]

    found = one(night(0), night(1, [(a_case(), both)], channels=(PACKAGE, DRAM)))

    assert "boundary: cpu-package → cpu-package+dram" in str(found.energy)
    assert isinstance(found.time, Interval)


def test_a_second_route_to_the_same_counter_may_be_compared() -> None:
    other = "cpu/0/package#perf"
    cases = [(a_case(), pairs(0.01, 0.001, channel=other))]

    found = one(night(0), night(1, cases, channels=(replace(PACKAGE, id=other),)))

    assert isinstance(found.energy, Interval)


def test_estimated_energy_is_not_compared() -> None:
    guess = [(a_case(), [(Cost({PROCESS.id: 0.001}),) * 2] * 3)]

    found = one(night(0, guess, channels=(PROCESS,)), night(1, guess, channels=(PROCESS,)))

    assert isinstance(found.energy, Absent)
    assert found.word is Word.NOT_MEASURED
    assert found.time_word is Word.SAME


def test_one_window_alone_has_no_spread_and_so_no_ratio() -> None:
    lonely = [(a_case("student"), [(package(0.01), package(0.005))])]

    found = one(night(0, lonely), night(1, lonely), "digits/student/eager/cpu/b1")

    assert "one window shows no spread" in str(found.energy)


def test_a_case_of_only_one_run_is_new_or_gone() -> None:
    more = [(a_case(), pairs(0.01, 0.001)), (a_case("tiny"), pairs(0.01, 0.001, 0.2))]

    found = changes(night(0), night(1, more)).cases

    assert {c.case.split("/")[1]: c.word for c in found} == {
        "baseline": Word.SAME,
        "tiny": Word.NEW,
        "student": Word.GONE,
    }


def test_other_packages_and_kernels_are_told_and_forbid_nothing() -> None:
    after = night(
        1,
        machine={**MACHINE, "kernel": "Linux 6.9", "gpu_driver": "570.1"},
        packages={"torch": "2.9.1"},
        settings={"profile": "full"},
        seed=3,
    )

    found = changes(night(0), after)

    told = {str(d) for d in found.differences}
    assert "kernel: Linux 6.8 → Linux 6.9" in told
    assert "GPU driver: not recorded → 570.1" in told
    assert "package torch: 2.9.0 → 2.9.1" in told
    assert "setting profile: quick → full" in told
    assert "seed: 0 → 3" in told
    assert {d.forbids for d in found.differences} == {Forbids.NOTHING}
    assert found.is_comparable


def test_a_run_beside_itself_changed_nothing() -> None:
    found = changes(night(0), night(0))

    assert found.differences == ()
    assert {change.word for change in found.cases} == {Word.SAME}


HOSTILE = "<script>alert(1)</script>|[x](http://e.example)\n![i](j)\x1b[31m" + "w" * 200


def hostile(number: int) -> Journal:
    cases = [
        (a_case(workload=HOSTILE, unit=HOSTILE, quality=quality(0.9)), pairs(0.01, 0.001)),
        (a_case("student", workload=HOSTILE), pairs(0.01, 0.001, 0.5)),
    ]
    machine = {**MACHINE, "kernel": f"{HOSTILE}{number}"}
    return night(number, cases, machine=machine, packages={HOSTILE: str(number)})


def test_no_text_of_a_journal_is_markup_in_the_page() -> None:
    page = change_page.page(changes(hostile(0), hostile(1)))

    assert "<script" not in page
    assert "](http" not in page
    assert "![" not in page
    assert "\x1b" not in page


def test_no_line_of_the_terminal_is_wider_than_a_hundred_columns() -> None:
    for found in (
        changes(hostile(0), hostile(1)),
        changes(night(0), night(1, machine=other_machine("ffffffffffff"))),
    ):
        lines = change_terminal.lines(found)
        assert all(len(part) <= 100 for line in lines for part in line.splitlines())
        assert all(part.isprintable() for line in lines for part in line.splitlines())


def test_the_verb_finds_runs_by_id_and_writes_a_page_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(night(0), tmp_path)
    save(night(1, scale=1.1), tmp_path)
    page, data = tmp_path / "out" / "c.md", tmp_path / "out" / "c.json"

    asked = ["--markdown", str(page), "--json", str(data)]
    code = main(["compare", "n0000", "n0001", "--results", str(tmp_path), *asked])

    out = capsys.readouterr().out
    assert code == 0
    assert "+10.0" in out
    assert "unpaired" in out
    assert "✖ more" in page.read_text(encoding="utf-8")
    cases = json.loads(data.read_text(encoding="utf-8"))["cases"]
    assert cases[0]["ratios"]["energy"]["value"] == pytest.approx(1.1, rel=1e-3)


def test_the_page_and_the_json_have_the_same_bytes_each_time() -> None:
    found = [changes(night(0), night(1, scale=1.1)) for _ in range(2)]

    assert change_page.page(found[0]) == change_page.page(found[1])
    assert change_page.as_json(found[0]) == change_page.as_json(found[1])


def test_the_verb_shows_both_runs_of_different_machines_and_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = save(night(0), tmp_path)
    after = save(night(1, machine=other_machine("ffffffffffff")), tmp_path)

    code = main(["compare", str(before), str(after)])

    captured = capsys.readouterr()
    assert code == 2
    assert "machine: 0123456789ab → ffffffffffff" in captured.err
    assert re.search(
        r"energy 10\.0\d* ± [\d.]+ → 10\.0\d* ± [\d.]+ mJ/image measured", captured.out
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [("zzz", "found no journal 'zzz'"), ("n000", "found 2 journals with 'n000'")],
)
def test_a_name_of_no_or_of_several_journals_is_an_error_that_says_so(
    name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(night(0), tmp_path)
    save(night(1), tmp_path)

    assert main(["compare", name, "n0001", "--results", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_asking_for_no_case_is_an_error_that_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(night(0), tmp_path)

    assert main(["compare", "n0000", "n0000", "--results", str(tmp_path), "-k", "none"]) == 2
    assert "give less with -k" in capsys.readouterr().err


def test_a_case_that_has_another_baseline_now_has_no_paired_change() -> None:
    other = [
        (a_case("student", baseline="digits/baseline/compile/cpu/b1"), pairs(0.01, 0.001, 0.5)),
    ]

    found = one(night(0), night(1, other), "digits/student/eager/cpu/b1")

    assert "another case now" in str(found.paired_energy)
    assert isinstance(found.energy, Interval)


def test_new_and_gone_cases_and_a_lost_quality_stand_in_page_terminal_and_json() -> None:
    more = [
        (a_case(quality=quality(0.9)), pairs(0.01, 0.001)),
        (a_case("tiny"), pairs(0.01, 0.001, 0.2)),
    ]
    packages = {f"p{number}": "2" for number in range(20)}
    found = changes(night(0), night(1, more, packages=packages))

    page, lines = change_page.page(found), change_terminal.lines(found)
    cases = {
        each["case"].split("/")[1]: each for each in json.loads(change_page.as_json(found))["cases"]
    }

    assert "quality 97.0 % → 90.0 %, below its target" in page.replace("&gt;", ">")
    assert "Also changed: 21" in page
    assert any("9 more, in --markdown and --json" in line for line in lines)
    assert cases["tiny"]["before"] is None
    assert cases["student"]["after"] is None
    assert "it is not in the run after" in page


def test_energy_that_is_not_there_leaves_the_word_to_the_time_and_says_so() -> None:
    lost = [(a_case(), [(Cost({PACKAGE.id: None}),) * 2] * 3)]

    found = changes(night(0), night(1, lost))

    assert "⊘ not measured; time: same" in change_page.page(found)
    assert "after: cpu/0/package: it went back" in change_page.page(found).replace("&#47;", "/")


def test_runs_that_share_no_case_are_not_comparable_and_say_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_, other = save(night(0), tmp_path), save(night(1, [(a_case("x"), pairs(1, 1))]), tmp_path)

    assert main(["compare", str(one_), str(other)]) == 2
    assert "it is not in the run" in capsys.readouterr().err


def test_the_split_holds_also_where_the_windows_of_a_run_differ() -> None:
    """The mean of powers is then not the mean energy over the mean time."""
    uneven = [
        (Cost({PACKAGE.id: 0.01}, 0.001 * f), Cost({PACKAGE.id: 0.01}, 0.001 / f))
        for f in (0.5, 1.0, 2.0, 1.0)
    ]

    found = one(night(0), night(1, [(a_case(), uneven)]))

    product = ratio(found.time).value * ratio(found.power).value
    assert ratio(found.energy).value == pytest.approx(product, rel=1e-12)
