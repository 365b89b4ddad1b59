"""Which columns of a table of numbers are time and power or energy: pure functions."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.meter import MeterUnavailable
from bench.meters._trace_wanted import JOULES_PER, WATTS_PER, Wanted

SECONDS_PER = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0}
SECONDS_PER |= {"seconds": 1.0, "min": 60.0, "h": 3600.0}
_VOLTS_PER = {"mv": 1e-3, "v": 1.0, "volt": 1.0, "volts": 1.0}
_AMPS_PER = {"na": 1e-9, "ua": 1e-6, "µa": 1e-6, "ma": 1e-3, "a": 1.0, "amp": 1.0, "amps": 1.0}
_POWER = {unit.lower(): factor for unit, factor in WATTS_PER.items()}
_POWER |= {"watt": 1.0, "watts": 1.0, "milliwatts": 1e-3}
_ENERGY = {unit.lower(): factor for unit, factor in JOULES_PER.items()}
_ENERGY |= {"joule": 1.0, "joules": 1.0}
# words of a name that say that it is another quantity than the mean of the interval
_OTHER = {"max", "min", "peak", "std", "apparent", "reactive", "factor", "limit", "cap", "rated"}
_OTHER |= {"yesterday", "today"}
_TIME = {"time", "timestamp", "datetime", "date", "elapsed", "utc"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the numbers are and what they are multiplied with.

    Args:
        time: Index of the column of time, or None.
        time_factor: Seconds per unit of it; None if the name does not say.
        value: Index of the column of power, energy, or current.
        factor: To W or J; to W from V × A for a current.
        volts: Index of the column of voltage, a constant in V, or None.
        is_energy: Whether it is a running total of energy.
        names: What is read, for people.
    """

    time: int | None
    time_factor: float | None
    value: int
    factor: float
    volts: int | float | None
    is_energy: bool
    names: str


@dataclass(frozen=True, slots=True)
class _Name:
    index: int
    text: str
    words: tuple[str, ...]
    unit: str

    def factor(self, units: dict[str, float]) -> float | None:
        return units.get(self.unit)


def columns(header: Sequence[str], wanted: Wanted) -> Columns:
    """The columns that are asked for, or that the names make obvious.

    Raises:
        MeterUnavailable: A column is missing, or several may be meant; the message lists them.
    """
    names = [_name(index, text) for index, text in enumerate(header)]
    time = _time(names, wanted)
    time_factor = time.factor(SECONDS_PER) if time else None
    where, label = (time.index, time.text) if time else (None, "no time")
    if wanted.amps is not None or (wanted.is_energy is None and _by_current(names)):
        current, volts, to_watts = _current(names, wanted)
        voltage = names[volts].text if isinstance(volts, int) else f"{volts:g} V"
        return Columns(
            time=where,
            time_factor=time_factor,
            value=current.index,
            factor=to_watts,
            volts=volts,
            is_energy=False,
            names=f"{current.text} × {voltage}, {label}",
        )
    value, is_energy = _value(names, wanted)
    own = value.factor(_ENERGY if is_energy else _POWER)
    factor = wanted.factor if wanted.factor is not None else own
    if factor is None and value.unit != "?" and (wanted.watts or wanted.joules):
        factor = 1.0  # the key names the unit
    if factor is None:
        raise _unclear(f"the unit of {value.text!r} is not said", names)
    return Columns(
        time=where,
        time_factor=time_factor,
        value=value.index,
        factor=factor,
        volts=None,
        is_energy=is_energy,
        names=f"{value.text}, {label}",
    )


def _name(index: int, text: str) -> _Name:
    """A column's name in words, its unit apart.

    >>> _name(0, "Main Power (mW)").unit, _name(0, "power_mW").unit, _name(0, "Watts").unit
    ('mw', 'mw', 'watts')
    """
    text = text.strip().strip('"').strip()
    bracket = re.search(r"[\[(]\s*([^\[\]()]+?)\s*[\])]\s*$", text)
    plain = text[: bracket.start()] if bracket else text
    words = tuple(re.findall(r"[a-zµ]+", re.sub(r"(?<=[a-z]{2})(?=[A-Z])", " ", plain).lower()))
    units = {**SECONDS_PER, **_POWER, **_ENERGY, **_VOLTS_PER, **_AMPS_PER}
    written = bracket.group(1) if bracket else re.findall(r"[A-Za-zµ]*", f" {text}")[-2]
    unit = written.lower() if written.lower() in units else ""
    if re.match(r"M.", written):  # mega, or milli in capitals: nobody knows
        unit = "?"
    return _Name(index, text, words, unit)


def _named(names: Sequence[_Name], asked: str) -> _Name:
    """The column of that name, upper and lower case alike if need be."""
    exact = [name for name in names if name.text == asked]
    found = exact or [name for name in names if name.text.lower() == asked.lower()]
    if len(found) == 1:
        return found[0]
    raise _unclear(f"there is no single column {asked!r}", names)


def _only(found: Iterable[_Name], what: str, names: Sequence[_Name]) -> _Name | None:
    several = list(found)
    if len(several) > 1:
        shown = ", ".join(repr(name.text) for name in several)
        raise _unclear(f"several columns may be the {what}: {shown}", names)
    return several[0] if several else None


def _time(names: Sequence[_Name], wanted: Wanted) -> _Name | None:
    if wanted.time is not None:
        return _named(names, wanted.time)
    found = [n for n in names if _TIME & set(n.words) or n.unit in {"s", "ms", "us", "µs", "ns"}]
    return _only(found, "time", names)


def _quantity(names: Sequence[_Name], words: set[str], units: dict[str, float]) -> list[_Name]:
    """Columns that are said to be a quantity, by a word or by a unit."""
    return [
        name
        for name in names
        if not _OTHER & set(name.words) and (words & set(name.words) or name.unit in units)
    ]


def _powers(names: Sequence[_Name]) -> list[_Name]:
    found = _quantity(names, {"power", "apower"}, _POWER)
    return [name for name in found if name.unit in {*_POWER, "", "?"}]


def _energies(names: Sequence[_Name]) -> list[_Name]:
    found = _quantity(names, {"energy"}, _ENERGY)
    return [name for name in found if name.unit in {*_ENERGY, "", "?"}]


def _value(names: Sequence[_Name], wanted: Wanted) -> tuple[_Name, bool]:
    """The column of power or energy, and whether it is energy. Power goes first."""
    asked = wanted.watts or wanted.joules
    if asked is not None:
        return _named(names, asked), wanted.joules is not None
    if wanted.is_energy is not True and (power := _only(_powers(names), "power", names)):
        return power, False
    if wanted.is_energy is not False and (energy := _only(_energies(names), "energy", names)):
        return energy, True
    raise _unclear("no column is obviously power or energy", names)


def _currents(names: Sequence[_Name]) -> tuple[list[_Name], list[_Name]]:
    volts = _quantity(names, {"voltage"}, _VOLTS_PER)
    return volts, _quantity(names, {"current"}, _AMPS_PER)


def _by_current(names: Sequence[_Name]) -> bool:
    volts, amps = _currents(names)
    return bool(volts and amps) and not _powers(names) and not _energies(names)


def _current(names: Sequence[_Name], wanted: Wanted) -> tuple[_Name, int | float, float]:
    """The column of current, the voltage, and the factor of their product to W."""
    voltages, currents = _currents(names)
    amps = _named(names, wanted.amps) if wanted.amps else _only(currents, "current", names)
    volts: _Name | float | None
    try:
        volts = float(wanted.volts) if wanted.volts else _only(voltages, "voltage", names)
    except ValueError:
        volts = _named(names, wanted.volts or "")
    if amps is None or volts is None:
        raise _unclear("no column is obviously volts and amps", names)
    factors = [amps.factor(_AMPS_PER)]
    if isinstance(volts, _Name):
        factors.append(volts.factor(_VOLTS_PER))
    factor = wanted.scale
    if factor is None:
        factor = 1.0
        for each in factors:
            if each is None and not (wanted.amps and wanted.volts):
                raise _unclear("the unit of volts or amps is not said", names)
            factor *= 1.0 if each is None else each
    return amps, volts.index if isinstance(volts, _Name) else float(volts), factor


def _unclear(reason: str, names: Sequence[_Name]) -> MeterUnavailable:
    shown = ", ".join(repr(name.text) for name in names)
    return MeterUnavailable(
        f"{reason}; the columns are {shown}",
        "say which: ?time=NAME&watts=NAME&unit=W, or joules=NAME&unit=Wh, or volts=NAME&amps=NAME",
    )
