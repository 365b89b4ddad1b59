"""The trust box again: kinds, boundary, idle power, controls, margins, windows."""

import re
from collections.abc import Mapping

from page_pieces import LineCheck, Place, plain
from recompute_parts import is_measured, why_no_idle
from recompute_screen import deviations, kinds
from shown_numbers import PREFIX, half, number, plus_minus, significant
from shown_sentences import NUMBER, Part, ending, says

HOW = {
    "measured": " (hardware energy counter)",
    "sampled": " (power gauge × time)",
    "external": " (external meter)",
    "estimated": " (CPU time × a power model)",
    "absent": "",
}
APART = {"warmup", "training"}


def energies(place: Place, line: re.Match[str]) -> bool:
    """How many rows have an energy of which kind, in per cent, and of what boundary."""
    table = place.table
    said: list[Part] = ["Energy values: "]
    rows = len(table.cases)
    for at, (kind, count) in enumerate(kinds(table)):
        said += [", " if at else "", *_whole(100 * count / rows), f" % {kind}{HOW[kind]}"]
    if is_measured(table):
        channels = " + ".join(channel["id"] for channel in table.told.channels(table.boundary))
        said.append(f"; boundary {table.boundary} ({channels})")
    if any(case.energy() is None and case.estimate() for case in table.cases.values()):
        said.append("; estimates are ranges, never ranked or plotted")
    return says(plain(line[1]), *said, ".")


def _whole(percent: float) -> list[Part]:
    """A whole number of per cent; what is not all is not 100, and what is there is not 0."""
    if percent < 0.5:
        return ["< 1"]
    return ["> 99"] if 99.5 <= percent < 100 else [ending(percent, 1)]


def idle(place: Place, line: re.Match[str]) -> bool:
    """The power of the waiting system, or why it is not known."""
    case, shown = next(iter(place.table.cases.values())), plain(line[1])
    found = case.idle()
    if found is None:
        unread = case.told.idle and not case.channels
        why = "no power source can be read here" if unread else why_no_idle(case) or ""
        return shown == f"Idle power: not measured ({why.partition(';')[0]})."
    watts = re.fullmatch(
        r"Idle power: (.+) (k|m|µ|n|)W, included in the energies; net of it under Where the energy"
        r" goes\.",
        shown,
    )
    assert watts
    scale = PREFIX[watts[2]]
    return 1 <= found.value / scale < 1000 and plus_minus(
        watts[1], found.value / scale, half(found) / scale
    )


def control(place: Place, line: re.Match[str]) -> bool:
    """What the controls differ by at most, and the least and largest margin of the verdicts."""
    table = place.table
    energy = is_measured(table)
    found = deviations(table)
    asked = float(table.told.run["settings"].get("margin", 0.03))
    judged = [case for case in table.cases.values() if not case.is_baseline]
    margins = [table.margin(case, energy=energy) for case in judged or table.cases.values()]
    said: list[Part] = [
        "A/A control: a baseline against itself differs by at most ",
        _percent(max(found)),
        f" % in {'energy' if energy else 'time'} ({len(found)} control{'s' * (len(found) > 1)});",
        " margin of the verdicts ",
        _percent(min(margins)),
        " %",
    ]
    if f"{min(margins):.1e}" != f"{max(margins):.1e}":
        said += [" to ", _percent(max(margins)), " %"]
    if max(margins) > asked:
        said += [" (asked for: ", _percent(asked), " %; raised to twice what the controls differ)"]
    return says(plain(line[1]), *said, ".")


def _percent(share: float) -> Part:
    """Two digits, without zeros behind the point; whole numbers from a hundred on."""
    percent = 100 * share
    if percent < 0.01:
        return "< 0.01"

    def fits(shown: str) -> bool:
        if percent >= 99.5:
            return number(shown) == round(percent)
        trimmed = not ("." in shown and shown.endswith("0"))
        return trimmed and significant(shown, percent, 2)

    return NUMBER, fits


def windows(place: Place, line: re.Match[str]) -> bool:
    """Windows of the rows, repeated blocks, and what disturbed them."""
    table = place.table
    kept = [
        window
        for name in table.cases
        for window in table.told.windows[name]
        if window["role"] not in APART
    ]
    discarded = sum(each["case"] in table.cases for each in table.told.discards)
    flags = [flag for window in kept for flag in window.get("flags", ())]
    loads = [float(m[1]) for f in flags if (m := re.fullmatch(r"foreign load ([0-9.]+) CPU", f))]
    said: list[Part] = [
        "Windows: ",
        ending(len(kept), 1),
        f" kept, {discarded} discarded, {sum(bool(w.get('flags')) for w in kept)} flagged",
    ]
    if loads:
        said += [
            " (foreign load, up to ",
            (NUMBER, lambda s: significant(s, max(loads), 2)),
            " CPU)",
        ]
    return says(plain(line[1]), *said, ".")


def processes(place: Place, line: re.Match[str]) -> bool:
    return line[1] == str(place.source.told.run["settings"].get("processes"))


def replayed(place: Place, line: re.Match[str]) -> bool:
    channels = place.source.told.run["channels"]
    origins = [each["origin"] for each in channels if each["origin"].startswith("replay:")]
    return plain(line[1]) == ", ".join(dict.fromkeys(origins))


LINES: Mapping[str, LineCheck] = {
    r"- ⚠️ \*\*REPLAYED TRACE, NOT THIS MACHINE:\*\* the joules come from (.+)\.": replayed,
    r"- (Energy values: .+)": energies,
    r"- (Idle power: .+)": idle,
    r"- (A/A control: .+)": control,
    r"- (Windows: .+ kept, .+)": windows,
    r"- Each side ran in ([0-9]+) fresh processes: the intervals are over these\.": processes,
}
