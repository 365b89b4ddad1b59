"""Reasons under a table again: what the journal says is missing."""

import re
from collections.abc import Mapping

from page_pieces import LineCheck, Place, plain
from recompute_screen import ROOFLINE
from recompute_table import Table

FIXED = {
    "what a call does cannot be counted for this model",
    "no window was measured",
    "no idle window was measured",
    "no power source can be read here; see joulebench doctor",
    "no energy meter was found; see joulebench doctor",
}
NO_ROOFLINE = re.compile(
    r"no roofline of (?:gemm of (\w+)|(copy-cache|copy-dram)) on ([0-9]+) threads?;"
    r" run suites/roofline\.py with it"
)


def footnotes(place: Place, line: re.Match[str]) -> bool:
    """Every reason is one of the journal's, and they are numbered from one."""
    notes = [note.partition(" ") for note in line[1].split("<br>")]
    marks = [
        str(n).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        for n in range(1, len(notes) + 1)
    ]
    reasons = [plain(reason) for _, _, reason in notes]
    return (
        [mark for mark, _, _ in notes] == marks
        and len(set(reasons)) == len(reasons)
        and all(_is_known(place.table, reason) for reason in reasons)
    )


def _is_known(table: Table, reason: str) -> bool:
    run = table.told.run
    known = {"; ".join(filter(None, (u["reason"], u["fix"]))) for u in run["unusable"]}
    known |= {each["reason"] for each in run["unusable"]} | FIXED
    known |= {f"{channel['id']} was not read in this window" for channel in run["channels"]}
    known |= {
        f"{energy['channel']}: {energy.get('reason') or energy['status']}"
        for name in table.cases
        for window in table.told.windows[name]
        for energy in window["energy"]
        if energy["joules"] is None
    }
    return reason in known or _has_no_roofline(table, reason)


def _has_no_roofline(table: Table, reason: str) -> bool:
    """Whether a case has so many threads, and no ceiling of that name has them."""
    found = NO_ROOFLINE.fullmatch(reason)
    if not found:
        return False
    dtype, copy, threads = found[1], found[2], int(found[3])
    records = [case.record for case in table.cases.values() if case.record["threads"] == threads]
    names = {
        record["workload"].removeprefix(ROOFLINE).removesuffix(f"-{threads}t")
        for record in records
        if record["workload"].startswith(ROOFLINE) and (copy or record["dtype"] == dtype)
    }
    there = copy in names if copy else any(name.startswith("gemm-") for name in names)
    return bool(records) and not there


LINES: Mapping[str, LineCheck] = {r"<sub>(¹ .+)</sub>": footnotes}
