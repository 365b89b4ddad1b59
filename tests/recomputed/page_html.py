"""An HTML page or an SVG file as a tree, and as the words it says in order; nothing of `bench`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

Said = tuple[str, ...]
"""What kind of thing is said (``words``, ``row``, ``fold``, ``figure``), and its words or cells."""

VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}
_SPOKEN = {"p", "h1", "h2", "h3", "h4", "li", "pre", "summary", "sub"}
_AROUND = {"body", "main", "div", "section", "details", "blockquote", "ul", "ol", "table", "thead",
           "tbody"}  # fmt: skip


@dataclass
class Node:
    """An element.

    Args:
        tag: Its name in small letters.
        attributes: By name in small letters; an empty text for one without a value.
        inside: Elements and texts in order; a comment is the element ``!``.
    """

    tag: str
    attributes: dict[str, str]
    inside: list["Node | str"] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes.get(name, "")

    @property
    def nodes(self) -> list["Node"]:
        return [each for each in self.inside if isinstance(each, Node)]

    @property
    def classes(self) -> set[str]:
        return set(self["class"].split())

    def all(self, tag: str = "", class_: str = "") -> list["Node"]:
        """The elements within it, in order; of a tag and a class where they are given."""
        return [
            each
            for each in self.walk()
            if tag in {"", each.tag} and (not class_ or class_ in each.classes)
        ]

    def one(self, tag: str, class_: str = "") -> "Node":
        found = self.all(tag, class_)
        if len(found) != 1:
            raise LookupError(f"{len(found)} elements are {tag}.{class_}")
        return found[0]

    def walk(self) -> Iterator["Node"]:
        for each in self.nodes:
            yield each
            yield from each.walk()

    def text(self) -> str:
        """Its words: a `<br>` is a space, a `<wbr>` is nothing."""
        return "".join(
            each if isinstance(each, str) else {"br": " ", "!": ""}.get(each.tag, each.text())
            for each in self.inside
        )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        if len(node.attributes) < len(attrs):
            raise ValueError(f"an attribute of {tag} stands twice")
        self.open[-1].inside.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1].tag != tag:
            raise ValueError(f"found </{tag}>, wanted </{self.open[-1].tag}>")
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)

    def handle_comment(self, data: str) -> None:
        self.open[-1].inside.append(Node("!", {}, [data]))


def tree(text: str) -> Node:
    """The root of a page or of a drawing.

    Raises:
        ValueError: An element is not closed, or one is closed that is not open.
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    if len(reader.open) > 1:
        raise ValueError(f"{reader.open[-1].tag} was not closed")
    return reader.open[0]


def tidy(text: str) -> str:
    """White space of a source as one space; thin and unbreakable spaces are signs and stay."""
    return re.sub(r"[ \t\r\n]+", " ", text).strip(" ")


def words(main: Node) -> Iterator[Said]:
    """What the main part of a page says, in order; a figure is only named.

    Raises:
        ValueError: Words stand where none may.
    """
    for each in main.inside:
        if isinstance(each, str):
            if each.strip():
                raise ValueError(f"found {each.strip()!r} between the elements of {main.tag}")
        elif each.tag == "figure":
            yield "figure", each["id"]
        elif each.tag == "tr":
            yield ("row", *(tidy(cell.text()) for cell in each.nodes))
        elif each.tag == "details":
            yield "fold", "open"
            yield from words(each)
            yield "fold", "close"
        elif each.tag in _SPOKEN:
            if any(inner.tag in _SPOKEN - {"sub"} for inner in each.walk()):
                yield from words(each)
            else:
                yield "words", tidy(each.text())
        elif each.tag in _AROUND:
            yield from words(each)
        else:
            raise ValueError(f"found the element {each.tag} in {main.tag}")
