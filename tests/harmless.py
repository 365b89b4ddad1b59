"""Whether a file that we wrote does harm where it is opened: in a browser, a sheet, a terminal."""

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path

_OUR_SPACES = "\n\u202f"  # a narrow one stands between thousands
FORMULAS = ("=", "+", "-", "@")
_NUMBER = re.compile(r"-?[0-9.]+(e[+-]?[0-9]+)?|-?inf|nan")
_MARKDOWN_TAGS = {
    "details", "summary", "sub", "sup", "br", "pre", "code", "picture", "source", "img", "p", "b",
    "strong", "em", "a",
}  # fmt: skip
_ATTRIBUTES = {"src", "srcset", "alt", "media", "width", "href", "open", "align"}
_OURS = re.compile(r"[\w.%-]*\.(svg|csv|html|png)|#[\w-]+")


class _Tags(HTMLParser):
    """The tags of a page, and what stands in its scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        if self._open in {"script", "style"}:
            self.inside.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def faults_of_file(path: Path) -> list[str]:
    """What a file of ours does that it should not, by its kind; every kind must be known here."""
    return _KINDS[path.suffix](path.read_text(encoding="utf-8"))


def unprintable(text: str) -> list[str]:
    """Characters that colour a terminal, turn a line round, or break it where nobody sees it."""
    odd = {c for c in text if not (c.isprintable() or c in _OUR_SPACES)}
    return [f"holds the character {ord(c):#x}" for c in sorted(odd)]


def of_markdown(text: str) -> list[str]:
    """Faults of a page: tags that GitHub or another reader might run, and broken tables."""
    tags = _tags(text)
    found = unprintable(text)
    found += [f"has the tag {tag}" for tag, _ in tags if tag not in _MARKDOWN_TAGS]
    for _, attributes in tags:
        found += [f"has the attribute {name}" for name in attributes if name not in _ATTRIBUTES]
        found += _bad_addresses(attributes)
    found += [
        f"links to {address}"
        for address in re.findall(r"\]\(([^)]*)\)", _read_as_markdown(text))
        if not _OURS.fullmatch(address)
    ]
    found += [f"opens {text.count('<details>')} parts"] * (
        text.count("<details>") != text.count("</details>")
    )
    return [*found, *_broken_tables(text)]


def _read_as_markdown(text: str) -> str:
    """A page without what stands in ``<pre>``: no Markdown is read there."""
    return re.sub(r"^<pre>.*?</pre>", "", text, flags=re.DOTALL | re.MULTILINE)


def _broken_tables(text: str) -> list[str]:
    found = []
    for is_table, lines in groupby(text.splitlines(), lambda line: line.startswith("|")):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        if is_table and len(counts) > 1:
            found.append(f"has a table of {counts} pipes")
    return found


def of_html(text: str) -> list[str]:
    """Faults of an offline page: what was in the journal stands in text, and nowhere else."""
    parser = _Tags()
    parser.feed(text)
    found = unprintable(text.replace("\t", " "))
    for tag, attributes in parser.tags:
        found += [f"has {name} on {tag}" for name in attributes if name.startswith("on")]
        found += _bad_addresses(attributes)
    hidden = "".join(parser.inside)
    found += ["has a journal's text in a script"] * ("alert(" in hidden or "evil" in hidden)
    return found + ["loads from a network"] * bool(
        re.search(r"(src|href)=[\"']?(https?:)?//", text)
    )


def of_svg(text: str) -> list[str]:
    """Faults of a figure: it is XML without scripts."""
    found = []
    for element in ET.fromstring(text).iter():
        name = element.tag.rpartition("}")[2]
        found += [f"has the element {name}"] * (name in {"script", "foreignObject", "image"})
        found += [f"has {key}" for key in element.attrib if key.lower().startswith("on")]
    return found


def of_csv(text: str) -> list[str]:
    """Faults of a table: lines of one length, no cell that a spreadsheet would run."""
    lines = list(csv.reader(io.StringIO(text)))
    found = unprintable(text)
    found += ["has lines of several lengths"] * (len({len(line) for line in lines}) > 1)
    cells = {cell for line in lines for cell in line if cell.startswith(FORMULAS)}
    return found + [f"runs {cell[:20]}" for cell in cells if not _NUMBER.fullmatch(cell)]


def of_latex(text: str) -> list[str]:
    """Faults of a table for a paper: no command of a journal's text."""
    found = unprintable(text)
    bad = re.findall(r"\\(?:input|include|write\d*|openout|read|catcode|def)\b", text)
    return found + [f"runs {command}" for command in bad]


def _tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(text)
    return parser.tags


def _bad_addresses(attributes: Mapping[str, str | None]) -> list[str]:
    return [
        f"goes to {value}"
        for name, value in attributes.items()
        if name in {"src", "href", "srcset"} and not _OURS.fullmatch(value or "")
    ]


_KINDS: Mapping[str, Callable[[str], list[str]]] = {
    ".md": of_markdown,
    ".csv": of_csv,
    ".svg": of_svg,
    ".html": of_html,
    ".tex": of_latex,
}
