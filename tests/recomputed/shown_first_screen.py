"""Title, runs, headings and the sentences of the first screen again, from the journal."""

import json
import re
from collections.abc import Mapping, Sequence

from page_pieces import LineCheck, Place, plain
from recompute import Line
from recompute_case import Case
from recompute_parts import in_order, is_measured, is_share, why_no_energy
from recompute_screen import (
    by_setting,
    by_workload,
    crosses,
    is_ceiling,
    nearest_meter,
    winners,
)
from recompute_table import Table
from shown_provenance import is_simulated
from shown_sentences import Part, digits, ending, ratio_of, says

MOST_NAMES, FOR_TABLES, MOST_BEST = 4, 31, 14
KNOWN = ("run", "case", "begin", "window", "discard", "note", "end")


def title(place: Place, line: re.Match[str]) -> bool:
    """What was measured, and the workloads in the order of the table."""
    tables = place.source.tables.values()
    energy = any(map(is_measured, tables))
    names = list(dict.fromkeys(plain(name) for table in tables for name in by_workload(table)))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    what = "Energy per inference" if energy else "Time per inference (energy not measured)"
    return plain(line[0]) == f"# {what}: {', '.join(names[:MOST_NAMES])}{more}"


def run(place: Place, line: re.Match[str]) -> bool:
    """Processor, start, run and commit."""
    said: Line = place.source.told.run
    cpu = "simulated device" if is_simulated(place.source.told) else said["machine"]["cpu"]
    commit = f" · commit {said['git']['commit'][:9]}" if said["git"] else ""
    return plain(line[0]) == f"{cpu} · {said['started']} · run {said['run_id']}{commit}"


def heading(place: Place, line: re.Match[str]) -> bool:
    """A device, and what it is called."""
    table = place.source.tables[line[2]]
    machine = place.source.told.run["machine"]
    if is_simulated(table.told):
        return line[0] == f"## simulated {table.device}: a power model"
    name = machine["cpu"]
    if table.device.startswith("cuda"):
        identity = next(iter(table.cases.values())).record.get("device_id", "")
        every = machine.get("gpu") or [{"name": "GPU"}]
        own = [gpu for gpu in every if gpu.get("uuid") == identity.partition(":")[2]]
        name = (own or every)[0]["name"]
    return not line[1] and plain(line[3]) == name


def of_device(place: Place, line: re.Match[str]) -> bool:
    """Behind a name without digits stands a device."""
    return plain(line[1]) in place.source.tables


def left_out(place: Place, line: re.Match[str]) -> bool:
    """A file, its first line that is no record, and what that line says it is."""
    name = plain(line[1])
    lines = place.source.left_out[name].splitlines()
    kinds = [json.loads(each).get("record") for each in lines]
    odd = [place for place, kind in enumerate(kinds) if kind not in KNOWN]
    reason = f"{name}, line {odd[0] + 1}: found the record type {kinds[odd[0]]}, wanted one of"
    return plain(line[2]) == f"{reason} {', '.join(KNOWN)}"


# -- the main table's place -------------------------------------------------------------------


def settings(table: Table) -> dict[tuple[str, int], list[Case]]:
    """Workloads and batches that are compared, in several runtimes or in one."""
    rows = [case for case in in_order(table) if not is_ceiling(case)]
    return by_setting(rows)


def brief(place: Place, line: re.Match[str]) -> bool:
    """How many workloads and batches the brief table has no room for."""
    table = place.table
    lines = sum(not crosses(cases) for cases in settings(table).values())
    most = max(4, (FOR_TABLES - 8) // len(place.source.tables))
    return int(line[1] or 0) == max(0, lines - most)


def best_of_all(place: Place, line: re.Match[str]) -> bool:
    """How many lines the table of the best in all runtimes has no room for."""
    crossed = [cases for cases in settings(place.table).values() if crosses(cases)]
    lines = sum(max(1, len(winners(place.table, cases))) for cases in crossed)
    return int(line[1] or 0) == max(0, lines - MOST_BEST)


# -- captions ---------------------------------------------------------------------------------


def caption(place: Place, line: re.Match[str]) -> bool:
    """A workload with what is asked of its quality, and what its rows are held against."""
    rows = {plain(name): cases for name, cases in by_workload(place.table).items()}[plain(line[1])]
    shown = plain(line[2])
    return says(shown, *_asked(rows), *(_held_against(place.table, rows) if crosses(rows) else []))


def _asked(rows: Sequence[Case]) -> list[Part]:
    judged = [case for case in rows if case.record["quality"]]
    if not judged:
        return ["quality not judged"]
    quality = judged[0].record["quality"]
    target, seeds = quality.get("target"), quality.get("seeds", ())
    said: list[Part] = [f"{plain(quality['metric'])} ("]
    if target is None:
        said.append("no target")
    elif is_share(judged[:1]):
        said += ["target ≥ ", ending(100 * target, 0.1), " %"]
    else:
        said += ["target ≥ ", digits(target, 4)]
    said += [", n = ", ending(quality["n"], 1)] if quality.get("n") else []
    said += [f", mean of {len(seeds)} seeds ± 95 %"] if seeds else []
    return [*said, ")"]


def _held_against(table: Table, rows: Sequence[Case]) -> list[Part]:
    """The baseline's runtime, and the best float32 runtime of each batch."""
    energy = any(case.energy() is not None for case in rows)
    baseline = rows[0].record["baseline"].split("/")[-3]
    said: list[Part] = [
        f"Baseline: {baseline}. Best float32 runtime by {'energy' if energy else 'time'}: "
    ]
    for place, ((_, batch), cases) in enumerate(by_setting(rows).items()):
        first = next((case for case in cases if case.energy() is not None), cases[0])
        log, name = table.best_runtime(first, energy=energy)
        said += ["; " if place else "", f"{name.split('/')[-3]} at batch {batch} ("]
        said += [ratio_of(log.number()) if log else "1", " of the baseline)"]
    return [*said, "."]


def footnotes(place: Place, line: re.Match[str]) -> bool:
    """Reasons of what the main table lacks, numbered from one, in the order of the rows."""
    table = place.table
    if place.fold and not place.fold.startswith("Main table"):
        return False
    nearest = "; ".join(filter(None, nearest_meter(table)))
    met = [
        why_no_energy(case, case.channels) if table.boundary else nearest
        for case in in_order(table)
    ]
    notes = [note.partition(" ") for note in line[1].split("<br>")]
    places = [[*dict.fromkeys(met)].index(plain(reason)) for _, _, reason in notes]
    marks = [str(n).translate(RAISED) for n in range(1, len(notes) + 1)]
    return places == sorted(set(places)) and [mark for mark, _, _ in notes] == marks


RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
LEGEND = (
    "Where a model runs in several runtimes: **bold** is the best within the quality budget, and"
    " the best that is not smaller than the model as shipped; ● is on the Pareto front of quality"
    " against cost over all runtimes, ○ is on it and breaks quality; *÷ best fp32* is beside the"
    " best float32 runtime of the same model."
)
BEST = (
    "The whole model, and where it is another one, the best that is smaller: pruned or distilled."
    " Beside the ratio to the model as shipped stands that to the best float32 runtime of the same"
    " model, so that nobody takes a better runtime for a better model."
)
BRIEF = "The best of each workload. Every row stands under *Main table, all rows*, below"

LINES: Mapping[str, LineCheck] = {
    r"# .+": title,
    r".+ · .+ · run [^·]+( · commit [^·]+)?": run,
    r"## (simulated )?(\S+): (.+)": heading,
    r"<summary>[^0-9]+ · (?!run )([^·]+)</summary>": of_device,
    r"\*\*(?:Trust box|Best of all runtimes): (.+)\*\*": of_device,
    r"- <code>(\S+\.jsonl)</code>: (.+)": left_out,
    rf"{re.escape(BRIEF)}(?:; ([0-9]+) more workloads and batches there)?\.": brief,
    rf"{re.escape(BEST)}(?: ([0-9]+) more stand with all rows\.)?": best_of_all,
    r"<sub>(¹ .+)</sub>": footnotes,
    re.escape(LEGEND): lambda *_: True,
    r"\*\*(.+?)\*\* · (quality not judged.*|.+ \((?:no )?target.*)": caption,
}
