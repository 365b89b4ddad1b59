"""The page: sections that are found, put in order. Same journal, same bytes."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from bench.compare import Table
from bench.discover import Plugin, plugins
from bench.records import Journal
from bench.report import findings
from bench.report.main_table import main_table
from bench.report.text import escape

__all__ = ["GridFactor", "Part", "Report", "main_table", "page", "parse_grid_factor", "parts"]

SECTIONS = "bench.report.sections"
_LAST = 1000
_MOST_NAMES = 4
"""Workloads that the title names."""
_GRID = re.compile(r"(\d+(?:\.\d+)?)gCO2e/kWh@(\d{4}):(.*\S.*)")


@dataclass(frozen=True, slots=True)
class GridFactor:
    """What a kilowatt-hour emits, and who says so.

    Args:
        grams_per_kwh: gCO2e per kWh.
        source: Publisher and year.
    """

    grams_per_kwh: float
    source: str


def parse_grid_factor(text: str) -> GridFactor:
    """The factor that ``34gCO2e/kWh@2025:source`` stands for; no factor has a default.

    >>> parse_grid_factor("34gCO2e/kWh@2025:RTE")
    GridFactor(grams_per_kwh=34.0, source='RTE, 2025')

    Raises:
        ValueError: A part of it is missing.
    """
    match = _GRID.fullmatch(text)
    if match is None:
        raise ValueError(
            f"found the grid factor {text!r}, wanted grams, year and source,"
            " such as 34gCO2e/kWh@2025:RTE"
        )
    grams, year, source = match.groups()
    return GridFactor(float(grams), f"{source.strip()}, {year}")


@dataclass(frozen=True, slots=True)
class Report:
    """What a section may speak of.

    Args:
        tables: One for each device of each run.
        figure: Address of the Pareto figure, relative to the page, or None if there is none.
        grid: What a kilowatt-hour emits, or None: then nothing is said of carbon.
        sweep_figure: Address of the figure of quality against size, or None.
        size_budget: Most bytes that a model may have, or None: then nothing is said of who fits.
        since: Journals of an earlier run that the changes are told against; empty if none is named.
        left_out: Names of files that were left out, each with the reason.
    """

    tables: tuple[Table, ...]
    figure: str | None = None
    grid: GridFactor | None = None
    sweep_figure: str | None = None
    size_budget: int | None = None
    since: tuple[Journal, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What one section says.

    Args:
        name: The section's; ``title`` for what stands above them all.
        text: Markdown.
    """

    name: str
    text: str


def page(report: Report) -> str:
    """The whole page as Markdown."""
    return "\n\n".join(part.text for part in parts(report)) + "\n"


def parts(report: Report) -> tuple[Part, ...]:
    """The title and what each section says, in order.

    A section that cannot be loaded or that fails leaves a visible line in its place: the others
    still say what they have to say.
    """
    return (Part("title", _title(report)), *_sections(report))


def _title(report: Report) -> str:
    names = dict.fromkeys(row.case.workload for table in report.tables for row in table.rows)
    measured = any(findings.is_measured(table) for table in report.tables)
    what = "Energy per inference" if measured else "Time per inference (energy not measured)"
    shown = escape(", ".join(names)) if len(names) <= _MOST_NAMES else _shortened(list(names))
    lines = [f"# {what}: {shown}" if names else "# Nothing was measured"]
    journals = findings.journals(report.tables)
    if any(map(findings.is_simulated, journals)):
        lines.append(f"⚠️ **{findings.SIMULATED}**")
    for journal in journals:
        run = journal.run
        commit = f" · commit {escape(str(run.git['commit'])[:9])}" if run.git else ""
        cpu = escape(run.machine.get("cpu") or "unknown CPU")
        if findings.is_simulated(journal):
            cpu = "simulated device"
        lines.append(f"{cpu} · {escape(run.started)} · run {escape(run.run_id)}{commit}")
    return "\n\n".join(lines)


def _shortened(names: list[str]) -> str:
    """The first names, and how many more there are."""
    return f"{escape(', '.join(names[:_MOST_NAMES]))} and {len(names) - _MOST_NAMES} more"


def _sections(report: Report) -> Iterator[Part]:
    found, broken = plugins(SECTIONS, "section")
    for plugin in sorted(found.values(), key=lambda plugin: (_order(plugin), plugin.name)):
        try:
            text = plugin.target(report)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the others go on
            text = _failed(plugin.name, f"{type(error).__name__}: {error}")
        if text:
            yield Part(plugin.name, text)
    for each in broken:
        yield Part(each.name, _failed(each.name, each.reason))


def _order(plugin: Plugin) -> int:
    module = sys.modules.get(plugin.module.partition(":")[0])
    return int(getattr(module, "ORDER", _LAST))


def _failed(name: str, reason: str) -> str:
    return f"> **The section {escape(name)} could not be written:** {escape(reason)}"
