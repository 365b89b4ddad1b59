"""Folded parts on cost again: data of the figure, batches, where the energy goes, emissions."""

import re
from collections.abc import Mapping

from page_cases import (
    name_of,
    one_case,
    short_name_of,
    workload_cases,
    workload_of,
)
from page_pieces import LineCheck, Place, RowCheck, plain
from recompute import Line, Number
from recompute_case import Case
from recompute_parts import (
    emission,
    front,
    idle_share,
    in_order,
    is_measured,
    is_share,
    missing,
    of_channel,
    points,
    read_channels,
    time_per_sample,
)
from recompute_table import Table, number_of
from shown_numbers import (
    PREFIX,
    absent,
    half,
    number,
    outward,
    plus_minus,
    ratio,
    rounds_to,
    scaled,
    significant,
)

PER = r"[kmµn]?[Js] per [a-z]+"


def figure(place: Place, cells: Mapping[str, str]) -> bool:
    """A point of the figure, with whether another one beats it."""
    table, unit = place.table, list(cells)[1]
    batch = re.search(r" · batch ([0-9]+)\*\*$", place.bold)
    assert batch
    panel = points(table, workload_of(place), int(batch[1]))
    named = [p for p in panel if short_name_of(table, table.cases[p.name]) == cells["variant"]]
    (point,) = named
    cost = point.cost if unit == "time ÷ baseline" else scaled(point.cost, f", {unit}")
    assert cost
    ends = cells["95 %"].split(" to ")
    share = is_share([table.cases[each.name] for each in panel])
    (quality,) = (name for name in cells if name.startswith("quality"))
    return (
        ("J per" in unit) == is_measured(table)
        and quality == ("quality, %" if share else "quality")
        and significant(cells[unit], cost.value, 4)
        and all(
            significant(shown, end or 0.0, 4)
            for shown, end in zip(ends, (cost.low, cost.high), strict=True)
        )
        and _quality(cells[quality], point.quality, share=share)
        and cells["holds target"] == _yes(not table.cases[point.name].breaks_quality())
        and cells["on the front"] == _yes(point.name in front(panel))
    )


def _quality(shown: str, value: float, *, share: bool) -> bool:
    return rounds_to(shown, 100 * value, 0.1) if share else significant(shown, value, 4)


def _yes(found: object) -> str:
    return "yes" if found else "no"


def panel_title(place: Place, found: re.Match[str]) -> bool:
    """Workload, device and batch of a panel."""
    table = place.source.tables[plain(found["device"])]
    simulated = any(case.record["runtime"] == "simulated" for case in table.cases.values())
    panel = points(table, plain(found["workload"]), int(found["batch"]))
    return bool(found["simulated"]) == simulated and len(panel) > 1


def batch_sweep(place: Place, cells: Mapping[str, str]) -> bool:
    """What a variant costs at each batch of its workload."""
    table, cases = place.table, workload_cases(place)
    energy = any(case.energy() for case in cases)
    batches = sorted({case.record["batch"] for case in cases})
    wanted = [f"b{batch}, " for batch in batches for _ in range(2)]
    columns = list(cells)[1:]
    if len(columns) != len(wanted) or len(batches) < 2:
        return False
    fits = [header.startswith(start) for header, start in zip(columns, wanted, strict=True)]
    known = {c.record["batch"]: c for c in cases if name_of(table, c) == plain(cells["variant"])}
    for place_, batch in enumerate(batches):
        cost, beside = columns[2 * place_ : 2 * place_ + 2]
        case = known.get(batch)
        fits.append(("J per" in cost) == ("energy" in beside) == energy)
        if case is None:
            fits += [cells[cost] == "—", cells[beside] == "—"]
        else:
            fits += [_cost(cells[cost], case, cost), _beside(cells[beside], case, energy=energy)]
    return bool(known) and all(fits)


def _cost(shown: str, case: Case, header: str) -> bool:
    found = scaled(case.energy() if "J per" in header else time_per_sample(case), header)
    return absent(shown) if found is None else plus_minus(shown, found.value, half(found))


def _beside(shown: str, case: Case, *, energy: bool) -> bool:
    if case.is_baseline:
        return shown == "1"
    return ratio(shown, number_of(case.log(energy=energy))) and shown != "1"


# -- where the energy goes ----------------------------------------------------------------------


def energies(place: Place, cells: Mapping[str, str]) -> bool:
    """Gross energy, what of it the waiting system would have used, net, and the estimate."""
    case, headers = one_case(place, cells), list(cells)
    gross, net = headers[2], headers[4]
    share, guess = idle_share(case), scaled(case.estimate(), gross)
    shown_share = cells["idle share"]
    return (
        _level(cells[gross], scaled(case.energy(), gross))
        and _level(cells[net], scaled(case.net(), net))
        and (
            absent(shown_share)
            if share is None
            else rounds_to(shown_share.removesuffix(" %"), share, 1.0)
        )
        and ("*estimate*" in cells or guess is None)
        and _estimate(cells.get("*estimate*", "—"), guess)
    )


def _level(shown: str, found: Number | None) -> bool:
    return absent(shown) if found is None else plus_minus(shown, found.value, half(found))


def _estimate(shown: str, guess: Number | None) -> bool:
    return absent(shown) if guess is None else outward(plain(shown), guess)


def idle(place: Place, found: re.Match[str]) -> bool:
    """Mean power of the waiting system, and what is in it."""
    case = in_order(place.table)[0]
    power = case.idle()
    return (
        power is not None
        and plus_minus(found["power"], power.value, half(power))
        and plain(found["boundary"]) == place.table.boundary
    )


def no_idle(place: Place, found: re.Match[str]) -> bool:
    """The channel of the sum that an idle window did not read; so there is no net energy."""
    case = in_order(place.table)[0]
    in_fold = place.fold.startswith("Where the energy goes")
    return in_fold and case.idle() is None and plain(found["channel"]) == missing(case)


def by_channel(place: Place, cells: Mapping[str, str]) -> bool:
    """The energy of each channel alone."""
    case, columns = one_case(place, cells), list(cells)[2:]
    channels = read_channels(place.table)
    names = [plain(header.rpartition(", ")[0]) for header in columns]
    return names == [channel["id"] for channel in channels] and all(
        _level(cells[header], scaled(of_channel(case, channel), header))
        for header, channel in zip(columns, channels, strict=True)
    )


def channel(place: Place, found: re.Match[str]) -> bool:
    """Kind and boundary of a channel, and whether it is in the sum."""
    known: dict[str, Line] = {each["id"]: each for each in read_channels(place.table)}
    each = known[plain(found["channel"])]
    summed = {one["id"] for one in place.table.told.channels(place.table.boundary)}
    return (
        found["kind"] == each["kind"]
        and plain(found["boundary"]) == each["boundary"]
        and bool(found["no"]) == (each["id"] not in summed)
    )


# -- emissions ----------------------------------------------------------------------------------


def carbon(place: Place, cells: Mapping[str, str]) -> bool:
    """Grams of 1000 samples at the grid factor that was given."""
    unit = list(cells)[3]
    prefix = re.fullmatch(r"(.?)gCO2e per 1000 samples", unit)
    found = emission(one_case(place, cells), place.source.grams_per_kwh or 0.0)
    assert prefix
    assert found
    grams, kind = found
    factor = PREFIX[prefix[1]]
    low, high = (grams.low or 0.0) / factor, (grams.high or 0.0) / factor
    value = Number(grams.value / factor, low, high)
    shown = cells[unit]
    fits = _estimate(shown, value) if kind == "estimated" else _level(shown, value)
    return fits and cells["kind"] == kind


def grid_factor(place: Place, found: re.Match[str]) -> bool:
    """The grid factor as it was given, to three digits."""
    given = place.source.grams_per_kwh
    return given is not None and significant(found["grams"], given) and number(found["grams"]) > 0


def summary(place: Place, found: re.Match[str]) -> bool:
    """A folded part of one device of several."""
    tables: Mapping[str, Table] = place.source.tables
    return len(tables) > 1 and plain(found["device"]) in tables


ROWS: Mapping[str, RowCheck] = {
    rf"variant \| (time ÷ baseline|{PER}) \| 95 % \| quality(, %)? \| holds target"
    r" \| on the front": figure,
    rf"variant( \| b[0-9]+, {PER} \| b[0-9]+, (energy|time) ÷ baseline \[95 %\])+": batch_sweep,
    rf"variant \| batch \| gross, {PER} \| idle share \| net, {PER}( \| \*estimate\*)?": energies,
    rf"variant \| batch( \| [a-z]+/[^|]+, {PER})+": by_channel,
    r"workload \| variant \| batch \| .?gCO2e per 1000 samples \| kind": carbon,
}

LINES: Mapping[str, LineCheck] = {
    r"\*\*(?P<workload>.+?) · (?P<simulated>simulated )?(?P<device>[^ ]+)"
    r" · batch (?P<batch>[0-9]+)\*\*": panel_title,
    r"Idle power: (?P<power>.+?) W \((?P<boundary>[a-z+-]+)\)\. Net is gross minus idle power"
    r" × time\.": idle,
    r"Idle power was not measured: (?P<channel>\S+) was not read in this window\.": no_idle,
    r"<sub>¹ (?P<channel>\S+) was not read in this window</sub>": no_idle,
    r"- (?P<channel>\S+): (?P<kind>[a-z]+), boundary (?P<boundary>\S+), (?P<no>not )?in the"
    r" sum": channel,
    r"Factor: (?P<grams>\S+) gCO2e/kWh \(RTE, 2025\); use of electricity only\.": grid_factor,
    r"<summary>(What compression did|Size in each form|Batch sweep|Memory|Quality by other measures"
    r"|Where the energy goes(, by channel)?|Carbon) · (?P<device>\S+)</summary>": summary,
}
