"""Stability and the uncertainty budget of a page again, from the journal; see `recompute`."""

import re
from collections.abc import Iterator, Mapping

from page_pieces import LineCheck, Place, RowCheck, found_case, plain
from page_text import follows, same, text_of, thin
from recompute_budget import (
    SOURCES,
    Budget,
    energy,
    energy_ratio,
    power,
    time,
    time_ratio,
)
from recompute_case import Case
from recompute_session import (
    HELD_BACK,
    LOAD,
    discarded,
    flagged,
    largest_load,
    variation_of_energy,
    variation_of_time,
    windows,
)
from recompute_table import Table, number_of
from shown_numbers import NUMBER, PREFIX, number, plus_minus, ratio, rounds_to, significant

CALM = (
    "throttling, slower clocks, heat: no window says so; a machine that hides its clocks and"
    " temperatures cannot say so"
)
QUIET = "load of other programs: no window says so"
BUDGET = (
    "± is the 95 % interval of JCGM 100 (GUM); the shares are of its variance. Spread is what the"
    " windows themselves show (type A); the rest is what none of them can show (type B): the step"
    " of the meter, what it had not shown yet at the ends of a window, the error that its maker or"
    " driver admits, and the clock. An error that is the same in both windows of a pair cancels in"
    " the ratio."
)


def named(table: Table, name: str, batch: str) -> Case:
    """The case that ``workload · technique@level`` names, with its runtime behind or without."""
    workload, _, label = plain(name).partition(" · ")
    return found_case(table, label, batch=batch, workload=workload)


def count(shown: str, value: int) -> bool:
    return re.fullmatch(NUMBER, shown) is not None and number(shown) == value


def _is_measured(table: Table) -> bool:
    return any(case.energy() is not None for case in table.cases.values())


# -- stability ----------------------------------------------------------------------------------


def control(place: Place, cells: Mapping[str, str]) -> bool:
    case = named(place.table, cells["control"], cells["batch"])
    ratios = {
        name: number_of(case.log(energy=name.startswith("energy"))) for name in cells if "÷" in name
    }
    first = next(each for each in ratios.values() if each)
    assert first.low is not None
    assert first.high is not None
    told = re.fullmatch(r"a difference of (\S+) % where there is none", cells["says"])
    if first.low <= 1 <= first.high:
        says = cells["says"] == "no difference, as it should"
    else:
        says = told is not None and rounds_to(told[1], 100 * abs(first.value - 1), 0.1)
    return (
        case.is_baseline
        and says
        and count(cells["pairs"], first.n or 0)
        and _is_measured(place.table) == (len(ratios) > 1)
        and all(ratio(cells[name], found) for name, found in ratios.items())
    )


def spread(place: Place, cells: Mapping[str, str]) -> bool:
    case = named(place.table, cells["case"], cells["batch"])
    shares = {"CV of energy, %": variation_of_energy, "CV of time, %": variation_of_time}
    discards = [each for each in case.told.discards if each["case"] == case.record["case"]]
    return (
        count(cells["windows"], len(case.own))
        and count(cells["flagged"], sum(bool(window["flags"]) for window in case.own))
        and count(cells["discarded"], len(discards))
        and _is_measured(place.table) == ("CV of energy, %" in cells)
        and all(_percent(cells[name], of(case)) for name, of in shares.items() if name in cells)
    )


def _percent(shown: str, share: float | None) -> bool:
    return shown == "—" if share is None else significant(shown, 100 * share, 2)


def disturbance(place: Place, found: re.Match[str]) -> bool:
    """A line of the list, behind the one before it, with its numbers made again."""
    lines = [f"- {each}" for each in _disturbances(place.table)]
    return follows(place, found[0], lines, "**Disturbances**")


def _disturbances(table: Table) -> Iterator[str]:
    among, load = windows(table), largest_load(windows(table))
    sorts = flagged(table)
    for sort, times in sorted(sorts.items()):
        most = f", up to {text_of(load, 2)} CPU" if sort == LOAD and load else ""
        yield f"{sort}: {thin(times)} of {thin(len(among))} windows{most}, kept and marked"
    if not any(sort.startswith(HELD_BACK) for sort in sorts):
        yield CALM
    if LOAD not in sorts:
        yield QUIET
    thrown = discarded(table)
    for reason, times in sorted(thrown.items()):
        yield f"discarded {thin(times)} time{'s' if times > 1 else ''}: {reason}"
    if not thrown:
        yield "discarded: none"


# -- the uncertainty budget -----------------------------------------------------------------------


def budget(place: Place, cells: Mapping[str, str]) -> bool:
    name, _, batch = cells["case"].rpartition(" · b")
    case, number_, value = named(place.table, name, batch), cells["number"], cells["value"]
    by_name = {"energy ÷ baseline": energy_ratio, "time ÷ baseline": time_ratio}
    found = by_name[number_](case) if number_ in by_name else _of_unit(number_, case)
    assert found is not None
    if number_ in by_name:
        shown = ratio(value, found.log().number())
    else:
        shown = _scaled(value, number_, found)
    return shown and _shares(cells, found)


def _of_unit(shown: str, case: Case) -> Budget | None:
    unit = case.record["unit"] or "sample"
    whole = re.fullmatch(r"[kmµn]?([JWs])(?: per (.+))?", shown)
    assert whole, shown
    if not same(whole[2] or "", "" if whole[1] == "W" else unit):
        return None
    return {"J": energy, "W": power, "s": time}[whole[1]](case)


def _scaled(shown: str, unit: str, found: Budget) -> bool:
    """The value ± half in a unit that leaves it between 1 and 1000."""
    prefix = re.fullmatch(r"([kmµn]?)[JWs](?: per .+)?", unit)
    assert prefix, unit
    factor = PREFIX[prefix[1]]
    fits = 1 <= found.value / factor < 1000 or prefix[1] in {"k", "n"}
    return fits and plus_minus(shown, found.value / factor, found.half / factor)


def _shares(cells: Mapping[str, str], found: Budget) -> bool:
    for source in SOURCES:
        shown, share = cells[f"{source}, %"], found.share(source)
        none = "unknown" if source == "spread" and found.n == 1 else "—"
        if shown != none if share is None else not rounds_to(shown, 100 * share, 1):
            return False
    return True


def summary(place: Place, found: re.Match[str]) -> bool:
    return len(place.source.tables) > 1 and any(
        same(found["device"], device) for device in place.source.tables
    )


RATIO = r"energy, A ÷ A \[95 %\]"
ROWS: Mapping[str, RowCheck] = {
    rf"control \| batch \| pairs \| (?:{RATIO} \| )?{RATIO.replace('energy', 'time')} \| says": (
        control
    ),
    r"case \| batch \| windows \| (?:CV of energy, % \| )?CV of time, % \| flagged \| discarded": (
        spread
    ),
    r"case \| number \| value \| spread, % \| quantisation, % \| edges, % \| specification, % \|"
    r" clock, %": budget,
}
LINES: Mapping[str, LineCheck] = {
    r"- [^:]+(?:: [^:]+)?: [0-9\u202f]+ of [0-9\u202f]+ windows(?:, up to [0-9.]+ CPU)?, kept and"
    r" marked": disturbance,
    r"- discarded [0-9\u202f]+ times?: .+": disturbance,
    r"<summary>(?:Stability|Uncertainty budget) · (?P<device>.+)</summary>": summary,
    re.escape(BUDGET): lambda place, _: place.fold.startswith("Uncertainty budget"),
}
