"""``joulebench measure -- COMMAND``: the energy of any program, as time gives its seconds."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.exit_codes import EXIT_CANNOT_MEASURE
from bench.verbs._meters import add_meters, names

if TYPE_CHECKING:
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    measure = verbs.add_parser(
        "measure",
        help="the energy of any program, as time gives its seconds",
        description="Runs COMMAND and prints the energy of its time on standard error;"
        " with --json, one object as the last line of standard output."
        " Passes on the command's exit code.",
    )
    measure.add_argument("--json", action="store_true", help="print one JSON object")
    measure.add_argument("-o", "--output", type=Path, help="write the JSON object to this file")
    add_meters(measure)
    measure.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    measure.set_defaults(verb=_measure)


def _measure(options: argparse.Namespace) -> int:
    from bench.command import CommandError, measure_command
    from bench.cover import cover
    from bench.instruments import open_instruments

    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise ValueError("no command; write joulebench measure -- COMMAND")
    if options.output:
        options.output.touch()  # what cannot be written is said before the command runs
    instruments = open_instruments(names(options))
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
