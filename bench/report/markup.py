"""The sections' Markdown as clean HTML: what a strict list allows, and nothing else.

The sections stay the one source: what GitHub shows and what the HTML page shows are the same words.
markdown-it-py reads them; nh3 throws away each element and attribute that is not on the list, so
that nothing of a journal, or of somebody else's section, is ever run. Both are the extra ``html``.
"""

import html
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

_INSTALL = "pip install 'joulebench[html]'"
_PLAIN = {
    "h1", "h2", "h3", "h4", "p", "br", "hr", "strong", "em", "code", "pre", "ul", "ol", "li", "sub",
    "sup", "blockquote", "thead", "tbody", "tr", "details", "summary", "wbr",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href"},
    "div": {"class", "role", "aria-label", "tabindex"},
    "table": {"class"},
    "td": {"class", "data-sort"},
    "th": {"class", "scope", "data-sort"},
}
_SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.DOTALL)
_NUMBER = re.compile(
    r"(?:A/A |[<>≈] ?)?(?P<value>[−+-]?[0-9][0-9\u202f]*(?:\.[0-9]+)?)(?:×10\^(?P<power>[0-9]+))?"
    r"(?![\w.@=:])(?P<more>(?: ± [^ ]+)?(?: / [^ ]+)?(?: \[[^\]]*\])?)(?: ?(?P<word>[A-Za-zµ]\S*))?"
)
_UNIT = re.compile(r"(?:(?P<binary>[KMG])i|(?P<prefix>[kmµnpMGT])?)(?:B|J|W|s|MAC)(?:/s)?")
_WORDS = {"to", "or", "per", "est.", "mod."}
"""What may stand behind a bare number that has no unit; with another word it begins a name."""
_BINARY = {"K": 2.0**10, "M": 2.0**20, "G": 2.0**30}
_FACTORS = {
    "p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
}  # fmt: skip
_JOINTS = re.compile(r"(?<=[@,:])(?=\S)")
_GOOD, _BAD = re.compile(r"\bsaves\b"), re.compile(r"\b(costs|breaks quality|regressed)\b")


def to_html(markdown: str) -> str:
    """Markdown with the sections' few tags as HTML that cannot do anything.

    Tables get a frame that scrolls and that the keyboard reaches, header cells their scope, and
    cells of numbers the number to sort by.

    Raises:
        ValueError: The libraries are missing, with what to install.
    """
    try:
        import nh3
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise ValueError(
            f"found no {error.name}, wanted it to write an HTML page; do: {_INSTALL}"
        ) from error
    reader = MarkdownIt("commonmark", {"html": True}).enable("table").disable("image")
    tokens = _framed(reader.parse(markdown))
    written = str(reader.renderer.render(tokens, reader.options, {}))
    cleaned: str = nh3.clean(
        written,
        tags=_PLAIN | set(_ATTRIBUTES),
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        clean_content_tags={"script", "style"},
    )
    return cleaned


def _framed(tokens: Iterable["Token"]) -> list["Token"]:
    """The tokens with a frame around each table, named after what stands above it."""
    from markdown_it.token import Token

    found: list[Token] = []
    label, table = "Table", -1
    for token in tokens:
        label = _label(token) or label
        if token.type == "table_open":
            name = html.escape(label)
            frame = f'<div class="scroll" role="group" aria-label="{name}" tabindex="0">\n'
            found.append(Token("html_block", "", 0, content=frame))
            table = len(found)
        found.append(token)
        if token.type == "table_close":
            _mark(found[table:])
            found.append(Token("html_block", "", 0, content="</div>\n"))
    return found


def _label(token: "Token") -> str:
    """What a token says of the tables below it: a caption or the line of a folded part."""
    if token.type == "html_block" and (summary := _SUMMARY.search(token.content)):
        return plain(summary[1])
    children = token.children or []
    if [child.type for child in children[:2]] == ["text", "strong_open"] and not children[
        0
    ].content:
        return _said(children[2:3])
    return ""


def _said(children: Iterable["Token"]) -> str:
    return "".join(child.content for child in children if child.type in ("text", "code_inline"))


def plain(markup: str) -> str:
    """The words of some HTML.

    >>> plain("<b>a</b> &amp; b")
    'a & b'
    """
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def _mark(tokens: list["Token"]) -> None:
    """Classes, scopes and numbers of the cells of one table."""
    cells = list(_cells(tokens))
    width = sum(row == 0 for row, *_ in cells)
    contents = [content for _, _, content, _ in cells]
    guessed = {
        place for (_, place, *_), content in zip(cells, contents, strict=True) if _is_guess(content)
    }
    heads = [_said(content.children or ()) for content in contents[:width]]
    named = _named(cells)
    for row, place, content, (opening, closing) in cells:
        number = opening.attrs.pop("style", "") == "text-align:right" and place not in named
        said, classes, own = _said(content.children or ()), "n" if number else "", ""
        if row == 0:
            own = "unranked" if place in guessed else ""
            opening.attrs["scope"] = "col"
        else:
            own = _colour(said) if heads[place] == "verdict" else ""
            if number and place not in guessed and (value := sort_value(said)) is not None:
                opening.attrs["data-sort"] = f"{value:.12g}"
            if place == 0:
                opening.tag = closing.tag = "th"
                opening.attrs["scope"] = "row"
                content.children = list(_breakable(content.children or ()))
        if classes or own:
            opening.attrs["class"] = f"{classes} {own}".strip()


def _named(cells: Iterable[tuple[int, int, "Token", object]]) -> set[int]:
    """The columns that hold words alone: they sort as words, wherever they stand."""
    spoken, counted = set(), set()
    for row, place, content, _ in cells:
        said = _said(content.children or ())
        if row and sort_value(said) is not None:
            counted.add(place)
        elif row and re.search(r"[A-Za-z]", said):
            spoken.add(place)
    return spoken - counted


def _cells(tokens: list["Token"]) -> Iterator[tuple[int, int, "Token", tuple["Token", "Token"]]]:
    """Row and column of each cell of a table, its content, and what opens and closes it."""
    row, place = -1, 0
    for index, token in enumerate(tokens):
        if token.type == "tr_open":
            row, place = row + 1, 0
        elif token.type in ("th_open", "td_open"):
            yield row, place, tokens[index + 1], (token, tokens[index + 2])
            place += 1


def _breakable(children: Iterable["Token"]) -> Iterator["Token"]:
    """Long names with places where a line may end: after the signs between their parts."""
    from markdown_it.token import Token

    for child in children:
        pieces = _JOINTS.split(child.content) if child.type == "text" else []
        if len(pieces) < 2:  # noqa: PLR2004 - nothing to break
            yield child
            continue
        for number, piece in enumerate(pieces):
            if number:
                yield Token("html_inline", "", 0, content="<wbr>")
            yield Token("text", "", 0, content=piece)


def _is_guess(content: "Token") -> bool:
    """Whether a cell is in italics: an estimate or a model, by which nobody ranks."""
    types = [child.type for child in content.children or () if child.content or child.nesting]
    return types[:1] == ["em_open"] and types[-1:] == ["em_close"]


def _colour(verdict: str) -> str:
    if _BAD.search(verdict):
        return "bad"
    return "good" if _GOOD.search(verdict) else ""


def sort_value(cell: str) -> float | None:
    """The number that a cell begins with, in the unit itself; None where there is none.

    >>> sort_value("23.6 KiB"), sort_value("A/A 0.99 [0.97, 1.01]"), sort_value("206 ± 6 GB/s")
    (24166.4, 0.99, 206000000000.0)
    >>> sort_value("—¹"), sort_value("memory (gemm-fp32)"), sort_value("0 Linear")
    (None, None, None)
    """
    found = _NUMBER.match(cell)
    if found is None:
        return None
    value = float(found["value"].replace("\u202f", "").replace("−", "-"))
    value *= 10.0 ** int(found["power"] or 0)
    unit = _UNIT.fullmatch(found["word"] or "")
    if unit:
        return value * _BINARY.get(unit["binary"], 1.0) * _FACTORS.get(unit["prefix"], 1.0)
    return value if found["more"] or found["word"] in {None, *_WORDS} else None
