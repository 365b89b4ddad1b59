"""The rows of a device again, beside each other: verdicts, best runtimes; see `recompute`."""

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from recompute import Log, Number, Told
from recompute_case import Case


@dataclass(eq=False)
class Table:
    """The cases of one device, beside each other."""

    told: Told
    device: str
    boundary: str

    @cached_property
    def cases(self) -> dict[str, Case]:
        return {
            name: Case(self.told, record, self.boundary)
            for name, record in self.told.cases.items()
            if record["device"] == self.device and record["runtime"] != "judged"
        }

    @cached_property
    def controls(self) -> dict[bool, dict[str, float]]:
        """What each A/A control shows, of energy and of time."""
        return {
            energy: {
                name: _shown(found.number())
                for name, each in self.cases.items()
                if each.is_baseline and (found := each.log(energy=energy))
            }
            for energy in (True, False)
        }

    def margin(self, case: Case, *, energy: bool) -> float:
        """What was asked for, or twice what the controls differ."""
        asked = float(self.told.run["settings"].get("margin", 0.03))
        shown = self.controls[energy]
        largest = statistics.median(shown.values()) if shown else 0.0
        largest = max(largest, shown.get(case.record["baseline"], 0.0))
        return max(asked, math.expm1(2 * largest))

    def verdict(self, case: Case, *, energy: bool) -> str:
        if case.breaks_quality():
            return "breaks quality"
        log = case.log(energy=energy)
        if log is None:
            known = case.energy() is not None if energy else bool(case.own)
            return "not comparable" if known else "not measured"
        ratio, edge = log.number(), 1 + self.margin(case, energy=energy)
        assert ratio.low is not None
        assert ratio.high is not None
        if ratio.high < 1 / edge:
            return "saves"
        if ratio.low > edge:
            return "costs"
        return "no gain" if 1 / edge <= ratio.low and ratio.high <= edge else "unresolved"

    def best_fp32(self, case: Case, *, energy: bool) -> Number | None:
        """Beside the best float32 runtime, where the family runs in several."""
        if not any(map(is_crossed, self._family(case))):
            return None
        best, name = self.best_runtime(case, energy=energy)
        own = None if case.is_baseline else case.log(energy=energy)
        if name == case.record["case"] or (own is None and (best is None or not case.is_baseline)):
            return None
        logs = [log for log in (own, best) if log]
        value = (own.value if own else 0.0) - (best.value if best else 0.0)
        parts = [part for log in logs for part in log.parts]
        return Log(value, parts, min(log.n for log in logs)).number()

    def best_runtime(self, case: Case, *, energy: bool) -> tuple[Log | None, str]:
        """The best float32 runtime's ratio, and its case; no ratio if it is the baseline."""
        shipped = [
            (log, other)
            for other in self._family(case)
            if not other.is_baseline
            and other.record["technique"] == "baseline"
            and other.record["dtype"] in {None, "float32"}
            and set(other.record.get("kernels", ())) <= {"float32"}
            and not other.breaks_quality()
            and (log := other.log(energy=energy))
        ]
        log, least = min(shipped, key=lambda each: each[0].value, default=(None, case))
        if log is None or log.value >= 0:
            return None, str(case.record["baseline"])
        return log, str(least.record["case"])

    def _family(self, case: Case) -> list[Case]:
        baseline = case.record["baseline"]
        return [each for each in self.cases.values() if each.record["baseline"] == baseline]


def is_crossed(case: Case) -> bool:
    """Whether a case is held against the baseline of another runtime."""
    return _place(case.record["case"]) != _place(case.record["baseline"])


def _shown(control: Number) -> float:
    assert control.low is not None
    assert control.high is not None
    return 0.0 if control.low <= 1 <= control.high else abs(math.log(control.value))


def _place(case: str) -> list[str]:
    return case.split("/")[-3:]


def number_of(log: Log | None) -> Number | None:
    return log.number() if log else None


QUANTITIES: Mapping[str, Callable[[Table, Case], Number | None]] = {
    "energy": lambda _, case: case.energy(),
    "energy_net": lambda _, case: case.net(),
    "energy_estimate": lambda _, case: case.estimate(),
    "power": lambda _, case: case.power(),
    "energy_ratio": lambda _, case: number_of(case.energy_log()),
    "time_ratio": lambda _, case: number_of(case.time_log()),
    "throughput": lambda _, case: case.throughput(),
    "latency_p50": lambda _, case: case.latency("p50"),
    "latency_p99": lambda _, case: case.latency("p99"),
    "quality": lambda _, case: case.quality(),
    "quality_change": lambda _, case: case.quality_change(),
    "size_disk": lambda _, case: _counted(case.record["size_bytes"], "disk"),
    "energy_ratio_best_fp32": lambda table, case: table.best_fp32(case, energy=True),
    "time_ratio_best_fp32": lambda table, case: table.best_fp32(case, energy=False),
    "memory_peak": lambda _, case: _counted(case.record.get("memory_bytes", {}), "peak"),
    "memory_cuda": lambda _, case: _counted(case.record.get("memory_bytes", {}), "cuda"),
}
"""Every quantity of the CSV; one that is not here has no independent recomputation yet."""


def _counted(counts: Mapping[str, int | None], name: str) -> Number | None:
    found = counts.get(name)
    return None if found is None else Number(float(found))
