"""Values that know their unit, their interval, how they were obtained and what they contain.

A joule from a hardware counter and a joule from a power model are not the same kind of number.
The types here refuse to add, divide or order what may not be: see `Quantity`.

>>> package = Quantity(10.0, 9.9, 10.1, "J", Kind.MEASURED, "cpu-package", ("cpu/0/package",))
>>> dram = Quantity(1.0, 0.9, 1.1, "J", Kind.MEASURED, "dram", ("cpu/0/dram",))
>>> (package + dram).boundary
'cpu-package+dram'
>>> package + package
Traceback (most recent call last):
bench.quantities.OverlapError: cpu/0/package contains cpu/0/package: their sum counts energy twice
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a value was obtained."""

    MEASURED = "measured"  # a hardware energy counter
    SAMPLED = "sampled"  # a power gauge, integrated over time
    EXTERNAL = "external"  # a wall or DC meter
    ESTIMATED = "estimated"  # CPU time times a power model
    MODELLED = "modelled"  # operations and bytes times pJ

    @property
    def is_reading(self) -> bool:
        """Whether an instrument indicated it; only such values are ranked, plotted or gated."""
        return self in {Kind.MEASURED, Kind.SAMPLED, Kind.EXTERNAL}


class MixedError(TypeError):
    """Two quantities of different unit, kind or boundary were put into one operation."""


class OverlapError(ValueError):
    """Two quantities were added although one contains the other."""


class NotMeasuredError(Exception):
    """An assertion asks for a number that was not measured.

    Under pytest the test is then skipped with this reason: neither passed nor failed.
    """


@dataclass(frozen=True, slots=True)
class Absent:
    """What stands where nothing was measured: never a zero.

    Args:
        reason: What was found, in one sentence.
        fix: What to do about it, or an empty string where nothing can be done.
    """

    reason: str
    fix: str = ""

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"{self.reason}; {self.fix}" if self.fix else self.reason


# What physically contains what, outermost first. Source: shared/counters.md §9.2.
WHOLE_MACHINE = ("wall", "battery", "board", "module")


def contains(outer: str, inner: str) -> bool:
    """Whether the energy of channel *outer* includes that of channel *inner*.

    Args:
        outer: A channel id such as ``cpu/0/package`` or ``wall/0``.
        inner: Another channel id.

    What an id begins with contains what it goes on with, and a package its cores; DRAM is a
    child of the package in sysfs, yet not inside its counter:

    >>> contains("module/vdd_in", "module/vdd_in/vdd_soc")
    True
    >>> contains("cpu/0/package", "cpu/0/core"), contains("cpu/0/package", "cpu/0/dram")
    (True, False)

    A socket contains its dies:

    >>> contains("cpu/0/package", "cpu/0.1/core"), contains("cpu/1/package", "cpu/10.1/core")
    (True, False)

    What surrounds a machine contains its devices; module 0 holds socket 0 and no other:

    >>> contains("board/psys", "cpu/1/dram"), contains("wall/0", "gpu/GPU-1/board")
    (True, True)
    >>> contains("module/0", "cpu/0/socket"), contains("module/0", "cpu/1/socket")
    (True, False)

    What follows ``#`` names a second route to the same energy:

    >>> contains("cpu/0/package", "cpu/0/package#pyrapl")
    True
    """
    outer, inner = outer.partition("#")[0], inner.partition("#")[0]
    within = (f"{outer}/", f"{outer}-") if outer == "board/psys" else (f"{outer}/",)
    if outer == inner or inner.startswith(within):  # psys-1 is of the same platform
        return True
    family, rest = _family(outer)
    inner_family, inner_rest = _family(inner)
    if family == "process" or inner_family == "process":
        return family in {"cpu", *WHOLE_MACHINE} and inner_family == "process"
    device, _, domain = rest.partition("/")
    inner_device, _, inner_domain = inner_rest.partition("/")
    if family in WHOLE_MACHINE:
        socket = inner_device.partition(".")[0]
        apart = device.isdecimal() and socket.isdecimal() and device != socket
        if family == "module" and inner_family == "cpu" and apart:
            return False
        return _rank(family) < _rank(inner_family)
    is_die = inner_device.startswith(f"{device}.")
    if family == inner_family and (device == inner_device or is_die):
        return (
            domain == inner_domain
            or (domain == "package" and inner_domain in {"core", "uncore"})
            or (domain == "socket" and inner_domain != "socket")
            or (domain == "board" and inner_domain in {"memory", "package"})
        )
    return False


def _family(channel: str) -> tuple[str, str]:
    family, _, rest = channel.partition("/")
    return family, rest


def _rank(family: str) -> int:
    return WHOLE_MACHINE.index(family) if family in WHOLE_MACHINE else len(WHOLE_MACHINE)


def overlap(one: Iterable[str], other: Iterable[str]) -> tuple[str, str] | None:
    """The first two channels (outer, inner) of which one contains the other, or None."""
    others = tuple(other)
    for a in one:
        for b in others:
            if contains(a, b):
                return a, b
            if contains(b, a):
                return b, a
    return None


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit, its 95 % interval, its kind and its boundary.

    Args:
        value: Best value, in *unit*.
        low: Lower end of the interval.
        high: Upper end of the interval.
        unit: SI unit, such as ``J``, ``J/sample`` or ``W``.
        kind: How it was obtained.
        boundary: What it contains, such as ``cpu-package+dram``.
        channels: Ids of the channels it is the sum of.

    Raises:
        ValueError: The value is not finite or lies outside its interval.
    """

    value: float
    low: float
    high: float
    unit: str
    kind: Kind
    boundary: str
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.value, self.low, self.high)):
            raise ValueError(f"{self.value} [{self.low}, {self.high}] {self.unit} is not finite")
        if not self.low <= self.value <= self.high:
            raise ValueError(
                f"{self.value} {self.unit} lies outside its interval [{self.low}, {self.high}]"
            )

    def __add__(self, other: "Quantity") -> "Quantity":
        if (self.unit, self.kind) != (other.unit, other.kind):
            raise MixedError(
                f"cannot add {self.kind} {self.unit} and {other.kind} {other.unit};"
                " use mixed_total, which states the share of each"
            )
        if pair := overlap(self.channels, other.channels):
            raise OverlapError(f"{pair[0]} contains {pair[1]}: their sum counts energy twice")
        return Quantity(
            self.value + other.value,
            self.low + other.low,
            self.high + other.high,
            self.unit,
            self.kind,
            join_boundaries([self.boundary, other.boundary]),
            self.channels + other.channels,
        )

    def _require_alike(self, other: "Quantity") -> None:
        mine = (self.unit, self.kind, self.boundary)
        theirs = (other.unit, other.kind, other.boundary)
        if mine != theirs:
            raise MixedError(f"cannot compare {' '.join(mine)} with {' '.join(theirs)}")

    def __lt__(self, other: "Quantity") -> bool:
        self._require_alike(other)
        return self.value < other.value

    def over(self, other: "Quantity") -> float:
        """The ratio of this value to *other*.

        Raises:
            MixedError: Unit, kind or boundary differ.
        """
        self._require_alike(other)
        return self.value / other.value

    def scaled(self, factor: float, unit: str) -> "Quantity":
        """The same quantity times a positive *factor*, in *unit*: joules to joules per sample."""
        return Quantity(
            self.value * factor,
            self.low * factor,
            self.high * factor,
            unit,
            self.kind,
            self.boundary,
            self.channels,
        )

    @property
    def half_width(self) -> float:
        """Half of the interval's length, in *unit*."""
        return (self.high - self.low) / 2


def join_boundaries(boundaries: Iterable[str]) -> str:
    """One label for the sum of several boundaries, each part named once, in the order met.

    >>> join_boundaries(["cpu-package", "dram", "cpu-package"])
    'cpu-package+dram'
    """
    parts = [part for boundary in boundaries for part in boundary.split("+")]
    return "+".join(dict.fromkeys(parts))


@dataclass(frozen=True, slots=True)
class MixedTotal:
    """A sum over several kinds, which says so.

    Args:
        value: The sum, in *unit*.
        unit: SI unit.
        shares: Share of each kind in the sum, largest first.
    """

    value: float
    unit: str
    shares: tuple[tuple[Kind, float], ...]

    def __str__(self) -> str:
        parts = ", ".join(f"{share:.0%} {kind}" for kind, share in self.shares)
        return f"total {self.value:.3g} {self.unit}, {parts}"


def mixed_total(quantities: Iterable[Quantity]) -> MixedTotal:
    """The sum of quantities of different kinds, with the share of each kind.

    Raises:
        MixedError: The units differ.
        OverlapError: One quantity contains another.
        ValueError: There is nothing to add.
    """
    terms = tuple(quantities)
    if not terms:
        raise ValueError("nothing to add; give at least one quantity")
    for index, term in enumerate(terms):
        for other in terms[index + 1 :]:
            if term.unit != other.unit:
                raise MixedError(f"cannot add {term.unit} and {other.unit}")
            if pair := overlap(term.channels, other.channels):
                raise OverlapError(f"{pair[0]} contains {pair[1]}: their sum counts energy twice")
    value = sum(term.value for term in terms)
    by_kind: dict[Kind, float] = {}
    for term in terms:
        by_kind[term.kind] = by_kind.get(term.kind, 0.0) + term.value
    shares = sorted(by_kind.items(), key=lambda item: -item[1])
    return MixedTotal(value, terms[0].unit, tuple((kind, part / value) for kind, part in shares))
