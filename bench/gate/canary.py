"""May tonight's words be believed? What pairs of one and the same revision say. Pure.

A canary is a case of which both sides are the baseline revision. Its ratio is 1 in truth, so what
it shows is the machine: heat, other load, a side that starts from a slower disk.

The *spread* of a night is the median |ln ratio| over its canaries of one quantity. The history of
a machine is one spread a night: of all nights, trusted or not, so that a machine that stays
noisier gets a wider margin and is trusted again; of one boundary and kind of energy.

A night is untrusted if

- nothing could be measured of any canary: then nothing shows what the machine does tonight;
- the rule that judges the cases calls a canary regressed or improved;
- the spread exceeds its limit: twice its median over the last 30 nights, more where canaries are
  few and their median says little, and at least half of the margin, for what is below it can move
  no word. With a history of fewer than `ENOUGH` nights the limit is the margin itself.
"""

import math
import statistics
from collections.abc import Mapping, Sequence

from bench.exit_codes import EXIT_CANNOT_MEASURE, EXIT_REGRESSION, EXIT_UNTRUSTED
from bench.gate.answer import Decision, Night, Series, Word
from bench.gate.decide import DEFAULT, Rule, decisions
from bench.gate.wording import change

DEFAULT_MARGIN = 0.01
"""Least change that counts, as a share, where nobody says otherwise: see reports/nights.md."""

NIGHTS = 30
"""How many of the last nights say what is usual."""

ENOUGH = 5
"""Fewer nights than that do not."""

_FACTOR = 2.0
_SELDOM = 0.005
"""Share of good nights whose spread exceeds its limit by the luck of few canaries, at most."""
_HALF_NORMAL_MEDIAN = 0.6745  # of |x|, x normal with standard deviation 1

History = Mapping[str, Sequence[float]]
"""The spreads of earlier nights, oldest first, by `group`."""


def margin(asked: float, history: Sequence[float]) -> float:
    """The least change that counts: as asked for, but at least twice the machine's A/A spread.

    Args:
        asked: A share, such as 0.01.
        history: The spread of each earlier night, oldest first; the last 30 count.

    Raises:
        ValueError: A margin or spread that is negative or no number.

    >>> margin(0.01, [0.004] * 30)
    0.01
    >>> round(margin(0.01, [0.012] * 30), 4)
    0.0243
    """
    for name, value in [("margin", asked), *(("spread", each) for each in history)]:
        if not 0 <= value < math.inf:
            raise ValueError(f"found a {name} of {value}, wanted 0 or more; give another")
    usual = statistics.median(history[-NIGHTS:]) if history else 0.0
    return max(asked, math.expm1(_FACTOR * usual))


def group(series: Series) -> str:
    """What canaries must have in common for one spread: times, or joules of one kind and boundary.

    It is the key of a `History`.

    >>> group(Series("a", "time", "s/call"))
    'time'
    >>> group(Series("a", "energy", "J/call", "measured", "cpu-package"))
    'energy measured cpu-package'
    """
    return " ".join(part for part in (series.quantity, series.kind, series.boundary) if part)


def spread(canaries: Sequence[Decision]) -> float | None:
    """The median |ln ratio| of canaries of one group; None if none was measured."""
    found = [abs(math.log(each.ratio.value)) for each in canaries if each.ratio]
    return statistics.median(found) if found else None


def spreads(canaries: Sequence[Decision]) -> dict[str, float]:
    """The spread of each group of a night: what is kept for the history of the machine."""
    groups = dict.fromkeys(group(each.series) for each in canaries)
    found = {
        name: spread([each for each in canaries if group(each.series) == name]) for name in groups
    }
    return {name: value for name, value in found.items() if value is not None}


def limit(history: Sequence[float], canaries: int, margin: float) -> float:
    """The largest spread of a night that is trusted.

    Twice the usual spread is seldom exceeded by chance where there are ten canaries or more. The
    median of fewer scatters more: it is then the 99.5 % quantile of the median of so many normal
    values (an order statistic, whose share below is distributed as Beta; David 1981, §2.1).

    Args:
        history: The spread of each earlier night, oldest first; the last 30 count.
        canaries: How many the night has, at least 1.
        margin: The least change that counts, as a share.

    >>> [round(limit([0.004] * 30, canaries, 0.01), 4) for canaries in (15, 3, 1)]
    [0.008, 0.0121, 0.0166]
    """
    if len(history) < ENOUGH:
        return margin
    from scipy.special import betaincinv, ndtri

    half = (canaries + 1) / 2
    below = float(betaincinv(half, half, 1 - _SELDOM))
    by_chance = float(ndtri((1 + below) / 2)) / _HALF_NORMAL_MEDIAN
    usual = statistics.median(history[-NIGHTS:])
    return max(max(_FACTOR, by_chance) * usual, margin / 2)


def untrusted(
    canaries: Sequence[Decision], cases: Sequence[Decision] = (), history: History | None = None
) -> str:
    """Why a night cannot be trusted; empty if it can.

    Args:
        canaries: Of the night.
        cases: Of the night: of each quantity that was measured there must be a canary.
        history: The spreads of earlier nights.
    """
    measured = [each for each in canaries if each.ratio]
    wanted = dict.fromkeys(each.series.quantity for each in cases if each.ratio)
    seen = {each.series.quantity for each in measured}
    if missing := [quantity for quantity in wanted if quantity not in seen]:
        return (
            f"no canary's {' and '.join(missing)} was measured: nothing shows whether this machine"
            " tells equal things apart tonight; gate with canaries"
        )
    for each in measured:
        if each.ratio and each.word in {Word.REGRESSED, Word.IMPROVED}:
            return (
                f"{each.series.case}: two runs of the same revision differ in"
                f" {each.series.quantity} by {change(each.ratio)}, which the gate calls"
                f" {each.word}; the two sides are not measured alike: compare their folders,"
                " environments and order"
            )
    groups = dict.fromkeys(group(each.series) for each in measured)
    whys = (
        _too_far_apart([each for each in measured if group(each.series) == name], past)
        for name in groups
        for past in [(history or {}).get(name, ())]
    )
    return next((why for why in whys if why), "")


def _too_far_apart(canaries: Sequence[Decision], history: Sequence[float]) -> str:
    """Why the spread of a group is beyond its limit; empty if it is not."""
    tonight = spread(canaries) or 0.0
    most = limit(history, len(canaries), max(each.series.margin for each in canaries))
    if tonight <= most:
        return ""
    return (
        f"two runs of the same revision differ in {canaries[0].series.quantity} by"
        f" {100 * tonight:.2g} % (median of {len(canaries)} canaries), on a night that can be"
        f" trusted by at most {100 * most:.2g} %; look for other load, heat and changed clocks"
        " (joulebench doctor), then gate again"
    )


def night(series: Sequence[Series], rule: Rule = DEFAULT, history: History | None = None) -> Night:
    """The words of a night and whether they can be trusted.

    Canaries are judged among themselves: their limit is then lower than that of the cases, which
    are many more, and a bad night shows more easily than it harms.

    Args:
        series: Of all cases and canaries, both stages measured.
        rule: The settings.
        history: The spreads of earlier nights of this machine.

    Raises:
        ValueError: A margin or floor that is negative or no number.
    """
    controls = decisions([each for each in series if each.canary], rule)
    cases = decisions([each for each in series if not each.canary], rule)
    return Night(cases, controls, untrusted(controls, cases, history))


def exit_code(night: Night) -> int:
    """What the process of a gate ends with.

    10 if nothing could be compared; else 9 if the night is untrusted, for it cannot fail a build;
    else 8 if anything regressed; else 0.
    """
    if not any(each.ratio for each in night.decisions):
        return EXIT_CANNOT_MEASURE
    if night.untrusted:
        return EXIT_UNTRUSTED
    return EXIT_REGRESSION if night.having(Word.REGRESSED) else 0
