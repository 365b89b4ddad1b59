"""How the gate writes changes, shares and names: short, no more digits than are known."""

import math
import shlex
from collections.abc import Iterable

from bench.gate.answer import Decision, Night, Quantity, Word
from bench.gate.repository import Commit
from bench.report.text import Prefix, escape, fixed, plain, plus_minus, signed, significant
from bench.statistics import Interval
from bench.statistics import quantile as quantile_of

_MOST_PERCENT = 10_000
_HUGE = 1e15
_FINEST = 1e-6  # p values below it say the same


def change(ratio: Interval) -> str:
    """A ratio as percent with its 95 % interval: ``+12.1 % [+9.6, +14.7]``.

    >>> change(Interval(1.121, 1.096, 1.147, 18))
    '+12.1 % [+9.6, +14.7]'
    >>> change(Interval(1.0004, 0.999, 1.002, 18))
    '+0.04 % [−0.10, +0.20]'
    """
    value, low, high = (100 * (end - 1) for end in (ratio.value, ratio.low, ratio.high))
    if not max(abs(value), abs(low), abs(high)) < _MOST_PERCENT:
        return f"× {significant(ratio.value) if ratio.value < 1e6 else 'a million or more'}"  # noqa: PLR2004
    half = (high - low) / 2
    decimals = min(2, max(0, 1 - math.floor(math.log10(half)))) if half > 0 else 2
    ends = f" [{signed(low, decimals)}, {signed(high, decimals)}]" if half > 0 else ""
    return f"{signed(value, decimals)} %{ends}"


def share(value: float) -> str:
    """A share as percent: ``1.1 %``."""
    return f"{significant(100 * value, 2)} %"


def level_text(value: Interval, scale: Prefix, unit: str) -> str:
    """A value with ± and unit: ``48.0 ± 0.9 mJ/image``."""
    half = (value.high - value.low) / 2 / scale.factor
    shown = f"{value.value / scale.factor:.3g}"
    if abs(value.value) + half < _HUGE:
        shown = plus_minus(value.value / scale.factor, half)
    return f"{shown} {scale.symbol}{unit}"


def p_text(p: float) -> str:
    """A p value, which is no more exact than its order.

    >>> p_text(0.0312), p_text(1e-9)
    ('p = 0.03', 'p < 0.000001')
    """
    return f"p < {_FINEST:.6f}" if p < _FINEST else f"p = {significant(p, 1)}"


def minutes(seconds: float) -> str:
    """A time to wait, as people say it.

    >>> minutes(45), minutes(700), minutes(9000)
    ('1 min', '12 min', '2.5 h')
    """
    if seconds > 90 * 60:
        return f"{fixed(seconds / 3600, 1)} h"
    return f"{max(1, math.ceil(seconds / 60))} min"


def counts(night: Night) -> str:
    """How many cases and quantities have which word, with its shape; words that none has go."""
    found = [(word, len(night.having(word))) for word in Word]
    return " · ".join(f"{word.mark} {number} {word}" for word, number in found if number)


def control_spread(night: Night, quantity: Quantity) -> float | None:
    """The median difference that the night's A/A controls show, as a share; None without any."""
    logs = sorted(
        abs(math.log(each.ratio.value))
        for each in night.canaries
        if each.ratio and each.series.quantity == quantity
    )
    return math.expm1(quantile_of(logs, 0.5)) if logs else None


def pairs_text(decision: Decision) -> str:
    """How many pairs of fresh processes a decision rests on."""
    first, fresh = (len(decision.series.log_ratios(stage)) for stage in (1, 2))
    if fresh:
        return f"{first} pairs of fresh processes, then {fresh} more"
    return f"{first} pairs of fresh processes"


def command(*words: str) -> str:
    """A command line that a shell takes as it is meant, in one printable line.

    >>> command("joulebench", "rerun", "a/b@x=1/cpu; rm -rf")
    "joulebench rerun 'a/b@x=1/cpu; rm -rf'"
    """
    return shlex.join(plain(word) for word in words)


def fence(lines: Iterable[str]) -> list[str]:
    """Lines as a block of code, which no line can end."""
    kept = [plain(line) for line in lines]
    longest = max((len(run) for line in kept for run in _ticks(line)), default=0)
    mark = "`" * max(3, longest + 1)
    return [f"{mark}sh", *kept, mark]


def _ticks(line: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in line).split()


def harmless(text: object) -> str:
    """Any value as Markdown text without markup, in which no link is made and nobody is called.

    >>> harmless("see @me, www.x.org, *b*")
    'see @&zwnj;me, www&#46;x.org, &#42;b&#42;'
    """
    return escape(text).replace("@", "@&zwnj;").replace("www.", "www&#46;")


def quoted(text: object) -> str:
    """What somebody typed, as code and harmless: no markup, no link, nobody is called by name.

    Code alone is not enough, for Markdown is read inside of it; entities alone neither, for GitHub
    looks for ``@names`` and ``#numbers`` in all text that is not code.

    >>> quoted("see @me, [x](http://y)")
    '<code>see &#64;me, &#91;x&#93;(http&#58;//y)</code>'
    """
    inner = escape(text).replace("@", "&#64;").replace("_", "&#95;")
    return f"<code>{inner.replace('www.', 'www&#46;')}</code>"


def commit_text(commit: Commit) -> str:
    """A commit as somebody typed it, harmless: its hash, subject, author and day."""
    said = f"{quoted(commit.short)} {quoted(commit.subject)}"
    return f"{said}, {quoted(commit.author)}, {harmless(commit.date[:10])}"
