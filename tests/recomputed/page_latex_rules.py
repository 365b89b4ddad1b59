"""Whether the LaTeX says what the main table of the Markdown page says, and the journal."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest

from page_latex import RAISED, LatexTable, as_words, latex_tables
from page_pieces import Piece, Source, pieces
from recompute_points import device, measured
from recompute_table import Table
from shown_numbers import NUMBER, half, number, plus_minus

LEFT_OUT = (r".* per s", r"\*modelled, .*\*")
"""The columns of the page that a paper does not get."""
CEILINGS = "roofline:"
"""How the workloads begin whose tables a paper does not get."""
_CLOSING = (
    " pairs; ± is the half-width of the 95 % interval, brackets are 95 % intervals of ratios of"
    " neighbouring windows; A/A is a baseline against itself."
)
_MAIN = {"variant", "batch", "on disk", "verdict"}


@dataclass
class MainTable:
    """A part of the main table of the Markdown page.

    Args:
        device: Its table of the journal.
        caption: The line above it, as it is in the file.
        header: Of the columns, as in the file.
        rows: As in the file.
        notes: The reasons below it, in order.
    """

    device: Table
    caption: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def workload(self) -> str:
        return as_words(self.caption).split("**")[1]

    @cached_property
    def counts(self) -> list[int]:
        """Of how many pairs or processes the ratios of the workload are, the least first."""
        return sorted(
            log.n
            for case in self.device.cases.values()
            if case.record["workload"] == self.workload
            for log in (case.energy_log(), case.time_log())
            if log
        )

    @cached_property
    def kept(self) -> list[int]:
        """The columns that a paper gets."""
        return [
            place
            for place, header in enumerate(self.header)
            if not any(re.fullmatch(pattern, header) for pattern in LEFT_OUT)
        ]


def main_tables(page: str, source: Source) -> list[MainTable]:
    """The main tables of a page, in its order."""
    found: dict[tuple[str, str], MainTable] = {}
    waiting: list[MainTable] = []
    for piece in pieces(page, source):
        place = piece.place
        if set(place.header) >= _MAIN:
            key = place.table.device, place.bold
            if key not in found:
                found[key] = MainTable(place.table, place.bold, place.header)
                waiting.append(found[key])
            found[key].rows.append(piece.cells)
        elif waiting and (notes := _notes(piece)):
            for table in waiting:
                table.notes = notes
            waiting = []
    return list(found.values())


def _notes(piece: Piece) -> list[str]:
    """The reasons that a line of footnotes gives, in order."""
    line = re.fullmatch(r"<sub>(¹ .*)</sub>", piece.text)
    return [as_words(each)[2:] for each in line[1].split("<br>")] if line else []


def latex_faults(text: str, tables: Sequence[MainTable]) -> Iterator[str]:
    """What of the LaTeX is not what the tables of the page or the journal say."""
    by_device: dict[str, list[MainTable]] = {}
    for table in tables:
        own = by_device.setdefault(table.device.device, [])
        own += [] if table.workload.startswith(CEILINGS) else [table]
    ordered = [(each, place) for own in by_device.values() for place, each in enumerate(own, 1)]
    for found, (each, place) in zip_longest(latex_tables(text), ordered, fillvalue=(None, 0)):
        if not isinstance(found, LatexTable) or each is None:
            yield f"found {found}, wanted {each}"
            return
        yield from _table_faults(found, each, place)


def _table_faults(found: LatexTable, main: MainTable, place: int) -> Iterator[str]:
    header = [main.header[column] for column in main.kept]
    if list(found.header) != [as_words(each) for each in header]:
        yield f"the header is {found.header}, wanted {header}"
    if len(found.shape) != len(header):
        yield f"the columns stand as {found.shape}"
    for own, row in zip_longest(found.rows, main.rows, fillvalue=()):
        cells = [as_words(row[column]) for column in main.kept] if row else []
        if _resolved(own, found.notes) != _resolved(cells, main.notes):
            yield f"the row is {own}, wanted {cells}"
    run = main.device.told.run["run_id"]
    named = re.sub(r"[^A-Za-z0-9]+", "-", f"{run}-{main.device.device}").strip("-")
    if found.label != f"tab:joulebench:{named}:{place}":
        yield f"the label is {found.label}"
    if not _caption_fits(found, main):
        yield f"the caption is {found.caption}"


def _resolved(cells: Sequence[str], notes: Sequence[str]) -> list[str]:
    """The cells with the reason in place of the mark that points at it."""
    return [
        f"— {notes[RAISED.index(cell[1]) - 1]}" if re.fullmatch(rf"—[{RAISED}]", cell) else cell
        for cell in cells
    ]


def _caption_fits(found: LatexTable, main: MainTable) -> bool:
    """The page's caption, the processor, the run, what the energy is, and how many pairs."""
    table, run = main.device, main.device.told.run
    simulated = device(table).startswith("simulated")
    before = "Simulated device, no machine's power. " if simulated else ""
    said = as_words(main.caption.replace("<br>", ". ")).removesuffix(".")
    where = f"{device(table)}, machine {run['machine']['id']}, run {run['run_id']}"
    start = f"{before}Energy and time per sample: {said}. {_processor(table)} ({where}). "
    if not found.caption.startswith(start):
        return False
    n = " to ".join(dict.fromkeys(map(str, (*main.counts[:1], *main.counts[-1:]))))
    unit = " processes" if run["settings"].get("processes") else " pairs"
    end = f"n = {n}{_CLOSING.replace(' pairs', unit, 1)}" if n else _CLOSING[8:]
    middle = found.caption.removeprefix(start)
    return middle.endswith(f" {end}") and _energy_fits(middle.removesuffix(f" {end}"), found, table)


def _processor(table: Table) -> str:
    machine = table.told.run["machine"]
    if device(table).startswith("simulated"):
        return "a power model"
    if not table.device.startswith("cuda"):
        return str(machine["cpu"])
    gpus = machine.get("gpu") or [{"name": "GPU"}]
    return str(gpus[0]["name"])


def _energy_fits(said: str, found: LatexTable, table: Table) -> bool:
    if not measured(table):
        reason = found.notes[0].split("; ")[0]
        known = {each["reason"] for each in table.told.run["unusable"]}
        tail = "estimates are ranges and are not ranked."
        return reason in known and said == f"Energy was not measured ({reason}); {tail}"
    kinds = ", ".join(
        dict.fromkeys(channel["kind"] for channel in table.told.channels(table.boundary))
    )
    start = f"Energy is {kinds}, boundary {table.boundary}. Idle power"
    idle = next(iter(table.cases.values())).idle()
    power = re.fullmatch(rf"{re.escape(start)} \(({NUMBER} ± {NUMBER}) W\) is included\.", said)
    if idle is None or power is None:
        return idle is None and said == f"{start} is included."
    return number(power[1].split(" ")[0]) > 0 and plus_minus(power[1], idle.value, half(idle))
