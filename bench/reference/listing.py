"""The published tables as aligned text, for a terminal."""

from collections.abc import Iterator, Sequence

from bench.reference.published import Published, everything

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_HEADER = (
    "table", "network", "layer", "metric", "device", "batch", "value", "unit", "source",
    "confidence",
)  # fmt: skip
_VALUE = _HEADER.index("value")


def papers() -> tuple[tuple[str, int], ...]:
    """Each paper with the number of its rows, in the order of the tables."""
    counts: dict[str, int] = {}
    for row in everything():
        counts[row.paper] = counts.get(row.paper, 0) + 1
    return tuple(counts.items())


def select(paper: str, table: str = "") -> tuple[Published, ...]:
    """The rows of the papers and tables whose names hold these words, upper or lower case.

    Raises:
        ValueError: There is none.
    """
    of_paper = [row for row in everything() if paper.casefold() in row.paper.casefold()]
    if not of_paper:
        raise ValueError(
            f"found no paper with {paper!r} in its name; joulebench reference lists them all"
        )
    rows = tuple(row for row in of_paper if table.casefold() in row.table.casefold())
    if not rows:
        known = ", ".join(dict.fromkeys(row.table for row in of_paper))
        raise ValueError(f"found no table with {table!r} in its name, wanted one of {known}")
    return rows


def overview() -> Iterator[str]:
    """The papers, one a line."""
    counts = papers()
    yield f"{sum(count for _, count in counts)} published numbers of {len(counts)} papers and pages"
    yield from (f"{count:6} {paper}" for paper, count in counts)
    yield "joulebench reference PAPER prints those whose name holds the word"


def lines(rows: Sequence[Published], *, grey: bool) -> Iterator[str]:
    """The rows, paper by paper, aligned; then where each was read.

    Args:
        rows: At least one.
        grey: Whether the terminal can dim those that nobody has read anywhere.
    """
    sources = list(dict.fromkeys(row.source for row in rows))
    for paper in dict.fromkeys(row.paper for row in rows):
        own = [row for row in rows if row.paper == paper]
        cells = [_HEADER, *(_cells(row, sources.index(row.source) + 1) for row in own)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        yield f"{paper}"
        yield _aligned(_HEADER, widths)
        for row, line in zip(own, cells[1:], strict=True):
            dim = grey and not row.confidence.is_read
            yield f"{_DIM if dim else ''}{_aligned(line, widths)}{_PLAIN if dim else ''}"
        yield ""
    yield from (f"[{number}] {source}" for number, source in enumerate(sources, start=1))


def _cells(row: Published, source: int) -> tuple[str, ...]:
    batch = "" if row.batch is None else str(row.batch)
    what = (row.table, row.network, row.layer, row.metric, row.device, batch)
    return (*what, row.text, str(row.unit), f"[{source}]", str(row.confidence))


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One line; values stand to the right."""
    padded = (
        cell.rjust(width) if index == _VALUE else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
