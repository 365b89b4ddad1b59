"""Each side in fresh processes: what the loop does with them, in virtual time and by fakes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.child import ChildError
from bench.measure import measure_case
from bench.processes import measure_processes, seconds_per_case
from bench.record import Window
from bench.schedule import PAIRS_PER_PROCESS, Schedule
from bench.simulated import DeviceModel, SimulatedDevice, Work

SCHEDULE = Schedule(6, 0.5, 0.1, 0.5, margin=0.03, target=0.03, most_pairs=24)
WORKS = {"baseline": Work(0.004), "variant": Work(0.002), "control": Work(0.004)}


@dataclass
class FakeChild:
    """What `bench.child.Child` is to the loop: a side of a simulated device, and its end."""

    role: str
    device: SimulatedDevice
    ends: list[str]
    version: str = "v1"
    fails: bool = False
    loop: Any = field(init=False)

    def __post_init__(self) -> None:
        self.loop = self.device.loop(WORKS[self.role])

    def up(self, version: str) -> None:
        if self.fails or version != self.version:
            raise ChildError("it did not come up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.ends.append("ended" if kind is None else "killed")


@dataclass
class House:
    """A simulated device, and the processes that were started on it."""

    device: SimulatedDevice = field(default_factory=lambda: SimulatedDevice(DeviceModel(), 1))
    started: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    fails_at: int = 10**9

    def start(self, role: str) -> Any:
        self.started.append(role)
        return FakeChild(role, self.device, self.ends, fails=len(self.started) > self.fails_at)

    def blocks(
        self, number: int = 3, roles: tuple[str, str] = ("baseline", "variant"), **more: Any
    ) -> Any:
        return measure_processes(
            "case",
            roles,
            SCHEDULE,
            self.device.instruments(),
            7,
            samples=1,
            number=number,
            start=self.start,
            version="v1",
            **more,
        )


def kept(blocks: Sequence[Any]) -> list[Window]:
    return [each for each in blocks if isinstance(each, Window) and each.role != "warmup"]


def test_each_process_measures_four_pairs_in_abba_order_that_go_on_counting() -> None:
    house = House()

    windows = kept(list(house.blocks(3)))

    assert [window.process for window in windows] == [0] * 8 + [1] * 8 + [2] * 8
    assert [window.pair for window in windows] == [pair for pair in range(12) for _ in (0, 1)]
    for first in range(0, 24, 4):
        group = [window.role for window in windows[first : first + 4]]
        assert group == group[::-1]
        assert set(group) == {"baseline", "variant"}
    orders = [window.order for window in windows]
    assert orders == sorted(set(orders))


def test_both_sides_of_each_pair_of_processes_are_started_warmed_up_and_ended() -> None:
    house = House()

    blocks = list(house.blocks(3))

    assert [sorted(house.started[i : i + 2]) for i in (0, 2, 4)] == [["baseline", "variant"]] * 3
    assert house.ends == ["ended"] * 6
    warmups = [block.process for block in blocks if block.role == "warmup"]
    assert warmups == [0, 0, 1, 1, 2, 2]


def test_which_side_starts_first_follows_from_the_seed_and_changes() -> None:
    house, again = House(), House()
    list(house.blocks(8))
    list(again.blocks(8))

    assert house.started == again.started
    assert len(set(house.started[::2])) == 2


def test_a_control_has_fresh_processes_on_both_sides() -> None:
    house = House()

    windows = kept(list(house.blocks(2, ("baseline", "control"))))

    assert sorted(house.started) == ["baseline", "baseline", "control", "control"]
    assert {window.role for window in windows} == {"baseline", "control"}


def test_there_are_no_looks_however_clear_the_answer_is() -> None:
    assert len(kept(list(House().blocks(9)))) == 2 * 9 * PAIRS_PER_PROCESS


def test_a_measurement_that_is_left_kills_its_processes() -> None:
    house = House()
    blocks = house.blocks(3)
    next(blocks)

    blocks.close()

    assert house.ends == ["killed", "killed"]


def test_a_process_that_does_not_come_up_ends_the_other_too() -> None:
    house = House(fails_at=3)

    with pytest.raises(ChildError):
        list(house.blocks(3))

    assert house.ends == ["ended", "ended", "killed", "killed"]


@settings(max_examples=10)
@given(st.integers(0, 24 + 6))
def test_what_was_measured_before_stays_and_only_the_rest_runs_in_fresh_processes(
    cut: int,
) -> None:
    whole = list(House().blocks(3))
    done = whole[:cut]
    house = House()

    windows = kept([*done, *house.blocks(3, done=done)])

    found = sorted((w.pair, w.role, w.process) for w in windows)
    assert found == sorted((w.pair, w.role, w.process) for w in kept(whole))
    finished = sum(
        len([w for w in kept(done) if w.process == process]) == 8 for process in range(3)
    )
    assert len(house.started) == 2 * (3 - finished)
    orders = [w.order for w in windows]
    assert len(set(orders)) == len(orders)


def test_blocks_of_processes_are_as_long_as_the_schedule_asks() -> None:
    house = House()
    timed = SimulatedDevice(DeviceModel(counters=()), 1)

    assert all(window.seconds >= 0.5 for window in kept(list(house.blocks(2))))
    blocks = SCHEDULE.in_process(timed.instruments().summed)
    assert (blocks.pairs, blocks.least_s, blocks.aim_s) == (PAIRS_PER_PROCESS, 0.0, 0.5)
    assert seconds_per_case(SCHEDULE, (), 3) == pytest.approx(3 * 2 * (0.1 + 4 * 0.5))


def test_processes_have_orders_of_their_own() -> None:
    device = SimulatedDevice(DeviceModel(), 1)
    orders = set()
    for process in range(8):
        sides = tuple(_side(role, device) for role in ("baseline", "variant"))
        found = measure_case(
            "case",
            sides,
            SCHEDULE,
            device.instruments(),
            7,
            process=process,
        )
        orders.add(tuple(window.role for window in kept(list(found))[:8]))

    assert len(orders) > 1


def _side(role: str, device: SimulatedDevice) -> Any:
    from bench.block import Side

    return Side(role, device.loop(WORKS[role]), 1)
