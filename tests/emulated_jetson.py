"""Jetson boards as sysfs trees: which chips they have, and which rails are on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emulated_hwmon import Ina3221, Rail, Sysfs, steady
from emulators import VirtualClock
from known_power import KnownPower

from bench.meter import Channel
from bench.meters.hwmon import HwmonMeter

Chips = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Layout:
    """A board: its device tree, its chips by address, its supply and its shunts."""

    compatible: str
    model: str
    chips: Chips
    volts: float = 5.0
    ohms: float = 0.005
    iio: bool = False


_NX = {"1-0040": ("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC")}
LAYOUTS = {
    "orin_nx": Layout(
        "nvidia,p3768-0000+p3767-0000 nvidia,p3767-0000 nvidia,tegra234",
        "NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
        _NX,
    ),
    "orin_nano": Layout(
        "nvidia,p3768-0000+p3767-0005 nvidia,tegra234", "NVIDIA Jetson Orin Nano", _NX
    ),
    "agx_orin": Layout(
        "nvidia,p3737-0000+p3701-0000 nvidia,tegra234",
        "NVIDIA Jetson AGX Orin Developer Kit",
        {
            "1-0040": ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
            "1-0041": ("NC", "VDDQ_VDD2_1V8AO", "NC"),
        },
        19.0,
        0.002,
    ),
    "xavier_nx": Layout(
        "nvidia,p3509-0000+p3668-0000", "NVIDIA Jetson Xavier NX Developer Kit", _NX
    ),
    "agx_xavier": Layout(
        "nvidia,p2972-0000 nvidia,tegra194",
        "Jetson-AGX",
        {"1-0040": ("GPU", "CPU", "SOC"), "1-0041": ("CV", "VDDRQ", "SYS5V")},
        19.0,
    ),
    "tx2": Layout(
        "nvidia,p2597-0000+p3310-1000 nvidia,quill",
        "quill",
        {
            "0-0040": ("VDD_SYS_GPU", "VDD_SYS_SOC", "VDD_4V0_WIFI"),
            "0-0041": ("VDD_IN", "VDD_SYS_CPU", "VDD_SYS_DDR"),
            "0-0042": ("VDD_MUX", "VDD_5V0_IO_SYS", "VDD_3V3_SYS"),
            "0-0043": ("VDD_3V3_IO_SLP", "VDD_1V8_IO", "VDD_3V3_SYS_M2"),
        },
        19.0,
        0.01,
    ),
    "tx2_nx": Layout(
        "nvidia,p3509-0000+p3636-0001",
        "NVIDIA Jetson TX2 NX Developer Kit",
        {"7-0040": ("VDD_IN", "VDD_CPU_GPU", "VDD_SOC")},
    ),
    "tx1": Layout(
        "nvidia,p2371-2180 nvidia,tegra210",
        "NVIDIA Jetson TX1 Developer Kit",
        {"1-0040": ("VDD_IN", "VDD_GPU", "VDD_CPU")},
        ohms=0.02,
    ),
    "nano": Layout(
        "nvidia,p3450-0000 nvidia,tegra210",
        "NVIDIA Jetson Nano Developer Kit",
        {"6-0040": ("POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU")},
        iio=True,
    ),
}


WATTS = {
    "VDD_IN": 10.0, "VDD_CPU_GPU_CV": 5.0, "VDD_SOC": 2.0, "VDD_CPU_GPU": 4.0,
    "VDD_GPU_SOC": 12.0, "VDD_CPU_CV": 8.0, "VIN_SYS_5V0": 6.0, "VDDQ_VDD2_1V8AO": 2.0,
    "GPU": 7.0, "CPU": 6.0, "SOC": 5.0, "CV": 4.0, "VDDRQ": 3.0, "SYS5V": 2.0,
    "VDD_SYS_GPU": 3.0, "VDD_SYS_SOC": 2.0, "VDD_4V0_WIFI": 1.0, "VDD_SYS_CPU": 2.5,
    "VDD_SYS_DDR": 1.5, "VDD_MUX": 11.0, "VDD_GPU": 3.0, "VDD_CPU": 2.0,
    "POM_5V_IN": 8.0, "POM_5V_GPU": 3.0, "POM_5V_CPU": 2.0,
}  # fmt: skip
POWER = {label: steady(watts) for label, watts in WATTS.items()}
NX_RAILS = ["module/vdd_in", "module/vdd_in/vdd_cpu_gpu_cv", "module/vdd_in/vdd_soc"]


@dataclass
class Board:
    """A board in a tree: its chips by address, and the power of each rail by label."""

    sysfs: Sysfs
    chips: dict[str, Ina3221]
    power: dict[str, KnownPower]


def build(
    root: Path,
    name: str,
    power: Mapping[str, KnownPower],
    *,
    clock: VirtualClock | None = None,
    tree: bool = True,
    blocking: bool = False,
    samples: int = 1,
    phase_s: float = 0.0,
    rounding: float = 0.0,
    source_ohms: float = 0.0,
) -> Board:
    """A board of a layout, each of its rails with a power; those without one have 1 W."""
    layout = LAYOUTS[name]
    sysfs = Sysfs(root, clock or VirtualClock(500_000 if layout.iio else 200_000))
    if tree:
        sysfs.tree(layout.compatible, layout.model)
    board = Board(sysfs, {}, {})
    for address, labels in layout.chips.items():
        rails = []
        for label in labels:
            watts = power.get(label) or KnownPower([1.0], [1.0])
            board.power[label] = watts
            rails.append(Rail(label, watts, layout.volts, layout.ohms, source_ohms, label != "NC"))
        chip = Ina3221(sysfs.clock, rails, samples, phase_s, blocking, rounding)
        board.chips[address] = chip
        if layout.iio:
            add_iio(sysfs, address, chip)
        else:
            sysfs.add("ina3221", address, chip.files(), bus="c240000.i2c/i2c-1")
    return board


def add_iio(sysfs: Sysfs, address: str, chip: Ina3221) -> Path:
    """A chip as JetPack 4 shows it."""
    home = sysfs.root / "devices" / "c240000.i2c" / "i2c-6" / address
    path = home / "iio:device0"
    path.mkdir(parents=True)
    driver = sysfs.root / "bus" / "i2c" / "drivers" / "ina3221x"
    driver.mkdir(parents=True, exist_ok=True)
    (driver / address).symlink_to(home, target_is_directory=True)
    (home / "iio_device").symlink_to(path, target_is_directory=True)
    sysfs.fill(path, address, chip.iio_files())
    return path


def one_rail(root: Path, rail: Rail) -> Sysfs:
    """A board of which one rail is known."""
    sysfs = Sysfs(root)
    sysfs.tree("nvidia,p3767-0000", "")
    sysfs.add("ina3221", "1-0040", Ina3221(sysfs.clock, [rail]).files())
    return sysfs


def channels(meter: HwmonMeter) -> dict[str, Channel]:
    """The channels of a meter by their ids."""
    return {channel.id: channel for channel in meter.channels}
