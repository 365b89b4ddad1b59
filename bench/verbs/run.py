"""``joulebench run SPEC --vs NAME=SPEC``: a user's own things against each other."""

import argparse
import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.entries import Entry, Other, entries, entries_of_suite, other, workload_of
from bench.exit_codes import EXIT_CANNOT_MEASURE
from bench.options import HELP
from bench.own import Own, Wish, load, shapes
from bench.refusal import Refusal
from bench.suite import Suite

if TYPE_CHECKING:
    from bench.run import Settings
    from bench.verbs import Verbs

_LEFT_OUT = {"processes", "alone"}  # a fresh process is pytest's own


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    run = verbs.add_parser(
        "run",
        help="measure a model or program of your own, against variants of it",
        description="SPEC is onnx:FILE, hf:FOLDER_OR_ID, py:MODULE:FACTORY, cmd:'PROGRAM ARGS' or"
        " workload:NAME; a --vs may also be technique:NAME@PARAMETER=VALUE, which is made of the"
        " first. The first is the baseline; each --vs is measured against it in pairs. Journal and"
        " report are those of pytest --benchmark.",
        epilog="Exit codes: 0 ok, 1 nothing could be run, 2 wrong call, 10 cannot measure what"
        " --require asks for.",
    )
    run.add_argument("spec", metavar="SPEC", help="the baseline, or py:MODULE:SUITE")
    run.add_argument(
        "--vs",
        action="append",
        default=[],
        metavar="NAME[@RUNTIME]=SPEC",
        help="a variant, e.g. int8=onnx:model.int8.onnx; may be given several times",
    )
    run.add_argument("--name", default="", help="the workload's name in tables")
    run.add_argument("--batch", type=_positive, metavar="N", help="samples given together")
    run.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="[NAME=]1x3x224x224",
        help="of an input; the name may be left out if there is one",
    )
    run.add_argument("--seq", type=_positive, metavar="N", help="tokens of a text (hf)")
    run.add_argument(
        "--work", type=_positive, metavar="N", help="samples of one call, or of one run of a cmd"
    )
    run.add_argument("--unit", default="", help="what one sample is, such as image or token")
    run.add_argument(
        "--runtime",
        default="",
        metavar="NAME",
        help="eager, compile, onnxruntime or openvino; default: that of the kind of spec",
    )
    run.add_argument("--threads", type=_positive, metavar="N", help="CPU threads; default: 1")
    run.add_argument("--pairs", type=_positive, metavar="N", help="just as many pairs of blocks")
    run.add_argument(
        "--random-weights", action="store_true", help="draw weights by the config alone (hf)"
    )
    run.add_argument("--allow-download", action="store_true", help="fetch an id from the hub (hf)")
    for name, (_, text) in HELP.items():
        if name not in _LEFT_OUT:
            shown = text.replace("%", "%%")
            run.add_argument(f"--{name}", metavar=name.upper(), help=shown, default=None)
    run.set_defaults(verb=_run)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text}, wanted a whole number, 1 or more")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from bench import run_command
    from bench.catalogue import find_runtime
    from bench.session import NothingMeasuresError

    settings = _settings(options)
    entries = _entries(options, settings)
    for entry in entries:
        find_runtime(entry.case.runtime)  # a name that is none is a wrong call, and no refusal
    try:
        ran = run_command.run(entries, settings, say=_say, pairs=options.pairs)
    except NothingMeasuresError as error:
        print(f"joulebench: {error}", file=sys.stderr)
        return EXIT_CANNOT_MEASURE
    print("\n".join(ran.lines))
    for case, refusal in ran.refused.items():
        print(f"not run: {case}: {refusal}")
    for path in ran.written:
        if path.suffix in {".jsonl", ".md"}:
            print(f"wrote {os.path.relpath(path)}")
    return ran.exit_code


def _say(text: str) -> None:
    print(f"joulebench: {text}", file=sys.stderr, flush=True)


def _settings(options: argparse.Namespace) -> "Settings":
    from bench.options import settings

    def given(name: str) -> str:
        """A setting: command line over environment over default."""
        if name in _LEFT_OUT:
            return HELP[name][0]
        typed = getattr(options, name)
        found = os.environ.get(f"JOULES_{name.upper()}", HELP[name][0]) if typed is None else typed
        return str(found)

    command = shlex.join(["joulebench", *options.typed])
    return settings(given, folder=Path.cwd(), resume=False, raw=False, command=command)


_LONG_S = 1.0
_OF_ONE = ("name", "shape", "seq", "work", "unit", "threads", "vs")


def _entries(options: argparse.Namespace, settings: "Settings") -> list[Entry]:
    """The cases that are asked for.

    Raises:
        ValueError: A spec is none, or two have one name, or a suite is given what it says itself.
        Refusal: The baseline cannot be had.
    """
    others = [other(text) for text in options.vs]
    counts = Counter(each.name for each in others)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"--vs {twice[0]}=…: found it {counts[twice[0]]} times; give it once")
    wish = Wish(
        batch=options.batch,
        shapes=shapes(options.shape),
        seq=options.seq,
        seed=settings.seed,
        sources=settings.sources,
        random_weights=options.random_weights,
        allow_download=options.allow_download,
    )
    first = load(options.spec, wish)
    if isinstance(first, Own):
        return _beside(first, others, wish, options, settings)
    if given := [name for name in _OF_ONE if getattr(options, name)]:
        raise ValueError(f"--{given[0]}: a suite says it itself; leave it out for {options.spec}")
    return entries_of_suite(first, options.batch, options.runtime, settings.device)


def _beside(
    first: Own,
    others: Sequence[Other],
    wish: Wish,
    options: argparse.Namespace,
    settings: "Settings",
) -> list[Entry]:
    """A baseline with what is held against it; what cannot be had is a row that says so."""
    unit = options.unit or ("sample" if options.work else "")
    workload = workload_of(
        first, seed=wish.seed, unit=unit, name=options.name, threads=options.threads
    )
    beside: list[tuple[Other, Own | Refusal]] = []
    for each in others:
        try:
            found = load(each.spec, replace(wish, first=workload))
        except Refusal as refusal:
            beside.append((each, refusal))
            continue
        if isinstance(found, Suite):
            wanted = f"a suite stands alone: joulebench run {each.spec}"
            raise ValueError(f"--vs {each.name}=…: {wanted}")  # noqa: TRY004 - a wrong call
        beside.append((each, found))
    slowest = max([first.seconds, *(own.seconds for _, own in beside if isinstance(own, Own))])
    if slowest > _LONG_S:
        blocks = settings.schedule.of_pairs(options.pairs).fit((), slowest)
        most = f"{2 * blocks.looks[0]} or more of these runs for each case"
        _say(f"a run takes {slowest:.3g} s: {most}, and the warm-up; --pairs takes fewer")
    return entries(
        first,
        beside,
        workload,
        samples=options.work,
        runtime=options.runtime,
        device=settings.device,
    )
