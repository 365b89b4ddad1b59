"""What changed from one run to another, from the lines of both journals; see `recompute`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from recompute import FREE, READ, ROOT3, Line, Log, Number, Told, admitted, joules
from recompute_budget import Budget, energy, power, time
from recompute_case import Case
from recompute_table import Table

UNKNOWN = "not recorded"
MACHINE = {
    "cpu": "CPU", "cpus": "logical CPUs", "memory_bytes": "memory, bytes",
    "virtualised": "virtualised", "kernel": "kernel", "gpu_driver": "GPU driver",
    "microcode": "microcode", "governor": "governor", "turbo": "turbo", "python": "Python",
}  # fmt: skip
OF_A_CASE = ("device_id", "workload_version", "unit", "baseline", "threads", "dtype")
NAMES = {"device_id": "device", "workload_version": "workload version", "unit": "sample"}
FORBIDS = {"machine", "device", "workload version", "sample", "kind", "boundary", "channels"}


def boundary_of(told: Told, device: str) -> str:
    """Of the joules of a device, where no channel of the journal holds another one."""
    ids = {channel["id"] for channel in told.run["channels"]}
    own = [
        channel
        for channel in told.run["channels"]
        if channel["kind"] in READ
        and ("#" not in channel["id"] or channel["id"].partition("#")[0] not in ids)
        and channel["id"].split("/")[0] in {"cpu", "dram", "gpu"}
        and (channel["domain"] != "board" or channel["id"].split("/")[1] in device)
    ]
    return "+".join(dict.fromkeys(str(channel["boundary"]) for channel in own))


@dataclass(frozen=True)
class Change:
    """A case that is in both runs: its row before, and its row now."""

    before: Case
    after: Case

    @property
    def has_energy(self) -> bool:
        """Whether both have one, of the same channels, so of one kind and boundary."""
        both = self.before, self.after
        known = all(case.energy() is not None for case in both)
        return known and _meter(self.before) == _meter(self.after)

    def time(self) -> Log | None:
        return _quotient(time(self.before), time(self.after))

    def energy(self) -> Log | None:
        """A meter's own error is in both runs: only the shift between its channels counts."""
        if not self.has_energy:
            return None
        found = _quotient(_without(energy(self.before)), _without(energy(self.after)))
        shift = math.fsum(
            admitted(channel) * abs(_share(self.before, channel) - _share(self.after, channel))
            for channel in self.after.channels
        )
        if found and shift > 0:
            found.parts.append((shift / ROOT3, FREE))
        return found

    def power(self) -> Log | None:
        joules_, seconds_ = self.energy(), self.time()
        if not joules_ or not seconds_:
            return None
        found = _quotient(_without(power(self.before)), _without(power(self.after)))
        return found and replace(found, value=joules_.value - seconds_.value)

    def beside(self, *, energy: bool) -> Number | None:
        """The change of the ratio to the baseline."""
        logs = self.before.log(energy=energy), self.after.log(energy=energy)
        if self.after.is_baseline or not logs[0] or not logs[1]:
            return None
        if self.before.record["baseline"] != self.after.record["baseline"]:
            return None
        parts = [*logs[0].parts, *logs[1].parts]
        return Log(logs[1].value - logs[0].value, parts, logs[1].n).number()

    def word(self, tables: tuple[Table, Table], *, energy: bool) -> str:
        """Beyond the larger margin of both runs, or within it."""
        found = self.energy() if energy else self.time()
        assert found is not None
        number = found.number()
        assert number.low is not None
        assert number.high is not None
        both = zip(tables, (self.before, self.after), strict=True)
        edge = 1 + max(table.margin(case, energy=energy) for table, case in both)
        if 1 / edge <= number.low and number.high <= edge:
            return "same"
        return "less" if number.high < 1 / edge else "more" if number.low > edge else "unresolved"


def _meter(case: Case) -> tuple[set[str], set[str], str]:
    kinds = {str(channel["kind"]) for channel in case.channels}
    return kinds, {str(c["id"]).partition("#")[0] for c in case.channels}, case.boundary


def _without(budget: Budget | None) -> Budget | None:
    if budget is None:
        return None
    parts = {source: u for source, u in budget.parts.items() if source != "specification"}
    return replace(budget, parts=parts)


def _quotient(before: Budget | None, after: Budget | None) -> Log | None:
    """The logarithm of after ÷ before, both independent of each other."""
    if not before or not after or "spread" not in before.parts or "spread" not in after.parts:
        return None
    parts = [
        (u / each.value, degrees) for each in (before, after) for u, degrees in each.parts.values()
    ]
    return Log(math.log(after.value / before.value), parts, min(before.n, after.n))


def _share(case: Case, channel: Line) -> float:
    """Of a channel in the joules of a case."""
    sums = {
        each["id"]: math.fsum(joules(window, [each]) or 0.0 for window in case.own)
        for each in case.channels
    }
    return sums.get(channel["id"], 0.0) / math.fsum(sums.values())


# -- what else is not the same ------------------------------------------------------------------


def differences(before: Told, after: Told) -> Iterator[str]:
    """``what: before → after`` of two runs, in the order of the page."""
    one, other = before.run, after.run
    yield from _differs("machine", one["machine"].get("id"), other["machine"].get("id"))
    for key, name in MACHINE.items():
        yield from _differs(name, one["machine"].get(key), other["machine"].get(key))
    yield from _differs("GPU", _gpus(one), _gpus(other))
    for field, name in (("settings", "setting "), ("packages", "package ")):
        if field == "packages":
            yield from _differs("seed", one["seed"], other["seed"])
        for key in dict.fromkeys((*one[field], *other[field])):
            if (field, key) != ("settings", "device"):  # each case knows its own
                yield from _differs(f"{name}{key}", one[field].get(key), other[field].get(key))
    meters = [{c["id"]: c["origin"] for c in run["channels"]} for run in (one, other)]
    for id_ in dict.fromkeys((*meters[0], *meters[1])):
        yield from _differs(f"meter of {id_}", meters[0].get(id_), meters[1].get(id_))


def of_case(change: Change) -> Iterator[str]:
    """The same of the two rows of a case."""
    one, other = change.before.record, change.after.record
    for key in OF_A_CASE:
        both = [(case.get(key) or case["device"]) if key == "device_id" else case.get(key)
                for case in (one, other)]  # fmt: skip
        yield from _differs(NAMES.get(key, key), *both)
    if change.before.energy() is not None and change.after.energy() is not None:
        kinds, ids, boundary = zip(_meter(change.before), _meter(change.after), strict=True)
        yield from _differs("kind", *(" + ".join(sorted(each)) for each in kinds))
        yield from _differs("boundary", *boundary)
        yield from _differs("channels", *(" + ".join(sorted(each)) for each in ids))


def _differs(what: str, before: object, after: object) -> Iterator[str]:
    """``None`` is written as any other that is missing: nobody knows it."""
    said = [UNKNOWN if each is None or each == "" else str(each) for each in (before, after)]
    if said[0] != said[1]:
        yield f"{what}: {said[0]} → {said[1]}"


def _gpus(run: Mapping[str, Any]) -> str:
    return ", ".join(sorted(str(gpu.get("name")) for gpu in run["machine"].get("gpu") or ()))
