"""Quality against cost and the batch sweep again, from the journal; see `recompute`."""

import re
from collections.abc import Mapping

from page_cases import name_of, short_name_of, workload_cases, workload_of
from page_pieces import LineCheck, Place, RowCheck, plain
from recompute_case import Case
from recompute_parts import front, is_measured, is_share, points, time_per_sample
from recompute_table import number_of
from shown_numbers import absent, half, plus_minus, ratio, rounds_to, scaled, significant

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


def many_panels(place: Place, found: re.Match[str]) -> bool:
    """How many panels the figure would have."""
    settings = {
        (device, case.record["workload"], case.record["batch"])
        for device, table in place.source.tables.items()
        for case in table.cases.values()
    }
    panels = [points(place.source.tables[device], *rest) for device, *rest in settings]
    return found["panels"] == str(sum(len(panel) > 1 for panel in panels))


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


ROWS: Mapping[str, RowCheck] = {
    rf"variant \| (time ÷ baseline|{PER}) \| 95 % \| quality(, %)? \| holds target"
    r" \| on the front": figure,
    rf"variant( \| b[0-9]+, {PER} \| b[0-9]+, (energy|time) ÷ baseline \[95 %\])+": batch_sweep,
}

LINES: Mapping[str, LineCheck] = {
    r"\*\*(?P<workload>.+?) · (?P<simulated>simulated )?(?P<device>[^ ]+)"
    r" · batch (?P<batch>[0-9]+)\*\*": panel_title,
    r"Quality against cost has (?P<panels>[0-9]+) panels here, one for each workload and batch:"
    r" more than 12 are no overview, so there is no figure; its data are below\.": many_panels,
}
