"""``joulebench report``: a page in Markdown or HTML, tables in LaTeX or CSV, from journals."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.exit_codes import EXIT_USAGE
from bench.garbage import uncollected
from bench.record import JournalError

if TYPE_CHECKING:
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    report = verbs.add_parser(
        "report", help="a Markdown or HTML page, LaTeX or CSV tables, from journals"
    )
    report.add_argument(
        "results",
        nargs="*",
        type=Path,
        metavar="RESULTS",
        help="journals or folders of them; default: the newest journal in results/",
    )
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        action="append",
        metavar="FILE",
        help="what to write, by its suffix: .md, .html, .tex, .csv; may be given several times",
    )
    carbon = report.add_mutually_exclusive_group()
    carbon.add_argument(
        "--grid-factor", metavar="FACTOR", help="e.g. '34gCO2e/kWh@2025:RTE'; adds carbon"
    )
    carbon.add_argument("--country", metavar="ISO", help="e.g. FRA: its factor, by codecarbon")
    report.add_argument(
        "--size-budget",
        metavar="BYTES",
        help="e.g. 100kB or 2MiB: says which variants fit, as for updates over the air",
    )
    report.add_argument(
        "--since",
        type=Path,
        action="append",
        default=[],
        metavar="JOURNAL",
        help="a journal of an earlier run on this machine: adds what changed since",
    )
    report.set_defaults(verb=_report)


@uncollected()
def _report(options: argparse.Namespace) -> int:
    from bench.records import journals, read
    from bench.report.markdown import GridFactor, parse_grid_factor
    from bench.report.sizes import parse_bytes
    from bench.report.write import require_form, write

    paths = [p for each in options.results for p in (journals(each) if each.is_dir() else [each])]
    if not options.results:
        newest_first = reversed(journals(Path("results")))
        paths = [next((path for path in newest_first if read(path).cases), None)]
        paths = [path for path in paths if path]
    if not paths:
        folders = " ".join(map(str, options.results)) or "results"
        raise JournalError(f"no journal in {folders}; run pytest --benchmark suites first")
    out = options.output or [Path("reports") / f"{paths[-1].stem}.md"]
    for each in out:
        require_form(each)
    grid = parse_grid_factor(options.grid_factor) if options.grid_factor else None
    if options.country:
        from bench.meters.codecarbon import grid_factor

        grid = GridFactor(*grid_factor(options.country))
    budget = parse_bytes(options.size_budget) if options.size_budget else None
    left_out: dict[str, None] = {}
    for each in out:
        written = write(
            paths,
            each,
            grid=grid,
            size_budget=budget,
            since=options.since,
            say=lambda reason: left_out.update({reason: None}),
        )
        for path in written:
            print(f"wrote {os.path.relpath(path)}")
    for reason in left_out:
        print(f"joulebench: left out: {reason}", file=sys.stderr)
    return EXIT_USAGE if left_out else 0
