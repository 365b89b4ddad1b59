"""The lines of an alert on what lies around its numbers: commits, surroundings, commands.

Everything that comes from a journal, from git or from a user is escaped.
"""

import shlex
from collections.abc import Iterator

from bench.gate.bisected import Bisected
from bench.gate.known import Known, Surroundings
from bench.gate.wording import change, command, commit_text, harmless, minutes, quoted

_MOST_COMMITS = 10
_MOST_CHANGES = 12
_HASH = 12  # digits of a commit in a command
_SHOWN_IF_SAME = ("machine", "kernel", "governor", "turbo", "GPU driver", "microcode", "Python")


def commits(known: Known) -> Iterator[str]:
    """The commit that a bisection has named; then those that touch the code of the case."""
    if known.bisected:
        yield from _guilty(known.bisected)
    base, head = known.base.commit, known.head.commit
    spanned = f"{quoted(known.base.short)}..{quoted(known.head.short)}"
    found = known.suspects
    if found is None:
        why = "" if base and head else ": a side does not tell its commit"
        yield f"commits {spanned}: which touch its code is not known{why}"
        return
    number = len(found.touching)
    others = f"{found.others} other{'' if found.others == 1 else 's'}"
    yield f"commits {spanned}: {number} touching its code, {others}"
    for commit in found.touching[:_MOST_COMMITS]:
        yield f"  - {commit_text(commit)}"
    if number > _MOST_COMMITS:
        yield f"  - and {number - _MOST_COMMITS} more that touch it"


def _guilty(found: Bisected) -> Iterator[str]:
    measured = f"{found.steps} commit{'' if found.steps == 1 else 's'} between them measured"
    how = f"by bisection: {found.quantity} {change(found.whole)} from base to head, {measured}"
    clear = "" if found.is_clear else "; not clear, bisect again with more --pairs"
    if len(found.guilty) == 1:
        yield f"**dearer since** {commit_text(found.guilty[0])}, {how}{clear}"
        return
    yield f"**dearer since** one of these, {how}{clear}"
    yield from (f"  - {commit_text(each)}" for each in found.guilty)


def bisection_time(known: Known) -> Iterator[str]:
    """How long it takes to find the commit, unless it is found."""
    if known.seconds and known.suspects and not known.bisected:
        steps = (len(known.suspects.touching) + known.suspects.others).bit_length()
        # each step, and the check before them, takes six pairs of processes or more
        yield f"a bisection takes about {minutes(known.seconds * 12 * (1 + steps))}"


def surrounded(around: Surroundings | None) -> Iterator[str]:
    """What else changed from base to head, and what did not."""
    if around is None:
        yield "also changed: not known, for a side has no journal"
        return
    moved = [
        f"{harmless(each.name)} {quoted(each.before or 'none')} → {quoted(each.after or 'none')}"
        for each in around.changed
    ]
    more = f" and {len(moved) - _MOST_CHANGES} more" if len(moved) > _MOST_CHANGES else ""
    yield f"also changed: {', '.join(moved[:_MOST_CHANGES]) or 'nothing that is recorded'}{more}"
    same = [f"{name} {quoted(value)}" for name, value in around.same if name in _SHOWN_IF_SAME]
    packages = sum(name.startswith("package ") for name, _ in around.same)
    same.append(f"{packages} package{'' if packages == 1 else 's'}")
    yield f"same: {', '.join(same)}"


def commands(case: str, known: Known) -> list[str]:
    """What to type next: measure again, find the commit or look at it, accept it."""
    base, head = known.base.commit[:_HASH], known.head.commit[:_HASH]
    between = ("--good", base, "--bad", head) if base and head else ()
    named = known.argument
    test = (f"--test={named}",) if named.startswith("-") else ("--test", named) if named else ()
    more = (*between, *test, *_settings(known)) if between else ()
    lines = [command("joulebench", "rerun", case, *more)]
    if known.bisected:
        lines += [command("git", "show", each.hash[:_HASH]) for each in known.bisected.guilty]
    elif between:
        lines.append(command("joulebench", "bisect", case, *more))
    at = ("--at", head) if head else ()
    lines.append(command("joulebench", "accept", case, *at, *test, "--reason", "why it may be so"))
    return lines


def _settings(known: Known) -> Iterator[str]:
    """The margin that was asked for, and the options that the night gave to pytest."""
    if known.margin is not None:
        yield from ("--margin", f"{100 * known.margin:.10g}%")
    if known.options:
        yield f"--pytest={shlex.join(known.options)}"
