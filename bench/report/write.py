"""From journals to the files of a report: a page as Markdown or HTML, tables as LaTeX or CSV."""

import csv as csv_
import io
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.compare import Row, Table, compare
from bench.quantities import Absent, Quantity
from bench.record import JournalError
from bench.records import Journal, read
from bench.report import html, latex, text
from bench.report.best_runtime import beside_best, crosses, family
from bench.report.figures import svg
from bench.report.markdown import GridFactor, Report, page
from bench.report.sweep_figure import svg as sweep_svg
from bench.statistics import Interval


def write(
    journals: Sequence[Path],
    out: Path,
    *,
    grid: GridFactor | None = None,
    size_budget: int | None = None,
    since: Sequence[Path] = (),
    say: Callable[[str], object] = lambda _: None,
) -> tuple[Path, ...]:
    """Writes the report of some journals: the same journals give the same bytes.

    Args:
        journals: At least one.
        out: Its suffix says what is written: ``.md`` the page, with the figures (if there are any)
            and the CSV beside it; ``.html`` one file that holds all; ``.tex`` the main tables;
            ``.csv`` their numbers.
        grid: What a kilowatt-hour emits; without it nothing is said of carbon.
        size_budget: Most bytes that a model may have; without it nothing is said of who fits.
        since: Journals of an earlier run, which the changes are told against.
        say: Is told of each journal that cannot be read where others can; the page names it too.

    Returns:
        The files that were written, the page first.

    Raises:
        ValueError: No journal was given, nothing is written as such a file, or a library that
            writes it is missing.
        JournalError: No journal can be read.
    """
    if not journals:
        raise ValueError(
            "found no journal to report on; give at least one, such as results/*.jsonl"
        )
    form = require_form(out)
    found, unreadable = _readable(journals)
    for _, reason in unreadable:
        say(reason)
    bare = [(each.path.name, "it holds no finished case") for each in found if not each.cases]
    report = Report(
        compare(found),
        grid=grid,
        size_budget=size_budget,
        since=tuple(read(path) for path in since),
        left_out=(*unreadable, *(bare if len(bare) < len(found) else ())),
    )
    texts = form(report, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, content in texts.items():
        replace_file(path, content)
    return tuple(texts)


Form = Callable[[Report, Path], dict[Path, str]]


def require_form(out: Path) -> Form:
    """What writes a file with the name *out*.

    Raises:
        ValueError: Nothing does.
    """
    if out.suffix not in _FORMS:
        raise ValueError(
            f"found -o {out}, wanted a name that ends in {', '.join(_FORMS)}: the suffix says"
            " what is written"
        )
    return _FORMS[out.suffix]


def _markdown(report: Report, out: Path) -> dict[Path, str]:
    """The page with its figures and the CSV beside it."""
    figure, swept = out.with_name(f"{out.stem}.svg"), out.with_name(f"{out.stem}-size.svg")
    drawings = {figure: svg(report.tables), swept: sweep_svg(report.tables)}
    names = {path: path.name if drawing else None for path, drawing in drawings.items()}
    shown = replace(report, figure=names[figure], sweep_figure=names[swept])
    texts = {out: page(shown), out.with_name(f"{out.stem}.csv"): csv(report.tables)}
    return texts | {path: drawing for path, drawing in drawings.items() if drawing}


_FORMS: dict[str, Form] = {
    ".md": _markdown,
    ".html": lambda report, out: {out: html.page(report)},
    ".tex": lambda report, out: {out: latex.latex(report)},
    ".csv": lambda report, out: {out: csv(report.tables)},
}
"""What is written, by the suffix of the file's name."""


def _readable(paths: Sequence[Path]) -> tuple[list[Journal], tuple[tuple[str, str], ...]]:
    """The journals that can be read; names of the others' files, each with the reason.

    Raises:
        JournalError: None can be read; it is what the first one says.
    """
    found, unreadable = [], []
    first: JournalError | None = None
    for path in paths:
        try:
            found.append(read(path))
        except JournalError as error:
            first = first or error
            unreadable.append((path.name, str(error).replace(str(path), path.name)))
    if first and not found:
        raise first
    return found, tuple(unreadable)


def replace_file(path: Path, content: str) -> None:
    """Puts *content* at *path* in one step: a reader sees the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def csv(tables: Sequence[Table]) -> str:
    """The main tables in long form, SI units: one line for each case and quantity.

    A quantity that is absent has its reason instead of a value. No text is a formula to a
    spreadsheet: what would be one begins with an apostrophe.
    """
    sheet = io.StringIO()
    writer = csv_.writer(sheet, lineterminator="\n")
    writer.writerow((*_CASE, "quantity", *_FIELDS))
    for table in tables:
        for row in table.rows:
            case = [text.cell(value) for value in _case(table, row)]
            for name, value, unit in _quantities(row, table.rows):
                writer.writerow((*case, name, *map(text.cell, _value(value, unit))))
    return sheet.getvalue()


_CASE = (
    "run", "machine", "device", "case", "baseline", "workload", "technique", "level", "runtime",
    "batch", "sample", "energy_verdict", "time_verdict",
)  # fmt: skip
_FIELDS = ("value", "low", "high", "n", "unit", "kind", "boundary", "reason")


def _case(table: Table, row: Row) -> tuple[Any, ...]:
    """The columns of `_CASE`."""
    run, case = table.journal.run, row.case
    return (
        run.run_id,
        run.machine.get("id"),
        table.device,
        case.case,
        case.baseline,
        case.workload,
        case.technique,
        ",".join(f"{name}={value}" for name, value in sorted(case.level.items())),
        case.runtime,
        case.batch,
        case.unit,
        str(row.energy_verdict),
        str(row.time_verdict),
    )


def _quantities(row: Row, rows: Sequence[Row]) -> list[tuple[str, Any, str]]:
    """Name, value and unit of what is known of a row."""
    found = {
        "energy": row.energy,
        "energy_net": row.net,
        "energy_estimate": row.estimate,
        "power": row.power,
        "energy_ratio": row.energy_ratio,
        "time_ratio": row.time_ratio,
        "throughput": row.throughput,
        "latency_p50": row.latency_p50_s,
        "latency_p99": row.latency_p99_s,
        "quality": row.quality or (row.case.quality["value"] if row.case.quality else None),
        "quality_change": row.quality_change_interval or row.quality_change,
        "size_disk": row.case.size_bytes.get("disk"),
        **_beside_best(row, rows),
        "memory_peak": row.case.memory_bytes.get("peak"),
        "memory_cuda": row.case.memory_bytes.get("cuda"),
    }
    units = {"throughput": "sample/s", "latency_p50": "s", "latency_p99": "s"}
    units |= dict.fromkeys(("size_disk", "memory_peak", "memory_cuda"), "byte")
    return [
        (name, value, units.get(name, "1")) for name, value in found.items() if value is not None
    ]


def _beside_best(row: Row, rows: Sequence[Row]) -> dict[str, Interval | None]:
    """What it costs beside the best float32 runtime, where there are several runtimes."""
    if not crosses(family(row, rows)):
        return {}
    return {
        f"{'energy' if energy else 'time'}_ratio_best_fp32": beside_best(row, rows, energy=energy)
        for energy in (True, False)
    }


def _value(value: Quantity | Absent | Interval | float, unit: str) -> tuple[Any, ...]:
    """The columns of `_FIELDS`; a number is a decimal one, a count as well."""
    if isinstance(value, Absent):
        return (*[None] * 7, str(value))
    if isinstance(value, Quantity):
        ends = map(float, (value.value, value.low, value.high))
        return (*ends, None, value.unit, str(value.kind), value.boundary, None)
    if isinstance(value, Interval):
        ends = map(float, (value.value, value.low, value.high, value.n))
        return (*ends, unit, None, None, None)
    return (float(value), None, None, None, unit, None, None, None)
