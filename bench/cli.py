"""The command ``joulebench``: its verbs are files of `bench.verbs`, which are found."""

import argparse
import io
import sys
from collections.abc import Sequence

from bench.discover import ours, plugins
from bench.exit_codes import EXIT_CANNOT_MEASURE, EXIT_NOTHING_RAN, EXIT_USAGE
from bench.meter import MeterUnavailable
from bench.record import JournalError
from bench.refusal import Refusal


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; its exit code is 0, the measured command's own, or one of `exit_codes`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that is not in UTF-8 has no ≈ or ├
            stream.reconfigure(errors="replace")
    typed = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(typed[:1]).parse_args(typed)
    options.typed = typed
    try:
        code: int = options.verb(options)
    except MeterUnavailable as error:
        print(f"joulebench: {error}", file=sys.stderr)
        return EXIT_CANNOT_MEASURE
    except Refusal as error:
        print(f"joulebench: {error}", file=sys.stderr)
        return EXIT_NOTHING_RAN
    except (JournalError, ValueError, OSError) as error:
        print(f"joulebench: {error}", file=sys.stderr)
        return EXIT_USAGE
    return code


def _parser(wanted: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of the first word that was typed, if it is a verb of ours; else that of all."""
    parser = argparse.ArgumentParser(
        prog="joulebench",
        description="Joules per inference for baseline against compressed models.",
        epilog="Exit codes: 0 ok, 1 nothing could be run, 2 wrong call, 10 cannot measure what"
        " --require asks for.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    own = [plugin for name in wanted if (plugin := ours("bench.verbs", name, "add"))]
    found, broken = ({own[0].name: own[0]}, ()) if own else plugins("bench.verbs", "add")
    for plugin in found.values():
        plugin.target(verbs)
    for each in broken:
        print(f"joulebench: the verb {each.name} cannot be used: {each.reason}", file=sys.stderr)
    return parser
