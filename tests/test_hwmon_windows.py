"""Windows over every kind of hwmon sensor: the interval of each holds the true energy."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from emulated_hwmon import Energy, Gauge, Live, Sysfs, opened
from emulated_jetson import LAYOUTS, build
from emulators import VirtualClock
from known_power import KnownPower, Truth, assert_windows_hold, random_power

# tracing doubles the time of many windows of code that other tests cover
pytestmark = pytest.mark.no_cover

Files = dict[str, str | Live]
Variant = tuple[Sysfs, dict[str, KnownPower], tuple[float, float], str]
"""A tree, the true power by channel, shortest and longest window in s, and ``JOULES_HWMON``."""

Build = Callable[[Path, Random], Variant]

PLACES = {
    "orin_nx": {
        "VDD_IN": "module/vdd_in",
        "VDD_CPU_GPU_CV": "module/vdd_in/vdd_cpu_gpu_cv",
        "VDD_SOC": "module/vdd_in/vdd_soc",
    },
    "agx_orin": {
        "VDD_GPU_SOC": "module/vdd_gpu_soc",
        "VDD_CPU_CV": "module/vdd_cpu_cv",
        "VIN_SYS_5V0": "module/vin_sys_5v0",
        "VDDQ_VDD2_1V8AO": "module/vin_sys_5v0/vddq_vdd2_1v8ao",
    },
    "tx2": {"VDD_IN": "module/vdd_in", "VDD_SYS_CPU": "module/vdd_in/vdd_sys_cpu"},
    "nano": {"POM_5V_IN": "module/pom_5v_in", "POM_5V_GPU": "module/pom_5v_in/pom_5v_gpu"},
}


def _jetson(name: str, most_w: float, dwell_s: float, seconds: tuple[float, float]) -> Build:
    def build_it(root: Path, random: Random) -> Variant:
        labels = [label for chip in LAYOUTS[name].chips.values() for label in chip]
        power = {label: random_power(random, most_w, dwell_s, 30) for label in labels}
        board = build(
            root,
            name,
            power,
            clock=VirtualClock(50_000),
            blocking=name == "agx_orin",
            samples=64 if name == "nano" else 1,
            phase_s=random.uniform(0, 0.01),
            rounding=random.choice([0.0, 0.5]),
            source_ohms=random.uniform(0, 0.05),
        )
        truth = {place: power[label] for label, place in PLACES[name].items()}
        return board.sysfs, truth, seconds, ""

    return build_it


def _grace(root: Path, random: Random) -> Variant:
    sysfs, truth = Sysfs(root, VirtualClock(200_000)), {}
    texts = {
        "Module Power Socket 0": ("module/0", 900.0),
        "Grace Power Socket 0": ("cpu/0/socket", 400.0),
        "CPU Power Socket 0": ("cpu/0/socket/cpu", 300.0),
        "SysIO Power Socket 0": ("cpu/0/socket/sysio", 60.0),
    }
    window_s = random.choice([0.05, 1.0])
    for index, (text, (place, most_w)) in enumerate(texts.items()):
        truth[place] = random_power(random, most_w, 8.0, 20)
        gauge = Gauge(truth[place], sysfs.clock, 0.05, window_s, phase_s=random.uniform(0, 0.05))
        files: Files = {
            "power1_average": gauge,
            "power1_average_interval": str(round(window_s * 1e3)),
            "power1_oem_info": text,
        }
        sysfs.add("power_meter", f"ACPI000D:0{index}", files, legacy=bool(random.getrandbits(1)))
    return sysfs, truth, (3.5, 12.0), ""


def _server(root: Path, random: Random) -> Variant:
    sysfs = Sysfs(root, VirtualClock(1_000_000))
    power = random_power(random, 600, 12.0, 20)
    hold_s = random.uniform(0.2, 2.0)
    gauge = Gauge(power, sysfs.clock, hold_s, 1.0, 1.0, random.uniform(0, hold_s))
    files: Files = {"power1_average": gauge, "power1_average_interval": "1000"}
    sysfs.add("power_meter", "ACPI000D:00", files, legacy=True)
    return sysfs, {"board/acpi0": power}, (5.0, 20.0), ""


def _amdgpu(root: Path, random: Random) -> Variant:
    sysfs = Sysfs(root, VirtualClock(500_000))
    power = random_power(random, 300, 8.0, 20)
    hold_s = random.uniform(0.001, 1.0)
    gauge = Gauge(power, sysfs.clock, hold_s, random.uniform(0.1, 1.0), 1.0)
    attribute = random.choice(["power1_average", "power1_input"])
    files: Files = {attribute: gauge, "power1_label": "PPT", "power1_cap": "300000000"}
    sysfs.add("amdgpu", "0000:03:00.0", files, bus="pci0000:00")
    return sysfs, {"gpu/0000:03:00.0/board": power}, (3.0, 15.0), ""


def _intel(name: str, places: dict[str, str]) -> Build:
    def build_it(root: Path, random: Random) -> Variant:
        sysfs, truth = Sysfs(root, VirtualClock(100_000)), {}
        files: Files = {"power1_rated_max": "225000000"}
        for attribute, place in places.items():
            truth[place] = random_power(random, 225, 0.05, 50)
            start = random.choice([0, 2**32 - random.randrange(10**7), 2**30 - 10**6])
            hold_s = random.choice([0.001, 0.1])
            phase_s = random.uniform(0, hold_s)
            files[attribute] = Energy(
                truth[place], sysfs.clock, 2.0**-14, hold_s, phase_s, start, on_read=True
            )
        sysfs.add(name, "0000:03:00.0", files, bus="pci0000:00")
        return sysfs, truth, (0.3, 200.0), ""

    return build_it


def _amd_energy(root: Path, random: Random) -> Variant:
    sysfs, truth = Sysfs(root), {}
    files: Files = {}
    for socket in range(2):
        truth[f"cpu/{socket}/package"] = random_power(random, 280, 0.01, 50)
        count = Energy(truth[f"cpu/{socket}/package"], sysfs.clock, 2.0**-16)
        count.phase_s, count.start = random.uniform(0, 0.001), random.randrange(2**33)
        files |= {
            f"energy{9 + socket}_input": count,
            f"energy{9 + socket}_label": f"Esocket{socket}",
        }
    sysfs.add("amd_energy", "amd_energy.0", files)
    return sysfs, truth, (0.05, 5.0), ""


def _ina2xx(name: str, step: float) -> Build:
    def build_it(root: Path, random: Random) -> Variant:
        sysfs = Sysfs(root, VirtualClock(200_000))
        power = random_power(random, 60, 0.5, 30)
        gauge = Gauge(power, sysfs.clock, 0.035, 0.035, step, random.uniform(0, 0.035))
        files: Files = {
            "power1_input": gauge,
            "in0_input": "5",
            "in1_input": "12000",
            "shunt_resistor": "10000",
            "update_interval": "35",
        }
        sysfs.add(name, "1-0044", files, bus="i2c-1")
        return sysfs, {"board/dc": power}, (0.3, 3.0), f"{name}/power1=board/dc"

    return build_it


def _generic(root: Path, random: Random) -> Variant:
    sysfs = Sysfs(root, VirtualClock(1_000_000))
    power = random_power(random, 800, 10.0, 20)
    hold_s = random.uniform(0.1, 1.9)
    step = random.choice([0.001, 0.25, 1.0])
    gauge = Gauge(power, sysfs.clock, hold_s, min(1.0, hold_s), step, random.uniform(0, hold_s))
    count = Energy(power, sysfs.clock, 0.001, 1.0, random.uniform(0, 1.0))
    files: Files = {"power1_input": gauge, "energy1_input": count, "power1_label": "P total"}
    sysfs.add("corsairpsu", "1-1:1.0", files, bus="usb1")
    sensor = "sensor/corsairpsu-1-1:1.0"
    return sysfs, {f"{sensor}/p_total": power, f"{sensor}/energy1": power}, (5.0, 20.0), ""


VARIANTS = {
    "orin_nx": _jetson("orin_nx", 30.0, 0.1, (0.05, 0.4)),
    "agx_orin": _jetson("agx_orin", 50.0, 0.6, (0.1, 1.2)),
    "tx2": _jetson("tx2", 15.0, 0.1, (0.05, 0.3)),
    "nano": _jetson("nano", 15.0, 3.0, (1.0, 6.0)),
    "grace": _grace,
    "server": _server,
    "amdgpu": _amdgpu,
    "i915": _intel("i915", {"energy1_input": "gpu/0000:03:00.0/board"}),
    "xe": _intel(
        "xe",
        {
            "energy1_input": "gpu/0000:03:00.0/board",
            "energy2_input": "gpu/0000:03:00.0/package",
        },
    ),
    "amd_energy": _amd_energy,
    "ina226": _ina2xx("ina226", 25 * 2.5e-6 / 0.01),
    "ina219": _ina2xx("ina219", 20 * 10e-6 / 0.01),
    "generic": _generic,
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(4))
def test_the_true_energy_of_any_window_lies_inside_its_interval(
    tmp_path: Path, variant: str, seed: int
) -> None:
    random = Random(f"{variant} {seed}")
    sysfs, power, seconds, places = VARIANTS[variant](tmp_path, random)
    sysfs.clock.pass_s(random.uniform(100, 200))
    meter = opened(sysfs, places)
    truth: dict[str, Truth] = {place: known.energy for place, known in power.items()}
    checked = assert_windows_hold(meter, sysfs.clock, truth, random, windows=25, seconds=seconds)
    assert checked == 25 * len(truth)
    meter.close()
