"""The verdict at the head of a page again: what saves, what gains nothing, what would decide."""

import re
from collections.abc import Iterator, Mapping, Sequence

from page_pieces import LineCheck, Place, label_of, plain
from recompute_case import Case
from recompute_parts import in_order, is_measured, is_share
from recompute_screen import (
    best,
    by_workload,
    crosses,
    is_ceiling,
    long_label,
    nearest_meter,
    to_decide,
    verdict,
)
from recompute_table import Table, number_of
from shown_numbers import even_half
from shown_provenance import is_simulated
from shown_sentences import Part, ending, listed, ratio_unit, says, signed

MOST_PAIRS, MOST_GAINS = 1000, 4
UNRESOLVED = "unresolved"


def quote(place: Place, line: re.Match[str]) -> bool:
    """A paragraph of the quote is one that its device has; the first of several begins with it."""
    tables = place.source.tables
    shown = plain(line[1])
    lead = next((device for device in tables if shown.startswith(f"{device}: ")), "")
    table = tables[lead] if lead and len(tables) > 1 else place.table
    told = paragraphs(table)
    if len(tables) > 1:
        told[0][0] = f"{table.device}: {told[0][0]}"
    return any(says(shown, *paragraph) for paragraph in told)


def paragraphs(table: Table) -> list[list[Part]]:
    """What is said of a device."""
    energy = is_measured(table)
    said: list[list[Part]] = []
    if not energy:
        reason, fix = nearest_meter(table)
        more = f" (fix: {fix})" if fix else ""
        said.append([f"Energy was NOT measured on this machine: {reason}{more}."])
    if is_simulated(table.told):
        said.append(["A simulated device was measured, not this machine."])
    said.append(["" if energy else "By time alone: ", *gains(table, energy=energy)])
    others = list(_others(table, energy=energy))
    if others:
        said.append([part for one in others for part in (" ", *one)][1:])
    return said


def gains(table: Table, *, energy: bool) -> Iterator[Part]:
    """The best of each workload, or which have none."""
    found = {
        name: (cases, best(table, cases, energy=energy))
        for name, cases in by_workload(table).items()
        if not is_ceiling(cases[0]) and not all(case.is_baseline for case in cases)
    }
    won = [(cases, least) for cases, least in found.values() if least]
    for place, (cases, least) in enumerate(won[:MOST_GAINS]):
        yield "; " if place else ""
        yield from _gain(table, cases, least, energy=energy)
    if len(won) > MOST_GAINS:
        yield f"; {len(won) - MOST_GAINS} more workloads have one, in the table"
    lost = [plain(name) for name, (_, least) in found.items() if not least]
    if lost:
        what = "saves energy" if energy else "is faster"
        yield "; no" if won else "No"
        yield f" variant of {listed(lost)} {what} and holds its quality"
    yield "."


def _gain(table: Table, cases: Sequence[Case], case: Case, *, energy: bool) -> Iterator[Part]:
    ratio = number_of(case.log(energy=energy))
    assert ratio is not None
    unit = ratio_unit(ratio)
    verb, noun = ("uses", "energy") if energy else ("takes", "time")
    yield f"{long_label(case, cases)} {verb} "
    yield ending(ratio.value, unit)
    yield f"× the {noun} of the {case.record['workload']} baseline"
    if len({each.record["batch"] for each in cases}) > 1:
        yield f" at batch {case.record['batch']}"
    yield " (95 % CI "
    yield ending(ratio.low or 0.0, unit)
    yield "–"
    yield ending(ratio.high or 0.0, unit)
    yield from _change(case)
    yield ")"
    if crosses(each for each in cases if each.record["baseline"] == case.record["baseline"]):
        yield from _beside_best(table, case, noun, energy=energy)


def _beside_best(table: Table, case: Case, noun: str, *, energy: bool) -> Iterator[Part]:
    beside = table.best_fp32(case, energy=energy)
    if beside is None:
        yield ", and is its best float32 runtime"
        return
    yield ", and "
    yield ending(beside.value, ratio_unit(beside))
    name = table.best_runtime(case, energy=energy)[1]
    yield f"× the {noun} of its best float32 runtime, {name.split('/')[-3]}"


def _change(case: Case) -> Iterator[Part]:
    change = case.quality_change()
    if change is None:
        yield "; quality not judged"
        return
    yield f"; {case.record['quality']['metric']} "
    if is_share([case]):
        yield signed(100 * change.value, 0.1)
        if change.low is not None:
            yield " ± "
            yield ending(100 * even_half(change), 0.1)
        yield " pt"
    else:
        yield signed(change.value, 1e-3)


def _others(table: Table, *, energy: bool) -> Iterator[list[Part]]:
    """A sentence for each of the other verdicts that occurs."""
    titles = {
        "no gain": "No gain" if energy else "No gain in time",
        "costs": "Costs more energy" if energy else "Slower",
        "breaks quality": "Breaks quality",
        UNRESOLVED: "Unresolved",
        "not comparable": "Not comparable",
        **({"not measured": "Energy not measured"} if energy else {}),
    }
    for kind, title in titles.items():
        cases = [
            case
            for case in in_order(table)
            if not case.is_baseline and verdict(table, case, energy=energy) == kind
        ]
        if cases:
            more = _decided(table, cases, energy=energy) if kind == UNRESOLVED else ""
            yield [f"{title}: {listed(_names(table, cases))}{more}."]


def _names(table: Table, cases: Sequence[Case]) -> list[str]:
    """Their labels; one that fares otherwise elsewhere has its place behind it."""
    rows = in_order(table)
    batches = len({case.record["batch"] for case in rows}) > 1
    names = []
    for case in cases:
        name = long_label(case, rows)
        same = [each for each in rows if label_of(each) == label_of(case)]
        same = [each for each in same if long_label(each, rows) == name]
        place = f"{case.record['workload']} b{case.record['batch']}"
        everywhere = all(each in cases for each in same)
        place = place if batches else case.record["workload"]
        names.append(name if everywhere else f"{name} ({place})")
    return list(dict.fromkeys(names))


def _decided(table: Table, cases: Sequence[Case], *, energy: bool) -> str:
    """What would decide them all."""
    needed = [
        to_decide(ratio, table.margin(case, energy=energy))
        for case in cases
        if (ratio := number_of(case.log(energy=energy)))
    ]
    unit = "processes" if table.told.run["settings"].get("processes") else "pairs"
    most = max((each or MOST_PAIRS + 1 for each in needed), default=0)
    if most > MOST_PAIRS:
        return f" – more than {MOST_PAIRS} {unit} would be needed: look for what disturbs them"
    return f" – about {most} {unit} would decide"


LINES: Mapping[str, LineCheck] = {r"> (?!\*\*Two routes )(.+)": quote}
