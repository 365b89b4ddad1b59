"""Pieces of Markdown: tables, folded parts, code. They take text that is escaped already."""

import html
from collections.abc import Iterable, Sequence

from bench.report.text import plain


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1, last: int = 0
) -> str:
    """A GitHub table.

    Args:
        header: One word or two for each column.
        rows: Cells, escaped; a row has as many as the header.
        left: How many columns, from the first, are text; numbers stand to the right.
        last: How many columns at the end are text.
    """
    numbers = len(header) - left - last
    rule = [":--"] * left + ["--:"] * numbers + [":--"] * last
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def details(summary: str, body: str) -> str:
    """A part that is folded until the reader opens it."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def bullets(items: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {item}" for item in items)


def commands(lines: Iterable[str]) -> str:
    """Shell commands, one a line, as HTML: whatever they hold, nothing leaves the block."""
    return "\n".join(
        ("<pre><code>", *(html.escape(plain(line), quote=False) for line in lines), "</code></pre>")
    )


def sentence_list(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence; beyond *most* they are counted.

    >>> sentence_list(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
