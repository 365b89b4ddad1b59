"""Fresh processes are the replicates where there are several: pooled windows claim too much."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median

import pytest
from journals import PACKAGE, Cost, a_case, a_journal, package

from bench.compare import Row, compare
from bench.pairs import energy_ratio, pairs_of, time_ratio
from bench.quantities import Quantity
from bench.record import Window
from bench.replicates import replicates, uncertainty_of_median
from bench.simulated import DeviceModel, SimulatedDevice, Work
from bench.statistics import mean_interval, ratio_interval
from bench.uncertainty import EDGES, SPREAD

PER_PROCESS = 4
Sides = tuple[Cost, Cost]


def row_of(*processes: Sequence[Sides]) -> Row:
    """The row of a case of which each process measured some pairs."""
    numbers = [process for process, pairs in enumerate(processes) for _ in pairs]
    journal = a_journal([(a_case("student"), [pair for pairs in processes for pair in pairs])])
    windows = [replace(window, process=numbers[window.pair]) for window in journal.windows]
    return compare([replace(journal, windows=tuple(windows))])[0].rows[0]


def sides(*ratios: float) -> list[Sides]:
    return [(package(1.0, 0.001), package(ratio, 0.001 * ratio)) for ratio in ratios]


def test_each_process_gives_the_median_of_its_ratios_and_they_are_the_replicates() -> None:
    row = row_of(sides(0.5, 0.5, 0.5, 0.9), sides(0.6, 0.6, 0.6, 0.1), sides(0.55, 0.55, 0.55, 0.5))

    wanted = ratio_interval([(1.0, 0.5), (1.0, 0.6), (1.0, 0.55)])
    assert wanted is not None
    for found in (row.energy_ratio, row.time_ratio):
        assert found is not None
        assert found.n == 3
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


def test_energy_and_throughput_have_the_t_interval_of_the_means_of_the_processes() -> None:
    row = row_of(sides(1.0, 3.0), sides(4.0, 4.0), sides(5.0, 7.0))

    wanted = mean_interval([2.0, 4.0, 6.0])
    assert wanted is not None
    assert isinstance(row.energy, Quantity)
    assert row.energy.value == pytest.approx(4.0)
    assert row.energy.high == pytest.approx(wanted.high)
    time = row.budgets.time
    seconds = mean_interval([0.002, 0.004, 0.006])
    assert time is not None
    assert seconds is not None
    assert time.n == 3
    assert time.value == pytest.approx(0.004)
    assert time.value + time.half == pytest.approx(seconds.high, rel=1e-3)


def test_windows_of_one_process_are_the_replicates_as_ever() -> None:
    assert row_of(sides(0.5, 0.6, 0.7)) == compare(
        [a_journal([(a_case("student"), sides(0.5, 0.6, 0.7))])]
    )[0].rows[0]  # fmt: skip


def test_the_bound_of_the_meter_is_that_of_a_median_in_each_process() -> None:
    bounds = [(package(1.0, bound=0.06), package(0.5, bound=0.03))] * PER_PROCESS
    row = row_of(bounds, bounds, bounds)

    each = uncertainty_of_median([math.hypot(0.06, 0.06) / math.sqrt(3)] * PER_PROCESS)
    budget = row.budgets.energy_ratio
    assert budget is not None
    assert budget.combined == pytest.approx(each / math.sqrt(3), rel=1e-3)
    assert budget.share(EDGES) > 0.99
    assert budget.share(SPREAD) == 0


def test_a_median_is_never_said_to_be_more_certain_than_it_is() -> None:
    source = random.Random(1)
    for n in (1, 2, 3, 4, 8):
        medians = [median(source.gauss(0, 1) for _ in range(n)) for _ in range(4000)]
        spread = math.sqrt(fmean(value * value for value in medians))
        assert spread < 1.05 * uncertainty_of_median([1.0] * n)


def test_values_of_one_process_stay_as_they_are_and_processes_come_in_order() -> None:
    assert replicates([3.0, 1.0], [0, 0], fmean) == [3.0, 1.0]
    assert replicates([3.0, 5.0, 1.0], [1, 1, 0], fmean) == [1.0, 4.0]


def windows_of(seed: int, processes: int) -> list[Window]:
    """A baseline beside its equal, each side with the luck of its own process."""
    device = SimulatedDevice(DeviceModel(noise=0.003, process_effect=0.01), seed)
    windows: list[Window] = []
    for process in range(processes):
        loops = {role: device.loop(Work(0.001)) for role in ("baseline", "variant")}
        for pair in range(process * PER_PROCESS, (process + 1) * PER_PROCESS):
            for role, loop in loops.items():
                t0_ns = device.now_ns
                loop(100)
                window = Window(
                    "case", role, pair, len(windows), t0_ns, device.now_ns, 100, 100, ()
                )
                windows.append(replace(window, process=process))
    return windows


def holds(windows: Sequence[Window]) -> bool:
    budget = time_ratio(pairs_of(windows))
    return budget is not None and budget.ratio().low <= 1 <= budget.ratio().high


@pytest.mark.parametrize("processes", [3, 6, 12])
def test_intervals_over_processes_hold_the_truth_that_others_miss_far_too_often(
    processes: int,
) -> None:
    runs = 200
    over = pooled = alone = 0
    for seed in range(runs):
        windows = windows_of(seed, processes)
        over += holds(windows)
        alone += holds([window for window in windows if window.process == 0])
        logs = [math.log(other.seconds / one.seconds) for one, other in pairs_of(windows)]
        plain = mean_interval(logs)
        pooled += plain is not None and plain.low <= 0 <= plain.high

    assert over >= 0.93 * runs
    assert pooled < 0.75 * runs  # as if the pairs of a process were independent
    assert alone < 0.45 * runs  # one process never shows its luck


def test_a_process_without_energy_leaves_no_ratio_of_the_others() -> None:
    journal = a_journal(
        [(a_case("student"), [*sides(0.5), (package(1.0), Cost({PACKAGE.id: None}))])]
    )
    windows = [replace(window, process=window.pair) for window in journal.windows]

    assert energy_ratio(pairs_of(windows), [PACKAGE]) is None
