"""The table of a terminal."""

from dataclasses import replace

import pytest
from journals import (
    LOCKED,
    PACKAGE,
    PROCESS,
    Cost,
    a_case,
    a_journal,
    a_run,
    package,
    quality,
)

from bench.compare import Table, compare
from bench.meter import Channel
from bench.report.terminal import WIDTH, lines, shorten

SAVING = [(package(0.010), package(0.005))] * 2
LONG = {"density": "0.09", "form": "csr", "schedule": "polynomial", "steps": "1000"}


def measured(**changes: object) -> tuple[Table, ...]:
    cases = [
        (a_case(), [(package(0.010), package(0.010))] * 2),
        (a_case("student"), SAVING),
        (a_case("magnitude_pruning", level=LONG), SAVING),
    ]
    return compare([a_journal(cases, run=a_run(**changes))])


def estimated() -> tuple[Table, ...]:
    guess = Cost({PROCESS.id: 0.001})
    cases = [(a_case(), [(guess, guess)] * 2), (a_case("masked"), [(guess, guess)] * 2)]
    return compare([a_journal(cases, run=a_run(channels=(PROCESS,), unusable=(LOCKED,)))])


def test_first_line_says_in_words_that_energy_was_measured_and_how() -> None:
    assert lines(measured())[0] == (
        "energy: measured (hardware energy counter), cpu-package, idle included"
    )


def test_first_line_says_why_energy_was_not_measured_and_what_helps() -> None:
    assert lines(estimated())[0] == (
        "energy: NOT MEASURED – RAPL exists and this user may not read it;"
        " fix: joulebench doctor --fix-rapl"
    )


def test_without_any_meter_the_doctor_is_named_as_the_fix() -> None:
    tables = compare([a_journal([(a_case("a"), [(Cost(), Cost())] * 2)], run=a_run(channels=()))])

    assert "joulebench doctor" in lines(tables)[0]
    assert "—" in lines(tables)[-1]


def test_no_line_is_wider_than_a_hundred_columns() -> None:
    long = "w" * 300
    tables = compare([a_journal([(a_case("x" * 300, workload=long, runtime=long), SAVING)])])

    assert max(len(line) for line in lines(tables) + lines(measured())) <= WIDTH


def test_measured_rows_show_energy_ratio_quality_and_verdict() -> None:
    row = next(line for line in lines(measured()) if line.startswith(" student"))

    assert row.split("  ")[0].strip() == "student"
    assert "5.00" in row
    assert "0.500 [0.500, 0.500]" in row
    assert row.endswith("97.0 %  saves")


def test_estimated_rows_show_a_marked_range_and_the_verdict_by_time() -> None:
    text = lines(estimated())
    header = next(line for line in text if "variant" in line)
    row = next(line for line in text if line.startswith(" masked"))

    assert "time ratio" in header
    assert header.endswith("by time")
    assert "≈ 0.50–2.0 est." in row
    assert row.endswith("no gain")


def test_batch_has_a_column_only_where_batches_differ_from_one() -> None:
    tables = compare([a_journal([(a_case("a", batch=8), SAVING)])])

    assert "batch" in "\n".join(lines(tables))
    assert "batch" not in "\n".join(lines(measured()))


def test_control_characters_of_a_name_never_reach_the_terminal() -> None:
    tables = compare([a_journal([(a_case("a\x1b[31m\nb", workload="w\x07\r"), SAVING)])])

    assert all(line.isprintable() for line in lines(tables))


def test_a_replayed_trace_is_told_loudly_in_the_terminal() -> None:
    channels = (replace(PACKAGE, origin="replay:trace.json"),)

    assert "REPLAYED TRACE, NOT THIS MACHINE: replay:trace.json" in lines(
        measured(channels=channels)
    )


@pytest.mark.parametrize("channels", [(replace(PACKAGE, origin="simulated:cpu/0/package"),), ()])
def test_a_simulated_device_is_told_loudly_in_the_terminal(channels: tuple[Channel, ...]) -> None:
    case = a_case("a", runtime="simulated")
    tables = compare([a_journal([(case, SAVING)], run=a_run(channels=channels))])

    assert "SIMULATED DEVICE: no machine's power, no real model's energy." in lines(tables)


def test_several_runs_are_told_apart_by_their_names() -> None:
    both = (*measured(), *measured(run_id="r2"))
    text = "\n".join(lines(both))

    assert "run r1: energy" in text
    assert "run r2: energy" in text


def test_a_case_without_quality_or_windows_has_dashes() -> None:
    tables = compare([a_journal([(a_case("a", quality=None), [])])])

    assert lines(tables)[-1].count("—") == 4


def test_quality_in_its_own_unit_is_shown_without_per_cent() -> None:
    case = a_case("a", quality=quality(31.25, target=30), baseline_quality=quality(32.5))
    tables = compare([a_journal([(case, SAVING)])])

    assert "31.25  saves" in lines(tables)[-1]


def test_a_shortened_name_keeps_its_end_which_tells_variants_apart() -> None:
    assert shorten("magnitude_pruning@density=0.09", 16) == "magnit…sity=0.09"
    assert shorten("short", 16) == "short"
