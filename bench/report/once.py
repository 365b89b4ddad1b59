"""Rows that say the same in several batches, once: what a model is hardly depends on the batch."""

from collections.abc import Callable, Sequence

from bench.compare import Row
from bench.report import findings, text


def once(
    rows: Sequence[Row], among: Sequence[Row], cells: Callable[[Row], Sequence[str]]
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Each variant once, and again for the batches at which its cells say something else.

    Args:
        rows: Those of one workload.
        among: All rows of the table, from which the labels tell them.
        cells: What a row says, escaped.

    Returns:
        The first columns: ``variant``, with ``batch`` behind it where a variant has several lines;
        and the lines.
    """
    found: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        line = (text.escape(findings.label(row, among)), *cells(row))
        found.setdefault(line, []).append(row.case.batch)
    if not has_twice([label for label, *_ in found]):
        return ["variant"], list(found)
    lines = [(label, of(batches), *rest) for (label, *rest), batches in found.items()]
    return ["variant", "batch"], lines


def has_twice(labels: Sequence[str]) -> bool:
    """Whether a variant has several lines, so that the batch must tell them apart."""
    return len(set(labels)) < len(labels)


def of(batches: Sequence[int]) -> str:
    """The batches of a line.

    >>> of([1, 64])
    '1, 64'
    """
    return ", ".join(str(batch) for batch in batches)
