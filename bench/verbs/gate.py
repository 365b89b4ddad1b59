"""``joulebench gate --against REV``: did this revision become dearer than that one?"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bench.exit_codes import EXIT_CANNOT_MEASURE, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from bench.gate.answer import Night
    from bench.gate.checkout import Checkout
    from bench.gate.evidence import Evidence
    from bench.gate.night import Baseline
    from bench.gate.state import Asked
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    gate = verbs.add_parser(
        "gate",
        help="hold this revision against another one, both measured in this job",
        usage="joulebench gate [PYTEST_ARG ...] --against REV [options]",
        description="Measures both revisions in pairs of fresh processes that take turns, and says"
        " of each case whether it became dearer. What it does not know it gives to pytest: files,"
        " -k, --joules-profile and others.",
        epilog="Exit codes: 0 ok, 2 wrong call, 8 something regressed, 9 the night's own controls"
        " differ, 10 cannot measure.",
        allow_abbrev=False,
    )
    gate.add_argument("--against", default="", metavar="REV", help="the baseline, as git names it")
    gate.add_argument(
        "--head", default="", metavar="REV", help="default: the working tree as it is"
    )
    gate.add_argument(
        "--metric", default="energy,time", metavar="LIST", help="default: energy,time"
    )
    _add_limits(gate)
    _add_running(gate)
    _add_answers(gate)
    gate.set_defaults(verb=_gate, arguments=[])
    _give_the_rest_to_pytest(gate)


def _add_limits(gate: argparse.ArgumentParser) -> None:
    gate.add_argument(
        "--margin",
        action="append",
        default=[],
        metavar="[CASES=]2%",
        help="least change that counts, for cases that fit a pattern; default: 1%%, or twice what"
        " equal things differ by here",
    )
    gate.add_argument(
        "--floor",
        action="append",
        default=[],
        metavar="[CASES=]1mJ",
        help="least change of the energy per sample; default: five steps of the counter",
    )
    gate.add_argument(
        "--allow-estimates", action="store_true", help="judge energies of a power model too"
    )


def _add_running(gate: argparse.ArgumentParser) -> None:
    from bench.gate.decide import DEFAULT

    for name, default, what in (
        ("--pairs", DEFAULT.pairs, "pairs of every case"),
        ("--fresh", DEFAULT.fresh, "more of a candidate"),
    ):
        gate.add_argument(
            name, default=default, help=f"{what}; default: {default}", type=int, metavar="N"
        )
    gate.add_argument(
        "--together", default=8, help="most tests of a process; default: 8", type=int, metavar="N"
    )
    gate.add_argument(
        "--canaries",
        help="tests run against themselves; default: 5 %%, at least 5",
        type=int,
        metavar="N",
    )
    gate.add_argument("--seed", default=0, help="of every order; default: 0", type=int, metavar="N")
    gate.add_argument("--timeout", type=float, metavar="S", help="longest time of a process")
    gate.add_argument(
        "--build", default="", metavar="COMMAND", help="installs a revision; default: pip, see docs"
    )
    gate.add_argument(
        "--require", default="", choices=["measured"], help="give up without an instrument"
    )
    gate.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="default: results"
    )
    gate.add_argument(
        "--bisect",
        default=0,
        type=int,
        metavar="N",
        help="name the guilty commit of the N dearest cases, with git bisect; default: 0",
    )
    gate.add_argument("--resume", action="store_true", help="go on with the newest unfinished one")


def _add_answers(gate: argparse.ArgumentParser) -> None:
    gate.add_argument(
        "--from", type=Path, dest="folder", metavar="DIR", help="decide again what was measured"
    )
    gate.add_argument(
        "--history",
        type=Path,
        metavar="RESULTS",
        help="without --against: judge the newest night by those before it (unpaired); with it:"
        " where earlier nights are",
    )
    for name, what in (("json", "the answer"), ("junit", "test cases"), ("markdown", "alerts")):
        gate.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"{what} as {name}")


def _give_the_rest_to_pytest(gate: argparse.ArgumentParser) -> None:
    """Lets what the parser does not know stand anywhere: it is ``arguments`` of the options."""
    parse: Callable[..., Any] = gate.parse_known_args

    def known(
        arguments: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        options, rest = parse(arguments, namespace)
        options.arguments = [each for each in rest if each != "--"]
        return options, []

    gate.parse_known_args = known  # type: ignore[method-assign,assignment] # argparse has no way


def _gate(options: argparse.Namespace) -> int:
    from bench.gate.canary import exit_code, night
    from bench.gate.environment import BuildError
    from bench.gate.night import CannotMeasureError
    from bench.verbs._gate_answers import look_back, tell

    if options.history and not (options.against or options.folder):
        return look_back(options, _say)
    before = signal.signal(signal.SIGTERM, _ended)
    try:
        found = _evidence(options)
        said = night(found.series, found.state.rule, found.state.history)
    except KeyboardInterrupt:
        _say("interrupted; what was measured is kept: go on with --resume")
        return EXIT_INTERRUPTED
    except (BuildError, CannotMeasureError) as error:
        _say(str(error))
        return EXIT_CANNOT_MEASURE
    else:
        _look_for_the_guilty(options, said, found)
    finally:
        signal.signal(signal.SIGTERM, before)
    tell(options, said, found)
    return exit_code(said)


def _look_for_the_guilty(options: argparse.Namespace, night: "Night", found: "Evidence") -> None:
    """Bisects, if that is asked for; whatever ends it, the night has its answer."""
    from bench.gate.culprit import Inquiry
    from bench.gate.environment import BuildError
    from bench.gate.night import CannotMeasureError
    from bench.verbs._gate_answers import results_of

    where = Path.cwd(), results_of(options, found)
    try:
        Inquiry(*where, options.bisect, options.build, _say).of(night, found)
    except KeyboardInterrupt:
        _say("the bisection was interrupted; the night's answer follows")
    except (BuildError, CannotMeasureError, OSError) as error:
        _say(f"no bisection: {error}")


def _ended(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt  # as after Ctrl-C: the process of ours that runs ends too


def _say(text: str) -> None:
    print(f"joulebench: {text}", file=sys.stderr, flush=True)


def _evidence(options: argparse.Namespace) -> "Evidence":
    """What is there, or what is measured now.

    Raises:
        ValueError: A wrong call.
    """
    from bench.gate.checkout import checkout, working_tree
    from bench.gate.decide import Rule
    from bench.gate.evidence import evidence
    from bench.gate.night import Order, folder_of, run_night
    from bench.gate.plan import Plan

    if options.folder is not None:
        return evidence(options.folder)
    if not options.against:
        raise ValueError(
            "found neither --against REV nor --history RESULTS, wanted what to compare with"
        )
    rule = Rule(options.pairs, options.fresh, estimates=options.allow_estimates)
    plan = Plan(
        options.together,
        canaries=options.canaries,
        seed=options.seed,
        timeout_s=options.timeout,
        require_measured=options.require == "measured",
    )
    order = Order(tuple(options.arguments), rule, plan, _asked(options))
    here = Path.cwd()
    base = checkout(here, options.against, build=options.build, say=_say)
    if options.head:
        head = checkout(here, options.head, build=options.build, say=_say)
    else:
        head = working_tree(here)
    if head.dirty:
        _say("HEAD is the working tree, with changes that are not committed")
    return run_night(
        base,
        head,
        order,
        folder=folder_of(options.results, head, resume=options.resume),
        say=_say,
        baseline=_baseline(options, base, head),
        history=options.history,
    )


def _asked(options: argparse.Namespace) -> "Asked":
    """What is to be decided.

    Raises:
        ValueError: A margin, floor or metric that is none.
    """
    from bench.gate.answer import ENERGY, TIME
    from bench.gate.limits import floors, margins
    from bench.gate.state import Asked

    metrics = tuple(name.strip() for name in options.metric.split(","))
    if unknown := [name for name in metrics if name not in {ENERGY, TIME}]:
        raise ValueError(
            f"--metric {unknown[0]}: found no such metric, wanted energy, time or both"
        )
    return Asked(metrics, margins(options.margin), floors(options.floor))


def _baseline(options: argparse.Namespace, base: "Checkout", head: "Checkout") -> "Baseline":
    """Which cases are held against a newer baseline, because somebody has accepted a change."""
    from bench.gate.accepted import newest, read
    from bench.gate.checkout import checkout
    from bench.gate.repository import Repository

    told, repository = read(options.results), Repository(Path.cwd())
    made: dict[str, Checkout] = {}

    def baseline(case: str) -> "tuple[Checkout, str] | None":
        found = newest(case, base.revision, head.revision, told, repository.is_ancestor)
        if found is None:
            return None
        why = f"held against {found.commit[:9]}, accepted {found.when[:10]}: {found.reason}"
        if found.commit not in made:
            made[found.commit] = checkout(Path.cwd(), found.commit, build=options.build, say=_say)
        return made[found.commit], why

    return baseline
