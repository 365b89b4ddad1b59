"""What ``joulebench run`` does: one session over a list of cases, its journal, its report.

A case that cannot be run is a line that says why; all others go on.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.compare import compare
from bench.entries import Entry
from bench.exit_codes import EXIT_INTERRUPTED, EXIT_NOTHING_RAN
from bench.instruments import Instruments
from bench.plan import plan
from bench.record import JournalError
from bench.records import read
from bench.refusal import Refusal, for_memory
from bench.report import terminal
from bench.report.write import write
from bench.run import Settings
from bench.session import Session

_ADVICE = "mend it; each is called with the inputs of the first: see --shape and --batch"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run gave.

    Args:
        exit_code: 0, 1 if nothing could be measured, 130 after Ctrl-C.
        lines: The table, as pytest prints it.
        written: The journal, and the report's files; empty if nothing was measured.
        refused: Cases that could not be run, with why and what to do.
    """

    exit_code: int
    lines: tuple[str, ...]
    written: tuple[Path, ...]
    refused: Mapping[str, Refusal]


def run(
    entries: Sequence[Entry],
    settings: Settings,
    *,
    say: Callable[[str], None],
    pairs: int | None = None,
    environment: Mapping[str, str] = os.environ,
    instruments: Instruments | None = None,
) -> Ran:
    """Measures some cases, each baseline before what is held against it.

    Args:
        entries: The cases.
        settings: Of the session.
        say: Is told what goes on.
        pairs: Just as many pairs of blocks for each case, if not as many as are enough.
        environment: Environment variables.
        instruments: Open ones, to use instead of what can be found here.

    Raises:
        NothingMeasuresError: An instrument is required and there is none.
        MeterUnavailable: A meter that was named cannot be used.
        JournalError: The journal cannot be written.
    """
    session = Session.start(settings, say, environment, instruments)
    session.as_refusal = refusal_of
    refused: dict[str, Refusal] = {}
    code = 0
    try:
        say(plan(session, [pairs] * len(entries)))
        try:
            _measure(entries, session, pairs, refused)
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
        if len(refused) == len(entries):
            code = code or EXIT_NOTHING_RAN
        path = session.finish(min(code, 2))
    finally:
        session.abandon()
    if not session.ledger.has_cases:
        return Ran(code, (), (), refused)
    written = write([path], path.parent.parent / "reports" / f"{path.stem}.md")
    table = tuple(terminal.lines(compare([read(path)])))
    return Ran(code, table, (path, *written), refused)


def _measure(
    entries: Sequence[Entry], session: Session, pairs: int | None, refused: dict[str, Refusal]
) -> None:
    """Measures one after another; what could not be run is in *refused* afterwards."""
    for number, entry in enumerate(entries, start=1):
        case = entry.case
        session.say(f"[{number}/{len(entries)}] {case.id}")
        if (why := refused.get(case.baseline.id)) is not None:
            told = f"its baseline cannot be run: {why.why}"
            refused[case.id] = _noted(session, case.id, Refusal(told, why.fix))
            continue
        try:
            variant, inputs = entry.make(), entry.inputs()
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            refused[case.id] = _noted(session, case.id, refusal)
            continue
        try:
            session.measure(
                variant,
                inputs,
                case.batch,
                runtime=case.runtime,
                against=case.against,
                pairs=pairs,
            )
        except Refusal as refusal:  # the session has noted it
            refused[case.id] = refusal
            session.say(f"{case.id}: {refusal}")


def _noted(session: Session, case: str, refusal: Refusal) -> Refusal:
    session.refuse(case, refusal)
    session.say(f"{case}: {refusal}")
    return refusal


def refusal_of(error: Exception) -> Refusal | None:
    """What stands for any error of a user's own thing; None for one of the journal."""
    if isinstance(error, JournalError):
        return None
    if isinstance(error, Refusal):
        return error
    told = str(error).strip()
    first = " ".join(told.splitlines()[0].split()) if told else "it says no more"
    return for_memory(error) or Refusal(f"{type(error).__name__}: {first}", _ADVICE)
