"""What the loops disturb: the page is what the program writes from the committed run."""

import doctest
import json
import random
from pathlib import Path
from typing import Any

import contenders
import disturbance
import disturbance_page as pure
import numpy as np
import pytest
from contenders import FileGauge, JoulebenchLoop, Loop, bare

from bench.instruments import Instruments
from bench.statistics import Interval

ROOT = Path(__file__).parent.parent
RUNS = sorted((ROOT / "results" / "disturbance").glob("*.json"))
PLAN = disturbance.Plan("1 ms", 1e-3, block_s=0.01, rounds=4)


def a_run(*shares: float, spread: float = 0.0) -> dict[str, Any]:
    """A run in which our one loop takes so much longer than the bare one, in 20 drifting rounds."""
    drift = [1e-3 * (1 + 0.1 * index) for index in range(20)]
    noise = [1 + spread * (-1) ** index for index in range(20)]
    own = {
        f"w{number}": [b * n * (1 + share) for b, n in zip(drift, noise, strict=True)]
        for number, share in enumerate(shares)
    }
    plan = {"products": 10, "side": 64, "rounds": 20, "calls": 50}
    return {
        "path": "results/disturbance/x.json",
        "started": "2026-01-01T00:00:00Z",
        "machine": {"cpu": "a CPU", "kernel": "Linux", "python": "3.11"},
        "cpu": 1,
        "nice": 0,
        "others_cpu": 0.1,
        "zone": "emulated: a file in memory",
        "packages": {},
        "missing": {"zeus": "ModuleNotFoundError: No module named 'zeus'"},
        "plans": [{"name": name, **plan} for name in own],
        "ours": {"ours": {"windows": 20, "resolved": 19}},
        "latencies_s": {name: {"ours": {"bare": drift, "own": own[name]}} for name in own},
    }


def counted(log: list[tuple[str, int]], name: str) -> Loop:
    def loop(_: object, calls: int) -> float:
        log.append((name, calls))
        return 1e-3

    return loop


def test_the_committed_page_follows_from_the_newest_committed_run() -> None:
    page = pure.page(json.loads(RUNS[-1].read_text(encoding="utf-8")))

    assert (ROOT / "reports" / "disturbance.md").read_text(encoding="utf-8") == page


def test_the_committed_run_has_every_peer_and_energy_in_every_window() -> None:
    run = json.loads(RUNS[-1].read_text(encoding="utf-8"))

    assert run["missing"] == {}
    assert all(count["resolved"] == count["windows"] for count in run["ours"].values())


def test_a_ratio_is_taken_between_neighbours_so_drift_cancels() -> None:
    ratio = pure.ratio(a_run(0.002), "w0", "ours")

    assert ratio.value == pytest.approx(1.002)
    assert ratio.high - ratio.low < 1e-9


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.998, 1.002, "within"),
        (1.002, 1.004, "open"),
        (0.99, 1.01, "open"),
        (1.004, 1.006, "beyond"),
        (0.990, 0.995, "beyond"),
    ],
)
def test_a_difference_is_judged_by_its_whole_interval(low: float, high: float, word: str) -> None:
    assert pure.word(Interval((low + high) / 2, low, high, 20)) == word


def test_the_limit_holds_where_every_workload_is_within_it() -> None:
    run = a_run(0.001, -0.002)

    assert pure.holds(run)
    assert "either way, holds" in pure.page(run)


def test_a_limit_that_does_not_hold_is_said_on_the_page_with_its_workload() -> None:
    run = a_run(0.001, 0.004)

    assert not pure.holds(run)
    assert "DOES NOT HOLD for ours, w1." in pure.page(run)
    assert "either way, holds for ours, w0." in pure.page(run)


def test_a_limit_that_noise_hides_is_not_said_to_hold() -> None:
    run = a_run(0.0, spread=0.05)

    assert not pure.holds(run)
    assert "IS NOT SHOWN to hold for ours, w0" in pure.page(run)


def test_a_peer_that_is_not_there_is_in_the_table_with_the_reason() -> None:
    assert "| zeus | not measured: ModuleNotFoundError" in pure.page(a_run(0.0))


def test_a_page_says_how_many_windows_gave_their_energy() -> None:
    assert "ours: 19 of 20 windows gave the energy of every channel." in pure.page(a_run(0.0))


def test_every_second_round_mirrors_the_one_before() -> None:
    names = ["a", "b", "c"]

    one, other, *_ = disturbance.order(names, 4, random.Random(0))

    assert sorted(name for name, _ in one) == names
    assert other == [(name, not first) for name, first in reversed(one)]


def test_each_loop_runs_as_often_as_its_bare_neighbour_in_every_round() -> None:
    log: list[tuple[str, int]] = []
    loops = {name: counted(log, name) for name in ("a", "b")}

    found = disturbance.measure(loops, PLAN, lambda _: lambda: None)

    assert log.count(("a", PLAN.calls)) == log.count(("b", PLAN.calls)) == PLAN.rounds
    assert {len(side) for sides in found.values() for side in sides.values()} == {PLAN.rounds}


def test_the_doctests_of_its_parts_hold() -> None:
    for part in (contenders, pure):
        found = doctest.testmod(part)
        assert found.attempted >= 1
        assert found.failed == 0


def test_data_of_a_work_begin_at_a_drawn_line_of_a_page() -> None:
    matrix = np.ones((64, 64))
    source = random.Random(0)

    placed = [disturbance._placed(matrix, source) for _ in range(20)]

    assert {each.ctypes.data % 64 for each in placed} == {0}
    assert len({each.ctypes.data % 4096 for each in placed}) > 5
    assert all((each == matrix).all() for each in placed)


def test_a_work_is_one_call_that_multiplies_the_same_matrices_again_and_again() -> None:
    work = disturbance.product(3, random.Random(0))
    one, other, out = work.args  # type: ignore[attr-defined]

    work()

    assert one.shape == (3, 64, 64)
    assert np.allclose(out[0], one[0] @ other[0], atol=1e-3)
    assert (out[0] == out[2]).all()


def test_a_bare_loop_makes_every_call_once() -> None:
    calls: list[None] = []

    bare(lambda: calls.append(None), 7)

    assert len(calls) == 7


def test_our_loop_reads_its_instruments_while_the_work_runs(tmp_path: Path) -> None:
    loop = JoulebenchLoop(Instruments((FileGauge(tmp_path / "power"),)))

    assert loop(lambda: disturbance.spin_up(lambda: None), 10) >= disturbance.SPIN_UP_S

    assert (loop.count.windows, loop.count.resolved) == (1, 1)
