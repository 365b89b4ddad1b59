"""The probe tells a counter that sees all of the time from one that looks part of it."""

import json
import math
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from emulated_nvml import ENERGY, FIELDS, Board, Nvml
from emulators import Count, VirtualClock
from known_power import KnownPower

from bench.cli import main
from bench.gpu_counter import (
    Change,
    GpuProbe,
    Phase,
    Refresh,
    Verdict,
    is_loaded,
    ratio_to_gauge,
    refresh_of,
)
from bench.gpu_probe import SHIFTS, probe_gpu, torch_load
from bench.meter import MeterUnavailable, Status

IDLE_W, FULL_W = 60.0, 560.0


@dataclass
class Busy:
    """What a GPU draws that is busy when `run` says so, and its exact integral."""

    clock: VirtualClock
    full_w: Callable[[], float] = lambda: FULL_W
    _starts: list[float] = field(default_factory=list)
    _spans: list[tuple[float, float]] = field(default_factory=list)
    _before: list[float] = field(default_factory=list)
    _sum: float = 0.0

    def run(self, seconds: float) -> None:
        start = self.clock.now_ns / 1e9
        self.clock.pass_s(seconds)
        self._starts.append(start)
        self._before.append(self._sum)
        rise_w = self.full_w() - IDLE_W
        self._spans.append((self.clock.now_ns / 1e9, rise_w))
        self._sum += (self._spans[-1][0] - start) * rise_w

    def _since_start(self, t_s: float) -> float:
        last = bisect_right(self._starts, t_s) - 1
        if last < 0:
            return IDLE_W * t_s
        end, rise_w = self._spans[last]
        return IDLE_W * t_s + self._before[last] + (min(t_s, end) - self._starts[last]) * rise_w

    def energy(self, t0_s: float, t1_s: float) -> float:
        return self._since_start(t1_s) - self._since_start(t0_s)

    def mean(self, t0_s: float, t1_s: float) -> float:
        return self.energy(t0_s, t1_s) / (t1_s - t0_s)


@dataclass
class PartTimeCount:
    """A counter whose sensor looks at the last *seen* of each refresh, and takes it for all."""

    power: Busy
    hold_s: float
    seen: float
    _ticks: int = 0
    _joules: float = 1e5

    def at(self, now_ns: int) -> int:
        while (self._ticks + 1) * self.hold_s <= now_ns / 1e9:
            self._ticks += 1
            tick_s = self._ticks * self.hold_s
            mean_w = self.power.mean(tick_s - self.seen * self.hold_s, tick_s)
            self._joules += mean_w * self.hold_s
        return int(self._joules * 1e3)


def emulated(
    seen: float, hold_s: float = 0.1, full_w: Callable[[], float] = lambda: FULL_W
) -> tuple[Nvml, Busy]:
    clock = VirtualClock(200_000)
    power = Busy(clock, full_w)
    count = cast("Count", PartTimeCount(power, hold_s, seen))
    one = Board("GPU-a", count, power=cast("KnownPower", power), hold_s=hold_s)
    return Nvml([one], clock), power


def probed(library: Nvml, power: Busy, which: int | str = 0, **settings: Any) -> GpuProbe:
    clock = library.clock
    return probe_gpu(
        library, which, power.run, clock=clock, sleep=clock.pass_s, seconds=2.0, **settings
    )


# The command


def test_the_doctor_probes_a_gpu_prints_what_it_found_and_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library, power = emulated(seen=0.25)

    def probe_now(given: ModuleType, which: int) -> GpuProbe:  # in virtual time, without torch
        return probed(cast("Nvml", given), power, which)

    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr("bench.gpu_probe.probe_gpu", probe_now)
    path = tmp_path / "gpu-counter.json"

    assert main(["doctor", "--probe", "gpu", "--json", "-o", str(path)]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(path.read_text(encoding="utf-8"))
    assert (printed["gpu"], printed["verdict"]) == ("GPU-a", "aliases")

    assert main(["doctor", "--probe", "gpu"]) == 0
    assert "aliases: the energy above idle spread by" in capsys.readouterr().out


# The verdict on emulated counters


def test_a_counter_that_sees_all_of_the_time_is_told_so() -> None:
    found = probed(*emulated(seen=1.0))
    assert found.verdict is Verdict.SEES_ALL
    assert found.spread == pytest.approx(0, abs=0.03)
    assert len(found.phases) == 2 * SHIFTS
    for phase in found.phases:
        assert phase.share == pytest.approx(1, abs=0.03)
        assert phase.joules == pytest.approx(phase.expected_j, rel=0.02)


def test_a_counter_that_looks_a_quarter_of_the_time_aliases() -> None:
    found = probed(*emulated(seen=0.25))
    assert found.verdict is Verdict.ALIASES
    assert found.spread == pytest.approx(2, abs=0.1)
    assert found.noise == pytest.approx(0, abs=0.1)
    shares = [phase.share for phase in found.phases]
    assert min(shares) == pytest.approx(0, abs=0.05)
    assert max(shares) == pytest.approx(2, abs=0.05)
    assert "seen or missed by when it runs" in found.reason


@pytest.mark.parametrize(
    ("seen", "verdict"), [(0.5, Verdict.ALIASES), (0.75, Verdict.ALIASES), (0.88, Verdict.ALIASES)]
)
def test_the_spread_tells_the_share_that_is_seen(seen: float, verdict: Verdict) -> None:
    found = probed(*emulated(seen=seen))
    assert found.spread == pytest.approx(2 / seen - 2, abs=0.06)
    assert found.verdict is verdict


@pytest.mark.parametrize("hold_s", [0.02, 0.1003])
@pytest.mark.parametrize(("seen", "verdict"), [(1.0, Verdict.SEES_ALL), (0.25, Verdict.ALIASES)])
def test_the_verdict_holds_for_any_refresh(hold_s: float, seen: float, verdict: Verdict) -> None:
    found = probed(*emulated(seen=seen, hold_s=hold_s))
    assert found.verdict is verdict
    assert found.refresh.median_s == pytest.approx(hold_s, abs=0.0008)
    assert found.refresh.period_s == pytest.approx(hold_s, rel=1e-2)
    assert found.refresh.longest_s >= hold_s


def test_both_counters_agree_with_their_gauge_under_a_steady_load() -> None:
    # which is why agreement alone proves nothing
    for seen, edges in ((1.0, 0.01), (0.25, 0.05)):  # it may miss or double the first refresh
        found = probed(*emulated(seen=seen))
        assert found.gauge_ratio == pytest.approx(1, abs=edges)
        assert found.idle_w == pytest.approx(IDLE_W, rel=0.01)
        assert found.full_w == pytest.approx(FULL_W, rel=edges)


def test_a_counter_that_averages_over_a_second_loses_nothing_of_it() -> None:
    found = probed(*emulated(seen=10))  # the last ten refreshes, over and over
    assert found.verdict is Verdict.SEES_ALL
    assert all(phase.share == pytest.approx(1, abs=0.03) for phase in found.phases)


def test_a_counter_that_is_a_tenth_short_is_so_against_its_gauge() -> None:
    library, power = emulated(seen=1.0)
    plain = library.nvmlDeviceGetTotalEnergyConsumption
    library.nvmlDeviceGetTotalEnergyConsumption = (  # type: ignore[method-assign]
        lambda handle: int(plain(handle) * 0.9)
    )
    assert probed(library, power).gauge_ratio == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("code", [3, 13])
def test_a_gpu_without_the_gauge_has_no_ratio_and_still_a_verdict(code: int) -> None:
    library, power = emulated(seen=1.0)
    library.boards[0].errors = {FIELDS: code}
    found = probed(library, power)
    assert found.gauge_ratio is None
    assert found.verdict is Verdict.SEES_ALL
    assert any("not shown by this GPU" in line for line in found.lines())


def test_a_load_that_does_nothing_decides_nothing() -> None:
    found = probed(*emulated(seen=0.25, full_w=lambda: IDLE_W + 5))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "raised the power only from 60 W to 64." in found.reason
    assert (found.spread, found.noise, found.phases) == (None, None, ())
    assert found.as_json()["spread"] is None
    assert len(list(found.lines())) == 5


def test_a_load_that_is_never_the_same_decides_nothing() -> None:
    random = Random(5)
    level = [FULL_W]

    def full_w() -> float:
        if random.random() < 0.1:
            level[0] = random.choice([150.0, FULL_W])  # clocks that jump, or a neighbour
        return level[0]

    found = probed(*emulated(seen=1.0, full_w=full_w))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "let nothing else use the GPU" in found.reason


def test_a_gpu_is_chosen_by_its_uuid_too() -> None:
    library, power = emulated(seen=1.0)
    found = probed(library, power, "GPU-a")
    assert (found.gpu, found.name, found.driver) == ("GPU-a", "NVIDIA H200", "570.00")
    assert library.open == 0


# What cannot be probed


def test_a_gpu_that_is_not_there_is_said() -> None:
    library, power = emulated(seen=1.0)
    with pytest.raises(MeterUnavailable, match="GPU GPU-z: NVML failed"):
        probed(library, power, "GPU-z")
    assert library.open == 0


@pytest.mark.parametrize(
    ("function", "code", "status"),
    [
        ("nvmlInit", 12, Status.UNAVAILABLE),
        (ENERGY, 3, Status.NOT_SUPPORTED),
        (ENERGY, 15, Status.LOST),
        (FIELDS, 15, Status.LOST),
    ],
)
def test_a_gpu_that_cannot_be_probed_says_why(function: str, code: int, status: Status) -> None:
    library, power = emulated(seen=1.0)
    library.errors[function] = code
    with pytest.raises(MeterUnavailable, match=f"NVML code {code}") as caught:
        probed(library, power)
    assert caught.value.status is status
    assert caught.value.absent.fix
    assert library.open == 0


def test_a_counter_that_stands_still_is_not_probed() -> None:
    library, power = emulated(seen=1.0)
    library.nvmlDeviceGetTotalEnergyConsumption = (  # type: ignore[method-assign]
        lambda handle: 5
    )
    with pytest.raises(MeterUnavailable, match="stood still for 2 s") as caught:
        probed(library, power)
    assert caught.value.status is Status.STALE


# Arithmetic that can be checked in the head


def changes(*at_ms: float, rises: Sequence[int]) -> list[Change]:
    found, value = [], 1000
    for at, rise in zip(at_ms, rises, strict=True):
        value += rise
        found.append(Change(round((at - 1) * 1e6), round((at + 1) * 1e6), value))
    return found


def test_the_refresh_is_the_median_and_the_longest_gap() -> None:
    found = refresh_of(changes(100, 200, 300, 400, 520, rises=[9, 60, 30, 45, 90]))
    assert replace(found, period_s=0) == Refresh(5, 0.1, 0.122, 0, 30, 15)
    assert found.period_s == pytest.approx(0.105)


def test_a_change_that_was_missed_does_not_lengthen_the_period() -> None:
    found = refresh_of(changes(100, 200, 400, 500, 600, rises=[1, 1, 2, 1, 1]))
    assert found.period_s == pytest.approx(0.1)
    assert found.longest_s == pytest.approx(0.202)
    assert (found.smallest_rise_mj, found.step_mj) == (1, 1)


def test_two_changes_tell_no_refresh() -> None:
    with pytest.raises(ValueError, match="found 2 changes"):
        refresh_of(changes(100, 200, rises=[1, 1]))


def test_a_counter_that_goes_back_tells_no_refresh() -> None:
    with pytest.raises(ValueError, match="went back"):
        refresh_of(changes(100, 200, 300, rises=[1, -5, 1]))


def test_a_gauge_is_integrated_by_trapezoids_that_hold_at_the_ends() -> None:
    # 1 s at 10 W, a rise to 30 W in 2 s, 1 s at 30 W: 10 + 40 + 30 J
    assert ratio_to_gauge(40, [(1, 10), (3, 30)], 0, 4) == pytest.approx(0.5)
    assert ratio_to_gauge(40, [], 0, 4) is None
    assert ratio_to_gauge(40, [(1, 0)], 0, 4) is None


def result(*shares: float) -> GpuProbe:
    """Two shares for each shift."""
    phases = tuple(
        Phase((index // 2) / 8, 100.0, 2.0, 0.5, 100.0, share) for index, share in enumerate(shares)
    )
    refresh = Refresh(30, 0.1, 0.102, 0.1, 5000, 1)
    return GpuProbe("GPU-a", "NVIDIA X", "1.0", refresh, 50.0, 500.0, 1.01, 20, phases)


@pytest.mark.parametrize(
    ("shares", "spread", "noise", "verdict"),
    [
        ((1.0, 1.0, 1.0, 1.0), 0.0, 0.0, Verdict.SEES_ALL),
        ((1.0, 1.0, 1.2, 1.2), 0.2, 0.0, Verdict.SEES_ALL),
        ((1.0, 1.0, 1.25, 1.25), 0.25, 0.0, Verdict.ALIASES),
        ((1.0, 1.09, 1.0, 1.09), 0.0, 0.09, Verdict.SEES_ALL),
        ((1.0, 1.12, 1.0, 1.12), 0.0, 0.12, Verdict.INCONCLUSIVE),
        ((0.0, 0.4, 1.8, 2.0), 1.7, 0.4, Verdict.ALIASES),
        ((0.0, 1.0, 1.5, 1.5), 1.0, 1.0, Verdict.INCONCLUSIVE),
    ],
)
def test_the_verdict_follows_from_spread_and_noise(
    shares: Sequence[float], spread: float, noise: float, verdict: Verdict
) -> None:
    found = result(*shares)
    assert found.spread == pytest.approx(spread)
    assert found.noise == pytest.approx(noise)
    assert found.verdict is verdict


def test_the_result_is_written_as_json_and_as_text(tmp_path: Path) -> None:
    found = result(0.0, 0.1, 1.9, 2.0)
    path = tmp_path / "gpu-counter-x.json"
    found.write(path)
    content = json.loads(path.read_text())
    assert content == json.loads(json.dumps(found.as_json()))
    assert content["schema"] == "gpu-counter/1"
    assert (content["verdict"], content["refresh"]["step_mj"]) == ("aliases", 1)
    assert len(content["phases"]) == 4
    lines = list(found.lines())
    assert lines[0] == "NVIDIA X · GPU-a · driver 1.0"
    assert "100 ms (longest 102 ms), in steps of 1 mJ, 30 changes" in lines[1]
    assert "1.0100" in lines[3]
    assert "0.125 of a refresh:  1.900   2.000" in lines[5]
    assert lines[-1].startswith("└─ aliases: the energy above idle spread by 1.9")


@pytest.mark.parametrize(("rise_w", "loaded"), [(10, True), (9.9, False), (0, False), (-5, False)])
def test_a_load_must_raise_the_power_by_a_fifth_of_idle(rise_w: float, loaded: bool) -> None:
    assert is_loaded(50, rise_w) is loaded


# The load


def test_torch_without_that_gpu_says_what_it_sees() -> None:
    with pytest.raises(MeterUnavailable, match="sees no GPU, and not GPU-z") as caught:
        torch_load("GPU-z")
    assert "CUDA_VISIBLE_DEVICES" in caught.value.absent.fix


def test_without_torch_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MeterUnavailable, match="pip install torch"):
        torch_load("GPU-a")


class FakeTorch(ModuleType):
    """Two GPUs, of which a product of two n × n matrices takes n³ / 10¹⁴ s: its work on a clock."""

    __version__ = "0"
    float16 = "float16"

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__("torch")
        self._clock, self._pending = clock, 0.0
        self.sizes: list[int] = []
        self.devices: set[tuple[str, int]] = set()
        self.cuda = SimpleNamespace(
            device_count=lambda: 2,
            get_device_properties=lambda i: SimpleNamespace(uuid=("aaaa-1", "bbbb-2")[i]),
            synchronize=self._synchronize,
        )

    def device(self, kind: str, index: int) -> tuple[str, int]:
        return kind, index

    def rand(self, rows: int, _: int, *, device: tuple[str, int], dtype: str) -> int:
        self.devices.add(device)
        return rows

    def empty_like(self, matrix: int) -> int:
        return matrix

    def mm(self, one: int, other: int, *, out: int) -> None:
        self.sizes.append(one)
        self._pending += one**3 / 1e14

    def _synchronize(self, device: tuple[str, int]) -> None:
        self.devices.add(device)
        self._clock.pass_s(self._pending)
        self._pending = 0.0


def test_the_load_runs_on_the_gpu_of_that_uuid_in_short_pieces_for_as_long_as_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = VirtualClock(1_000)
    torch = FakeTorch(clock)
    monkeypatch.setitem(sys.modules, "torch", torch)
    load = torch_load("GPU-bbbb-2", clock=clock)
    assert torch.devices == {("cuda", 1)}
    assert torch.sizes[-1] == 4096  # 8192³ / 10¹⁴ s are 5.5 ms, 4096³ 0.7 ms
    began = clock.now_ns
    load(0.05)
    assert (clock.now_ns - began) / 1e9 == pytest.approx(0.05, abs=0.001)
    assert math.isclose(torch._pending, 0)
