"""Two runs beside each other in a terminal, at most 100 columns wide."""

import textwrap
from collections.abc import Iterator

from bench.history.changes import Change, Changes
from bench.report import change_text, text
from bench.report.terminal import WIDTH, shorten

_HEAD = ("case", "energy, %", "= time, %", "× power, %", "")
_NUMBER = 21  # +12.1 [+9.6, +14.7] and room for more
_NAME = 21
_MOST_TOLD = 12


def lines(found: Changes) -> list[str]:
    """Both runs, what is not the same in them, and each case: only printable characters."""
    return [
        *_wrapped("before  ", change_text.run(found.before.run, found.before.path.name)),
        *_wrapped("after   ", change_text.run(found.after.run, found.after.path.name)),
        *(line for each in change_text.forbidding(found) for line in _wrapped("  ⊘ ", each)),
        *_told(found),
        *_wrapped("", change_text.UNPAIRED),
        "",
        change_text.verdict(found),
        *_cases(found),
    ]


def _told(found: Changes) -> Iterator[str]:
    told = change_text.told(found)
    for each in told[:_MOST_TOLD]:
        yield from _wrapped("  also changed: ", each)
    if len(told) > _MOST_TOLD:
        yield f"  and {len(told) - _MOST_TOLD} more, in --markdown and --json"


def _cases(found: Changes) -> Iterator[str]:
    workload = ""
    for change in found.cases:
        name, _, rest = change.case.partition("/")
        if name != workload:
            workload = name
            yield from ("", shorten(text.plain(name), WIDTH), _row(_HEAD))
        yield from _case(change, rest or name)


def _case(change: Change, name: str) -> Iterator[str]:
    numbers = [change_text.percent(r) for r in (change.energy, change.time, change.power)]
    yield _row((text.plain(name), *numbers, change_text.word(change)))
    for line in (
        "; ".join(change_text.values(change)),
        change_text.paired(change),
        *change_text.reasons(change),
    ):
        if line:
            yield from _wrapped("     ", line)


def _row(cells: tuple[str, ...]) -> str:
    first, *numbers, last = cells
    shown = "".join(cell.rjust(_NUMBER) for cell in numbers)
    line = f" {shorten(first, _NAME).ljust(_NAME)}{shown}"
    if len(line) + len(last) + 2 <= WIDTH:
        return f"{line}  {last}".rstrip()
    return f"{line}\n{' ' * 5}{last}"


def _wrapped(head: str, line: str) -> list[str]:
    return textwrap.wrap(
        text.plain(line),
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
    )
