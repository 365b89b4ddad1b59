"""The unmodified pynvml on a library of the driver's name: `fake_nvml.c`, in a process of its own.

Its power is known at each moment of CLOCK_MONOTONIC, so a window that a noisy machine made longer
still has a true energy, and the bound must hold it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from known_power import KnownPower

COMPILER = shutil.which("gcc") or shutil.which("cc")
pytestmark = pytest.mark.skipif(
    COMPILER is None or not sys.platform.startswith("linux"), reason="needs a C compiler and Linux"
)
SOURCE = Path(__file__).with_name("fake_nvml.c")
ENERGY = "nvmlDeviceGetTotalEnergyConsumption"
UUIDS = "GPU-aaaaaaaa-0000-0000-0000-000000000000", "GPU-bbbbbbbb-0000-0000-0000-000000000000"
Run = Callable[..., Any]

SYMBOLS = """
    InitWithFlags Init_v2 Shutdown ErrorString SystemGetDriverVersion SystemGetNVMLVersion
    DeviceGetCount_v2 DeviceGetHandleByIndex_v2 DeviceGetHandleByUUID
    DeviceGetHandleByPciBusId_v2 DeviceGetName DeviceGetUUID DeviceGetPciInfo_v3
    DeviceGetArchitecture DeviceGetTotalEnergyConsumption DeviceGetPowerUsage
    DeviceGetFieldValues DeviceGetSamples DeviceGetCurrentClocksEventReasons
    DeviceGetCurrentClocksThrottleReasons DeviceGetTemperatureV DeviceGetTemperature
    DeviceGetEnforcedPowerLimit DeviceGetPowerManagementLimit
    DeviceGetPowerManagementDefaultLimit DeviceGetMigMode DeviceGetClockInfo
    DeviceGetUtilizationRates DeviceGetC2cModeInfoV DeviceGetComputeRunningProcesses_v3"""

WINDOW = """
import dataclasses, json, os, time
from bench.meters.nvml import open_meter
from bench.window import channel_energy

meter = open_meter({})
lag_s = max(channel.update_interval_s + channel.averaging_window_s for channel in meter.channels)
readings = [*meter.read()]


def read_for(seconds):
    began = time.monotonic_ns()
    while time.monotonic_ns() - began < seconds * 1e9:
        time.sleep(0.05)
        readings.extend(meter.read())


t0 = time.monotonic_ns()
read_for(max(float(os.environ["WINDOW_S"]), 1.2 * lag_s))  # a stalled probe asks for more
t1 = time.monotonic_ns()
readings += meter.read()
if any(channel.unit == "W" for channel in meter.channels):
    read_for(lag_s + 0.1)
energies = [
    channel_energy(channel, [r for r in readings if r.channel == channel.id], t0, t1)
    for channel in meter.channels
]
print(json.dumps({
    "t0_s": t0 / 1e9,
    "t1_s": t1 / 1e9,
    "channels": [dataclasses.asdict(channel) for channel in meter.channels],
    "energies": [dataclasses.asdict(energy) for energy in energies],
    "unusable": [dataclasses.asdict(each) for each in meter.unusable],
    "flags": meter.flags(),
}))
meter.close()
"""

ERRORS = """
import json, os
from bench.meter import MeterUnavailable
from bench.meters.nvml import open_meter

found = {}
for errors in os.environ["EACH"].split():
    os.environ["FAKE_NVML_ERR"] = errors
    try:
        open_meter({}).close()
        found[errors] = ["open", "", ""]
    except MeterUnavailable as error:
        found[errors] = [error.status, error.absent.reason, error.absent.fix]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles the library without some of its symbols; gives its folder."""
    built: dict[tuple[str, ...], Path] = {}

    def compiled(*without: str) -> Path:
        if without not in built:
            folder = tmp_path_factory.mktemp("nvml")
            soname = "libnvidia-ml.so.1"
            flags = ["-Wall", "-Wextra", "-shared", "-fPIC", f"-Wl,-soname,{soname}"]
            defines = [f"-D{each}" for each in without]
            command = [str(COMPILER), *flags, *defines, "-o", str(folder / soname), str(SOURCE)]
            subprocess.run(command, check=True)
            built[without] = folder
        return built[without]

    return compiled


@pytest.fixture
def process(build: Callable[..., Path]) -> Run:
    """Runs a program with the library in its path; gives the JSON of its last line."""

    def run(*arguments: str, without: tuple[str, ...] = (), **settings: object) -> Any:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FAKE_NVML", "CUDA_VISIBLE"))
        }
        environment |= {"LD_LIBRARY_PATH": str(build(*without))}
        environment |= {name: str(value) for name, value in settings.items()}
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def assert_holds(found: dict[str, Any], uuid: str, power: KnownPower) -> None:
    """The energy of a board holds the integral of its power over the window."""
    (energy,) = (each for each in found["energies"] if each["channel"] == f"gpu/{uuid}/board")
    true_j = power.energy(found["t0_s"], found["t1_s"])
    assert energy["joules"] is not None, energy["reason"]
    assert energy["low"] <= true_j <= energy["high"]
    assert energy["low"] <= energy["joules"] <= energy["high"]


def test_the_library_has_every_symbol_that_clients_ask_for(process: Run) -> None:
    program = (
        "import ctypes, json, os; library = ctypes.CDLL('libnvidia-ml.so.1');"
        "print(json.dumps([n for n in os.environ['NAMES'].split() if not hasattr(library, n)]))"
    )
    symbols = " ".join(f"nvml{name}" for name in SYMBOLS.split())
    assert process("-c", program, NAMES=symbols) == []


def test_the_counter_of_the_real_binding_holds_a_square_wave(process: Run) -> None:
    found = process(
        "-c",
        WINDOW,
        WINDOW_S=0.5,
        FAKE_NVML_HOLD_MS=20,
        FAKE_NVML_UUIDS=UUIDS[0],
        FAKE_NVML_WATTS=400,
        FAKE_NVML_LOW_WATTS=100,
        FAKE_NVML_PERIOD_MS=130,
    )
    (channel,) = found["channels"]
    assert (channel["kind"], channel["unit"]) == ("measured", "J")
    assert channel["update_interval_s"] >= 0.02
    assert found["flags"] == []
    assert_holds(found, UUIDS[0], KnownPower([400, 100], [0.065, 0.065]))


def test_a_driver_that_lists_gpus_in_another_order_changes_no_energy(process: Run) -> None:
    for first, second in (UUIDS, UUIDS[::-1]):
        watts = {UUIDS[0]: 350, UUIDS[1]: 60}
        found = process(
            "-c",
            WINDOW,
            WINDOW_S=0.4,
            FAKE_NVML_HOLD_MS=20,
            FAKE_NVML_GPUS=2,
            FAKE_NVML_UUIDS=f"{first},{second}",
            FAKE_NVML_PCI="3b,17",
            FAKE_NVML_WATTS=f"{watts[first]},{watts[second]}",
        )
        for uuid in UUIDS:
            assert_holds(found, uuid, KnownPower([watts[uuid]], [1.0]))


def test_a_gpu_is_found_by_its_uuid_and_its_pci_address(process: Run) -> None:
    program = """
import json, os, pynvml
pynvml.nvmlInit()
second = os.environ["FAKE_NVML_UUIDS"].split(",")[1]
by_uuid = pynvml.nvmlDeviceGetHandleByUUID(second)
pci = pynvml.nvmlDeviceGetPciInfo(by_uuid)
by_pci = pynvml.nvmlDeviceGetHandleByPciBusId(pci.busId)
print(json.dumps([pci.busIdLegacy, pynvml.nvmlDeviceGetUUID(by_pci)]))
"""
    uuids = ",".join(UUIDS)
    found = process("-c", program, FAKE_NVML_GPUS=2, FAKE_NVML_UUIDS=uuids, FAKE_NVML_PCI="3b,17")
    assert found == ["0000:17:00.0", UUIDS[1]]


def test_the_samples_of_power_carry_time_stamps_and_the_power(process: Run) -> None:
    program = """
import json, pynvml
pynvml.nvmlInit()
kind, samples = pynvml.nvmlDeviceGetSamples(pynvml.nvmlDeviceGetHandleByIndex(0), 0, 0)
print(json.dumps([[s.timeStamp for s in samples], [s.sampleValue.uiVal for s in samples]]))
"""
    stamps, milliwatts = process("-c", program, FAKE_NVML_WATTS=250)
    assert len(stamps) >= 2
    assert stamps == sorted(stamps)
    assert {each // 10 for each in milliwatts} == {25_000}


@pytest.mark.failure_mode(17, "nvml")
@pytest.mark.parametrize(
    ("without", "settings", "origin"),
    [
        (("NO_ENERGY",), {}, "field_186_instant"),
        ((), {"FAKE_NVML_ERR": f"{ENERGY}=3"}, "field_186_instant"),
        ((), {"FAKE_NVML_ERR": f"{ENERGY}=3", "FAKE_NVML_FIELD_ERR": "186=3"}, "field_185_average"),
        (("NO_ENERGY", "NO_FIELDS"), {"FAKE_NVML_ARCH": 4}, "power_usage_instant"),
    ],
)
def test_what_the_driver_lacks_is_sampled_by_its_next_best_gauge(
    process: Run, without: tuple[str, ...], settings: dict[str, object], origin: str
) -> None:
    found = process(
        "-c",
        WINDOW,
        without=without,
        WINDOW_S=0.7,
        FAKE_NVML_HOLD_MS=20,
        FAKE_NVML_UUIDS=UUIDS[0],
        FAKE_NVML_WATTS=275,
        **settings,
    )
    (channel,) = found["channels"]
    assert channel["origin"] == f"nvml:{UUIDS[0]}:{origin}"
    assert (channel["kind"], channel["unit"]) == ("sampled", "W")
    reason = "Function Not Found" if without else "Not Supported"
    assert f"no energy counter ({reason})" in channel["note"]
    assert_holds(found, UUIDS[0], KnownPower([275], [1.0]))


def test_the_real_binding_tells_throttling_and_other_processes(process: Run) -> None:
    for without in ((), ("NO_EVENT_REASONS", "NO_PROCESSES_V3")):
        found = process(
            "-c",
            WINDOW,
            without=without,
            WINDOW_S=0.1,
            FAKE_NVML_HOLD_MS=20,
            FAKE_NVML_UUIDS=UUIDS[0],
            FAKE_NVML_REASONS=0x24,
            FAKE_NVML_PIDS=f"{os.getpid()}",  # its parent is not its child
        )
        assert found["flags"] == [
            f"throttled: SW power cap ({UUIDS[0]})",
            f"throttled: SW thermal slowdown ({UUIDS[0]})",
            f"shared: 1 other process computes on {UUIDS[0]}",
        ]


@pytest.mark.failure_mode(18, "nvml")
@pytest.mark.failure_mode(19, "nvml")
@pytest.mark.failure_mode(20, "nvml")
def test_each_code_of_the_driver_becomes_its_status_with_a_reason_and_a_fix(process: Run) -> None:
    expected = {
        "nvmlInitWithFlags=9": ("unavailable", "Driver Not Loaded", "modprobe nvidia"),
        "nvmlInitWithFlags=18": ("unavailable", "version mismatch", "reboot"),
        "nvmlInitWithFlags=4": ("permission", "Insufficient Permissions", "/dev/nvidiactl"),
        "nvmlInitWithFlags=999": ("lost", "Unknown Error", "nvidia-smi"),
        "nvmlDeviceGetCount_v2=999": ("lost", "Unknown Error", "dmesg"),
        "nvmlDeviceGetHandleByIndex_v2=4": ("permission", "Insufficient Permissions", "cgroup"),
        "nvmlDeviceGetHandleByIndex_v2=17": ("permission", "blocked the request", "cgroup"),
        f"{ENERGY}=15": ("lost", "GPU is lost", "dmesg"),
        f"{ENERGY}=16": ("lost", "GPU requires restart", "reset"),
        f"{ENERGY}=28": ("lost", "GPU not found", "dmesg"),
        f"{ENERGY}=999": ("lost", "Unknown Error", "dmesg"),
        f"{ENERGY}=10": ("error", "Timeout", "nvidia-smi"),
        f"{ENERGY}=21": ("error", "No data", "nvidia-smi"),
        f"{ENERGY}=3,nvmlDeviceGetFieldValues=15": ("lost", "GPU is lost", "dmesg"),
    }
    found = process("-c", ERRORS, EACH=" ".join(expected), FAKE_NVML_HOLD_MS=10)
    for errors, (status, reason, fix) in expected.items():
        assert found[errors][0] == status, errors
        assert reason in found[errors][1], errors
        assert fix in found[errors][2], errors


@pytest.mark.failure_mode(20, "nvml")
def test_a_gpu_that_a_cgroup_withholds_is_left_out_and_the_other_goes_on(process: Run) -> None:
    found = process(
        "-c",
        WINDOW,
        WINDOW_S=0.3,
        FAKE_NVML_HOLD_MS=20,
        FAKE_NVML_GPUS=2,
        FAKE_NVML_UUIDS=",".join(UUIDS),
        FAKE_NVML_ERR="nvmlDeviceGetHandleByIndex_v2=17#0",
    )
    assert [channel["id"] for channel in found["channels"]] == [f"gpu/{UUIDS[1]}/board"]
    assert found["unusable"][0]["status"] == "permission"
    assert "blocked the request" in found["unusable"][0]["reason"]
    assert "cgroup" in found["unusable"][0]["fix"]
    assert_holds(found, UUIDS[1], KnownPower([300], [1.0]))


@pytest.mark.failure_mode(18, "nvml")
def test_a_gpu_that_is_lost_in_a_window_leaves_it_without_energy(process: Run) -> None:
    lost_later = WINDOW.replace(
        "t0 = time.monotonic_ns()",
        "t0 = time.monotonic_ns()\n"
        f"os.environ['FAKE_NVML_ERR'] = f'{ENERGY}=15@{{time.monotonic() + 0.2}}'",
    )
    found = process("-c", lost_later, WINDOW_S=0.5, FAKE_NVML_HOLD_MS=20)
    (energy,) = found["energies"]
    assert (energy["joules"], energy["status"]) == (None, "lost")
    assert "GPU is lost" in energy["reason"]


@pytest.mark.failure_mode(17, "nvml")
def test_a_jetson_starts_and_supports_nothing(process: Run) -> None:
    ((status, reason, fix),) = process("-c", ERRORS, EACH="-", FAKE_NVML_JETSON=1).values()
    assert status == "not_supported"
    assert "it has no energy counter (Not Supported)" in reason
    assert "use the module's power rails" in fix


@pytest.mark.failure_mode(17, "nvml")
def test_a_sliced_gpu_is_refused_by_the_real_binding(process: Run) -> None:
    ((status, reason, fix),) = process("-c", ERRORS, EACH="-", FAKE_NVML_MIG=1).values()
    assert status == "not_supported"
    assert "MIG slices it" in reason
    assert "-mig 0" in fix


@pytest.mark.failure_mode(1, "nvml")
@pytest.mark.failure_mode(19, "nvml")
def test_without_the_library_the_driver_is_asked_for(process: Run, tmp_path: Path) -> None:
    nowhere = ERRORS.replace("import json, os", "import ctypes, json, os").replace(
        "found = {}",
        "found = {}\ntry:\n    ctypes.CDLL('libnvidia-ml.so.1')\n"
        "except OSError:\n    pass\nelse:\n    print('{}')\n    raise SystemExit",
    )
    found = process("-c", nowhere, EACH="-", LD_LIBRARY_PATH=tmp_path)
    if not found:
        pytest.skip("this machine has NVIDIA's own library")
    ((status, reason, fix),) = found.values()
    assert status == "unavailable"
    assert "NVML Shared Library Not Found" in reason
    assert "libnvidia-ml.so.1" in fix


CLI = "from bench.cli import main; raise SystemExit(main())"
SLEEP = [sys.executable, "-c", "import time; time.sleep(0.5)"]


def test_the_energy_of_a_command_is_measured_on_the_emulated_gpu(process: Run) -> None:
    found = process(
        "-c",
        CLI,
        "measure",
        "--json",
        "--meters",
        "nvml",
        "--",
        *SLEEP,
        FAKE_NVML_HOLD_MS=10,
        FAKE_NVML_UUIDS=UUIDS[0],
        FAKE_NVML_WATTS=320,
        FAKE_NVML_LOW_WATTS=80,
        FAKE_NVML_PERIOD_MS=90,
    )
    assert found["exit_code"] == 0
    power = KnownPower([320, 80], [0.045, 0.045])
    true_j = power.energy(found["t0_ns"] / 1e9, found["t1_ns"] / 1e9)
    (energy,) = found["energy"]
    assert (energy["channel"], energy["kind"]) == (f"gpu/{UUIDS[0]}/board", "measured")
    assert energy["low"] <= true_j <= energy["high"]
    assert found["total"]["low"] <= true_j <= found["total"]["high"]
    assert (found["total"]["kind"], found["total"]["boundary"]) == ("measured", "gpu-board")


def test_the_doctor_shows_the_emulated_gpu(process: Run) -> None:
    program = "import io, json, contextlib\nfrom bench.cli import main\nout = io.StringIO()\n"
    program += "with contextlib.redirect_stdout(out):\n    main()\n"
    program += "print(json.dumps(json.loads(out.getvalue())))"
    found = process(
        "-c",
        program,
        "doctor",
        "--json",
        "--meters",
        "nvml",
        FAKE_NVML_HOLD_MS=20,
        FAKE_NVML_UUIDS=UUIDS[0],
    )
    assert found["measured"]
    assert found["cover"] == [f"gpu/{UUIDS[0]}/board"]
