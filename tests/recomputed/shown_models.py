"""Published figures of the same models, again; see `recompute_published`."""

import re
from collections.abc import Mapping, Sequence

from page_pieces import LineCheck, Place, RowCheck, found_case, label_of, plain
from recompute import Log, Number
from recompute_case import Case
from recompute_parts import in_order
from recompute_published import (
    Quotient,
    Row,
    distilled_quotient,
    int8_quotient,
    joules,
    network_of,
    one,
    short,
    value,
)
from recompute_roofline import energy_of, over, typical
from recompute_table import Table
from shown_digits import is_interval, is_sig, prefixed, sig
from shown_paper import said, sign

NAME = "Published figures of the same models"
INT8 = (
    "**int8 ÷ float32, the same network in the same runtime.** Comparable are the ratio and its"
    " sign, never the joules of another boundary. Theirs: geometric mean [least to most] over their"
    " systems, time as the 90th percentile of a query; ours: the quotient of two paired ratios."
)
DISTILLED = (
    r"\*\*DistilBERT ÷ BERT-base\.\*\* Published: (\d+) % smaller, (\d+) % faster\. At batch 1;"
    r" our times are of two workloads measured one after the other, not in pairs\."
)
LARGE = "BERT-large with 384 tokens"


# -- joules -----------------------------------------------------------------------------------


def energies(place: Place, cells: Mapping[str, str]) -> bool:
    """A published energy beside the least of ours: one of those that the files have."""
    workload = plain(cells["workload"])
    if not any(case.record["workload"] == workload for case in place.table.cases.values()):
        return False
    groups = joules(workload).items()
    wanted = (_energy(place.table, workload, setting, rows) for (_, setting), rows in groups)
    return [plain(cell) for cell in list(cells.values())[1:]] in list(wanted)


def _energy(table: Table, workload: str, setting: str, rows: Sequence[Row]) -> list[str]:
    ordered = sorted(rows, key=lambda row: (value(row), row["device"]))
    least, most = ordered[0], ordered[-1]
    count = "" if len(rows) == 1 else f"{len(rows)}; the least: "
    ends = dict.fromkeys(prefixed(value(row), "J") for row in (least, most))
    llama = network_of(workload).startswith("llama")
    boundary = "gpu-board" if llama else "wall"
    other = least["network"] if llama else LARGE if network_of(workload) == "bert-base" else ""
    here, compared = _ours(table, workload, least, boundary, other)
    return [
        short(rows[0]),
        setting,
        count + least["device"],
        said(f"{' to '.join(ends)} per {'token' if llama else 'sample'}", rows),
        boundary,
        here,
        compared,
    ]


def _ours(table: Table, workload: str, least: Row, boundary: str, other: str) -> tuple[str, str]:
    """Our least energy of the workload, and their quotient or why there is none."""
    cases = [case for case in in_order(table) if case.record["workload"] == workload]
    known = [(found.value, case) for case in cases if (found := energy_of(case))]
    energy, case = min(known, key=lambda each: each[0], default=(None, None))
    here = "not measured"
    if energy is not None and case is not None:
        per, batch = case.record["unit"] or "sample", case.record["batch"]
        what = f"{label_of(case)} · {case.record['runtime']}, batch {batch}; {case.boundary}"
        here = f"{prefixed(energy, 'J')} per {per} ({what})"
    if other:
        return here, f"not comparable: another model, {other}"
    theirs = f"not comparable: their boundary is the {boundary}, ours"
    if energy is None or case is None:
        return here, f"{theirs} was not measured"
    if case.boundary != boundary:
        return here, f"{theirs} is {case.boundary}"
    return here, f"ours is {sig(energy / value(least), 2)} times their least, on other hardware"


# -- ratios -----------------------------------------------------------------------------------


def int8(place: Place, cells: Mapping[str, str]) -> bool:
    """int8 beside float32 in the same runtime: the quotient of both ratios to the baseline."""
    workload, energy = plain(cells["workload"]), cells["of"] == "energy"
    case = found_case(
        place.table,
        plain(cells["variant"]),
        batch="1",
        workload=workload,
        runtime=plain(cells["runtime"]),
    )
    published = int8_quotient(workload, energy=energy)
    assert published is not None
    assert cells["of"] in {"energy", "time"}
    same = ("workload", "batch", "runtime", "baseline")
    shipped = [
        each
        for each in place.table.cases.values()
        if each.record["technique"] == "baseline"
        and all(each.record[name] == case.record[name] for name in same)
    ]
    return any(
        is_interval(cells["here [95 %]"], ours)
        and _published(cells["published"], published, ours)
        and plain(cells["in"]) == published.place
        for each in shipped
        if (ours := _quotient(case, each, energy=energy))
    )


def _quotient(case: Case, other: Case, *, energy: bool) -> Number | None:
    own, shipped = case.log(energy=energy), other.log(energy=energy)
    if own is None:
        return None
    if other.is_baseline:
        return own.number()
    if shipped is None:
        return None
    return Log(own.value - shipped.value, [*own.parts, *shipped.parts], own.n).number()


def _published(shown: str, found: Quotient, ours: Number | None) -> bool:
    text = sig(found.value, 2)
    if len(found.values) > 1:
        ends = (sig(end, 2) for end in (min(found.values), max(found.values)))
        text += f" [{' to '.join(ends)}; {len(found.values)} systems]"
    elif device := found.rows[0]["device"]:
        text += f" ({device})"
    return plain(shown) == said(f"{text}, {sign(found.value, ours)}", found.rows)


def distilled(place: Place, cells: Mapping[str, str]) -> bool:
    """DistilBERT's baseline beside BERT's, as they ran in the same way."""
    found = distilled_quotient(cells["of"])
    student, teacher = (_shipped(place.table, name, cells) for name in ("distilbert", "bert-base"))
    if cells["of"] == "time":
        one_, other = typical(student), typical(teacher)
        ours = over(one_, other) if one_ and other else None
        fits = is_interval(cells["here [95 %]"], ours)
    else:
        share = student.record["parameters"] / teacher.record["parameters"]
        ours = Number(share, share, share)
        fits = is_sig(cells["here [95 %]"], share)
    return (
        fits
        and cells["batch"] == "1"
        and _published(cells["published"], found, ours)
        and plain(cells["in"]) == found.place
    )


def _shipped(table: Table, network: str, cells: Mapping[str, str]) -> Case:
    wanted = (network, plain(cells["runtime"]), cells["threads"], cells["batch"])
    found = [
        case
        for case in in_order(table)
        if case.record["technique"] == "baseline"
        and wanted
        == (
            network_of(case.record["workload"]),
            case.record["runtime"],
            str(case.record["threads"]),
            str(case.record["batch"]),
        )
    ]
    return found[-1]


def claimed(place: Place, found: re.Match[str]) -> bool:
    """What the paper's abstract says."""
    rows = (
        one("distillation", "DistilBERT vs BERT-base", metric)
        for metric in ("size_reduction", "speedup_claim")
    )
    return place.fold.startswith(NAME) and found.groups() == tuple(row["value"] for row in rows)


ROWS: Mapping[str, RowCheck] = {
    r"workload \| published in \| setting \| systems \| energy \| their boundary \| least here"
    r" \| compared": energies,
    r"workload \| runtime \| variant \| of \| here \[95 %\] \| published \| in": int8,
    r"runtime \| threads \| batch \| of \| here \[95 %\] \| published \| in": distilled,
}
LINES: Mapping[str, LineCheck] = {
    re.escape(INT8): lambda place, _: place.fold.startswith(NAME),
    DISTILLED: claimed,
}
