"""The command ``joulebench``: demo, doctor, measure, reference, report, replay."""

import argparse
import io
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.meter import MeterUnavailable
from bench.record import JournalError

EXIT_USAGE = 2
EXIT_CANNOT_MEASURE = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; its exit code is 0, the measured command's own, 2 for a wrong call, or 10."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that is not in UTF-8 has no ≈ or ├
            stream.reconfigure(errors="replace")
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        code: int = options.verb(options)
    except MeterUnavailable as error:
        print(f"joulebench: {error}", file=sys.stderr)
        return EXIT_CANNOT_MEASURE
    except (JournalError, ValueError, OSError) as error:
        print(f"joulebench: {error}", file=sys.stderr)
        return EXIT_USAGE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="joulebench",
        description="Joules per inference for baseline against compressed models.",
        epilog="Exit codes: 0 ok, 2 wrong call, 10 cannot measure what --require asks for.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_doctor(verbs)
    _add_measure(verbs)
    _add_report(verbs)
    _add_replay(verbs)
    _add_demo(verbs)
    _add_reference(verbs)
    return parser


def _add_doctor(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    doctor = verbs.add_parser(
        "doctor", help="what can be measured here, and how to make the rest work"
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    doctor.add_argument(
        "--probe",
        choices=["gpu"],
        help="load the first NVIDIA GPU for some minutes, and see whether its energy counter"
        " sees all of the time",
    )
    doctor.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write what the probe saw, as JSON"
    )
    _add_meters(doctor, "gpu")
    doctor.set_defaults(verb=_doctor)


def _add_measure(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    measure = verbs.add_parser(
        "measure",
        help="the energy of any program, as time gives its seconds",
        description="Runs COMMAND and prints the energy of its time on standard error;"
        " with --json, one object as the last line of standard output."
        " Passes on the command's exit code.",
    )
    measure.add_argument("--json", action="store_true", help="print one JSON object")
    measure.add_argument("-o", "--output", type=Path, help="write the JSON object to this file")
    _add_meters(measure)
    measure.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    measure.set_defaults(verb=_measure)


def _add_meters(parser: argparse.ArgumentParser, *more: str) -> None:
    parser.add_argument(
        "--meters",
        metavar="NAMES",
        help="meters that must open, e.g. powercap,plug:http://10.0.0.7; default: all that can",
    )
    parser.add_argument(
        "--require",
        choices=["measured", *more],
        help="exit with 10 if no such instrument can be read",
    )


def _add_report(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    report = verbs.add_parser("report", help="a Markdown page with its figure, from journals")
    report.add_argument(
        "results",
        nargs="*",
        type=Path,
        metavar="RESULTS",
        help="journals or folders of them; default: the newest journal in results/",
    )
    report.add_argument("-o", "--output", type=Path, metavar="FILE", help="the page to write")
    carbon = report.add_mutually_exclusive_group()
    carbon.add_argument(
        "--grid-factor", metavar="FACTOR", help="e.g. '34gCO2e/kWh@2025:RTE'; adds carbon"
    )
    carbon.add_argument("--country", metavar="ISO", help="e.g. FRA: its factor, by codecarbon")
    report.set_defaults(verb=_report)


def _add_demo(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = verbs.add_parser(
        "demo",
        help="what is answered, and how surely, on a simulated device of which the truth is known",
        description="Measures a simulated device in its own time, with the code that measures"
        " machines, and prints each answer beside the truth. No model, instrument or network is"
        " needed, and no number is any machine's.",
    )
    demo.add_argument(
        "--counter",
        choices=["rapl", "nvml-100ms", "gauge", "none"],
        default="rapl",
        help="what reads it: a fast counter, one that is slow and sees a quarter of the time, a"
        " power gauge, nothing (default: rapl)",
    )
    demo.add_argument(
        "--noise",
        choices=["quiet", "laptop", "shared-host"],
        default="shared-host",
        help="what disturbs it: little, heat that throttles, neighbours (default: shared-host)",
    )
    demo.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another draw of the noise (default: 0)"
    )
    demo.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="keep the journal there, with its page"
    )
    demo.set_defaults(verb=_demo)


def _add_replay(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    replay = verbs.add_parser(
        "replay",
        help="makes the joules of a journal again from its raw readings, and compares",
        description="Makes the joules of journals measured with --joules-raw again from their raw"
        " readings. Exit code 0 if each is the same, bit for bit, else 1.",
    )
    replay.add_argument("journals", nargs="+", type=Path, metavar="JOURNAL")
    replay.set_defaults(verb=_replay)


def _add_reference(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    reference = verbs.add_parser(
        "reference",
        help="the papers' own numbers, each with its source and how sure it is",
        description="Prints the published tables that ship; without PAPER, the papers' names.",
    )
    reference.add_argument(
        "paper", nargs="?", metavar="PAPER", help="a part of its name, such as eie or 'deep comp'"
    )
    reference.add_argument(
        "--table", default="", metavar="NAME", help="a part of the table's name, such as 'table 8'"
    )
    reference.set_defaults(verb=_reference)


def _names(options: argparse.Namespace) -> list[str] | None:
    if not options.meters:
        return None
    names = [name.strip() for name in options.meters.split(",")]
    if not all(names):
        raise ValueError(f"--meters {options.meters}: found an empty name; write A,B without more")
    return names


def _doctor(options: argparse.Namespace) -> int:
    from bench.doctor import diagnose
    from bench.instruments import open_instruments
    from bench.machine import fingerprint

    if options.probe:
        if options.meters or options.require:
            raise ValueError("--probe gpu stands alone: leave out --meters and --require")
        return _probe(options)
    if options.output:
        raise ValueError("-o writes what --probe saw; for the doctor's own words use --json > FILE")
    instruments = open_instruments(_names(options))
    try:
        diagnosis = diagnose(fingerprint(), instruments)
        if options.json:
            print(json.dumps(diagnosis.as_json(), indent=1))
        else:
            print("\n".join(diagnosis.lines()))
    finally:
        instruments.close()
    if options.require == "gpu" and not diagnosis.gpu_measured:
        print("joulebench: no instrument of a GPU can be read here", file=sys.stderr)
        return EXIT_CANNOT_MEASURE
    if options.require and not diagnosis.measured:
        print("joulebench: no instrument can be read here", file=sys.stderr)
        return EXIT_CANNOT_MEASURE
    return 0


def _probe(options: argparse.Namespace) -> int:
    from bench.gpu_probe import probe_gpu

    try:
        import pynvml
    except ImportError as error:
        raise MeterUnavailable("pynvml is not installed", "pip install nvidia-ml-py") from error
    if options.output:
        options.output.touch()  # what cannot be written is said before the probe runs
    found = probe_gpu(pynvml, 0)
    if options.output:
        found.write(options.output)
    if options.json:
        print(json.dumps(found.as_json(), indent=1))
    else:
        print("\n".join(found.lines()))
    return 0


def _measure(options: argparse.Namespace) -> int:
    from bench.command import CommandError, measure_command
    from bench.cover import cover
    from bench.instruments import open_instruments

    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise ValueError("no command; write joulebench measure -- COMMAND")
    if options.output:
        options.output.touch()  # what cannot be written is said before the command runs
    instruments = open_instruments(_names(options))
    try:
        if options.require and not cover(instruments.channels, ""):
            print(f"joulebench: {instruments.why_not_measured()}", file=sys.stderr)
            return EXIT_CANNOT_MEASURE
        outcome = measure_command(command, instruments)
    except CommandError as error:
        print(f"joulebench: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        instruments.close()
    line = json.dumps(outcome.as_json())
    if options.output:
        options.output.write_text(line + "\n", encoding="utf-8")
    if options.json:
        print(line, flush=True)
    else:
        print("\n".join(outcome.lines()), file=sys.stderr)
    return outcome.exit_code


def _report(options: argparse.Namespace) -> int:
    from bench.records import journals, read
    from bench.report.markdown import GridFactor, parse_grid_factor
    from bench.report.write import write

    paths = [p for each in options.results for p in (journals(each) if each.is_dir() else [each])]
    if not options.results:
        newest_first = reversed(journals(Path("results")))
        paths = [next((path for path in newest_first if read(path).cases), None)]
        paths = [path for path in paths if path]
    if not paths:
        folders = " ".join(map(str, options.results)) or "results"
        raise JournalError(f"no journal in {folders}; run pytest --benchmark suites first")
    if options.output and options.output.suffix != ".md":
        raise ValueError(f"-o {options.output}: the page is Markdown; give a name ending in .md")
    grid = parse_grid_factor(options.grid_factor) if options.grid_factor else None
    if options.country:
        from bench.meters.codecarbon import grid_factor

        grid = GridFactor(*grid_factor(options.country))
    out = options.output or Path("reports") / f"{paths[-1].stem}.md"
    for path in write(paths, out, grid=grid):
        print(f"wrote {os.path.relpath(path)}")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from bench.demo import demo

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.output or Path(temporary)
        found = demo(folder, options.counter, options.noise, options.seed)
    print("\n".join(found.lines()))
    if options.output:
        from bench.report.write import write

        journal = found.journal.path
        for path in (journal, *write([journal], journal.with_suffix(".md"))):
            print(f"wrote {os.path.relpath(path)}")
    return 0


def _replay(options: argparse.Namespace) -> int:
    from bench.records import read
    from bench.replay import differences, replayed

    code = 0
    for path in options.journals:
        journal = read(path)
        energies = sum(1 for _ in replayed(journal))
        if not energies:
            raise JournalError(
                f"no window of {path} holds its readings; measure with --joules-raw to keep them"
            )
        found = list(differences(journal))
        for difference in found:
            print(f"{path.name}: {difference}")
        windows = sum(bool(window.readings) for window in journal.windows)
        said = f"{len(found)} of them differ" if found else "all the same, bit for bit"
        print(f"{path.name}: {energies} energies of {windows} windows made again: {said}")
        code = code or int(bool(found))
    return code


def _reference(options: argparse.Namespace) -> int:
    from bench.reference.listing import lines, overview, select

    if options.paper is None:
        if options.table:
            raise ValueError(f"--table {options.table}: of which paper? name it before the table")
        print("\n".join(overview()))
        return 0
    grey = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print("\n".join(lines(select(options.paper, options.table), grey=grey)))
    return 0
