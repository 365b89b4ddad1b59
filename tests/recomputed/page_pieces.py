"""A report's Markdown in pieces, each with the place where it stands; nothing of `bench`."""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial

from recompute import Told
from recompute_case import Case
from recompute_table import Table


@dataclass(frozen=True)
class Source:
    """What a report was written from.

    Args:
        told: Its journal.
        tables: The devices of the journal, by name.
        since: The earlier journal that the changes are told against.
        grams_per_kwh: The grid factor that was given.
        size_budget: Most bytes that a model may have.
        left_out: What stands in each file that could not be read, by its name.
    """

    told: Told
    tables: Mapping[str, Table]
    since: Told | None = None
    grams_per_kwh: float | None = None
    size_budget: int | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a piece stands.

    Args:
        source: What the report was written from.
        heading: The last heading, without its marks.
        fold: The line of the folded part that it is in; empty outside of any.
        bold: The last line above that begins in bold, or a quote with the name of its device,
            under this heading or in this fold.
        above: The last line above the table that is not empty.
        header: Header of the table, of a row.
        number: Of a row in its table, from 0.
    """

    source: Source
    heading: str = ""
    fold: str = ""
    bold: str = ""
    above: str = ""
    header: tuple[str, ...] = ()
    number: int = 0

    @cached_property
    def table(self) -> Table:
        """The device that what stands above names, or the only one."""
        tables = self.source.tables
        for text in (self.bold, self.fold, self.heading):
            named = [device for device in tables if _names(text, device)]
            if len(named) == 1 or len(tables) == 1:
                return tables[next(iter(named or tables))]
        raise LookupError(f"{self.heading!r} and {self.fold!r} name none of {list(tables)}")


def _names(text: str, device: str) -> bool:
    return bool(re.search(rf"(?<![\w/:-]){re.escape(device)}(?![\w/-])", text))


@dataclass(frozen=True)
class Piece:
    """A line of words, or a row of a table.

    Args:
        place: Where it stands.
        text: The line as it is in the file.
        cells: Of a row, as they are in the file; empty for words.
    """

    place: Place
    text: str
    cells: tuple[str, ...] = ()

    @property
    def row(self) -> dict[str, str]:
        """Its cells by header; one that stands there a second time is called ``floor (2)``."""
        found: dict[str, str] = {}
        for name, cell in zip(self.place.header, self.cells, strict=True):
            found[f"{name} (2)" if name in found else name] = cell
        return found


RowCheck = Callable[[Place, Mapping[str, str]], bool]
"""Whether a row (cells by header, as they are in the file) says what the journal says."""
LineCheck = Callable[[Place, re.Match[str]], bool]
"""Whether a line that matched says what the journal says."""


def pieces(page: str, source: Source) -> Iterator[Piece]:
    """Every line of a page but empty ones, rules of tables, and tags that stand alone."""
    place, rows = Place(source), 0
    for line in page.splitlines():
        if line.startswith("|"):
            if rows == 0:
                place = replace(place, header=_cells(line))
            elif rows > 1:
                yield Piece(replace(place, number=rows - 2), line, _cells(line))
            rows += 1
            continue
        rows = 0
        summary = re.fullmatch(r"<summary>(.*)</summary>", line)
        if summary:
            place = replace(place, fold=summary[1], bold="", above="")
        elif line == "</details>":
            place = replace(place, fold="", bold="", above="")
        elif line.startswith("#"):
            place = replace(place, heading=line.lstrip("# "), bold="", above="")
        if line and line not in {"<details>", "</details>", "<pre><code>", "</code></pre>"}:
            yield Piece(replace(place, header=()), line)
            leads = line.startswith(("**", *(f"> {device}: " for device in source.tables)))
            place = replace(place, above=line, bold=line if leads else place.bold)


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip("|").split(" | "))


def plain(text: str) -> str:
    """A cell without its little markup: stars of bold and italics, tags, entities."""
    return html.unescape(re.sub(r"<[^>]*>|(?<!\\)\*{1,2}", "", text))


def found_case(
    table: Table, label: str, *, batch: str = "", workload: str = "", runtime: str = ""
) -> Case:
    """The one case that a row names.

    Args:
        table: The device.
        label: ``technique@level``, with `` · runtime`` behind it or without.
        batch: As it is shown; empty if the row names none.
        workload: Its name; empty if nothing names it.
        runtime: Its name; empty if the row names none.
    """
    found = [
        case
        for case in table.cases.values()
        if label in {label_of(case), f"{label_of(case)} · {case.record['runtime']}"}
        and batch in {"", str(case.record["batch"])}
        and workload in {"", case.record["workload"]}
        and runtime in {"", case.record["runtime"]}
    ]
    if len(found) != 1:
        raise LookupError(f"{len(found)} cases are called {label!r} {workload} b{batch} {runtime}")
    return found[0]


@cache
def label_of(case: Case) -> str:
    """``technique@name=value``, as the pages call a case."""
    level = case.record["level"]
    parameters = ",".join(f"{name}={value}" for name, value in sorted(level.items()))
    technique = str(case.record["technique"])
    return f"{technique}@{parameters}" if parameters else technique


def is_right(piece: Piece, rows: Mapping[str, RowCheck], lines: Mapping[str, LineCheck]) -> bool:
    """Whether one of the rules knows the piece and finds in it what the journal says."""
    return any(check(piece) for check in _checks(piece, rows, lines))


def is_known(piece: Piece, rows: Mapping[str, RowCheck], lines: Mapping[str, LineCheck]) -> bool:
    """Whether one of the rules is about such a piece."""
    return any(True for _ in _checks(piece, rows, lines))


def _checks(
    piece: Piece, rows: Mapping[str, RowCheck], lines: Mapping[str, LineCheck]
) -> Iterator[Callable[[Piece], bool]]:
    if piece.cells:
        header = " | ".join(piece.place.header)
        for pattern, row_check in rows.items():
            if re.fullmatch(pattern, header):
                yield partial(_row_fits, row_check)
        return
    for pattern, line_check in lines.items():
        if found := re.fullmatch(pattern, piece.text):
            yield partial(_line_fits, line_check, found)


def _row_fits(check: RowCheck, piece: Piece) -> bool:
    return _safely(lambda: check(piece.place, piece.row))


def _line_fits(check: LineCheck, found: re.Match[str], piece: Piece) -> bool:
    return _safely(lambda: check(piece.place, found))


def _safely(check: Callable[[], bool]) -> bool:
    """A number that cannot be read, or a name that nobody has, is as wrong as a wrong number."""
    try:
        return check()
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError):
        return False


def has_number(piece: Piece) -> bool:
    return bool(re.search(r"[0-9]", piece.text))


def altered(piece: Piece, choose: Callable[[int], int]) -> Piece:
    """The same piece with one of its digits changed by five: what no rounding can excuse.

    Args:
        piece: It, or the header above it, holds a digit.
        choose: Gives a number below the one that it gets.
    """
    above = f"| {' | '.join(piece.place.header)} |\n" if piece.cells else ""
    whole = above + piece.text
    places = [match.start() for match in re.finditer(r"[0-9]", whole)]
    at = places[choose(len(places))]
    digit = str((int(whole[at]) + 5) % 10)
    text = f"{whole[:at]}{digit}{whole[at + 1 :]}"
    if not piece.cells:
        return replace(piece, text=text)
    header, _, row = text.partition("\n")
    return Piece(replace(piece.place, header=_cells(header)), row, _cells(row))
