"""Power rails of NVIDIA Jetson modules: which rail contains which, board by board.

An INA3221 measures three rails. Their labels overlap as parts of one another (``CPU`` is in
``VDD_CPU_GPU_CV``), so only whole labels of a known board mean something. Source:
shared/counters.md §4; the intervals and steps are those of the kernel's drivers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.meter import Channel, Status, Unusable
from bench.meters._hwmon_device import Device, slug
from bench.meters._hwmon_source import P_MAX_W, Source, Steps
from bench.quantities import Kind

_VOLTS_STEP, _SHUNT_STEP_UV, _SHUNT_STEPS = 0.008, 40, 4095
_OHMS_DEFAULT_U = 10_000  # the driver's, where the device tree names none
_CONVERSION_S = 0.0011 + 0.0011  # one channel's voltage, then its shunt
_CHANNELS = 3
# JetPack 4 sets 64 averages (its driver's INA3221_CONT_CONFIG_DATA), over all three channels.
_IIO_S = 64 * _CHANNELS * _CONVERSION_S
_IIO_GLOBS = (
    "bus/i2c/drivers/ina3221x/*/iio:device*",
    "bus/i2c/drivers/ina3221x/*/iio_device",
    "devices/*.i2c/i2c-*/*/iio_device",
)
_NOT_CONNECTED = "NC"


@dataclass(frozen=True, slots=True)
class Board:
    """A module and its rails.

    Args:
        name: What it is sold as.
        parts: Numbers of the module and its own carriers, as in ``nvidia,p3767-0000``.
        model: Words that the device tree's model has in this order; matched whole.
        rails: Channel id by label; rails side by side add up to the module.
        chips: The labels of each chip, where the device tree does not name the board.
        p_max_w: Power that none of its rails exceeds, W.
    """

    name: str
    parts: frozenset[str]
    model: str
    rails: Mapping[str, str]
    chips: tuple[frozenset[str], ...]
    p_max_w: float


def _inside(total: str, *labels: str) -> dict[str, str]:
    top = f"module/{total.lower()}"
    return {total: top, **{label: f"{top}/{label.lower()}" for label in labels}}


def _beside(*labels: str) -> dict[str, str]:
    return {label: f"module/{label.lower()}" for label in labels}


def _chips(*labels: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(chip.split()) for chip in labels)


_NX = _inside("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC")
_NX_CHIP = _chips("VDD_IN VDD_CPU_GPU_CV VDD_SOC")
_AGX_ORIN = {
    **_beside("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    # believed to be fed by the 5 V rail
    "VDDQ_VDD2_1V8AO": "module/vin_sys_5v0/vddq_vdd2_1v8ao",
}
_TX2 = _inside("VDD_IN", "VDD_SYS_GPU", "VDD_SYS_SOC", "VDD_4V0_WIFI", "VDD_SYS_CPU", "VDD_SYS_DDR")
_TX2_CHIPS = _chips("VDD_SYS_GPU VDD_SYS_SOC VDD_4V0_WIFI", "VDD_IN VDD_SYS_CPU VDD_SYS_DDR")
_XAVIER = _beside("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V")
_XAVIER_CHIPS = _chips("GPU CPU SOC", "CV VDDRQ SYS5V")

BOARDS = (
    Board(
        "Jetson AGX Orin",
        frozenset({"3701"}),
        "AGX Orin",
        _AGX_ORIN,
        _chips("VDD_GPU_SOC VDD_CPU_CV VIN_SYS_5V0"),
        120.0,
    ),
    Board("Jetson Orin NX or Nano", frozenset({"3767"}), "Orin NX", _NX, _NX_CHIP, 80.0),
    Board("Jetson Orin NX or Nano", frozenset({"3767"}), "Orin Nano", _NX, _NX_CHIP, 80.0),
    Board(
        "Jetson AGX Xavier",
        frozenset({"2888", "2972"}),
        "AGX Xavier",
        _XAVIER,
        _XAVIER_CHIPS,
        100.0,
    ),
    Board("Jetson Xavier NX", frozenset({"3668"}), "Xavier NX", _NX, _NX_CHIP, 60.0),
    Board(
        "Jetson TX2 NX",
        frozenset({"3636"}),
        "TX2 NX",
        _inside("VDD_IN", "VDD_CPU_GPU", "VDD_SOC"),
        _chips("VDD_IN VDD_CPU_GPU VDD_SOC"),
        50.0,
    ),
    Board("Jetson TX2", frozenset({"3310", "3489", "2771"}), "TX2", _TX2, _TX2_CHIPS, 50.0),
    Board(
        "Jetson TX1",
        frozenset({"2180", "2371"}),
        "TX1",
        _inside("VDD_IN", "VDD_GPU", "VDD_CPU"),
        _chips("VDD_IN VDD_GPU VDD_CPU"),
        50.0,
    ),
    Board(
        "Jetson Nano",
        frozenset({"3448", "3450"}),
        "Nano",
        _inside("POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"),
        _chips("POM_5V_IN POM_5V_GPU POM_5V_CPU"),
        40.0,
    ),
)


def board_of(root: Path, chips: Iterable[frozenset[str]]) -> Board | None:
    """The board that the device tree names, or else the one with exactly these chips.

    Args:
        root: Where sysfs is.
        chips: The labels of each chip that was found.
    """
    tree = root / "firmware" / "devicetree" / "base"
    numbers = set(re.findall(r"p(\d{4})(?!\d)", _text(tree / "compatible")))
    for board in BOARDS:
        if numbers & board.parts:
            return board
    words = " ".join(re.findall(r"[A-Za-z0-9]+", _text(tree / "model").replace("_", " ")))
    # Orin Nano before Nano, TX2 NX before TX2: the longer name is the more exact.
    for board in sorted(BOARDS, key=lambda board: -len(board.model)):
        if re.search(rf"\b{board.model}\b", words, re.IGNORECASE):
            return board
    found = set(chips)
    for board in BOARDS:
        if set(board.chips) <= found:
            return replace(board, name=f"a board with the rails of the {board.name}")
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", " ")
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class _Rail:
    """One channel of a chip, in either layout."""

    device: Device
    attribute: str
    label: str
    unit: str
    paths: tuple[Path, ...]
    steps: Steps
    interval_s: float
    alarms: tuple[tuple[Path, str], ...] = ()


def rails(root: Path, devices: Iterable[Device]) -> Iterator[Source | Unusable]:
    """The rails of all INA3221 chips: the kernel's layout, and JetPack 4's.

    Args:
        root: Where sysfs is.
        devices: The hwmon devices; those of another name are passed over.
    """
    chips = [list(_hwmon_rails(device)) for device in devices if device.name == "ina3221"]
    old = _iio_paths(root, {device.home for device in devices})
    chips += [list(_iio_rails(path)) for path in old]
    board = board_of(root, [frozenset(rail.label for rail in chip) for chip in chips])
    taken: set[str] = set()
    for rail in (rail for chip in chips for rail in chip):
        place = board.rails.get(rail.label) if board else None
        if place in taken:
            place = None  # a second chip has that label too, so it is not the module's
        yield _source(rail, board, place)
        taken |= {place} if place else set()


def _hwmon_rails(device: Device) -> Iterator[_Rail]:
    """The channels of a chip of the driver ina3221: 1 to 3, for 4 to 7 are shunts and sums."""
    for number in range(1, 1 + _CHANNELS):
        volts, amps = device.find(f"in{number}_input"), device.find(f"curr{number}_input")
        label = device.text(f"in{number}_label")
        unnamed_and_off = not label and device.number(f"in{number}_enable") == 0
        if volts is None or amps is None or label == _NOT_CONNECTED or unnamed_and_off:
            continue
        label = label or f"in{number}"
        ohms_u = device.number(f"shunt{number}_resistor") or _OHMS_DEFAULT_U
        amps_step = _SHUNT_STEP_UV / ohms_u
        found = (device.find(f"curr{number}_{what}_alarm") for what in ("crit", "max"))
        alarms = tuple((path, f"over-current alarm {label}") for path in found if path)
        steps = Steps(volts, _VOLTS_STEP, amps_step, most_amps=_SHUNT_STEPS * amps_step)
        paths, unit = (volts, amps), "mV·mA"
        yield _Rail(device, f"in{number}", label, unit, paths, steps, _interval_s(device), alarms)


def _interval_s(device: Device) -> float:
    """How often a chip has new values of all its channels, s; the driver rounds it to ms."""
    milliseconds = device.number("update_interval")
    if milliseconds is not None and milliseconds > 0:
        return (milliseconds + 0.5) / 1e3
    off = sum(device.number(f"in{number}_enable") == 0 for number in range(1, 1 + _CHANNELS))
    return _CONVERSION_S * max(1, _CHANNELS - off)


def _iio_paths(root: Path, known: set[Path]) -> Iterator[Path]:
    """Directories of JetPack 4's layout, each once, but for chips that hwmon shows too."""
    for pattern in _IIO_GLOBS:
        for path in sorted(root.glob(pattern)):
            home = path.resolve().parent
            if home not in known:
                known = known | {home}
                yield path


def _iio_rails(path: Path) -> Iterator[_Rail]:
    device = Device("ina3221x", path, path.resolve().parent)
    for number in range(_CHANNELS):
        power, label = device.find(f"in_power{number}_input"), device.text(f"rail_name_{number}")
        volts = device.find(f"in_voltage{number}_input")
        if power is None or volts is None or label in {"", _NOT_CONNECTED}:
            continue
        amps = device.find(f"in_current{number}_input")
        # the driver cuts the product to whole mW
        steps = Steps(volts, _VOLTS_STEP, None, amps=amps, power_step=0.001)
        yield _Rail(device, f"in_power{number}", label, "mW", (power,), steps, _IIO_S)


def _source(rail: _Rail, board: Board | None, place: str | None) -> Source | Unusable:
    switch = rail.attribute + "_enable"
    if rail.device.number(switch) == 0:
        fix = f"echo 1 | sudo tee {rail.device.find(switch)}"
        what = f"{rail.device} {rail.label}"
        return Unusable(what, Status.NOT_SUPPORTED, "the channel is disabled", fix)
    needs: tuple[str, ...] = ()
    if board is None or place is None:
        known = f"the {board.name}" if board else "this board"
        place = f"sensor/{rail.device.key}/{slug(rail.label)}"
        boundary = f"unknown: {rail.label}"
        note = f"no rail map of {known} says what {rail.label} contains"
    elif place.count("/") > 1:
        needs = (place.rpartition("/")[0],)
        boundary, note = f"rail-{rail.label.lower()}", f"{board.name}: inside {needs[0]}"
    else:
        beside = [each for each in board.rails.values() if each.count("/") == 1 and each != place]
        needs = tuple(beside)
        boundary = f"rail-{rail.label.lower()}" if beside else "module"
        note = f"{board.name}: without its carrier board and the losses of its supply"
        if beside:
            note = f"{board.name}: the module is the sum of this and {', '.join(beside)}"
    channel = Channel(
        id=place,
        domain="module" if boundary == "module" else "rail",
        kind=Kind.SAMPLED,
        boundary=boundary,
        resolution=1e-6,
        update_interval_s=rail.interval_s,
        wrap=None,
        p_max_w=board.p_max_w if board else P_MAX_W,
        origin=f"hwmon:{rail.device.key}/{rail.attribute}",
        note=note,
        unit="W",
        # a value is a mean over the conversions of one interval
        averaging_window_s=rail.interval_s,
    )
    return Source(
        rail.device,
        rail.attribute,
        rail.label,
        rail.unit,
        rail.paths,
        channel,
        steps=rail.steps,
        stated=True,
        needs=needs,
        alarms=rail.alarms,
    )
