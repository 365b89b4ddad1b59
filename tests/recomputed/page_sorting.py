"""By which number a cell of an HTML table sorts: that which its words say, in the unit itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from page_html import Node, tidy
from page_markdown import cells_of, said

_STEPS = {"p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_UNITS = {
    **{f"{step}{unit}": factor for step, factor in _STEPS.items()
       for unit in ("J", "W", "s", "B/s", "MAC/s", "MAC")},
    "B": 1.0, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3, "%": 1.0, "×": 1.0, "": 1.0,
    "or more": 1.0,
}  # fmt: skip
_FIRST = r"(?:A/A |< |≈ )?(?P<sign>[−+]?)(?P<digits>[0-9\u202f]+(?:\.[0-9]+)?)(?P<rest>.*)"
_ASIDE = r" ± [0-9.\u202f]+| / [0-9.\u202f]+| \[[^\]]*\]"
"""What stands behind a number and is not its unit."""


def number_in_unit(cell: str) -> float | None:
    """The number that a cell begins with times its unit; None where it begins with none.

    A digit that begins a name (``0 Linear``, ``0.kept``) is no number.
    """
    found = re.fullmatch(_FIRST, cell)
    if found is None:
        return None
    value = float(found["digits"].replace("\u202f", "")) * (-1 if found["sign"] == "−" else 1)
    unit = re.split(r" ?\(|,| →| to | per ", re.sub(_ASIDE, "", found["rest"]))[0].strip(" ")
    if unit in _UNITS:
        return value * _UNITS[unit]
    return value if re.match(_ASIDE, found["rest"]) else None


@dataclass(frozen=True)
class Grid:
    """A table of the Markdown page.

    Args:
        right: Of each column whether it is written to the right.
        header: As it is in the file; so are the rows.
        rows: Without the header.
    """

    right: tuple[bool, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def ranks(self, column: int) -> bool:
        """Whether a column is one of numbers that are no estimates: those are in italics."""
        cells = [row[column] for row in self.rows]
        return self.right[column] and not any(
            re.fullmatch(r"\*[^*]+\*", cell) for cell in (*cells, self.header[column])
        )

    def wanted(self, row: int, column: int) -> float | None:
        ranks = self.ranks(column)
        return number_in_unit(said(self.rows[row][column])) if ranks else None


def grids(page: str) -> Iterator[Grid]:
    """The tables of a Markdown page."""
    lines: list[str] = []
    for line in (*page.split("\n"), ""):
        if line.startswith("|"):
            lines.append(line)
        elif lines:
            right = tuple(cell == "--:" for cell in cells_of(lines[1]))
            header, *rows = (tuple(cells_of(each)) for each in (lines[0], *lines[2:]))
            yield Grid(right, header, tuple(rows))
            lines = []


def unsorted(table: Node, grid: Grid) -> list[tuple[str, str, float | None]]:
    """The cells of a table that carry another number than they say: words, carried, wanted."""
    wrong = []
    for row, line in enumerate(table.one("tbody").nodes):
        for column, cell in enumerate(line.nodes):
            wanted, carried = grid.wanted(row, column), cell.attributes.get("data-sort")
            same = (wanted is None) == (carried is None)
            if not same or (wanted is not None and f"{wanted:.12g}" != carried):
                wrong.append((tidy(cell.text()), str(carried), wanted))
    return wrong
