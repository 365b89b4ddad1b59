"""One issue for each case that became dearer: opened, kept up to date, closed when it is over.

Pure: a gate's JSON answer and the open issues become steps; each step is one call of ``gh``, as a
list of arguments and a body, and no shell sees either. All that comes from a journal, from git or
from a user is escaped.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.gate import around
from bench.gate.answer import Word
from bench.gate.known import Known, Side
from bench.report.blocks import bullets, commands, table
from bench.report.text import code, escape, plain, significant

LABEL = "joulebench"
"""Only issues with this label are looked at: no stranger can set one."""

GOOD_NIGHTS = 3
"""After so many nights without a regression an issue is closed."""

MOST_NEW = 20
"""Most issues that one night opens: if more cases are dearer, it is one thing with one cause."""

_FORMAT, _SCHEMA = "joulebench gate", 1
_TITLE = 120  # characters; a longer one is cut, and a hash tells it from others
_MARK = re.compile(r"<!-- joulebench: good nights (\d{1,3}) -->")
_GOOD = {Word.OK, Word.IMPROVED}
_LINK = re.compile(r"https://[\w.-]+(/[\w.-]+)+")


@dataclass(frozen=True, slots=True)
class Issue:
    """An open issue, as ``gh issue list --json number,title,body`` tells it."""

    number: int
    title: str
    body: str

    @property
    def good_nights(self) -> int:
        """How many nights in a row its case was good."""
        found = _MARK.search(self.body)
        return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class Step:
    """One call of ``gh``.

    Args:
        arguments: Without the program.
        body: What it reads; None if nothing.
        said: What it does, in a few words.
    """

    arguments: tuple[str, ...]
    body: str | None
    said: str


def title_of(case: str) -> str:
    """The title of a case's issue, by which it is found again."""
    whole = f"joulebench: {plain(case)}"
    if len(whole) <= _TITLE and plain(case) == case:
        return whole
    digest = hashlib.sha256(case.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{whole[:_TITLE]}… {digest}"


def steps(answer: Mapping[str, Any], issues: Iterable[Issue], night: str = "") -> tuple[Step, ...]:
    """What is to be done after a night.

    A night that cannot be trusted, or that measured nothing, changes no issue. Neither does what
    was not decided: a case is good only if every quantity of it was.

    Args:
        answer: The gate's JSON answer.
        issues: The open ones with our label.
        night: Address of the night's page, or nothing.

    Raises:
        ValueError: It is no answer of the gate, or a newer one; or the address is none.
    """
    _require(answer, night)
    if answer["outcome"] not in {"ok", "regression"}:
        return ()
    known = {issue.title: issue for issue in issues}
    found: list[Step] = []
    new = 0
    for case, decisions in _by_case(answer["decisions"]).items():
        words = {decision["word"] for decision in decisions}
        issue = known.get(title_of(case))
        if Word.REGRESSED in words:
            new += issue is None
            if issue or new <= MOST_NEW:
                found.append(_dearer(case, decisions, issue, night))
        elif issue and words <= _GOOD:
            found.append(_good(issue, night))
    return tuple(found)


def _require(answer: Mapping[str, Any], night: str) -> None:
    form, schema = answer.get("format"), answer.get("schema")
    if form != _FORMAT or not isinstance(schema, int):
        raise ValueError("this is no answer of the gate; give the file of joulebench gate --json")
    if schema > _SCHEMA:
        raise ValueError(
            f"found an answer of schema {schema}, wanted up to {_SCHEMA};"
            " install a newer joulebench"
        )
    if night and not _LINK.fullmatch(night):
        raise ValueError(f"--night {plain(night)}: found no address, wanted https://…")


def _by_case(decisions: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for decision in decisions:
        found.setdefault(str(decision["case"]), []).append(decision)
    return found


def _dearer(
    case: str, decisions: Sequence[Mapping[str, Any]], issue: Issue | None, night: str
) -> Step:
    """Opens the issue of a case, or tells the newest numbers in it."""
    body = _body(case, decisions, night)
    if issue is None:
        title = title_of(case)
        arguments = ("create", "--title", title, "--label", LABEL, "--body-file", "-")
        return Step(("issue", *arguments), body, f"open: {title}")
    edit = ("issue", "edit", str(issue.number), "--body-file", "-")
    return Step(edit, body, f"update: #{issue.number}")


def _good(issue: Issue, night: str) -> Step:
    """Counts a good night, and closes the issue after enough of them."""
    count = issue.good_nights + 1
    if count >= GOOD_NIGHTS:
        where = f": {night}" if night else "."
        comment = f"No regression in {GOOD_NIGHTS} nights; the last of them{where}"
        arguments = ("close", str(issue.number), "--comment", comment)
        return Step(("issue", *arguments), None, f"close: #{issue.number}")
    rest = _MARK.sub("", issue.body).rstrip()
    arguments = ("edit", str(issue.number), "--body-file", "-")
    said = f"good night {count} of {GOOD_NIGHTS}: #{issue.number}"
    return Step(("issue", *arguments), f"{rest}\n\n{_mark(count)}\n", said)


def _mark(count: int) -> str:
    return f"<!-- joulebench: good nights {count} -->"


def _body(case: str, decisions: Sequence[Mapping[str, Any]], night: str) -> str:
    """What is known of one case, and the commands to act on it."""
    rows = [_row(decision) for decision in decisions]
    first = decisions[0]
    base, head = (_commit(first.get(side)) for side in ("base", "head"))
    touching = first.get("touching") or ()
    guilty = " or ".join(map(_commit_text, first.get("guilty") or ()))
    said = [
        *([f"**Dearer since** {guilty}, by bisection"] if guilty else []),
        f"Commits {code(base or 'unknown')}..{code(head or 'unknown')}",
        f"Touching its code: {len(touching) or 'none known'}",
        *map(_commit_text, touching[:10]),
    ]
    parts = [
        code(case),
        table(("quantity", "word", "head ÷ base [95 %]", "why"), rows, left=2, last=1),
        bullets(said),
        commands(_commands(case, first, base, head)),
        f"[The night's page and artifact]({night})" if night else "",
        f"This issue is kept up to date, and closed after {GOOD_NIGHTS} good nights.",
        _mark(0),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(decision: Mapping[str, Any]) -> tuple[str, ...]:
    ratio = decision.get("ratio") or {}
    ends = [ratio.get(name) for name in ("value", "low", "high")]
    value, low, high = ("—" if end is None else significant(float(end), 4) for end in ends)
    estimated = " (*estimated*)" if decision.get("estimated") else ""
    return (
        f"{escape(decision.get('quantity', ''))}{estimated}",
        escape(decision["word"]),
        f"{value} [{low}, {high}]" if ratio else "—",
        escape(decision.get("reason", "")),
    )


def _commit_text(commit: Mapping[str, Any]) -> str:
    return f"{code(str(commit.get('hash', ''))[:9])} {code(commit.get('subject', ''))}"


def _commit(side: Mapping[str, Any] | None) -> str:
    """The hash of a side, if it is one."""
    found = str((side or {}).get("commit") or "")
    return found if re.fullmatch(r"[0-9a-f]{7,64}", found) else ""


def _commands(case: str, decision: Mapping[str, Any], base: str, head: str) -> list[str]:
    """To measure again, to find the commit, and to accept the change."""
    margin = decision.get("asked_margin")
    known = Known(
        Side(base),
        Side(head),
        test=str(decision.get("test") or ""),
        options=tuple(map(str, decision.get("options") or ())),
        margin=margin if isinstance(margin, int | float) else None,
    )
    return around.commands(case, known)
