"""The trend page: confirmed shifts first, then what changed around them, then every series."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.history.series import ENERGY, Line
from bench.history.shifts import MAGNITUDE, NIGHTS_AFTER, P_VALUE, WINDOW, Shift
from bench.report import blocks, text
from bench.report.sparkline import CUT, SHIFT, sparkline
from bench.report.trend import Course, Trend
from bench.report.trend_figure import MOST, svg

_SHORT = 9  # characters of a commit


def files(found: Trend, out: Path, command: str) -> dict[Path, str]:
    """The page and its figures, one for each machine that has a confirmed shift.

    Args:
        found: What to write of.
        out: The page's path, which ends in ``.md``.
        command: What made it, for who wants to make it again.
    """
    texts: dict[Path, str] = {}
    parts = [_head(found)]
    for machine, courses in _machines(found):
        moved = sorted((c for c in courses if c.shifts), key=_largest, reverse=True)
        figure = ""
        if moved:
            name = f"{out.stem}-{_name(machine)}.svg"
            title = f"Series with confirmed shifts on machine {machine}"
            texts[out.with_name(name)] = svg(moved, title)
            figure = _figure(name, moved)
        parts += [_machine(found, machine, courses), *_shifts(moved, figure), *_segments(courses)]
        parts += _series(courses)
    parts += [*_unreadable(found), *_how(found, command)]
    return {out: "\n\n".join(parts) + "\n", **texts}


def _code(value: object) -> str:
    """Any value as code: what stands in HTML is Markdown all the same."""
    return f"<code>{text.escape(value)}</code>"


def _machines(found: Trend) -> list[tuple[str, list[Course]]]:
    machines: dict[str, list[Course]] = {}
    for course in found.courses:
        machines.setdefault(course.line.machine, []).append(course)
    return list(machines.items())


def _name(machine: str) -> str:
    """A machine's id as part of a file's name: another one may hold anything."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in machine)[:40]


def _largest(course: Course) -> tuple[float, str]:
    return max(abs(math.log(s.ratio.value)) for _, s in course.shifts), course.line.case


def _head(found: Trend) -> str:
    cases = len({(c.line.machine, c.line.case) for c in found.courses})
    moved = sum(len(course.shifts) for course in found.courses)
    machines = len(_machines(found))
    runs = len(found.index.runs)
    bad = len(found.index.unreadable)
    said = f"**{moved} confirmed {'shift' if moved == 1 else 'shifts'}** in {cases} cases"
    if found.unavailable is not None:
        said = (
            f"**Shifts were not looked for: {text.escape(found.unavailable.reason)};"
            f" {text.escape(found.unavailable.fix)}.** {cases} cases"
        )
    broken = f", **{bad} cannot be read (below)**" if bad else ""
    where = "1 machine" if machines == 1 else f"{machines} machines"
    return f"# Trend\n\n{said} on {where}; {runs} journals{broken}."


def _machine(found: Trend, machine: str, courses: Sequence[Course]) -> str:
    runs = found.index.runs
    own = runs.where(runs.is_("machine", machine))
    started = own["started"]
    cpu = text.escape(own["cpu"][-1] or "unknown CPU")
    controls = [c.line.control for c in courses if c.line.control]
    lines = [
        f"## {cpu} · machine {text.escape(machine)}",
        f"{len(own)} journals, {text.escape(started[0])} to {text.escape(started[-1])}.",
        _controlled(controls, courses),
    ]
    return "\n\n".join(lines)


def _controlled(controls: Sequence[str], courses: Sequence[Course]) -> str:
    if not controls:
        return (
            "No control workload ran beside these cases, so what a night does to all of them is in"
            " each series; add `suites/roofline.py` to the run, or name one with `--control`."
        )
    names = blocks.sentence_list([_code(each) for each in dict.fromkeys(controls)])
    left = sum(course.line.left_out for course in courses)
    gone = f" {left} nights are left out, for it did not run in them." if left else ""
    return f"Each value is divided by that of {names} in the same night.{gone}"


def _figure(name: str, moved: Sequence[Course]) -> str:
    shown = moved[:MOST]
    said = "; ".join(
        f"{course.line.case} {course.line.quantity} {_percent(shift)}"
        for course in shown
        for _, shift in course.shifts
    )
    more = f" The {MOST} with the largest shifts of {len(moved)}." if len(moved) > MOST else ""
    return (
        f"![Series over the nights: {text.escape(said)}]({text.address(name)})\n\n"
        "A line a night; the band is two standard deviations of a night; a solid bar is a confirmed"
        f" shift, a dashed one another machine, environment or workload.{more}"
    )


def _percent(shift: Shift) -> str:
    return f"{text.signed(100 * (shift.ratio.value - 1))} %"


def _shifts(moved: Sequence[Course], figure: str) -> Iterator[str]:
    if not moved:
        return
    header = ("case", "quantity", "since", "size, % [95 %]", "commit before", "commit after")
    rows = []
    for course in moved:
        for segment, shift in course.shifts:
            before, after = segment.night(shift.at - 1), segment.night(shift.at)
            low, high = (100 * (end - 1) for end in (shift.ratio.low, shift.ratio.high))
            size = f"{_percent(shift)[:-2]} [{text.signed(low)}, {text.signed(high)}]"
            commits = [_commit(night.commit) for night in (before, after)]
            since = text.escape(after.started[:10])
            rows.append(
                (text.escape(course.line.case), course.line.quantity, since, size, *commits)
            )
    yield f"### Confirmed shifts\n\n{blocks.table(header, rows, left=3, last=2)}"
    yield figure


def _commit(commit: str) -> str:
    return _code(commit[:_SHORT]) if commit else "unknown"


def _segments(courses: Sequence[Course]) -> Iterator[str]:
    """Where series begin anew, each reason once with how many series it cut."""
    found: dict[tuple[str, str], int] = {}
    for course in courses:
        for segment in course.line.segments[1:]:
            key = (segment.night(0).started, segment.why)
            found[key] = found.get(key, 0) + 1
    if not found:
        return
    rows = [
        (text.escape(started[:10]), text.escape(why), str(count))
        for (started, why), count in sorted(found.items())
    ]
    table = blocks.table(("since", "what changed", "series"), rows, left=2)
    yield f"### New segments\n\nNights before and after are not compared.\n\n{table}"


def _series(courses: Sequence[Course]) -> Iterator[str]:
    header = ("case", "quantity", "nights", "newest", "noise, %", "last 60 nights")
    workloads: dict[str, list[Course]] = {}
    for course in courses:
        workloads.setdefault(course.line.newest.workload, []).append(course)
    for name, its in sorted(workloads.items()):
        rows = [
            _row(course) for course in sorted(its, key=lambda c: (c.line.case, c.line.quantity))
        ]
        table = blocks.table(header, rows, left=2, last=1)
        summary = f"{text.escape(name)} · {len(rows)} series"
        yield blocks.details(summary, table)


def _row(course: Course) -> tuple[str, ...]:
    line, last = course.line, course.levels[-1].nights
    return (
        text.escape(line.case),
        line.quantity,
        str(line.length),
        _newest(line),
        f"{100 * last.spread:.2g}" if last.n > 1 else "—",
        _spark(course),
    )


def _newest(line: Line) -> str:
    """The last value itself, not divided by anything, and of which kind it is."""
    night = line.newest
    value = night.value(line.quantity)
    scale = text.prefix([value])
    unit = "J" if line.quantity == ENERGY else "s"
    shown = (
        f"{text.significant(value / scale.factor)} {scale.symbol}{unit}/{text.escape(night.unit)}"
    )
    return f"{shown} {text.escape(night.kind)}" if line.quantity == ENERGY else shown


def _spark(course: Course) -> str:
    """The line of a series: cut where it begins anew, barred where it shifted."""
    parts = [level.values for level in course.levels]
    shown = sparkline(parts)
    marks = [SHIFT if level.shift else CUT for level in course.levels[1:]]
    pieces = shown.split(CUT)
    kept = marks[len(marks) - (len(pieces) - 1) :] if len(pieces) > 1 else []
    return "".join(f"{mark}{piece}" for mark, piece in zip(["", *kept], pieces, strict=True))


def _unreadable(found: Trend) -> Iterator[str]:
    rows = [
        (text.escape(name), text.escape(reason))
        for name, reason in found.index.unreadable.rows(("journal", "reason"))
    ]
    if rows:
        table = blocks.table(("journal", "why"), rows, left=2)
        yield f"## Journals that cannot be read\n\n{table}"


def _how(found: Trend, command: str) -> Iterator[str]:
    looked = (
        "Shifts: cuts of ruptures (least squares) in the logarithms of one segment, confirmed by a"
        f" t test of up to {WINDOW} nights on either side, p ≤ {P_VALUE:g}, widened by the"
        " correlation of neighbouring nights, and at least"
        f" {100 * MAGNITUDE:g} % and {NIGHTS_AFTER} nights. The size is a little too large, for its"
        " place was chosen where it is largest."
    )
    lines = [
        *([looked] if found.unavailable is None else []),
        "Noise: 1.4826 × the median absolute deviation of the logarithms since the last shift.",
        "Estimated energies are no series.",
    ]
    yield "\n".join(lines)
    yield f"Written by {_code(command)}."
