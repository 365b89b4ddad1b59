"""Two routes to one energy, held against each other: pure functions.

Where two meters read the same channel both are recorded; the second one's id ends in ``#`` and
the route. Their joules are never added. If they disagree, at least one of them is wrong.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.window import ChannelEnergy

AGREE = (0.95, 1.05)
"""Ratios of two routes between which they count as the same."""


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """How two routes to one channel compare.

    Args:
        channel: The first route, which may be in the total.
        route: The second one.
        ratio: Joules of the second over joules of the first, over all windows that have both.
        low: Least ratio that the bounds of both allow.
        high: Largest ratio that they allow; infinite if the first may have been 0.
        windows: How many windows have both.
    """

    channel: str
    route: str
    ratio: float
    low: float
    high: float
    windows: int

    @property
    def agrees(self) -> bool:
        """Whether the ratio lies in `AGREE`."""
        return AGREE[0] <= self.ratio <= AGREE[1]

    @property
    def explained(self) -> bool:
        """Whether the bounds of both allow that they agree: then a longer window would tell."""
        return self.low <= AGREE[1] and self.high >= AGREE[0]

    def __str__(self) -> str:
        least, most = AGREE
        words = "agree" if self.agrees else f"DISAGREE (outside {least:g} to {most:g})"
        if not self.agrees and self.explained:
            words += ", which their bounds allow: measure longer"
        return (
            f"{self.route} / {self.channel} = {self.ratio:.3f} [{self.low:.3f}, {self.high:.3f}]"
            f" over {self.windows} window{'s' if self.windows > 1 else ''}: they {words}"
        )


def cross_checks(windows: Iterable[Sequence[ChannelEnergy]]) -> tuple[CrossCheck, ...]:
    """Every second route against its first, over the energies of some windows."""
    pairs: dict[tuple[str, str], list[tuple[ChannelEnergy, ChannelEnergy]]] = {}
    for energies in windows:
        by_id = {energy.channel: energy for energy in energies if energy.joules is not None}
        for route, second in by_id.items():
            channel, mark, _ = route.partition("#")
            if mark and channel in by_id:
                pairs.setdefault((channel, route), []).append((by_id[channel], second))
    return tuple(
        _check(channel, route, both)
        for (channel, route), both in pairs.items()
        if _sum(first.joules for first, _ in both) > 0
    )


def _check(
    channel: str, route: str, both: Sequence[tuple[ChannelEnergy, ChannelEnergy]]
) -> CrossCheck:
    least = _sum(first.low for first, _ in both)
    return CrossCheck(
        channel,
        route,
        _sum(second.joules for _, second in both) / _sum(first.joules for first, _ in both),
        _sum(second.low for _, second in both) / _sum(first.high for first, _ in both),
        _sum(second.high for _, second in both) / least if least > 0 else math.inf,
        len(both),
    )


def _sum(joules: Iterable[float | None]) -> float:
    return math.fsum(each or 0.0 for each in joules)
