"""The folded parts of the page."""

from dataclasses import replace

import pytest
from journals import (
    LOCKED,
    MACHINE,
    PACKAGE,
    PROCESS,
    Cost,
    a_case,
    a_journal,
    a_run,
    an_idle,
    package,
)

from bench.quantities import Kind
from bench.record import Note
from bench.report.markdown import GridFactor, page, parse_grid_factor
from bench.report.sections.methods import section as methods
from bench.report.sections.provenance import section as provenance
from reports import SAME, estimated, grid_of, measured, report_of, sampled


def test_net_energy_and_idle_share_stand_in_their_own_folded_table() -> None:
    pairs = [(package(0.010, 0.001), package(0.010, 0.001))] * 2
    journal = a_journal([(a_case(), pairs)], idle=(an_idle(6.0), an_idle(6.0)))
    text = page(report_of(journal))
    (row,) = grid_of(text[text.index("Where the energy goes</summary>") :])

    assert (row["idle share"], row["net, mJ per image"]) == ("60 %", "4.0000 ± 0.0034")
    assert "Idle power: 6.0000 ± 0.0034 W (cpu-package)" in text
    assert "Idle power (6.0000 ± 0.0034 W) is included." in text


def test_net_energy_without_idle_has_its_reason_and_an_estimate_its_column() -> None:
    cost = Cost({PACKAGE.id: 0.010, PROCESS.id: 0.004})
    lost = Cost({PACKAGE.id: None, PROCESS.id: 0.004})
    run = a_run(channels=(PACKAGE, PROCESS))
    cases = [(a_case(), [(cost, cost)] * 2), (a_case("lost"), [(lost, lost)] * 2)]
    text = page(report_of(a_journal(cases, run=run)))

    assert "Idle power was not measured: no idle window was measured." in text
    assert text.count("*≈ 2.0–8.0 est.*") == 3
    assert "Idle power is included and was not measured apart." in text


def test_nothing_is_said_of_carbon_without_a_factor() -> None:
    assert "CO2" not in page(report_of(measured()))


def test_carbon_follows_from_energy_and_the_factor_with_its_source() -> None:
    case = (a_case(), [(package(3.6), package(3.6))] * 2)
    text = page(report_of(a_journal([case]), grid=parse_grid_factor("34gCO2e/kWh@2025:RTE")))

    assert "Factor: 34.0 gCO2e/kWh (RTE, 2025)" in text
    assert "mgCO2e per 1000 samples" in text
    assert "| digits | baseline | 1 | 34.0 | measured |" in text


def test_carbon_of_an_estimate_is_a_marked_range() -> None:
    text = page(report_of(estimated(), grid=GridFactor(36.0, "x")))

    assert "| *≈ 5.0–20 est.* | estimated |" in text


def test_carbon_of_a_case_without_any_energy_is_left_out() -> None:
    journal = a_journal([(a_case(), [(Cost(), Cost())] * 2)], run=a_run(channels=()))

    assert "CO2" not in page(report_of(journal, grid=GridFactor(36.0, "x")))


@pytest.mark.parametrize("wrong", ["34", "34gCO2e/kWh", "34gCO2/kWh@2025:x", "34gCO2e/kWh@2025: "])
def test_a_grid_factor_without_year_or_source_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"wanted grams, year and source, such as 34gCO2e"):
        parse_grid_factor(wrong)


def test_compression_facts_stand_once_for_each_variant() -> None:
    case = a_case("masked", nonzero=90, note="dense kernel")
    other = replace(a_case("masked", batch=8, nonzero=90), note="dense kernel")
    text = page(report_of(a_journal([(case, SAME), (other, SAME)])))
    (row,) = grid_of(
        text[text.index("What compression did</summary>") :].partition("</details>")[0]
    )

    assert (row["parameters"], row["nonzero"], row["note"]) == (
        "1\u202f000",
        "9.00 %",
        "dense kernel",
    )


def test_a_runtime_that_makes_another_file_of_a_model_has_a_line_of_its_own() -> None:
    case = a_case("int8", size_bytes={"disk": 1000})
    others = [
        a_case("int8", runtime="openvino", size_bytes={"disk": 500}),
        a_case("int8", runtime="openvino", batch=8, size_bytes={"disk": 600}),
    ]
    text = page(report_of(a_journal([(each, SAME) for each in (case, *others)])))
    rows = grid_of(text[text.index("What compression did</summary>") :])

    assert [(row["variant"], row["batch"], row["on disk"]) for row in rows] == [
        ("int8 · eager", "1", "1000 B"),
        ("int8 · openvino", "1", "500 B"),
        ("int8 · openvino", "8", "600 B"),
    ]


def test_unknown_compression_facts_are_dashes_not_zeros() -> None:
    case = a_case("a", parameters=None, nonzero=None, macs=None, size_bytes={})
    text = page(report_of(a_journal([(case, SAME)])))

    assert "| a | — | — | — | — | — | — |" in text


def test_caveats_are_only_those_that_apply() -> None:
    quiet = page(report_of(measured()))
    machine = {**MACHINE, "virtualised": "container", "governor": "powersave", "turbo": True}
    noisy = page(report_of(measured(run=a_run(machine=machine))))
    unknown = page(report_of(measured(run=a_run(machine={**MACHINE, "governor": None}))))

    assert "governor" not in quiet.partition("Caveats")[2].partition("</details>")[0]
    assert "Clocks were not locked" not in quiet
    assert "It ran in a container" in noisy
    assert "governor was powersave, not performance" in noisy
    assert "Clocks were not locked" in noisy
    assert "governor is unknown" in unknown
    assert "not the calibration of the sensor" in quiet


def test_caveats_give_the_formula_of_estimates_and_warn_of_sampling() -> None:
    journal = measured(run=a_run(channels=(replace(PACKAGE, kind=Kind.SAMPLED),)))
    gauge = page(report_of(replace(journal, windows=tuple(map(sampled, journal.windows)))))

    assert "CPU time × TDP share; truth within 0.5 to 2 times" in page(report_of(estimated()))
    assert "misses what happens between two samples" in gauge


def test_provenance_holds_what_is_needed_to_judge_and_to_repeat() -> None:
    run = a_run(
        git={"commit": "abc", "dirty": True}, unusable=(LOCKED,), channels=(PACKAGE, PROCESS)
    )
    text = page(report_of(measured(run=run)))

    for said in (
        "abc with uncommitted changes",
        "| torch 2.9.0 |",
        "| cpu/0/package | measured | cpu-package | 1.00 ms | 61.0 µJ | powercap:intel-rapl:0 |",
        "| process/cpu | estimated | cpu-process | none | none | codecarbon |",
        "| permission | RAPL exists and this user may not read it |",
        "profile quick, pairs 6",
        "| AMD EPYC 9654 (8 logical CPUs) |",
    ):
        assert said in text


def test_the_shortest_window_of_the_methods_is_never_rounded_up() -> None:
    pairs = [(package(0.010, 0.0005188), package(0.005, 0.0005188))] * 3
    text = methods(report_of(a_journal([(a_case("a"), pairs)])))

    assert "of neighbouring windows of at least 0.51 s," in text


def test_the_methods_give_the_margin_of_each_row_not_the_largest_for_all() -> None:
    apart = [(package(0.010 + d), package(0.0105 + d)) for d in (0.0, 0.0001, 0.0002)]
    cases = [(a_case(), SAME), (a_case("a"), SAME), (a_case(batch=8), SAME)]
    worse = [(a_case(batch=64), apart), (a_case("a", batch=64), apart)]
    same, one = (methods(report_of(a_journal(rows))) for rows in (cases, cases + worse))

    assert "lies within 1/1.030 to 1.030 is called no gain" in same
    assert "lies within 1/1.030 to 1.030 (up to 1/1.101 to 1.101 where the baseline's own" in one


def test_the_step_of_a_gauge_is_one_of_power() -> None:
    gauge = replace(PACKAGE, kind=Kind.SAMPLED, unit="W", resolution=0.1)
    text = provenance(report_of(measured(run=a_run(channels=(gauge,)))))

    assert "| cpu/0/package | sampled | cpu-package | 1.00 ms | 100 mW |" in text


def test_provenance_without_git_or_machine_facts_says_unknown() -> None:
    text = page(
        report_of(measured(run=a_run(git=None, machine={"id": "m"}, packages={}), end=None))
    )

    assert "| not a repository |" in text
    assert "| no sign of it |" in text
    assert "cut off: no end record" in text
    assert "unknown CPU" in text


def test_commands_to_repeat_stand_at_the_end_of_the_page() -> None:
    journal = measured(run=a_run(command="pytest --benchmark > out"))
    case = replace(journal.cases[-1], nodeid="suites/x.py::test_student[1]")
    text = page(report_of(replace(journal, cases=(*journal.cases[:-1], case))))
    end = text[text.index("Run it again") :]

    assert "pytest --benchmark &gt; out" in end
    assert "joulebench report results/20261123T101203Z-0123456789ab-r1.jsonl" in end
    assert "pytest --benchmark 'suites/x.py::test_student[1]' # one case alone" in end


def test_notes_of_the_journal_are_never_hidden() -> None:
    notes = [Note("", "a torn line"), Note("digits/x", "no CUDA here")]
    text = page(report_of(measured(notes=notes)))

    assert "- a torn line" in text
    assert "- <code>digits/x</code>: no CUDA here" in text


def test_a_baseline_that_wandered_tells_the_reader_to_read_the_ratios() -> None:
    journal = a_journal([(a_case(), SAME)])
    calm = page(report_of(journal))
    first = next(window for window in journal.windows if window.role == "baseline")
    assert first.latency_s is not None
    slow = replace(first, latency_s=replace(first.latency_s, p50=2 * first.latency_s.p50))
    windows = tuple(slow if window is first else window for window in journal.windows)

    wandered = page(report_of(replace(journal, windows=windows)))

    assert "wandered between" not in calm
    assert "read the ratios, which were taken in pairs" in wandered


def test_the_budget_of_each_number_stands_in_a_folded_table_with_the_share_of_each_source() -> None:
    pairs = [(package(0.010, 0.001, 5e-5), package(0.005, 0.0005, 5e-5))] * 4
    text = page(report_of(a_journal([(a_case("student"), pairs)])))
    rows = grid_of(text[text.index("Uncertainty budget</summary>") :])

    shown = {row["number"]: row for row in rows}
    assert list(shown) == [
        "mJ per image",
        "W",
        "µs per image",
        "energy ÷ baseline",
        "time ÷ baseline",
    ]
    energy = shown["mJ per image"]
    # ±50 mJ a window of 1000 images, 61 µJ of it the counter's step, and the same in all windows
    assert energy["value"] == "5.00 ± 0.06"
    assert (energy["spread, %"], energy["edges, %"]) == ("—", "100")
    assert shown["µs per image"]["clock, %"] == "100"


def test_a_budget_of_one_window_says_that_its_spread_is_unknown() -> None:
    text = page(report_of(a_journal([(a_case(), [(package(0.010), None)])])))
    rows = grid_of(text[text.index("Uncertainty budget</summary>") :])

    assert [row["spread, %"] for row in rows] == ["unknown"] * 3
