"""``joulebench bisect CASE --good REV --bad REV``: which commit made a case dearer."""

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bench.exit_codes import EXIT_CANNOT_MEASURE, EXIT_INTERRUPTED, EXIT_NOTHING_RAN

if TYPE_CHECKING:
    from bench.gate.case_pairs import CasePairs
    from bench.gate.halving import Search
    from bench.gate.repository import Repository
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    bisect = verbs.add_parser(
        "bisect",
        help="find the commit that made a case dearer, with git bisect",
        description="Confirms that bad is dearer than good, then halves the commits between them:"
        " each midpoint is measured against good in pairs of fresh processes. Your own tree, branch"
        " and bisections are not touched.",
        epilog="Exit codes: 0 the commit was found, 1 bad is not dearer than good, 2 wrong call,"
        " 10 a revision cannot be measured.",
    )
    bisect.add_argument("case", metavar="CASE", help="its id, as an alert has it")
    bisect.add_argument("--good", required=True, metavar="REV", help="an ancestor of bad")
    bisect.add_argument("--bad", default="HEAD", metavar="REV", help="default: HEAD")
    bisect.add_argument(
        "--pairs", type=int, default=6, metavar="N", help="at first for each commit; default: 6"
    )
    bisect.add_argument(
        "--margin", default="1%", metavar="2%", help="least difference to look for; default: 1%%"
    )
    bisect.add_argument(
        "--test",
        default="",
        metavar="NODEID",
        help="the test that measures the case, if no journal here has it",
    )
    bisect.add_argument("--build", default="", metavar="COMMAND", help="installs a revision")
    bisect.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="default: results"
    )
    bisect.add_argument("--markdown", type=Path, metavar="FILE", help="what was found, as Markdown")
    bisect.add_argument(
        "--pytest", default="", metavar="ARGS", help="more arguments of pytest: --pytest='-k one'"
    )
    bisect.set_defaults(verb=_bisect)


def _bisect(options: argparse.Namespace) -> int:
    from bench.gate.again import test_of
    from bench.gate.case_pairs import CasePairs
    from bench.gate.culprit import new_folder
    from bench.gate.halving import SkippedError
    from bench.gate.repository import Repository

    if options.pairs < 3:  # noqa: PLR2004 - fewer show no spread
        raise ValueError(f"--pairs {options.pairs}: wanted 3 or more, for a spread")
    repository = Repository(Path.cwd())
    test = options.test or test_of(options.case, options.results)
    measure = CasePairs(
        options.case,
        test,
        Path.cwd(),
        new_folder(options.results),
        options.build,
        tuple(shlex.split(options.pytest)),
        _say,
    )
    before = signal.signal(signal.SIGTERM, _ended)
    try:
        return _searched(options, repository, measure)
    except KeyboardInterrupt:
        _say("interrupted; nothing of yours was touched")
        return EXIT_INTERRUPTED
    except SkippedError as error:
        _say(f"cannot compare bad with good: {error}")
        return EXIT_CANNOT_MEASURE
    finally:
        signal.signal(signal.SIGTERM, before)


def _ended(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"joulebench: {text}", file=sys.stderr, flush=True)


def _searched(options: argparse.Namespace, repository: "Repository", measure: "CasePairs") -> int:
    from bench.gate.bisected import Bisected
    from bench.gate.bisection import GitBisection
    from bench.gate.guilt import not_dearer, step_line
    from bench.gate.halving import NotDearer, confirm, search, steps_left
    from bench.gate.limits import margins
    from bench.gate.wording import change, minutes

    good, bad = (repository.resolve(each) for each in (options.good, options.bad))
    with GitBisection(repository, good, bad) as bisection:
        number = repository.count(good, bad)
        steps = steps_left(number)
        _say(
            f"{number} commits between {good[:9]} and {bad[:9]}: first good against bad, then about"
            f" {steps} steps, each of {2 * options.pairs} processes or more"
        )
        whole = confirm(measure, good, bad, options.pairs, margin=margins([options.margin])[0][1])
        if isinstance(whole, NotDearer):
            _say(not_dearer(whole, options.case))
            return EXIT_NOTHING_RAN
        quantity, ratio = whole
        needed = steps * 2 * options.pairs * measure.seconds_per_process
        _say(f"bad against good: {quantity} {change(ratio)}; expected: {minutes(needed)} or more")
        found = search(
            measure,
            bisection,
            good,
            whole,
            pairs=options.pairs,
            told=lambda step: print(step_line(step), flush=True),
        )
    Bisected.of(found, options.case, good, bad).write(measure.folder)
    _tell(options, found)
    return 0


def _tell(options: argparse.Namespace, found: "Search") -> None:
    from bench.gate.guilt import report

    text = report(found, options.case)
    print(f"\n{text}", end="")
    if options.markdown:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(text, encoding="utf-8")
