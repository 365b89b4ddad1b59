"""The first screen: verdict, trust box, figure."""

from dataclasses import replace

import pytest
from journals import (
    DRAM,
    LOCKED,
    MACHINE,
    PACKAGE,
    PROCESS,
    SETTINGS,
    Cost,
    a_case,
    a_journal,
    a_run,
    an_idle,
    package,
)

from bench.meter import Channel
from bench.record import Discard
from bench.report.markdown import page
from reports import GUESS, HALF, SAME, measured, report_of


def test_the_verdict_names_what_saves_what_gains_nothing_and_what_breaks() -> None:
    text = page(report_of(measured()))

    assert "<code>student</code> uses 0.5" in text
    assert "× the energy of the digits baseline (95 % CI 0.49–0.52; test accuracy −0.2 pt)" in text
    assert "No gain: <code>masked</code>." in text
    assert "Costs more energy: <code>csr</code>." in text
    assert "Breaks quality: <code>tiny</code>." in text
    assert text.startswith("# Energy per inference: digits\n")


def test_the_verdict_without_energy_says_so_in_words_and_speaks_of_time() -> None:
    slow = [(Cost({PROCESS.id: 1.0}, 0.001), Cost({PROCESS.id: 1.0}, 0.002))] * 2
    cases = [(a_case("masked"), GUESS), (a_case("csr"), slow)]
    run = a_run(channels=(PROCESS,), unusable=(LOCKED,))
    text = page(report_of(a_journal(cases, run=run)))

    assert text.startswith("# Time per inference (energy not measured)")
    assert (
        "**Energy was NOT measured on this machine:** RAPL exists and this user may not read it"
        " (fix: joulebench doctor --fix-rapl)." in text
    )
    assert "**By time alone:** No variant of digits is faster and holds its quality." in text
    assert "No gain in time: <code>masked</code>." in text
    assert "Slower: <code>csr</code>." in text


def test_without_any_meter_found_the_reason_says_just_that() -> None:
    nothing = [(Cost(), Cost())] * 2
    text = page(report_of(a_journal([(a_case("a"), nothing)], run=a_run(channels=()))))

    assert "no energy meter was found (fix: see joulebench doctor)" in text
    assert "100 % absent" in text
    assert "estimate" not in text.partition("<details>")[0]


def test_a_variant_that_differs_by_workload_is_named_with_its_place() -> None:
    cases = [
        (a_case("int8", batch=1), HALF),
        (a_case("int8", batch=8), SAME),
        (a_case("int8", workload="other"), SAME),
    ]
    text = page(report_of(a_journal(cases)))

    assert "of the digits baseline at batch 1 (" in text
    assert "No gain: <code>int8</code> (digits b8) and <code>int8</code> (other b1)." in text
    assert "no variant of other saves energy" in text


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ((0.90, 1 / 0.90 / 1.03**2) * 100, "more than 1000 pairs would be needed"),
        ((0.96, 1.03, 0.97, 1.03), "about 9 pairs would decide"),
        ((0.96, 1.00, 0.98, 0.99, 0.96, 1.02), "about 13 pairs would decide"),
    ],
)
def test_an_unresolved_row_says_how_many_pairs_would_decide(
    ratios: tuple[float, ...], said: str
) -> None:
    pairs = [(package(1.0), package(ratio)) for ratio in ratios]
    text = page(report_of(a_journal([(a_case("a"), pairs)])))

    assert "Unresolved: <code>a</code> –" in text
    assert said in text


def test_the_trust_box_states_kind_boundary_idle_control_and_windows() -> None:
    idle = an_idle(6.0)
    both = replace(idle, energy=(*idle.energy, *an_idle(1.0, DRAM.id).energy))
    cost = Cost({PACKAGE.id: 0.010, DRAM.id: 0.002})
    pairs = [(cost, cost)] * 2
    run = a_run(channels=(PACKAGE, DRAM))
    journal = a_journal(
        [(a_case(), pairs)],
        run=run,
        idle=(both, both),
        discards=[Discard(a_case().case, 1, "short")],
    )
    first, second, third, *rest = journal.windows
    flagged = replace(third, flags=("foreign load 0.34 CPU",))
    text = page(report_of(replace(journal, windows=(first, second, flagged, *rest))))

    assert "100 % measured (hardware energy counter); boundary cpu-package+dram" in text
    assert "Not included: GPU, disk, network, fans, power supply losses." in text
    assert "Idle power: 7.000 ± 0.004 W, included" in text
    assert "differs by at most < 0.01 % in energy (1 control); margin of the verdicts 3 %" in text
    assert "Windows: 4 kept, 1 discarded, 1 flagged (foreign load, up to 0.34 CPU)." in text
    assert "pair 1, discarded: short" in text
    assert "flagged: foreign load 0.34 CPU; kept" in text


@pytest.mark.parametrize(
    ("channel", "domain", "said"),
    [
        ("wall/0", "wall", "cooling of the room and losses before the socket"),
        ("board/vin", "board", "power supply losses and cooling of the room"),
        ("gpu/GPU-1/board", "gpu", "CPU, DRAM, disk, network"),
    ],
)
def test_what_is_not_included_follows_from_the_meter(channel: str, domain: str, said: str) -> None:
    cost = Cost({channel: 1.0})
    case = a_case("a", device="cuda:0", device_id="cuda:GPU-1")
    run = a_run(
        channels=(replace(PACKAGE, id=channel, domain=domain),),
        machine={
            **MACHINE,
            "gpu": [{"name": "Other", "uuid": "x"}, {"name": "H200", "uuid": "GPU-1"}],
        },
    )
    text = page(report_of(a_journal([(case, [(cost, cost)] * 2)], run=run)))

    assert f"Not included: {said}" in text
    assert "## cuda:0: H200" in text


def test_a_control_beyond_the_margin_is_loud_and_limits_what_differences_mean() -> None:
    calm = [(package(1.0), package(1.0))] * 2
    wild = [(package(1.0), package(1.10))] * 2
    cases = [(a_case(workload=f"w{i}"), pairs) for i, pairs in enumerate((calm, wild, calm))]
    text = page(report_of(a_journal(cases)))

    assert (
        "differs by at most 10 % in energy (3 controls); margin of the verdicts 3 % to 21 %" in text
    )
    assert "verdicts take up to 21 % in its place; smaller differences mean nothing here" in text


def test_the_margin_of_a_row_without_a_verdict_is_not_that_of_the_verdicts() -> None:
    calm = [(package(1.0), package(1.0))] * 2
    wild = [(package(1.0), package(1.10))] * 2
    ceiling = a_case(workload="roofline:copy-dram")
    cases = [(a_case(), calm), (a_case("a"), calm), (ceiling, wild), (a_case(workload="w"), calm)]
    text = page(report_of(a_journal(cases)))

    assert "differs by at most 10 % in energy (3 controls); margin of the verdicts 3 %." in text
    assert "within 1/1.030 to 1.030 is called no gain" in text


def test_margins_that_differ_are_both_told() -> None:
    calm = [(package(1.0), package(1.0))] * 2
    wild = [(package(1.0), package(1.10))] * 2
    cases = [
        (a_case(), calm),
        (a_case("a"), calm),
        (a_case(workload="w"), wild),
        (a_case("a", workload="w"), calm),
        (a_case(workload="x"), calm),
    ]
    text = page(report_of(a_journal(cases)))

    assert "margin of the verdicts 3 % to 21 % (asked for: 3 %; raised to twice" in text


def test_one_row_of_many_is_not_no_share_and_the_rest_is_not_all() -> None:
    pairs = [(package(1.0), package(1.0))] * 2
    cases = [(a_case(f"t{i}"), pairs if i else []) for i in range(250)]
    text = page(report_of(a_journal(cases)))

    assert "> 99 % measured (hardware energy counter), < 1 % absent" in text


def test_a_control_that_is_off_by_twice_is_told_without_a_power_of_ten() -> None:
    text = page(report_of(a_journal([(a_case(), [(package(1.0), package(3.0))] * 2)])))

    assert "differs by at most 200 % in energy (1 control); margin of the verdicts 800 %" in text


def test_the_margin_is_raised_to_what_the_controls_can_tell_apart() -> None:
    wild = [(package(1.0), package(1.05))] * 2
    close = [(package(1.0), package(1.07))] * 2
    text = page(report_of(a_journal([(a_case(), wild), (a_case("a"), close)])))

    assert "margin of the verdicts 10 % (asked for: 3 %; raised to twice" in text
    assert "No gain: <code>a</code>" in text


def test_a_replayed_trace_is_told_loudly_wherever_a_reader_looks() -> None:
    run = a_run(channels=(replace(PACKAGE, origin="replay:trace.json"),))
    text = page(report_of(a_journal([(a_case("a"), HALF)], run=run)))

    assert "**These joules are a replayed trace, not this machine's.**" in text
    assert "**REPLAYED TRACE, NOT THIS MACHINE:** the joules come from replay:trace.json." in text
    assert "cpu/0/package was replayed from replay:trace.json." in text


@pytest.mark.parametrize(
    ("channels", "runtime"),
    [((replace(PACKAGE, origin="simulated:cpu/0/package"),), "eager"), ((), "simulated")],
)
def test_a_simulated_device_is_told_by_its_channel_or_by_what_ran_its_models(
    channels: tuple[Channel, ...], runtime: str
) -> None:
    run = a_run(channels=channels)
    text = page(report_of(a_journal([(a_case("a", runtime=runtime), HALF)], run=run)))
    real = page(report_of(a_journal([(a_case("a"), HALF)])))

    assert text.count("**SIMULATED DEVICE: no machine's power, no real model's energy.**") == 2
    assert "**A simulated device was measured, not this machine.**" in text
    assert "AMD EPYC 9654 (8 logical CPUs)" in text.partition("Provenance")[2]
    assert "AMD EPYC 9654" not in text.partition("Provenance")[0]
    assert "imulated" not in real


def test_the_first_screen_ends_before_the_first_folded_part_and_is_short() -> None:
    text = page(report_of(measured(), figure="report.svg"))
    screen = text.partition("<details>")[0]

    assert "![Quality against energy per sample" in screen
    assert "](report.svg)" in screen
    assert len(screen.splitlines()) <= 60


def test_fresh_processes_stand_in_the_trust_box_the_methods_and_what_would_decide() -> None:
    settings = {**SETTINGS, "processes": 3, "target": 0.03}
    pairs = [(package(1.0), package(ratio)) for ratio in (0.95, 0.95, 1.03, 1.03, 0.99, 0.99)]
    journal = a_journal([(a_case("a"), pairs)], run=a_run(settings=settings))
    windows = tuple(replace(window, process=window.pair // 2) for window in journal.windows)
    text = page(report_of(replace(journal, windows=windows)))

    assert "- Each side ran in 3 fresh processes: the intervals are over these." in text
    assert "in each two of them baseline and variant alternated in 4 pairs of neighbouring" in text
    assert "the unit of replication is the process, not the window. Ratios of energy per" in text
    assert "processes would decide" in text
    assert "geometric distances" not in text
