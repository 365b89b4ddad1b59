"""The folded part of modelled energies again; see `recompute_modelled`."""

import re
from collections.abc import Mapping
from functools import cache

from page_pieces import LineCheck, Place, RowCheck, label_of, plain
from recompute_case import Case
from recompute_modelled import DRAM_PJ, SRAM_PJ, alexnet, horowitz, levels, modelled, total
from recompute_parts import in_order
from recompute_published import one, value
from recompute_roofline import energy_of, ratio_of
from recompute_screen import verdict
from recompute_table import Table
from shown_digits import is_count, is_fixed, is_sig, is_size, is_times
from shown_numbers import PREFIX

SAID = (
    "*Modelled: operations and bytes × pJ, not measured.* Operations and bytes are those of the"
    " layers as they ran; what one costs is from Horowitz' table of a 45 nm chip: a multiplication"
    " at the weight's width and a 32-bit sum, both operands from SRAM"
    f" ({SRAM_PJ:.0f} pJ for 32 bits), and the"
    f" stored weights, inputs and outputs once a call from or to DRAM ({DRAM_PJ:.0f} pJ for 32"
    " bits; up to"
    " twice that in the same table). Nothing stays in a cache between two calls: a model that fits"
    " into one spends less on DRAM than this. No ranking, figure or verdict uses these numbers."
    " Eyeriss is a chip that skips zeros: its column is the ratio to the baseline, by accesses × 1,"
    " 2, 6 and 200 for register file, network, buffer and DRAM, as Yang et al. 2017 weigh them."
)
CHECK = (
    r"The same models of AlexNet at the densities of Han et al\. 2015, (\d+) bits, batch (\d+):"
    r" (\S+×) less energy by Horowitz, (\S+×) by Eyeriss\. Published for Yang's fuller model:"
    r" (\S+)× for energy-aware pruning, said to be (\S+)× better than magnitude pruning, so (\S+×)"
    r" for that\."
)
BITS, BATCH = 16, 48
UNIT = r"(k|m|µ|n|)J per (\S+)"
SUB = r" <sub>\((\d+) % of its operations\)</sub>"


def _known(table: Table, workload: str) -> list[Case]:
    """The cases of a workload that have layers."""
    return [
        case
        for case in in_order(table)
        if case.record["workload"] == workload and case.record.get("layers")
    ]


def _case(place: Place, label: str, batch: str) -> Case:
    """The one of them that a row names."""
    (case,) = (
        case
        for case in _known(place.table, plain(place.bold))
        if plain(label) in _names(case) and batch == str(case.record["batch"])
    )
    return case


def _names(case: Case) -> tuple[str, str]:
    return label_of(case), f"{label_of(case)} · {case.record['runtime']}"


def _unit(header: str, case: Case) -> float:
    """One of the header's prefixed unit in J; it is that of the case."""
    named = re.search(UNIT, plain(header))
    assert named, header
    assert named[2] == (case.record["unit"] or "sample")
    return PREFIX[named[1]]


def by_level(place: Place, cells: Mapping[str, str]) -> bool:
    label, _, sub = cells["variant"].partition(" <sub>")
    case = _case(place, label, cells["batch"])
    layers, whole = case.record["layers"], modelled(case.record)
    assert whole is not None
    column = next(name for name in cells if name.startswith("*modelled, "))
    of_call = levels(layers)
    shares = (
        is_fixed(cells[f"{name}, %"], 100 * joules / sum(of_call.values()), 0)
        for name, joules in of_call.items()
    )
    return (
        is_sig(cells[column].strip("*"), whole.value / _unit(column, case))
        and all(shares)
        and _covered(f" <sub>{sub}" if sub else "", case)
        and _ratio(cells["*÷ baseline*"], case, place.table, "horowitz")
        and _ratio(cells["*÷ baseline, Eyeriss*"], case, place.table, "eyeriss")
    )


def _covered(shown: str, case: Case) -> bool:
    """Which share of the model's operations the layers have, if it is not all."""
    macs = case.record["macs"] and case.record["macs"] * case.record["batch"]
    known = sum(layer["macs"] for layer in case.record["layers"])
    if not macs or known >= 0.995 * macs:
        return not shown
    named = re.fullmatch(SUB, shown)
    return named is not None and is_fixed(named[1], 100 * known / macs, 0)


def _ratio(shown: str, case: Case, table: Table, energy: str) -> bool:
    if case.is_baseline:
        return shown == "1"
    baseline = table.cases.get(case.record["baseline"])
    layers = baseline and baseline.record.get("layers")
    if not layers:
        return shown == "—"
    own, other = (total(each, energy=energy) for each in (case.record["layers"], layers))
    return is_sig(shown.strip("*"), own / other, 2)


@cache
def chosen(table: Table, workload: str) -> list[Case]:
    """Each batch's baselines, and what saves most, where they have layers."""
    found, known = [], _known(table, workload)
    for batch in dict.fromkeys(case.record["batch"] for case in known):
        rows = [case for case in known if case.record["batch"] == batch]
        best = _best(table, rows)
        found += [case for case in rows if case.is_baseline or case is best]
    return found


def _best(table: Table, rows: list[Case]) -> Case | None:
    """What saves most: least energy where that was measured, else the smallest ratio of time."""
    energy = any(energy_of(case) for case in rows)
    found = [
        (cost.value, case)
        for case in rows
        if verdict(table, case, energy=energy) == "saves"
        and (cost := energy_of(case) if energy else ratio_of(case, energy=False))
    ]
    return min(found, key=lambda each: each[0], default=(0.0, None))[1]


def by_layer(place: Place, cells: Mapping[str, str]) -> bool:
    cases = chosen(place.table, plain(place.bold))
    case, layer = [(case, layer) for case in cases for layer in case.record["layers"]][place.number]
    batch = case.record["batch"]
    joules = (
        is_sig(shown.strip("*"), horowitz(layer)[name] / batch / _unit(header, case))
        for header, shown in cells.items()
        if (name := plain(header).partition(",")[0]) in horowitz(layer)
    )
    share = 100 * layer["macs_nonzero"] / layer["macs"] if layer["macs"] else 0.0
    return (
        plain(cells["variant"]) in _names(case)
        and cells["batch"] == str(batch)
        and plain(cells["layer"]) == f"{layer['name']} {layer['kind']}".strip()
        and is_count(cells["operations"], layer["macs"] // batch)
        and is_fixed(cells["of two nonzeros, %"], share, 0)
        and is_size(cells["weights"], layer["weight_bytes"])
        and all(joules)
    )


def workload(place: Place, found: re.Match[str]) -> bool:
    """The line above a workload's tables."""
    inside = place.fold.startswith("Where the energy goes, modelled")
    return inside and bool(_known(place.table, plain(found[1])))


def check(_: Place, found: re.Match[str]) -> bool:
    bits, batch, *ratios, aware, better, alone = found.groups()
    published = [
        value(one("yang2017_energy_aware_pruning", "AlexNet", f"energy_reduction{metric}"))
        for metric in ("", "_vs_magnitude_pruning")
    ]
    saved = [
        total(alexnet(pruned=False, batch=BATCH, bits=BITS), energy=energy)
        / total(alexnet(pruned=True, batch=BATCH, bits=BITS), energy=energy)
        for energy in ("horowitz", "eyeriss")
    ]
    return (
        (bits, batch) == (str(BITS), str(BATCH))
        and all(map(is_times, ratios, saved))
        and (aware, better) == tuple(f"{each:g}" for each in published)
        and is_times(alone, published[0] / published[1])
    )


ROWS: Mapping[str, RowCheck] = {
    rf"variant \| batch \| \*modelled, {UNIT}\* \| DRAM, % \| SRAM, % \| arithmetic, %"
    r" \| \*÷ baseline\* \| \*÷ baseline, Eyeriss\*": by_level,
    r"variant \| batch \| layer \| operations \| of two nonzeros, % \| weights"
    rf" \| \*DRAM, {UNIT}\* \| \*SRAM, {UNIT}\* \| \*arithmetic, {UNIT}\*": by_layer,
}
LINES: Mapping[str, LineCheck] = {
    re.escape(SAID): lambda place, _: place.fold.startswith("Where the energy goes"),
    r"\*\*(?P<modelled>[^*]+)\*\*": workload,
    CHECK: check,
}
