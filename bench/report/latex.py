r"""The main tables as LaTeX, to paste into a paper: booktabs and graphicx are all they need.

Cells are those of the page: its little Markdown (bold, italics, entities) is turned into LaTeX, so
the numbers are the same by construction. Every character that LaTeX acts on is escaped, and a
character that pdfLaTeX has no glyph for is shown as its code point: nothing breaks the document,
nothing is dropped.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.compare import Table
from bench.quantities import Absent
from bench.report import findings, text
from bench.report.main_table import Footnotes, Grid, grids
from bench.report.markdown import Report

_PREAMBLE = (
    "% The main tables of a joulebench report. They need \\usepackage{booktabs,graphicx}.\n"
    "% Each is as wide as the page; in sidewaystable (package rotating) there is more room.\n"
    "% Throughput, modelled values and the ceilings of the machine stand in the report only."
)
_TOKEN = re.compile(r"\*\*|\*|<br>|</?code>|</?sub>|&#?\w+;|.", re.DOTALL)
_TAGS = ("<code>", "</code>", "<sub>", "</sub>")
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "`": r"\textasciigrave{}",
    '"': r"\symbol{34}",
    **{character: f"\\{character}" for character in "{}$&#_%"},
    text.THIN: r"\,",
    "\N{NO-BREAK SPACE}": "~",
    text.MINUS: r"\ensuremath{-}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "÷": r"\ensuremath{\div}",
    "≈": r"\ensuremath{\approx}",
    "≥": r"\ensuremath{\geq}",
    "≤": r"\ensuremath{\leq}",
    "µ": r"\ensuremath{\mu}",
    "Δ": r"\ensuremath{\Delta}",
    "·": r"\ensuremath{\cdot}",
    "●": r"\ensuremath{\bullet}",
    "○": r"\ensuremath{\circ}",
    "°": r"\ensuremath{^\circ}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "…": r"\ldots{}",
    **{text.superscript(n): rf"\textsuperscript{{{n}}}" for n in range(10)},
}
_LATIN = frozenset(map(chr, range(0xC0, 0x100))) - frozenset("ÐðÞþ")
"""Letters that LaTeX has in every encoding of its fonts."""
_OPENING = {"**": r"\textbf{", "*": r"\textit{"}


def latex(report: Report) -> str:
    """The main tables of a report, one for each workload of each device.

    The same journals give the same bytes.
    """
    found = [each for table in report.tables for each in _tables(table, report.tables)]
    if not found:
        found = ["% Nothing was measured: no journal holds a finished case."]
    return "\n\n".join((_PREAMBLE, *found)) + "\n"


def escape(value: object) -> str:
    r"""Any text as harmless LaTeX.

    >>> escape("50 % of $x_1$")
    '50 \\% of \\$x\\_1\\$'
    """
    return _apart("".join(map(_character, text.plain(value))))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii() or character in _LATIN:
        return character
    return rf"\texttt{{U+{ord(character):04X}}}"


def _apart(escaped: str) -> str:
    """Hyphens that stand together, kept so: LaTeX would make a dash of them."""
    return re.sub(r"-(?=-)", "-{}", escaped)


def from_markdown(cell: str) -> str:
    r"""A cell or caption of the page as LaTeX.

    What a journal holds is escaped in it already, so each star and each tag is ours.

    >>> from_markdown("**4.2 ± 0.1**"), from_markdown("a&#95;b &lt; 1")
    ('\\textbf{4.2 \\ensuremath{\\pm} 0.1}', 'a\\_b \\textless{} 1')
    """
    open_marks: list[str] = []
    parts = []
    for piece in _TOKEN.findall(cell):
        if piece in _OPENING:
            if piece in open_marks:
                open_marks.remove(piece)
                parts.append("}")
            else:
                open_marks.append(piece)
                parts.append(_OPENING[piece])
        elif piece == "<br>":
            parts.append(" ")
        elif piece not in _TAGS:
            parts += map(_character, html.unescape(piece))
    return _apart("".join(parts)) + "}" * len(open_marks)


def _tables(table: Table, tables: Sequence[Table]) -> Iterator[str]:
    for number, (name, _) in enumerate(findings.compared(table)):
        notes = Footnotes()
        (grid,) = grids(table, notes, [name])
        yield _environment(
            _narrowed(grid), notes, _caption(table, tables, grid), _label(table, number)
        )


def _narrowed(grid: Grid) -> Grid:
    """A table for paper: without the throughput, which is the time again, and what is modelled."""
    kept = [
        place
        for place, header in enumerate(grid.header)
        if not header.endswith(" per s") and not header.startswith("*modelled")
    ]
    header, *rows = (tuple(row[place] for place in kept) for row in (grid.header, *grid.rows))
    return replace(grid, header=header, rows=tuple(rows))


def _environment(grid: Grid, notes: Footnotes, caption: str, label: str) -> str:
    numbers = len(grid.header) - grid.left - grid.last
    shape = "l" * grid.left + "r" * numbers + "l" * grid.last
    below = [
        rf"\par\smallskip\footnotesize\textsuperscript{{{number}}} {escape(reason)}"
        for number, reason in enumerate(notes.reasons, start=1)
    ]
    return "\n".join(
        (
            r"\begin{table*}",
            r"\centering",
            r"\small",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            r"\smallskip",
            rf"\resizebox{{\textwidth}}{{!}}{{\begin{{tabular}}{{{shape}}}",
            r"\toprule",
            _row(grid.header),
            r"\midrule",
            *map(_row, grid.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            *below,
            r"\end{table*}",
        )
    )


def _row(cells: Sequence[str]) -> str:
    """One line of a table; one that begins with a bracket would be an option of the line above."""
    line = " & ".join(map(from_markdown, cells))
    return f"{'{}' if line.startswith(('[', '*')) else ''}{line} \\\\"


def _label(table: Table, number: int) -> str:
    """A name for references: letters, digits and colons only, whatever a journal holds."""
    run = re.sub(r"[^A-Za-z0-9]+", "-", f"{table.journal.run.run_id}-{table.device}").strip("-")
    return f"tab:joulebench:{run}:{number + 1}"


def _caption(table: Table, tables: Sequence[Table], grid: Grid) -> str:
    """What a reader of the paper must know: what, where, which run, which boundary, how many."""
    run = table.journal.run
    simulated = (
        "Simulated device, no machine's power. " if findings.is_simulated(table.journal) else ""
    )
    device = from_markdown(findings.processor(table))
    place = f"{findings.plain_heading(table, tables)}, machine {run.machine.get('id', 'unknown')}"
    parts = (
        f"{simulated}Energy and time per sample: {from_markdown(_sentences(grid.caption))}.",
        f"{device} ({escape(f'{place}, run {run.run_id}')}).",
        escape(_energy(table)),
        escape(_counted(table, grid)),
    )
    return " ".join(parts)


def _sentences(caption: str) -> str:
    """A caption of the page as sentences of one line, without the last full stop.

    >>> _sentences("**a** · accuracy<br>Baseline: eager.")
    '**a** · accuracy. Baseline: eager'
    """
    return caption.replace("<br>", ". ").removesuffix(".")


def _energy(table: Table) -> str:
    if not findings.is_measured(table):
        absent = findings.why_absent(table)
        return (
            f"Energy was not measured ({absent.reason}); estimates are ranges and are not ranked."
        )
    idle = "Idle power is included" if isinstance(table.idle, Absent) else (
        f"Idle power ({text.quantity(table.idle, text.Prefix('', 1.0))} W) is included"
    )  # fmt: skip
    kinds = ", ".join(dict.fromkeys(str(c.kind) for c in findings.covering(table)))
    return f"Energy is {kinds}, boundary {findings.boundary(table)}. {idle}."


def _counted(table: Table, grid: Grid) -> str:
    """How many pairs stand behind the numbers, and what ± and brackets mean."""
    rows = [row for row in table.rows if row.case.workload == grid.workload]
    counts = sorted(
        {ratio.n for row in rows for ratio in (row.energy_ratio, row.time_ratio) if ratio}
    )
    unit = "processes" if findings.processes(table) else "pairs"
    n = " to ".join(dict.fromkeys(str(count) for count in (*counts[:1], *counts[-1:])))
    said = f"n = {n} {unit}; " if n else ""
    return (
        f"{said}± is the half-width of the 95 % interval, brackets are 95 % intervals of ratios of"
        " neighbouring windows; A/A is a baseline against itself."
    )
