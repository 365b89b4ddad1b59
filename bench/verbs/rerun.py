"""``joulebench rerun CASE``: repeats a measurement, and says whether it says the same."""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.exit_codes import EXIT_CANNOT_MEASURE, EXIT_REGRESSION

if TYPE_CHECKING:
    from bench.records import Journal
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    rerun = verbs.add_parser(
        "rerun",
        help="repeat the measurement of a case and compare; or two revisions of it",
        description="Repeats a case with the settings of its journal, into a new journal, and says"
        " whether the intervals agree. With --good and --bad it gates this one case, with the pairs"
        " of both stages.",
        epilog="Exit codes: 0 the intervals agree (or the gate is open), 8 they do not.",
    )
    rerun.add_argument("case", metavar="CASE", help="its id, as a table or an alert has it")
    rerun.add_argument("--journal", type=Path, metavar="FILE", help="what to repeat")
    rerun.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="the newest journal there that has the case is repeated; default: results",
    )
    rerun.add_argument("--good", metavar="REV", help="baseline of a gate of this case")
    rerun.add_argument("--bad", metavar="REV", help="what is held against it")
    rerun.add_argument("--test", default="", metavar="NODEID", help="the case's test, if no"
                       " journal here has the case")  # fmt: skip
    rerun.add_argument(
        "--margin", default="", metavar="2%", help="with --good: least change that counts"
    )
    rerun.add_argument("--build", default="", metavar="COMMAND", help="installs a revision")
    rerun.add_argument(
        "--pytest", default="", metavar="ARGS", help="more arguments of pytest: --pytest='-k one'"
    )
    rerun.set_defaults(verb=_rerun)


def _rerun(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from bench.gate import again
    from bench.machine import fingerprint
    from bench.records import read

    if (options.good is None) != (options.bad is None):
        raise ValueError("found one of --good and --bad, wanted both, or none")
    if options.good is not None:
        return _gate(options)
    if options.journal is None:
        journal, record = again.find(options.case, options.results)
    else:
        journal = read(options.journal)
        record = again.record_of(options.case, journal)
    again.require_machine(journal, asdict(fingerprint()))
    fresh = _repeated(journal, list(again.arguments(journal, record, shlex.split(options.pytest))))
    return _tell(options.case, journal, fresh)


def _repeated(journal: "Journal", arguments: list[str]) -> "Journal":
    """The journal of a new measurement.

    Raises:
        JournalError: It left none.
    """
    from bench.record import JournalError
    from bench.records import journals, read

    folder = journal.path.resolve().parent
    before = set(journals(folder))
    command = [sys.executable, "-m", "pytest", f"--joules-results={folder}", *arguments]
    print(f"repeating {journal.path}: {shlex.join(command)}", flush=True)
    code = subprocess.run(command, check=False).returncode  # noqa: S603 - the user's own tests
    found = [path for path in journals(folder) if path not in before]
    if not found:
        raise JournalError(f"pytest ended with exit code {code} and measured nothing; see above")
    return read(found[-1])


def _tell(case: str, before: "Journal", after: "Journal") -> int:
    from bench.gate.again import compared, interval_text

    numbers = compared(case, before, after)
    print(f"\n{case}\n  before: {before.path.name}\n  again:  {after.path.name}")
    for each in numbers:
        word = "agree" if each.agrees else "do not agree"
        beside = "" if each.counts else " (beside it: another hour)"
        one, other = (interval_text(value, each.unit) for value in (each.before, each.after))
        print(f"  {each.name}: {one}, again {other}: they {word}{beside}")
    counting = [each for each in numbers if each.counts]
    good = all(each.agrees for each in counting)
    print("the intervals agree" if good else "the intervals do not agree")
    return 0 if good else EXIT_REGRESSION


def _gate(options: argparse.Namespace) -> int:
    """The gate of one case between two revisions, with the pairs of both stages."""
    from bench.gate.about import known_of, with_guilty
    from bench.gate.again import test_of
    from bench.gate.alert import blocks, page
    from bench.gate.canary import exit_code, night
    from bench.gate.checkout import checkout
    from bench.gate.collect import CannotMeasureError
    from bench.gate.environment import BuildError
    from bench.gate.limits import margins
    from bench.gate.night import Order, folder_of, run_night
    from bench.gate.repository import Repository
    from bench.gate.state import Asked

    test = options.test or test_of(options.case, options.results)
    asked = Asked(margins=margins(filter(None, [options.margin])))
    try:
        base, head = (
            checkout(Path.cwd(), each, build=options.build, say=_say)
            for each in (options.good, options.bad)
        )
        folder = folder_of(options.results, head)
        order = Order((test, *shlex.split(options.pytest)), asked=asked)
        found = run_night(base, head, order, folder=folder, say=_say)
    except (BuildError, CannotMeasureError) as error:
        _say(str(error))
        return EXIT_CANNOT_MEASURE
    own = [each for each in found.series if each.canary or each.case == options.case]
    decided = night(own, found.state.rule, found.state.history)
    known = known_of(found, Repository(Path.cwd()), blocks(decided, {}))
    print(page(decided, with_guilty(known, decided, options.results)))
    return exit_code(decided)


def _say(text: str) -> None:
    print(f"joulebench: {text}", file=sys.stderr, flush=True)
