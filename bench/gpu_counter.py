"""What a probe of a GPU's energy counter found, and what follows from it: values and arithmetic.

`bench.gpu_probe` makes the readings. See docs/gpu-counter.md.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

SPREAD_LIMIT = 0.2
"""A counter that sees 90 % of each refresh spreads by 2 / 0.9 - 2 = 0.22; see `GpuProbe.spread`."""

_LEAST_RISE = 0.2


class Verdict(StrEnum):
    """Whether the counter sees all of the time."""

    SEES_ALL = "sees all of the time"
    ALIASES = "aliases"
    INCONCLUSIVE = "inconclusive"


class Change(NamedTuple):
    """A change of the counter: it happened between two times, and then showed *millijoules*."""

    before_ns: int
    after_ns: int
    millijoules: int

    @property
    def at_ns(self) -> float:
        """The best guess of when it happened."""
        return (self.before_ns + self.after_ns) / 2


@dataclass(frozen=True, slots=True)
class Refresh:
    """How a counter moves.

    Args:
        changes: How many changes were seen.
        median_s: Median time from one to the next.
        longest_s: Longest that it may have been.
        period_s: Mean period, where a change that was missed counts as two.
        smallest_rise_mj: Smallest rise, mJ.
        step_mj: Largest number that divides every rise, mJ.
    """

    changes: int
    median_s: float
    longest_s: float
    period_s: float
    smallest_rise_mj: int
    step_mj: int


@dataclass(frozen=True, slots=True)
class Phase:
    """A square wave of the counter's own period, at one shift.

    Args:
        shift: Share of the period between a refresh and the start of the load.
        joules: What the counter rose.
        seconds: From its first reading to its last.
        on_s: How long the load ran in that time.
        expected_j: What the levels of idle and full load make of these times.
        share: What it rose above idle, over what it was expected to rise above idle.
    """

    shift: float
    joules: float
    seconds: float
    on_s: float
    expected_j: float
    share: float


@dataclass(frozen=True, slots=True)
class GpuProbe:
    """What was found.

    Args:
        gpu: UUID.
        name: The board's name.
        driver: Version of the driver.
        refresh: How the counter moves.
        idle_w: Mean power while nothing ran.
        full_w: Mean power while the load ran.
        gauge_ratio: Energy by the counter over the integral of the instant power (field 186)
            under full load; None if the GPU does not show it.
        periods: Periods of the square wave in each phase.
        phases: Each shift, measured twice, in the order of measuring; none if the load was none.
    """

    gpu: str
    name: str
    driver: str
    refresh: Refresh
    idle_w: float
    full_w: float
    gauge_ratio: float | None
    periods: int
    phases: tuple[Phase, ...]

    @property
    def spread(self) -> float | None:
        """Largest less smallest share over the shifts: 0 if all of the time is seen.

        A counter that sees the share f of each period shows 2/f - 2, and 2 if f is a half or less.
        None if the load was none, so that there are no phases.
        """
        if not self.phases:
            return None
        means = [fmean(shares) for shares in self._by_shift()]
        return max(means) - min(means)

    @property
    def noise(self) -> float | None:
        """Largest difference between two shares of one shift; None without phases."""
        if not self.phases:
            return None
        return max(max(shares) - min(shares) for shares in self._by_shift())

    @property
    def verdict(self) -> Verdict:
        """Whether the counter sees all of the time."""
        if self.spread is None or self.noise is None:
            return Verdict.INCONCLUSIVE
        if self.noise > max(SPREAD_LIMIT, self.spread) / 2:
            return Verdict.INCONCLUSIVE
        return Verdict.ALIASES if self.spread > SPREAD_LIMIT else Verdict.SEES_ALL

    @property
    def reason(self) -> str:
        """What the verdict rests on, and what to do, in one sentence."""
        if not self.phases:
            rise = f"from {self.idle_w:.4g} W to {self.full_w:.4g} W"
            return f"the load raised the power only {rise}; use one that keeps the GPU busy"
        found = f"the energy above idle spread by {self.spread:.2g} over the shifts"
        again = f"and by {self.noise:.2g} where the same shift was measured again"
        if self.verdict is Verdict.INCONCLUSIVE:
            return f"{found}, {again}; let nothing else use the GPU, and probe for longer"
        if self.verdict is Verdict.ALIASES:
            fix = "make windows many refreshes long, at times that are no multiple of it"
            return f"{found}, {again}: short work is seen or missed by when it runs; {fix}"
        return f"{found}, {again}: when work runs within a refresh does not matter"

    def as_json(self) -> dict[str, Any]:
        """The same as one JSON object."""
        return {
            "schema": "gpu-counter/1",
            **asdict(self),
            "spread": self.spread,
            "noise": self.noise,
            "verdict": str(self.verdict),
            "reason": self.reason,
        }

    def write(self, path: Path) -> None:
        """Writes the JSON object to a file, such as ``results/gpu-counter-<name>.json``."""
        content = json.dumps(self.as_json(), indent=1, ensure_ascii=False)
        path.write_text(content + "\n", encoding="utf-8")

    def lines(self) -> Iterator[str]:
        """The same for a person."""
        r = self.refresh
        yield f"{self.name} · {self.gpu} · driver {self.driver}"
        yield (
            f"├─ refresh    {r.median_s * 1e3:.4g} ms (longest {r.longest_s * 1e3:.4g} ms),"
            f" in steps of {r.step_mj} mJ, {r.changes} changes seen"
        )
        yield f"├─ levels     idle {self.idle_w:.4g} W, loaded {self.full_w:.4g} W"
        ratio = "not shown by this GPU" if self.gauge_ratio is None else f"{self.gauge_ratio:.4f}"
        yield f"├─ counter / integral of the instant power under load: {ratio}"
        for shift, shares in zip(self._shifts(), self._by_shift(), strict=True):
            values = "  ".join(f"{share:6.3f}" for share in shares)
            yield f"├─ on from {shift:5.3f} of a refresh: {values}  of the energy above idle"
        yield f"└─ {self.verdict}: {self.reason}"

    def _shifts(self) -> list[float]:
        return sorted({phase.shift for phase in self.phases})

    def _by_shift(self) -> list[list[float]]:
        shares: defaultdict[float, list[float]] = defaultdict(list)
        for phase in self.phases:
            shares[phase.shift].append(phase.share)
        return [shares[shift] for shift in self._shifts()]


def is_loaded(idle_w: float, rise_w: float) -> bool:
    """Whether a load raises the power so far above idle that its energy can be told from it."""
    return rise_w >= _LEAST_RISE * idle_w


def refresh_of(changes: Sequence[Change]) -> Refresh:
    """How a counter moves, from its changes in the order of time.

    Raises:
        ValueError: There are fewer than three, or the counter went back.
    """
    if len(changes) < 3:  # noqa: PLR2004 - two gaps, for a median of something
        raise ValueError(f"found {len(changes)} changes of the counter, wanted 3 or more")
    gaps = [(new.at_ns - old.at_ns) / 1e9 for old, new in pairwise(changes)]
    rises = [new.millijoules - old.millijoules for old, new in pairwise(changes)]
    if min(rises) < 0:
        raise ValueError("the counter went back; was the driver reloaded?")
    middle = median(gaps)
    return Refresh(
        len(changes),
        middle,
        max((new.after_ns - old.before_ns) / 1e9 for old, new in pairwise(changes)),
        sum(gaps) / sum(max(1, round(gap / middle)) for gap in gaps),
        min(rises),
        math.gcd(*rises),
    )


def ratio_to_gauge(
    joules: float, readings: Sequence[tuple[float, float]], start_s: float, end_s: float
) -> float | None:
    """Energy over the integral of a gauge from *start_s* to *end_s*; None without readings.

    Args:
        joules: Energy in that time, J.
        readings: Times in s and powers in W, which are joined by straight lines; the first and
            the last hold to the ends.
        start_s: Start of the time.
        end_s: End of it.
    """
    if not readings:
        return None
    points = [(start_s, readings[0][1]), *readings, (end_s, readings[-1][1])]
    integral = math.fsum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
    return joules / integral if integral > 0 else None
