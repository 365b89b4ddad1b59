"""Words of a page beside words of a journal: see `page_pieces`."""

import html
from collections.abc import Iterable, Sequence
from itertools import pairwise

from page_pieces import Place


def printable(value: object) -> str:
    """A value as one line of printable characters, as each page shows it."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


def same(shown: str, value: object) -> bool:
    """Whether a piece of a page, without any markup of its own, says a text of the journal."""
    return "<" not in shown and html.unescape(shown) == printable(value)


def is_code(shown: str, value: object) -> bool:
    """The same in ``<code>``."""
    inner = shown.removeprefix("<code>").removesuffix("</code>")
    return shown == f"<code>{inner}</code>" and same(inner, value)


def follows(place: Place, shown: str, expected: Iterable[str], first: str = "") -> bool:
    """Whether a line is one of those expected, behind the one that it should stand behind.

    Args:
        place: Where it stands.
        shown: The line as it is in the file.
        expected: All of the list, in order, as plain words (no markup).
        first: The line above the list; the fold's own if empty.
    """
    lines: Sequence[str] = [first or f"<summary>{place.fold}</summary>", *expected]
    here = (words(place.above), words(shown))
    return any((words(one), words(other)) == here for one, other in pairwise(lines))


def words(line: str) -> str:
    """A line without the tags of code and with its entities as characters."""
    return html.unescape(line.replace("<code>", "").replace("</code>", ""))


def thin(whole: int) -> str:
    """A count with thin thousands."""
    return f"{whole:,}".replace(",", "\u202f")


def text_of(value: float, digits: int) -> str:
    """To so many significant digits, without powers of ten."""
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return f"{value:.{max(0, digits - 1 - exponent)}f}"
