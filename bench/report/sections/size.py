"""Size: the bytes of each variant in each form of storage, and which fit into a budget."""

from collections.abc import Sequence

from bench.report import blocks, findings, text
from bench.report.markdown import Report
from bench.report.once import has_twice, of
from bench.report.sizes import Size, forms_of, says_more, sizes

ORDER = 52
_MEANS = {
    "disk": "as this benchmark runs it, one safetensors file",
    "nominal": "nonzero weights alone, without what says where they stand",
    "dense": "its dense float32 weights",
    "csr": "values, column indices and row pointers",
    "shared": "indices into a codebook of shared weights",
    "huffman": "the same, Huffman-coded",
    "onnx": "exported to ONNX, weights inside",
}
_MOST = 8


def section(report: Report) -> str:
    """A line on the budget, if one was given, and a folded table for each device.

    Nothing for journals that know no more than the main table shows.
    """
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        if not (report.size_budget or says_more(table.rows)):
            continue
        found = [
            (name, sizes(rows, table.rows))
            for name, rows in findings.compared(table)
            if any(row.case.size_bytes.get("disk") for row in rows)
        ]
        if not found:
            continue
        name = f" · {findings.heading(table, report.tables)}" if several else ""
        if report.size_budget:
            parts.append(_budget(found, report.size_budget, name))
        parts.append(blocks.details(f"Size in each form{name}", _body(found)))
    return "\n\n".join(parts)


def _budget(found: Sequence[tuple[str, list[Size]]], budget: int, name: str) -> str:
    """Who fits in the smallest form that is known, smallest first; who breaks quality is told."""
    lines = []
    for workload, variants in found:
        twice = has_twice([size.label for size in variants])
        known = [(size, smallest) for size in variants if (smallest := size.smallest)]
        fits = sorted((each for each in known if each[1][1] <= budget), key=lambda each: each[1][1])
        names = [_fitting(size, *smallest, twice=twice) for size, smallest in fits]
        count = f"{len(fits)} of {len(known)} fit"
        who = f": {blocks.sentence_list(names, _MOST)}" if names else ""
        lines.append(f"{text.escape(workload)}: {count}{who}.")
    return f"**Size budget of {text.size(budget)}{name}**\n\n{blocks.bullets(lines)}"


def _fitting(size: Size, form: str, count: int, *, twice: bool) -> str:
    at = f" at batch {of(size.batches)}" if twice else ""
    broken = "" if size.holds else "; breaks quality"
    return f"{text.code(size.label)}{at} ({text.size(count)} as {text.escape(form)}{broken})"


def _body(found: Sequence[tuple[str, list[Size]]]) -> str:
    forms = forms_of([size for _, variants in found for size in variants])
    means = "; ".join(f"*{form}*: {_MEANS[form]}" for form in forms if form in _MEANS)
    said = f"In brackets: times smaller than the baseline's dense weights. {means}."
    return "\n\n".join((said, *(_table(name, variants) for name, variants in found)))


def _table(name: str, variants: Sequence[Size]) -> str:
    """The forms of one workload's variants."""
    forms = forms_of(variants)
    twice = has_twice([size.label for size in variants])
    lines = [
        [
            text.escape(size.label),
            *([of(size.batches)] if twice else []),
            *(_cell(size, form) for form in forms),
        ]
        for size in variants
    ]
    header = ["variant", *(["batch"] if twice else []), *(text.escape(form) for form in forms)]
    return f"**{text.escape(name)}**\n\n{blocks.table(header, lines)}"


def _cell(size: Size, form: str) -> str:
    ratio = size.ratio(form)
    times = f" ({text.significant(ratio)}×)" if ratio else ""
    return f"{text.size(size.forms.get(form))}{times}"
