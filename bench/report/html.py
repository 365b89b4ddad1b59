"""The report as one HTML file that needs no network: the sections' words, live tables and figures.

A policy in its head forbids everything but its own style sheet and script, which stand in it and
are named by their hashes: no address is ever asked, and nothing of a journal can run.
"""

import base64
import hashlib
import html
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources
from itertools import count
from string import Template

from bench.compare import Table
from bench.report import findings
from bench.report.charts import pareto_figure, sweep_figure
from bench.report.markdown import Part, Report, parts
from bench.report.markup import plain, to_html

PARETO, SWEEP = "figure-pareto", "figure-sweep"
"""What stands for the address of a figure: the figure itself takes its place."""

_FIGURE = re.compile(rf"^!\[[^\n]*\]\(({PARETO}|{SWEEP})\)$", re.MULTILINE)
_HEADING = re.compile(r"<(h[12])>(.*?)</\1>", re.DOTALL)
_FIGURE_NAME = re.compile(r'<figure id="[^"]*" aria-label="([^"]*)">')
_LINE = re.compile(r"<p><strong>([^<]*)</strong></p>")
_FOLD = re.compile(r"<details>\s*<summary>(.*?)</summary>", re.DOTALL)


def page(report: Report) -> str:
    """The whole file. The same journals give the same bytes.

    Args:
        report: Its figures are drawn here, whatever their addresses are.

    Raises:
        ValueError: The libraries that write HTML are missing, with what to install.
    """
    figures = {
        PARETO: _drawn(pareto_figure, report, PARETO),
        SWEEP: _drawn(sweep_figure, report, SWEEP),
    }
    shown = replace(
        report,
        figure=PARETO if figures[PARETO] else None,
        sweep_figure=SWEEP if figures[SWEEP] else None,
    )
    title, *rest = parts(shown)
    head = to_html(title.text)
    heading = _HEADING.search(head)
    places: list[tuple[str, str]] = []
    sections = [_section(part, figures, places) for part in rest]
    return Template(_asset("page.html")).substitute(
        policy=_policy(),
        title=html.escape(plain(heading[2])) if heading else "joulebench",
        style=_asset("page.css"),
        script=_asset("page.js"),
        contents="".join(
            f'<li><a href="#{name}">{html.escape(label)}</a></li>' for name, label in places
        ),
        head=head,
        sections="\n".join(sections),
        journals=", ".join(
            f"<code>{html.escape(journal.path.name)}</code>"
            for journal in findings.journals(report.tables)
        )
        or "no journal",
    )


def _drawn(draw: Callable[[Sequence[Table], str], str], report: Report, name: str) -> str:
    """A figure; one that cannot be drawn leaves a visible line, and the page stands."""
    try:
        return draw(report.tables, name)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        reason = html.escape(f"{type(error).__name__}: {error}")
        return f"<p><strong>The figure could not be drawn:</strong> {reason}</p>"


def _section(part: Part, figures: dict[str, str], places: list[tuple[str, str]]) -> str:
    """One section, whose headings and folded parts go to the list of places."""
    name = _slug(part.name)
    body = "".join(
        figures.get(piece, "") if number % 2 else to_html(piece)
        for number, piece in enumerate(_FIGURE.split(part.text))
    )
    if not body.lstrip().startswith("<details>"):
        label = _title(body) or part.name.replace("_", " ").capitalize()
        places.append((name, label))
        named = f' aria-label="{html.escape(label)}"'
    else:
        named = ""

    def opened(fold: re.Match[str]) -> str:
        line, place = plain(fold[1]), f"{name}-{next(numbers)}"
        places.append((place, line))
        return f'<details id="{place}"><summary>{html.escape(line)}</summary>'

    numbers = count(1)
    body = _FOLD.sub(opened, body)
    return f'<section id="{name}"{named}>\n{body}</section>'


def _title(body: str) -> str:
    """What a section calls itself: its heading, its figure, or a line that stands alone in bold."""
    found = _HEADING.search(body)
    if found:
        return plain(found[2])
    found = _FIGURE_NAME.match(body) or _LINE.match(body)
    return plain(found[1]) if found else ""


def _slug(name: str) -> str:
    """A section's name as an id: an entry point may have any."""
    return f"s-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'section'}"


def _asset(name: str) -> str:
    return (
        resources.files("bench.report").joinpath("assets", name).read_text(encoding="utf-8").strip()
    )


def _policy() -> str:
    """What the page may do: use its own style sheet and script, by their hashes; nothing else."""
    style, script = (_hash(f"\n{_asset(name)}\n") for name in ("page.css", "page.js"))
    return (
        f"default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
