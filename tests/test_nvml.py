"""NVIDIA's energy counters: by UUID, proved by moving, and refused with a reason."""

import sys
from types import ModuleType

import pytest
from emulators import (
    Count,
    FakeNvml,
    Gpu,
    NVMLError,
    VirtualClock,
    gpu,
    holds,
    joules,
    steady,
    window,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cover import cover
from bench.meter import MeterUnavailable, Status, Unusable
from bench.meters import nvml
from bench.meters.nvml import NvmlMeter
from bench.meters.replay import PowerTrace
from bench.quantities import Kind
from bench.window import channel_energy, shortest_block_s

ENERGY = "nvmlDeviceGetTotalEnergyConsumption"


def opened(*gpus: Gpu, **errors: int) -> tuple[NvmlMeter, FakeNvml]:
    library = FakeNvml(gpus, VirtualClock(500_000), errors)
    return NvmlMeter(library, clock=library.clock), library


def refused(*gpus: Gpu, **errors: int) -> MeterUnavailable:
    library = FakeNvml(gpus, VirtualClock(500_000), errors)
    with pytest.raises(MeterUnavailable) as caught:
        NvmlMeter(library, clock=library.clock)
    assert library.open == 0
    return caught.value


def left_out(meter: NvmlMeter) -> Unusable:
    (found,) = meter.unusable
    return found


def test_each_gpu_is_a_channel_named_by_its_uuid() -> None:
    meter, _ = opened(gpu("GPU-a", steady(300)), gpu("GPU-b", steady(70)))
    first, second = meter.channels
    assert (first.id, second.id) == ("gpu/GPU-a/board", "gpu/GPU-b/board")
    assert (first.domain, first.boundary, first.kind) == ("gpu", "gpu-board", Kind.MEASURED)
    assert cover(meter.channels, "cuda:GPU-b") == ("gpu/GPU-b/board",)
    assert first.wrap is None
    assert first.origin == "nvml:GPU-a:total_energy"


def test_the_update_interval_is_probed_and_never_too_short() -> None:
    meter, _ = opened(gpu("GPU-a", steady(300), hold_s=0.1))
    (channel,) = meter.channels
    assert 0.1 <= channel.update_interval_s <= 0.103
    assert shortest_block_s(meter.channels) == pytest.approx(5, rel=0.03)


def test_millijoules_become_joules_once_at_the_border() -> None:
    meter, library = opened(gpu("GPU-a", steady(300)))
    library.gpus[0].energy.power = steady(1e-9)
    library.gpus[0].energy.start = 90_000
    assert meter.read()[0].value == pytest.approx(90)
    assert meter.channels[0].resolution == 1e-3


def test_a_window_of_known_power_gives_the_true_energy() -> None:
    meter, library = opened(gpu("GPU-a", steady(300)))
    energies, t0, t1 = window(meter, library.clock, 10)
    assert joules(energies["gpu/GPU-a/board"]) == pytest.approx(300 * (t1 - t0), abs=31)
    assert holds(energies["gpu/GPU-a/board"], 300 * (t1 - t0))


@pytest.mark.failure_mode(10, "nvml")
def test_a_counter_that_falls_is_a_reset_and_no_wrap() -> None:
    meter, library = opened(gpu("GPU-a", steady(300)))
    (before,) = meter.read()
    library.gpus[0].energy.start = 0  # the driver was loaded anew
    library.clock.pass_s(1)
    (after,) = meter.read()
    energy = channel_energy(meter.channels[0], [before, after], before.t1_ns, after.t0_ns)
    assert (energy.joules, energy.status) == (None, Status.RESET)
    assert "was the driver reloaded" in energy.reason


@pytest.mark.parametrize(
    ("limit_mw", "p_max"), [(700_000, 1050.0), (0, 1500.0), (4_294_967_295, 1500.0)]
)
def test_the_power_of_a_board_is_bounded_by_its_enforced_limit(limit_mw: int, p_max: float) -> None:
    board = gpu("GPU-a", steady(300))
    board.limit_mw = limit_mw
    assert opened(board)[0].channels[0].p_max_w == p_max


def test_a_board_without_limit_and_name_is_still_read() -> None:
    board = gpu("GPU-a", steady(300))
    board.errors = {"nvmlDeviceGetEnforcedPowerLimit": 3, "nvmlDeviceGetName": 3}
    (channel,) = opened(board)[0].channels
    assert (channel.p_max_w, channel.note) == (1500.0, "")


@pytest.mark.parametrize("name", ["NVIDIA GH200 480GB", "NVIDIA GB200"])
def test_a_grace_board_is_noted_as_maybe_the_module(name: str) -> None:
    board = gpu("GPU-a", steady(300))
    board.name = name
    assert "may cover the module" in opened(board)[0].channels[0].note


def test_memory_size_in_a_name_makes_no_grace_board() -> None:
    board = gpu("GPU-a", steady(300))
    board.name = "NVIDIA A100-SXM4-80GB"
    assert not opened(board)[0].channels[0].note


@pytest.mark.failure_mode(17, "nvml")
def test_a_sliced_gpu_is_left_out_for_its_counter_is_the_boards() -> None:
    board = gpu("GPU-b", steady(300))
    board.sliced = True
    meter, _ = opened(gpu("GPU-a", steady(300)), board)
    assert [channel.id for channel in meter.channels] == ["gpu/GPU-a/board"]
    assert left_out(meter).what == "GPU 1 (GPU-b)"
    assert left_out(meter).status is Status.NOT_SUPPORTED
    assert "nvidia-smi -i GPU-b -mig 0" in left_out(meter).fix


def test_a_board_that_knows_no_slicing_is_taken_whole() -> None:
    board = gpu("GPU-a", steady(300))
    board.errors = {"nvmlDeviceGetMigMode": 3}
    assert len(opened(board)[0].channels) == 1


@pytest.mark.failure_mode(17, "nvml")
@pytest.mark.failure_mode(18, "nvml")
@pytest.mark.failure_mode(20, "nvml")
@pytest.mark.parametrize(
    ("function", "code", "status"),
    [
        (ENERGY, 3, Status.NOT_SUPPORTED),  # Jetson, Pascal and older
        (ENERGY, 13, Status.NOT_SUPPORTED),
        (ENERGY, 15, Status.LOST),
        (ENERGY, 16, Status.LOST),
        (ENERGY, 999, Status.LOST),
        (ENERGY, 18, Status.UNAVAILABLE),
        ("nvmlDeviceGetMigMode", 999, Status.LOST),
        ("nvmlDeviceGetHandleByIndex", 4, Status.PERMISSION),
        ("nvmlDeviceGetHandleByIndex", 17, Status.PERMISSION),
        ("nvmlDeviceGetUUID", 10, Status.ERROR),
    ],
)
def test_a_gpu_that_fails_when_opened_is_left_out_and_others_go_on(
    function: str, code: int, status: Status
) -> None:
    broken = gpu("GPU-a", steady(300))
    broken.errors = {function: code}
    meter, _ = opened(broken, gpu("GPU-b", steady(300)))
    assert [channel.id for channel in meter.channels] == ["gpu/GPU-b/board"]
    assert left_out(meter).status is status
    assert f"NVML code {code}" in left_out(meter).reason
    assert left_out(meter).fix


@pytest.mark.failure_mode(18, "nvml")
@pytest.mark.parametrize(("code", "status"), [(15, Status.LOST), (10, Status.ERROR)])
def test_a_gpu_that_is_lost_while_read_has_no_joules_and_others_go_on(
    code: int, status: Status
) -> None:
    meter, library = opened(gpu("GPU-a", steady(300)), gpu("GPU-b", steady(300)))
    library.gpus[0].errors = {ENERGY: code}
    lost, alive = meter.read()
    assert (lost.value, lost.status) == (None, status)
    assert lost.reason
    assert alive.value is not None


@pytest.mark.failure_mode(16, "nvml")
def test_a_counter_that_reads_zero_is_no_counter() -> None:
    nothing = gpu("GPU-a", steady(0))
    nothing.energy.start = 0
    error = refused(nothing)
    assert error.status is Status.NOT_SUPPORTED
    assert "it reads 0, which stands for no value" in error.absent.reason


@pytest.mark.failure_mode(11, "nvml")
def test_a_counter_of_zero_that_never_moves_is_stale() -> None:
    error = refused(gpu("GPU-a", steady(0)))
    assert error.status is Status.STALE
    assert "stood still for 2 s" in error.absent.reason


@pytest.mark.failure_mode(19, "nvml")
@pytest.mark.parametrize(
    ("code", "fix"),
    [
        (4, "/dev/nvidiactl"),
        (9, "modprobe nvidia"),
        (12, "--gpus all"),
        (13, "update"),
        (18, "reboot"),
        (999, "nvidia-smi"),
    ],
)
def test_a_library_that_does_not_start_names_its_cause_and_fix(code: int, fix: str) -> None:
    error = refused(nvmlInit=code)
    statuses = {4: Status.PERMISSION, 999: Status.LOST}
    assert error.status is statuses.get(code, Status.UNAVAILABLE)
    assert error.absent.reason == f"NVML does not start: NVML code {code}"
    assert fix in error.absent.fix


@pytest.mark.failure_mode(17, "nvml")
def test_a_jetson_whose_energy_is_not_supported_is_unavailable() -> None:
    orin = gpu("GPU-a", steady(30))
    orin.errors = {ENERGY: 3, "nvmlDeviceGetMigMode": 3}
    error = refused(orin)
    assert error.status is Status.NOT_SUPPORTED
    assert "power rails" in error.absent.fix


@pytest.mark.failure_mode(11, "nvml")
def test_a_counter_that_stops_moving_is_stale_and_names_the_driver() -> None:
    meter, library = opened(gpu("GPU-a", steady(300)), gpu("GPU-b", steady(300)))
    library.gpus[0].energy = Count(steady(0), 1_000_000, start=9_000_000, wrap=None)
    meter.read()
    energies, t0, t1 = window(meter, library.clock, 5)
    stuck = energies["gpu/GPU-a/board"]
    assert (stuck.joules, stuck.status) == (None, Status.STALE)
    assert "is the driver alive?" in stuck.reason
    assert joules(energies["gpu/GPU-b/board"]) == pytest.approx(300 * (t1 - t0), rel=0.03)


@pytest.mark.failure_mode(12, "nvml")
def test_a_counter_that_holds_longer_than_when_it_was_probed_has_a_wider_bound() -> None:
    meter, library = opened(gpu("GPU-a", steady(300), hold_s=0.02))
    library.gpus[0].energy.hold_ns = 150_000_000
    energies, t0, t1 = window(meter, library.clock, 4, every_s=0.05)
    energy = energies["gpu/GPU-a/board"]
    assert energy.status is Status.HELD
    assert holds(energy, 300 * (t1 - t0))


@pytest.mark.failure_mode(26, "nvml")
def test_a_window_shorter_than_the_refresh_is_too_short_and_says_how_long_one_must_be() -> None:
    meter, library = opened(gpu("GPU-a", steady(300), hold_s=0.1))
    energies, _, _ = window(meter, library.clock, 0.05)
    energy = energies["gpu/GPU-a/board"]
    assert (energy.joules, energy.status) == (None, Status.TOO_SHORT)
    assert "give it at least 5" in energy.reason


@pytest.mark.failure_mode(17, "nvml")
@pytest.mark.parametrize("visible", ["MIG-4c2e", "GPU-a,MIG-GPU-a/1/0", " MIG-4c2e "])
def test_a_session_that_sees_a_slice_is_refused_before_anything_is_opened(visible: str) -> None:
    with pytest.raises(MeterUnavailable, match="no slice has an energy counter") as caught:
        nvml.open_meter({"CUDA_VISIBLE_DEVICES": visible})
    assert caught.value.status is Status.NOT_SUPPORTED
    assert "unset CUDA_VISIBLE_DEVICES" in caught.value.absent.fix


def test_whole_gpus_in_cuda_visible_devices_are_no_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml([], VirtualClock(), {"nvmlInit": 9}))
    for visible in ("0,1", "GPU-a", ""):
        with pytest.raises(MeterUnavailable, match="NVML does not start"):
            nvml.open_meter({"CUDA_VISIBLE_DEVICES": visible})


def test_a_machine_whose_gpus_cannot_be_counted_is_unavailable() -> None:
    assert refused(nvmlDeviceGetCount=999).status is Status.LOST


@pytest.mark.failure_mode(1, "nvml")
def test_a_driver_without_any_gpu_is_unavailable_with_reason() -> None:
    assert refused().absent.reason == "NVML starts, and lists no GPU"


def test_closing_a_meter_twice_ends_the_library_once() -> None:
    meter, library = opened(gpu("GPU-a", steady(300)))
    assert library.open == 1
    meter.close()
    meter.close()
    assert library.open == 0
    assert len(meter.channels) == 1
    assert meter.read() == ()


def test_a_driver_that_is_gone_when_the_meter_closes_is_no_fault() -> None:
    meter, library = opened(gpu("GPU-a", steady(300)))

    def shut() -> None:
        raise NVMLError(1)

    library.nvmlShutdown = shut  # type: ignore[method-assign]
    meter.close()
    assert meter.read() == ()


def test_a_meter_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(MeterUnavailable, match="pip install nvidia-ml-py"):
        nvml.open_meter({})


def test_the_plug_in_opens_whatever_library_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    library: ModuleType = FakeNvml([], VirtualClock(), {"nvmlInit": 12})
    monkeypatch.setitem(sys.modules, "pynvml", library)
    with pytest.raises(MeterUnavailable, match="libnvidia-ml"):
        nvml.open_meter({})


P_MAX = 1050.0


@pytest.mark.no_cover  # other tests cover it: tracing doubles 300 windows
@settings(max_examples=300, deadline=None)
@given(
    hold_s=st.sampled_from([0.01, 0.02, 0.1]),
    phase=st.floats(0, 1),
    watts=st.lists(st.floats(1, P_MAX), min_size=1, max_size=5),
    at_s=st.lists(st.floats(0.01, 12), min_size=4, max_size=4, unique=True),
    seconds=st.floats(0.1, 12),
)
def test_the_true_energy_of_any_window_lies_inside_its_interval(
    hold_s: float, phase: float, watts: list[float], at_s: list[float], seconds: float
) -> None:
    trace = PowerTrace(tuple(zip([0.0, *sorted(at_s)], watts, strict=False)))
    board = gpu("GPU-a", trace, hold_s=hold_s, phase_ns=int(phase * hold_s * 1e9))
    meter, library = opened(board)
    energies, t0, t1 = window(meter, library.clock, seconds)
    energy = energies["gpu/GPU-a/board"]
    if energy.joules is None:
        assert energy.status is Status.TOO_SHORT
        assert t1 - t0 <= hold_s * 1.1
        return
    assert energy.joules > 0
    assert holds(energy, trace.energy(t0, t1))
