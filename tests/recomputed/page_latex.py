"""The LaTeX of a report as tables of the page's own cells, translated back; nothing of `bench`."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

MATHS = {
    "-": "−", r"\pm": "±", r"\times": "×", r"\div": "÷", r"\approx": "≈", r"\geq": "≥",
    r"\leq": "≤", r"\mu": "µ", r"\Delta": "Δ", r"\cdot": "·", r"\bullet": "●", r"\circ": "○",
    r"^\circ": "°",
}  # fmt: skip
NAMED = {
    r"\textbackslash": "\\", r"\textasciitilde": "~", r"\textasciicircum": "^", r"\textbar": "|",
    r"\textless": "<", r"\textgreater": ">", r"\textasciigrave": "`", r"\textendash": "–",
    r"\textemdash": "—", r"\ldots": "…",
}  # fmt: skip
STARS = {r"\textbf": "**", r"\textit": "*"}
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_PREAMBLE = (
    r"% The main tables of a joulebench report. They need \usepackage{booktabs,graphicx}.",
    "% Each is as wide as the page; in sidewaystable (package rotating) there is more room.",
    "% Throughput, modelled values and the ceilings of the machine stand in the report only.",
)
_PIECE = re.compile(
    r"\\ensuremath\{(?P<maths>[^{}]*)\}|\\textsuperscript\{(?P<raised>[0-9])\}"
    r"|\\texttt\{U\+(?P<point>[0-9A-F]{4,6})\}|\\symbol\{(?P<symbol>[0-9]+)\}"
    r"|(?P<named>\\[a-z]+)\{\}|(?P<open>\\text(?:bf|it))\{|\\(?P<sign>[{}$&#_%])"
    r"|(?P<thin>\\,)|(?P<tie>~)|(?P<empty>\{\})|(?P<close>\})|(?P<plain>[^\\{}~$&#_%^])"
)


def from_latex(text: str) -> str:
    r"""The words of some LaTeX, with the stars that bold and italics have in Markdown.

    Raises:
        ValueError: A command stands in it that no report writes.
    """
    found, stars, at = [], [], 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise ValueError(f"found {text[at : at + 20]!r}")
        at = piece.end()
        kind, value = piece.lastgroup, piece[piece.lastgroup or 0]
        if kind == "open":
            stars.append(STARS[value])
            found.append(stars[-1])
        elif kind == "close":
            found.append(stars.pop())
        elif kind in {"point", "symbol"}:
            found.append(chr(int(value, 16 if kind == "point" else 10)))
        else:
            found.append(_word(kind or "", value))
    if stars:
        raise ValueError(f"a group of {text!r} is open")
    return "".join(found)


def _word(kind: str, value: str) -> str:
    if kind == "raised":
        return RAISED[int(value)]
    fixed = {"thin": "\N{NARROW NO-BREAK SPACE}", "tie": "\N{NO-BREAK SPACE}", "empty": ""}
    words = {"maths": MATHS, "named": NAMED}.get(kind, fixed if kind in fixed else {})
    return words[kind if kind in fixed else value] if words else value


@dataclass(frozen=True)
class LatexTable:
    """One table.

    Args:
        caption: As Markdown would have it; so are header, rows and notes.
        label: For references.
        shape: How each column stands.
        header: Of the columns.
        rows: Cells.
        notes: Below it, in order.
    """

    caption: str
    label: str
    shape: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


_TABLE = (
    r"\\begin\{table\*\}\n\\centering\n\\small\n\\caption\{(?P<caption>.*)\}\n"
    r"\\label\{(?P<label>.*)\}\n\\smallskip\n"
    r"\\resizebox\{\\textwidth\}\{!\}\{\\begin\{tabular\}\{(?P<shape>[lr]+)\}\n"
    r"\\toprule\n(?P<header>.*)\n\\midrule\n(?P<rows>(?:.*\n)+)\\bottomrule\n"
    r"\\end\{tabular\}\}\n(?P<notes>(?:\\par.*\n)*)\\end\{table\*\}"
)


def latex_tables(text: str) -> Iterator[LatexTable]:
    """The tables of a file, of which no line may be unknown.

    Raises:
        ValueError: One is.
    """
    preamble, *found = text.removesuffix("\n").split("\n\n")
    if tuple(preamble.split("\n")) != _PREAMBLE:
        raise ValueError(f"found the preamble {preamble!r}")
    for each in found:
        table = re.fullmatch(_TABLE, each)
        if table is None:
            raise ValueError(f"found {each!r}, wanted a table")
        yield LatexTable(
            from_latex(table["caption"]),
            table["label"],
            table["shape"],
            _row(table["header"]),
            tuple(map(_row, table["rows"].splitlines())),
            tuple(_notes(table["notes"].splitlines())),
        )


def _row(line: str) -> tuple[str, ...]:
    if not line.endswith(r" \\"):
        raise ValueError(f"found the row {line!r}")
    return tuple(map(from_latex, line.removesuffix(r" \\").split(" & ")))


def _notes(lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        before = rf"\par\smallskip\footnotesize\textsuperscript{{{number}}} "
        if not line.startswith(before):
            raise ValueError(f"found the note {line!r}")
        yield from_latex(line.removeprefix(before))


def as_words(markdown: str) -> str:
    """A cell or caption of the page with its stars, without tags and entities."""
    text = re.sub("<br>", " ", markdown)
    return html.unescape(re.sub(r"</?(code|sub)>", "", text))
