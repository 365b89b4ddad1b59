"""``joulebench trend``: every case over the nights, with the shifts that are confirmed."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.garbage import uncollected
from bench.record import JournalError

if TYPE_CHECKING:
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    trend = verbs.add_parser("trend", help="every case over the nights, with confirmed shifts")
    trend.add_argument(
        "results",
        nargs="?",
        type=Path,
        default=Path("results"),
        metavar="RESULTS",
        help="the folder of journals; default: results/",
    )
    trend.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("reports/trend.md"),
        metavar="FILE",
        help="the page to write; default: reports/trend.md",
    )
    trend.add_argument(
        "--control",
        metavar="CASE",
        help="divide by this case of the same night; default: a roofline case, '' for none",
    )
    trend.add_argument(
        "-k", dest="part", default="", metavar="PART", help="cases with PART in them"
    )
    trend.add_argument("--machine", default="", metavar="ID", help="only this machine")
    trend.set_defaults(verb=_trend)


@uncollected()
def _trend(options: argparse.Namespace) -> int:
    from bench.history.index import index_of
    from bench.history.series import COLUMNS
    from bench.report.trend import trend
    from bench.report.trend_page import files
    from bench.report.write import replace_file

    if options.output.suffix != ".md":
        raise ValueError(f"-o {options.output}: the page is Markdown; give a name ending in .md")
    index = index_of(
        options.results,
        only=COLUMNS,
        workers=os.cpu_count() or 1,
        say=lambda line: print(f"joulebench: {line}", file=sys.stderr),
    )
    found = trend(index, control=options.control, part=options.part, machine=options.machine)
    if not found.courses:
        bad = f"; {len(index.unreadable)} journals cannot be read" if len(index.unreadable) else ""
        raise JournalError(
            f"found no night with a case to show in {options.results}{bad};"
            " run pytest --benchmark suites first, or give less with -k and --machine"
        )
    command = shlex.join(["joulebench", *options.typed])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for path, content in files(found, options.output, command).items():
        replace_file(path, content)
        print(f"wrote {os.path.relpath(path)}")
    return 0
