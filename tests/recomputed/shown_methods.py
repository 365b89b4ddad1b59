"""Caveats and methods of a page again, from the journal; see `recompute`."""

import re
from collections.abc import Callable, Mapping

from page_pieces import LineCheck
from page_text import is_code, same
from recompute import READ, Number
from recompute_session import largest_load, shortest, wandered, windows
from recompute_table import Table, number_of
from shown_numbers import NUMBER, PREFIX, half, number, plus_minus, rounds_to, significant
from shown_provenance import is_simulated

PAIRS_OF_A_PROCESS = 4


def _any(check: Callable[[Table, re.Match[str]], bool], fold: str) -> LineCheck:
    """A line about one of the devices, in this fold."""
    return lambda place, found: (
        place.fold == fold and any(check(table, found) for table in place.source.tables.values())
    )


def _is_measured(table: Table) -> bool:
    return any(case.energy() is not None for case in table.cases.values())


# -- caveats --------------------------------------------------------------------------------------


def load(table: Table, found: re.Match[str]) -> bool:
    most = largest_load(windows(table))
    return most is not None and significant(found["load"], most, 2)


def drift(table: Table, found: re.Match[str]) -> bool:
    names = {case.record["workload"] for case in table.cases.values()}
    name = next((each for each in names if same(found["workload"], each)), "")
    ends = wandered(table, name, int(found["batch"]))
    factor = PREFIX[found["prefix"]]
    shown = found["least"], found["most"]
    return ends is not None and all(
        significant(text, end / factor) for text, end in zip(shown, ends, strict=True)
    )


def controls(table: Table, found: re.Match[str]) -> bool:
    """The largest margin of the verdicts, where it is more than the one that was asked for."""
    _, most = _margins(table)
    asked = table.told.run["settings"].get("margin", 0.03)
    device = f"simulated {table.device}" if is_simulated(table.told) else table.device
    named = same(found["device"], device)
    return named and most > asked and significant(found["percent"], 100 * most, 2)


def unsteady(table: Table, found: re.Match[str]) -> bool:
    names = dict.fromkeys(
        case.record["case"]
        for case in table.cases.values()
        for window in case.windows
        if any(flag.startswith("not steady") for flag in window["flags"])
    )
    shown = found["cases"].split(", ")
    # in the order of the journal, which is not that of the table
    return len(shown) == len(names) and all(
        any(is_code(each, name) for name in names) for each in shown
    )


def estimates(table: Table, found: re.Match[str]) -> bool:
    return any(
        same(found["channel"], channel["id"]) and same(found["note"], channel["note"])
        for channel in table.told.run["channels"]
        if channel["kind"] not in READ
    )


def judged(table: Table, found: re.Match[str]) -> bool:
    """On how many samples; where there are several seeds, on the most that a case has."""
    qualities = [case.record["quality"] for case in table.cases.values()]
    known = sorted({each["n"] for each in qualities if each and each.get("n")})
    seeds = max(len(each.get("seeds", ())) for each in qualities if each)
    shown = [number(each) for each in found["n"].split(" or ")]
    return shown == known and int(found["seeds"] or 0) == seeds


# -- methods --------------------------------------------------------------------------------------


def methods(table: Table, found: re.Match[str]) -> bool:
    told = table.told
    settings, seed = told.run["settings"], told.run["seed"]
    measured, processes = _is_measured(table), int(settings.get("processes") or 0)
    return (
        bool(found["simulated"]) == is_simulated(told)
        and bool(found["origins"]) == measured
        and (not measured or _energy(table, found))
        and found["what"] == ("energy per sample" if measured else "median latency")
        and bool(found["bound"]) == measured
        and (_pairs(table, found) if not processes else int(found["processes"]) == processes)
        and _down(found["shortest"], shortest(table))
        and number(found["seed"]) == seed
        and found["warm"] == str(settings["warmup_s"])
        and bool(found["steady"]) == ("target" in settings)
        and _target(found["target"], settings)
        and _edges(table, found)
        and (found["over"] == "processes") == bool(processes)
        and bool(found["best"]) == _has_best(table)
    )


def _has_best(table: Table) -> bool:
    """Whether a ratio beside the best float32 runtime is a quotient of two."""
    return any(case.record["case"].split("/")[-3:] != case.record["baseline"].split("/")[-3:]
               for case in table.cases.values())  # fmt: skip


def _energy(table: Table, found: re.Match[str]) -> bool:
    ids = {
        energy["channel"]
        for case in table.cases.values()
        for window in case.own
        for energy in window["energy"]
    }
    case = next(iter(table.cases.values()))
    origins = ", ".join(
        dict.fromkeys(channel["origin"] for channel in case.channels if channel["id"] in ids)
    )
    return (
        same(found["origins"], origins)
        and same(found["boundary"], table.boundary)
        and _idle(found["idle"], case.idle())
    )


def _idle(shown: str | None, found: Number | None) -> bool:
    if found is None or shown is None:
        return found is None and shown is None
    return plus_minus(shown, found.value, half(found))


def _pairs(table: Table, found: re.Match[str]) -> bool:
    """The least and the most replicates of a ratio of time."""
    numbers = [number_of(case.log(energy=False)) for case in table.cases.values()]
    counts = [each.n or 0 for each in numbers if each]
    shown = [number(each) for each in (found["pairs"] or "0").split(" to ")]
    return shown[0] == min(counts) and shown[-1] == max(counts)


def _down(shown: str, value: float) -> bool:
    """Two digits that are not more than the value, and less than one step below it."""
    digits = 10.0 ** (len(f"{value:.0f}") - 2) if value >= 1 else 0.0
    unit = digits or 10.0 ** (int(f"{value:e}".partition("e")[2]) - 1)
    return rounds_to(shown, number(shown), unit) and -1e-9 <= (value - number(shown)) / unit < 1


def _target(shown: str | None, settings: Mapping[str, float]) -> bool:
    target = None if settings.get("processes") else settings.get("target")
    if target is None or shown is None:
        return target is None and shown is None
    return significant(shown, 100 * target, 2)


def _margins(table: Table) -> tuple[float, float]:
    """The least and the most of the verdicts."""
    energy, cases = _is_measured(table), list(table.cases.values())
    judged = [case for case in cases if not case.is_baseline] or cases
    margins = [table.margin(case, energy=energy) for case in judged]
    return min(margins), max(margins)


def _edges(table: Table, found: re.Match[str]) -> bool:
    """What a difference has to reach to count: the least and the most of the verdicts."""
    least, most = _margins(table)
    shown = [found["least"], found["least2"], found["most"], found["most2"]]
    if shown[2] is None:
        shown[2:] = shown[:2]
    fits = zip(shown, (least, least, most, most), strict=True)
    return all(rounds_to(text, 1 + margin, 1e-3) for text, margin in fits)


_ENERGY = (
    r"(?:Energy was not measured; time per sample was\.|Energy was read from (?P<origins>.+)"
    r" \(boundary: (?P<boundary>[^)]+)\) as the difference of readings around each window\."
    rf" Idle power (?:is included and was not measured apart|\((?P<idle>{NUMBER} ± {NUMBER}) W\) is"
    r" included)\. Sensor accuracy was not calibrated\.)"
)
_SIDES = (
    r" (?:Baseline and variant alternated in (?P<pairs>[0-9]+(?: to [0-9]+)?) pairs|Each side ran"
    r" in (?P<processes>[0-9]+) fresh processes, one of either side at the same time; in each two"
    rf" of them baseline and variant alternated in {PAIRS_OF_A_PROCESS} pairs) of neighbouring"
    r" windows of at least (?P<shortest>[0-9.]+) s, in seeded ABBA order \(seed (?P<seed>[0-9]+)\),"
    r" after (?:(?P<steady>a warm-up of each side for )?(?P<warm>[0-9.]+) s (?(steady)or until its"
    r" time and power were steady|of warm-up of each side))\."
)
_STOP = (
    r"(?: Pairs were added at geometric distances until the half-width of the ratio's interval was"
    r" (?P<target>[0-9.]+) % or less and gave a verdict, or the most that the profile allows were"
    r" measured\.)?"
)
_AVERAGED = (
    r" Values are means over (?:(?P<over>processes) with 95 % t intervals: the unit of replication"
    r" is the process, not the window|windows with 95 % t intervals)\. Ratios of (?P<what>[a-z ]+)"
    r" are taken pair by pair; (?:the medians of their logarithms in each two processes are"
    r" averaged \(20 % trimmed from ten on\)|their logarithms are averaged \(20 % trimmed from ten"
    r" pairs on\)) with 95 % t intervals(?P<bound>, combined with the bound of the meter)?\. All"
    r" intervals are widened by the correlation that neighbouring (?:processes show, where there"
    r" are six or more|windows show)\."
)
_EDGES = (
    r" A ratio whose interval lies within 1/(?P<least>[0-9.]+) to (?P<least2>[0-9.]+)(?: \(up to"
    r" 1/(?P<most>[0-9.]+) to (?P<most2>[0-9.]+) where the baseline's own control differed by"
    r" more\))? is called no gain, one whose interval lies beyond it saves or costs\."
)
_BEST = (
    r"(?P<best> A ratio to the best float32 runtime is the quotient of two such ratios to the same"
    r" baseline; their pairs were measured at different times, and their uncertainties are combined"
    r" as independent\.)?"
)
LINES: Mapping[str, LineCheck] = {
    r"- Other programs kept up to (?P<load>[0-9.]+) CPU busy in flagged windows\.": _any(
        load, "Caveats"
    ),
    r"- The median latency of the (?P<workload>\S+) baseline at batch (?P<batch>[0-9]+) wandered"
    rf" between (?P<least>{NUMBER}) and (?P<most>{NUMBER}) (?P<prefix>[kmµn]?)s over the session:"
    r" read the ratios, which were taken in pairs, not the differences between rows\.": _any(
        drift, "Caveats"
    ),
    r"- Not steady when its pairs began, after the longest warm-up: (?P<cases><code>.+</code>)\.": (
        _any(unsteady, "Caveats")
    ),
    r"- \*\*A/A controls of (?P<device>.+) differ by more than the margin asked for: verdicts take"
    r" up to (?P<percent>[0-9.]+) % in its place; smaller differences mean nothing here\.\*\*": (
        _any(controls, "Caveats")
    ),
    r"- Estimates of (?P<channel>\S+): (?P<note>.+)\.": _any(estimates, "Caveats"),
    rf"- Quality comes from the workload's own function on (?P<n>{NUMBER}(?: or {NUMBER})*)"
    r" samples(?:, as the mean of models from (?P<seeds>[0-9]+) seeds; the timed one is that of the"
    r" first)?\.": _any(judged, "Caveats"),
    rf"(?P<simulated>The device is simulated\. )?{_ENERGY}{_SIDES}{_STOP}{_AVERAGED}{_EDGES}"
    rf"{_BEST}": _any(methods, "Methods, to paste into a paper"),
}
