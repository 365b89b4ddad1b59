"""What changed since another run, and two routes to one energy, again from the journals."""

import re
from collections.abc import Iterator, Mapping

from page_pieces import LineCheck, Place, RowCheck
from page_text import follows, is_code, printable, same
from recompute import Told
from recompute_case import Case
from recompute_changes import FORBIDS, Change, boundary_of, differences, of_case
from recompute_session import AGREE, routes
from recompute_table import Table, number_of
from shown_numbers import number, ratio, rounds_to, significant
from shown_stability import count

SAID = (
    "*Unpaired*: the two runs were measured at different times, so their ratios hold what changed"
    " from one time to the other as well. *Beside its baseline* is free of that: it is the change"
    " of the ratio to the baseline that was measured next to it, in each run."
)


def _since(place: Place) -> Told:
    assert place.source.since is not None
    return place.source.since


def _case(told: Told, tables: Mapping[str, Table], name: str) -> Case | None:
    record = told.cases.get(name)
    return tables[record["device"]].cases[name] if record else None


def _tables(told: Told) -> dict[str, Table]:
    devices = {str(record["device"]) for record in told.cases.values()}
    return {device: Table(told, device, boundary_of(told, device)) for device in devices}


def _changes(place: Place) -> list[Change]:
    earlier = _tables(_since(place))
    found = []
    for name in place.source.told.cases:
        before = _case(_since(place), earlier, name)
        after = _case(place.source.told, place.source.tables, name)
        if before and after:
            found.append(Change(before, after))
    return found


def row(place: Place, cells: Mapping[str, str]) -> bool:
    told, earlier = place.source.told, _tables(_since(place))
    names = dict.fromkeys((*told.cases, *_since(place).cases))
    (name,) = (each for each in names if is_code(cells["case"], each))
    before = _case(_since(place), earlier, name)
    after = _case(told, place.source.tables, name)
    ratios = [cells[column] for column in ("energy", "power", "time", "beside its baseline")
              if column in cells]  # fmt: skip
    if before is None or after is None:
        word = "new" if before is None else "gone"
        case = after or before
        assert case is not None
        return (
            set(ratios) == {"—"} and cells["says"] == word and _qualities(cells["quality"], [case])
        )
    change = Change(before, after)
    found = {
        "energy": number_of(change.energy()),
        "power": number_of(change.power()),
        "time": number_of(change.time()),
        "beside its baseline": change.beside(energy="energy" in cells),
    }
    return (
        any(each.has_energy for each in _changes(place)) == ("energy" in cells)
        and all(ratio(cells[column], found[column]) for column in found if column in cells)
        and _qualities(cells["quality"], [before, after])
        and same(cells["says"], _says(change, place, earlier, energy="energy" in cells))
    )


def _says(change: Change, place: Place, earlier: Mapping[str, Table], *, energy: bool) -> str:
    device = change.after.record["device"]
    word = change.word((earlier[device], place.source.tables[device]), energy=energy)
    if not energy:
        return f"time: {word}"
    kind = next(iter({channel["kind"] for channel in change.after.channels}))
    return f"energy: {word} ({kind}, {change.after.boundary})"


def _qualities(shown: str, cases: list[Case]) -> bool:
    """Four digits of each; once if they are the same."""
    found = [case.record["quality"] for case in cases]
    values = [each["value"] if each else None for each in found]
    parts = shown.split(" → ")
    if len(parts) < len(values):
        parts *= len(values)
    return all(
        part == "—" if value is None else significant(part, value, 4)
        for part, value in zip(parts, values, strict=True)
    )


def difference(place: Place, found: re.Match[str]) -> bool:
    lines = [f"- {printable(each)}" for each in _differences(place)]
    return place.fold.startswith("Changes since") and follows(place, found[0], lines, SAID)


def _differences(place: Place) -> Iterator[str]:
    own = (each for change in _changes(place) for each in of_case(change))
    for each in dict.fromkeys((*differences(_since(place), place.source.told), *own)):
        forbids = ", which forbids a ratio" if each.partition(":")[0] in FORBIDS else ""
        yield f"Not the same: {each}{forbids}."


def summary(place: Place, found: re.Match[str]) -> bool:
    return same(found["run"], _since(place).run["run_id"])


# -- two routes -----------------------------------------------------------------------------------


def two_routes(place: Place, cells: Mapping[str, str]) -> bool:
    for each in routes(place.source.told):
        if same(cells["channel"], each.channel) and same(cells["second route"], each.second):
            low, _, high = cells["bounds allow"].partition(" to ")
            assert each.ratio.low is not None
            assert each.ratio.high is not None
            return (
                rounds_to(cells["ratio"], each.ratio.value, 1e-3)
                and rounds_to(low, each.ratio.low, 1e-3)
                and (number(high) == each.ratio.high or rounds_to(high, each.ratio.high, 1e-3))
                and count(cells["windows"], each.windows)
                and cells[""] == ("agree" if each.agree else "**disagree**")
            )
    return False


def disagreement(place: Place, found: re.Match[str]) -> bool:
    says = {
        True: "Their bounds allow that they agree: longer windows would tell.",
        False: "At least one of them is wrong.",
    }
    return any(
        same(found["channel"], each.channel)
        and same(found["second"], each.second)
        and rounds_to(found["ratio"], each.ratio.value, 1e-3)
        and (number(found["least"]), number(found["most"])) == AGREE
        and found["says"] == says[each.may_agree]
        and not each.agree
        for each in routes(place.source.told)
    )


ROWS: Mapping[str, RowCheck] = {
    r"case \| (?:energy \| power \| )?time \| beside its baseline \| quality \| says": row,
    r"channel \| second route \| ratio \| bounds allow \| windows \| ": two_routes,
}
LINES: Mapping[str, LineCheck] = {
    r"- Not the same: .+: .* → .*\.": difference,
    r"<summary>Changes since run (?P<run>\S+)</summary>": summary,
    r"> \*\*Two routes to (?P<channel>\S+) disagree: (?P<second>\S+) reads (?P<ratio>[0-9.]+) times"
    r" the first, outside (?P<least>[0-9.]+) to (?P<most>[0-9.]+)\. (?P<says>.+)\*\*": disagreement,
}
