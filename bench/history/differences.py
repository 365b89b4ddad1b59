"""What differs between two runs besides the numbers, and which of it forbids a ratio: pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.quantities import Quantity
from bench.record import CaseRecord, Run

UNKNOWN = "not recorded"
_MACHINE = {
    "cpu": "CPU",
    "cpus": "logical CPUs",
    "memory_bytes": "memory, bytes",
    "virtualised": "virtualised",
    "kernel": "kernel",
    "gpu_driver": "GPU driver",
    "microcode": "microcode",
    "governor": "governor",
    "turbo": "turbo",
    "python": "Python",
}
_NO_SETTING_OF_NUMBERS = {"device"}  # each case knows its own


class Forbids(StrEnum):
    """Which ratios a difference forbids."""

    NOTHING = "nothing"
    ENERGY = "energy"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in two runs.

    Args:
        what: Its name.
        before: What it was.
        after: What it is now.
        forbids: Which ratios it forbids.
    """

    what: str
    before: str
    after: str
    forbids: Forbids = Forbids.NOTHING

    def __str__(self) -> str:
        return f"{self.what}: {self.before} → {self.after}"


def of_runs(before: Run, after: Run) -> tuple[Difference, ...]:
    """What differs between two runs: their machine, settings, seed, packages and meters.

    Another machine forbids every ratio, and so does one that is not named: nobody knows then
    whether it is the same.
    """
    return tuple(_of_runs(before, after))


def _of_runs(before: Run, after: Run) -> Iterator[Difference]:
    one, other = before.machine.get("id"), after.machine.get("id")
    if one != other or not one:
        yield Difference("machine", _said(one), _said(other), Forbids.EVERYTHING)
    for key, what in _MACHINE.items():
        yield from _changed(what, before.machine.get(key), after.machine.get(key))
    yield from _changed("GPU", _gpus(before), _gpus(after))
    for key in dict.fromkeys((*before.settings, *after.settings)):
        if key not in _NO_SETTING_OF_NUMBERS:
            found = _field(before.settings, key), _field(after.settings, key)
            yield from _changed(f"setting {key}", *found)
    yield from _changed("seed", before.seed, after.seed)
    for name in dict.fromkeys((*before.packages, *after.packages)):
        found = _field(before.packages, name), _field(after.packages, name)
        yield from _changed(f"package {name}", *found)
    origins = [{c.id: c.origin for c in run.channels} for run in (before, after)]
    for id_ in dict.fromkeys((*origins[0], *origins[1])):
        yield from _changed(f"meter of {id_}", _field(origins[0], id_), _field(origins[1], id_))


def of_cases(before: CaseRecord, after: CaseRecord) -> tuple[Difference, ...]:
    """What differs between two records of one case: another workload is another history."""
    everything = Forbids.EVERYTHING
    found = (
        *_changed("device", _device(before), _device(after), everything),
        *_changed("workload version", before.workload_version, after.workload_version, everything),
        *_changed("sample", before.unit, after.unit, everything),
        *_changed("baseline", before.baseline, after.baseline),
        *_changed("threads", before.threads, after.threads),
        *_changed("dtype", before.dtype, after.dtype),
    )
    return tuple(found)


def of_energies(before: Quantity, after: Quantity) -> tuple[Difference, ...]:
    """What differs between two energies: another kind, or other things inside the meter."""
    return (
        *_changed("kind", before.kind, after.kind, Forbids.ENERGY),
        *_changed("boundary", before.boundary, after.boundary, Forbids.ENERGY),
        *_changed("channels", _cover(before), _cover(after), Forbids.ENERGY),
    )


def _cover(energy: Quantity) -> str:
    """The channels of an energy; a second route reads the same energy as the first."""
    return " + ".join(sorted(channel.partition("#")[0] for channel in energy.channels))


def _device(case: CaseRecord) -> str:
    return case.device_id or case.device


def _gpus(run: Run) -> str:
    return ", ".join(sorted(str(gpu.get("name")) for gpu in run.machine.get("gpu") or ()))


class _Missing:
    """Stands for a field that a record does not have."""


def _field(fields: Mapping[str, Any], key: str) -> object:
    return fields.get(key, _Missing)


def _said(value: object) -> str:
    if value is _Missing or value is None or value == "":
        return UNKNOWN
    return str(value)


def _changed(
    what: str, before: object, after: object, forbids: Forbids = Forbids.NOTHING
) -> Iterator[Difference]:
    if _said(before) != _said(after):
        yield Difference(what, _said(before), _said(after), forbids)
