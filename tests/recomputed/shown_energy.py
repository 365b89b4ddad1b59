"""Where the energy goes, and emissions, again from the journal; see `recompute`."""

import re
from collections.abc import Mapping

from page_cases import one_case
from page_pieces import LineCheck, Place, RowCheck, plain
from recompute import Line, Number
from recompute_case import Case
from recompute_parts import (
    emission,
    idle_share,
    in_order,
    of_channel,
    read_channels,
    why_no_energy,
    why_no_idle,
    why_no_net,
)
from recompute_table import Table
from shown_numbers import PREFIX, half, number, outward, plus_minus, rounds_to, scaled, significant

PER = r"[kmµn]?J per [a-z]+"


def energies(place: Place, cells: Mapping[str, str]) -> bool:
    """Gross energy, what of it the waiting system would have used, net, and the estimate."""
    case, headers = one_case(place, cells), list(cells)
    gross, net = headers[2], headers[4]
    share, guess = idle_share(case), scaled(case.estimate(), gross)
    shown_share, notes = cells["idle share"], footnotes(place)
    return (
        _level(cells[gross], scaled(case.energy(), gross), _mark(notes, _whys(case)[0]))
        and _level(cells[net], scaled(case.net(), net), _mark(notes, _whys(case)[1]))
        and (
            shown_share == "—"
            if share is None
            else rounds_to(shown_share.removesuffix(" %"), share, 1.0)
        )
        and ("*estimate*" in cells or guess is None)
        and _estimate(cells.get("*estimate*", "—"), guess)
    )


def _level(shown: str, found: Number | None, mark: str) -> bool:
    return shown == mark if found is None else plus_minus(shown, found.value, half(found))


def _estimate(shown: str, guess: Number | None) -> bool:
    return shown == "—" if guess is None else outward(plain(shown), guess)


def _whys(case: Case) -> tuple[str | None, str | None]:
    """Why there is no gross, and why there is no net energy."""
    return why_no_energy(case, case.channels), why_no_net(case)


def footnotes(place: Place) -> list[str]:
    """The reasons under the tables of a part, each once, in the order in which they are met."""
    table = place.table
    by_channel = place.fold.startswith("Where the energy goes, by channel")
    met = [
        why
        for case in in_order(table)
        for why in (
            [why_no_energy(case, [channel]) for channel in read_channels(table)]
            if by_channel
            else _whys(case)
        )
    ]
    return list(dict.fromkeys(why for why in met if why))


def _mark(notes: list[str], why: str | None) -> str:
    """A dash with the number of a reason."""
    return f"—{_raised(notes.index(why) + 1)}" if why else ""


def _raised(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def under(place: Place, found: re.Match[str]) -> bool:
    """The reasons for what is absent."""
    if not place.fold.startswith("Where the energy goes"):
        return False
    wanted = [f"{_raised(number)} {why}" for number, why in enumerate(footnotes(place), 1)]
    return [plain(each) for each in found["notes"].split("<br>")] == wanted


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
    """Why nobody knows the idle power; so there is no net energy."""
    return plain(found["why"]) == why_no_idle(in_order(place.table)[0])


def by_channel(place: Place, cells: Mapping[str, str]) -> bool:
    """The energy of each channel alone."""
    case, columns = one_case(place, cells), list(cells)[2:]
    channels, notes = read_channels(place.table), footnotes(place)
    names = [plain(header.rpartition(", ")[0]) for header in columns]
    return names == [channel["id"] for channel in channels] and all(
        _level(
            cells[header],
            scaled(of_channel(case, channel), header),
            _mark(notes, why_no_energy(case, [channel])),
        )
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
    fits = _estimate(shown, value) if kind == "estimated" else _level(shown, value, "")
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
    rf"variant \| batch \| gross, {PER} \| idle share \| net, {PER}( \| \*estimate\*)?": energies,
    rf"variant \| batch( \| [a-z]+/[^|]+, {PER})+": by_channel,
    r"workload \| variant \| batch \| .?gCO2e per 1000 samples \| kind": carbon,
}

LINES: Mapping[str, LineCheck] = {
    r"Idle power: (?P<power>.+?) W \((?P<boundary>[a-z+-]+)\)\. Net is gross minus idle power"
    r" × time\.": idle,
    r"Idle power was not measured: (?P<why>.+)\.": no_idle,
    r"<sub>(?P<notes>.+)</sub>": under,
    r"- (?P<channel>\S+): (?P<kind>[a-z]+), boundary (?P<boundary>\S+), (?P<no>not )?in the"
    r" sum": channel,
    r"Factor: (?P<grams>\S+) gCO2e/kWh \(RTE, 2025\); use of electricity only\.": grid_factor,
    r"<summary>(What compression did|Size in each form|Batch sweep|Memory|Quality by other measures"
    r"|Where the energy goes(, by channel)?|Carbon) · (?P<device>\S+)</summary>": summary,
}
