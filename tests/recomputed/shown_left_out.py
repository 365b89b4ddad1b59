"""What a page says of blocks and windows left out, of refusals, and how to do it all again."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from page_pieces import LineCheck, Place, RowCheck
from page_text import follows, is_code, printable, same
from recompute import Told

REFUSED = "refused: "


def _left_out(told: Told) -> Iterator[str]:
    """The lines of the list, without their markup."""
    for each in told.discards:
        yield f"{each['case']}, pair {each['pair']}, discarded: {each['reason']}"
    every = [*told.idle, *(window for found in told.windows.values() for window in found)]
    flags = Counter(
        (window["case"] or "idle", flag) for window in every for flag in window["flags"]
    )
    for (case, flag), count in flags.items():
        times = f" {count} times" if count > 1 else ""
        yield f"{case}, flagged{times}: {flag}; kept"
    for note in told.notes:
        if not note["text"].startswith(REFUSED):
            yield f"{note['case']}: {note['text']}" if note["case"] else note["text"]
    if told.end is None:
        yield "The session was cut off: the journal has no end record."


def left_out(place: Place, found: re.Match[str]) -> bool:
    lines = [f"- {printable(each)}" for each in _left_out(place.source.told)]
    inside = place.fold == "Discarded, flagged and skipped"
    return inside and follows(place, found[0], lines)


def refused(place: Place, cells: Mapping[str, str]) -> bool:
    """A note that begins with ``refused``: what helps stands behind its last semicolon."""
    for note in place.source.told.notes:
        if note["text"].startswith(REFUSED) and is_code(cells["case"], note["case"]):
            why, _, fix = note["text"].removeprefix(REFUSED).rpartition("; ")
            shown = (why, fix) if why else (fix, "—")
            if same(cells["why"], shown[0]) and same(cells["what to do"], shown[1]):
                return True
    return False


def _quoted(word: str) -> str:
    """As a shell takes it for one word."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", word):
        return word
    inside = word.replace("'", "'\"'\"'")
    return f"'{inside}'"


def again(place: Place, found: re.Match[str]) -> bool:
    """The command of the run, that of its page, and that of the last case with a test."""
    told = place.source.told
    lines = [told.run["command"], f"joulebench report {_quoted(f'results/{told.name}')}"]
    tests = [record["nodeid"] for record in told.cases.values() if record.get("nodeid")]
    if tests:
        lines.append(f"pytest --benchmark {_quoted(tests[-1])} # one case alone")
    inside = place.fold == "Run it again"
    return inside and follows(place, found[0], map(printable, lines))


ROWS: Mapping[str, RowCheck] = {r"case \| why \| what to do": refused}
LINES: Mapping[str, LineCheck] = {
    r"- <code>[^<]+</code>, pair [0-9]+, discarded: .+": left_out,
    r"- (?:<code>[^<]+</code>|idle), flagged(?: [0-9]+ times)?: .+; kept": left_out,
    r"- <code>[^<]+</code>: not steady after [0-9.]+ s of warm-up": left_out,
    r"- the clock was set by [0-9.]+ ms during the session": left_out,
    r"(?:pytest|joulebench) .+": again,
}
