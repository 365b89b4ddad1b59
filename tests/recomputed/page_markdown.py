"""The words that a Markdown page says, in order, by a small reader of its own."""

import html
import re
from collections.abc import Iterator

from page_html import Said, tidy

_BLOCK = re.compile(r"(#{1,4} |- |\||!\[|</?details>$|<summary>|<pre>)")
_RULE = re.compile(r"\|( :?-+:? \|)+")


def markdown_words(page: str) -> Iterator[Said]:
    """What the page says; an image is only named, and folded parts are marked."""
    lines = [line.removeprefix(">").removeprefix(" ") if line[:1] == ">" else line
             for line in page.split("\n")]  # fmt: skip
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line in {"<details>", "</details>"}:
            yield "fold", "close" if "/" in line else "open"
        elif line.startswith("<pre><code>"):
            until = next(i for i in range(at, len(lines)) if lines[i] == "</code></pre>")
            yield "words", tidy(html.unescape("\n".join(lines[at:until])))
            at = until + 1
        elif image := re.fullmatch(r"!\[[^\]]*\]\((\S+)\)", line):
            yield "figure", image[1]
        elif line.startswith("|"):
            if not _RULE.fullmatch(line):
                yield ("row", *(said(cell) for cell in cells_of(line)))
        elif line:
            while at < len(lines) and lines[at] and not _BLOCK.match(lines[at]):
                line += f"\n{lines[at]}"
                at += 1
            yield "words", said(re.sub(r"^(#{1,4}|-) ", "", line))


def cells_of(line: str) -> list[str]:
    """The cells of a row of a table, as they are in the file."""
    return [cell.strip(" ") for cell in line.removeprefix("|").removesuffix("|").split(" | ")]


def said(text: str) -> str:
    """Words without their little markup: tags, stars of bold and italics, entities."""
    bare = re.sub(r"</?(code|sub|summary)>|\*{1,2}", "", re.sub("<br>", " ", text))
    if re.search(r"</?[a-z]|[\\`]", bare):
        raise ValueError(f"found more markup than is known in {text!r}")
    return tidy(html.unescape(bare))
