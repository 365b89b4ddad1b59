"""Folded parts on bytes and quality again: sweeps, compression, forms, budgets, memory."""

import re
from collections.abc import Mapping, Sequence

from page_cases import batches_of, name_of, one_case, workload_cases, workload_of
from page_pieces import LineCheck, Place, RowCheck, plain
from recompute_case import Case
from recompute_parts import in_order
from recompute_sizes import (
    bytes_of,
    forms,
    models,
    sized,
    smallest,
    sweep,
)
from recompute_table import Table
from shown_numbers import absent, even_half, rounds_to, significant

UNITS = {"B": 0, "KiB": 1, "MiB": 2, "GiB": 3}
THIN = "\u202f"
MEANS = {
    "disk": "as this benchmark runs it, one safetensors file",
    "nominal": "nonzero weights alone, without what says where they stand",
    "dense": "its dense float32 weights",
    "csr": "values, column indices and row pointers",
    "shared": "indices into a codebook of shared weights",
    "huffman": "the same, Huffman-coded",
    "onnx": "exported to ONNX, weights inside",
}
FORM = "(disk|nominal|dense|csr|shared|huffman|onnx)"
MOST = 8


def size(shown: str, count: int | None) -> bool:
    """``44.7 MiB``, in the largest unit of which it is one or more; bytes are counted."""
    if count is None:
        return shown == "—"
    value, _, unit = shown.partition(" ")
    power = UNITS[unit]
    if power == 0:
        return value == str(count) and count < 1024
    whole = count / 1024**power
    return whole >= 1 and (power == 3 or whole < 1024) and significant(value, whole)


def counted(shown: str, count: int | None) -> bool:
    return shown == ("—" if count is None else f"{count:,}".replace(",", THIN))


# -- quality against size -----------------------------------------------------------------------


def step(place: Place, cells: Mapping[str, str]) -> bool:
    """A variant of a sweep: its bytes beside the dense ones, its quality and what it lost."""
    found = sweep(place.table, workload_of(place))
    assert found
    level = "" if cells["level"] == "—" else plain(cells["level"])
    (each,) = [s for s in found.steps if (s.series, s.level) == (plain(cells["variant"]), level)]
    scale, unit = (100, 0.1) if found.is_share else (1, 1e-3)
    change, _, side = cells["change"].partition(" ± ")
    return (
        size(cells["on disk"], each.disk)
        and significant(cells["% of dense"].removesuffix(" %"), 100 * each.share)
        and significant(cells["smaller"].removesuffix("×"), 1 / each.share)
        and rounds_to(cells["quality"], scale * each.quality, unit)
        and rounds_to(change, scale * each.change.value, unit)
        and bool(side) == (found.seeds > 1)
        and (not side or rounds_to(side, scale * even_half(each.change), unit))
    )


def sweep_title(place: Place, found: re.Match[str]) -> bool:
    """Whose sweep it is, what its quality is, and over how many seeds."""
    known = sweep(place.source.tables[plain(found["device"])], plain(found["workload"]))
    assert known
    return (
        plain(found["metric"]) == known.metric
        and bool(found["share"]) == known.is_share
        and (found["seeds"] or "1") == str(known.seeds)
    )


# -- what compression did -----------------------------------------------------------------------


def compressed(place: Place, cells: Mapping[str, str]) -> bool:
    """Parameters, zeros, operations and bytes; of several batches if all of them say the same."""
    return all(
        counted(cells["parameters"], case.record["parameters"])
        and _nonzero(cells["nonzero"], case)
        and counted(cells["MACs per sample"], case.record["macs"])
        and size(cells["on disk"], case.record["size_bytes"].get("disk"))
        and size(cells["nominal"], case.record["size_bytes"].get("nominal"))
        and plain(cells["note"]) == (case.record["note"] or "—")
        for case in batches_of(place, cells, in_order(place.table))
    )


def _nonzero(shown: str, case: Case) -> bool:
    nonzero, parameters = case.record["nonzero"], case.record["parameters"]
    if nonzero is None or not parameters:
        return shown == "—"
    return significant(shown.removesuffix(" %"), 100 * nonzero / parameters)


def stored(place: Place, cells: Mapping[str, str]) -> bool:
    """The bytes of each form, and how many times smaller than the baseline's dense ones."""
    cases = batches_of(place, cells, models(place.table))
    columns = [header for header in cells if header not in {"variant", "batch"}]
    if cases not in sized(place.table, workload_of(place)):
        return False
    dense = cases[0].record["size_bytes"].get("baseline")
    if columns != forms(workload_cases(place)):
        return False
    for form in columns:
        shown, _, times = cells[form].partition(" (")
        count = bytes_of(cases, form)
        known = [case.record["size_bytes"].get(form) for case in cases]
        if not size(shown, count) or not all(size(shown, each) for each in known if each):
            return False
        if bool(times) != bool(dense and count):
            return False
        if times and not significant(times.removesuffix("×)"), dense / (count or 1)):
            return False
    return True


def form_meanings(place: Place, found: re.Match[str]) -> bool:
    """Each form that a model has is explained."""
    known = [form for form in forms(models(place.table)) if form in MEANS]
    return found["means"] == "; ".join(f"*{form}*: {MEANS[form]}" for form in known)


def budget_title(place: Place, found: re.Match[str]) -> bool:
    """The most bytes that were asked for."""
    tables = place.source.tables
    named = found["device"]
    several = len(tables) > 1
    return size(found["size"], place.source.size_budget) and (
        plain(named) in tables if several else not named
    )


def budget(place: Place, found: re.Match[str]) -> bool:
    """Who fits, smallest first, of the variants with a form that a device could be sent."""
    variants = sized(place.table, plain(found["workload"]))
    known = [batches for batches in variants if smallest(batches)]
    most = place.source.size_budget
    assert most
    assert known
    fits = sorted(
        (each for each in known if smallest_of(each)[0] <= most), key=lambda e: smallest_of(e)[0]
    )
    twice = len({name_of(place.table, each[0]) for each in variants}) < len(variants)
    names = [_fitting(place.table, each, twice=twice) for each in fits]
    listed = re.findall(
        r"<code>(.*?)</code>( at batch [0-9, ]+)? \((\S+ \S+) as ([a-z]+)(; breaks quality)?\)",
        found[0],
    )
    more = len(names) - MOST
    return (
        (found["fit"], found["all"]) == (str(len(fits)), str(len(known)))
        and found["more"] == (str(more) if more > 0 else None)
        and len(listed) == min(len(names), MOST)
        and all(
            (plain(label), at, form, bool(broken)) == fitting and size(shown, count)
            for (label, at, shown, form, broken), (count, fitting) in zip(
                listed, names, strict=False
            )
        )
    )


def smallest_of(batches: Sequence[Case]) -> tuple[int, str]:
    found = smallest(batches)
    assert found
    return found


def _fitting(
    table: Table, batches: Sequence[Case], *, twice: bool
) -> tuple[int, tuple[str, str, str, bool]]:
    """Bytes; name, batches if a variant has several sizes, form, and whether it breaks quality."""
    count, form = smallest_of(batches)
    at = f" at batch {', '.join(str(c.record['batch']) for c in batches)}" if twice else ""
    return count, (name_of(table, batches[0]), at, form, batches[0].breaks_quality())


# -- memory, other measures ---------------------------------------------------------------------


def memory(place: Place, cells: Mapping[str, str]) -> bool:
    """What was resident at most, and before; what was added is never below nothing."""
    known = one_case(place, cells).record["memory_bytes"]
    peak, before = known.get("peak"), known.get("before")
    added = None if None in {peak, before} else max(peak - before, 0)
    fits = ("peak on the GPU" in cells) == _has_cuda(place.table)
    return fits and all(
        size(cells[header], count)
        for header, count in {
            "peak": peak,
            "before": before,
            "added": added,
            "peak on the GPU": known.get("cuda"),
        }.items()
        if header in cells
    )


def _has_cuda(table: Table) -> bool:
    return any("cuda" in case.record.get("memory_bytes", {}) for case in table.cases.values())


def measures(place: Place, cells: Mapping[str, str]) -> bool:
    """Further measures of quality; of several batches if all of them say the same."""
    known = [case for case in workload_cases(place) if _others(case)]
    columns = [header for header in cells if header not in {"variant", "batch"}]
    if [plain(header) for header in columns] != list(
        dict.fromkeys(name for case in known for name in _others(case))
    ):
        return False
    return place.fold.startswith("Quality by other measures") and all(
        absent(cells[header]) if value is None else significant(cells[header], value, 4)
        for case in batches_of(place, cells, known)
        for header in columns
        for value in [_others(case).get(plain(header))]
    )


def _others(case: Case) -> Mapping[str, float]:
    found: Mapping[str, float] = (case.record["quality"] or {}).get("others") or {}
    return found


def title(place: Place, found: re.Match[str]) -> bool:
    """A workload alone in bold, above its table."""
    workloads = {
        case.record["workload"]
        for table in place.source.tables.values()
        for case in table.cases.values()
    }
    return bool(place.fold) and plain(found["workload"]) in workloads


ROWS: Mapping[str, RowCheck] = {
    r"variant \| level \| on disk \| % of dense \| smaller \| quality \| change": step,
    r"variant \| (batch \| )?parameters \| nonzero \| MACs per sample \| on disk \| nominal \| note"
    r"": compressed,
    rf"variant( \| batch)?( \| {FORM})+": stored,
    r"workload \| variant \| batch \| peak \| before \| added( \| peak on the GPU)?": memory,
    r"variant( \| batch)?( \| (Spearman of similarities|cosine|SQNR, dB))+": measures,
}

LINES: Mapping[str, LineCheck] = {
    r"\*\*(?P<workload>[^*·]+)\*\*": title,
    r"\*\*(?P<workload>.+?) · (?P<device>\S+)\*\* · (?P<metric>.+?)(?P<share> in % and points)?"
    r"(, mean of (?P<seeds>[0-9]+) seeds ± 95 %)?": sweep_title,
    r"In brackets: times smaller than the baseline's dense weights\. (?P<means>.*)\."
    r"": form_meanings,
    r"\*\*Size budget of (?P<size>\S+ \S+?)( · (?P<device>\S+))?\*\*": budget_title,
    r"- (?P<workload>.+): (?P<fit>[0-9]+) of (?P<all>[0-9]+) fit"
    r"(: .+?( and (?P<more>[0-9]+) more)?)?\.": budget,
}
