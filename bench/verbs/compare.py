"""``joulebench compare A B``: two runs case by case, energy = time × power."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.exit_codes import EXIT_USAGE
from bench.garbage import uncollected

if TYPE_CHECKING:
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    compare = verbs.add_parser("compare", help="two runs case by case: energy = time × power")
    for name, what in (("before", "the earlier run"), ("after", "the run to hold against it")):
        compare.add_argument(
            name, metavar=name.upper(), help=f"{what}: a journal, or a part of its name in results/"
        )
    compare.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where journals are"
    )
    compare.add_argument(
        "-k", dest="part", default="", metavar="PART", help="cases with PART in them"
    )
    compare.add_argument("--json", type=Path, metavar="FILE", help="writes it for programs")
    compare.add_argument("--markdown", type=Path, metavar="FILE", help="writes it as a page")
    compare.set_defaults(verb=_compare)


@uncollected()
def _compare(options: argparse.Namespace) -> int:
    from bench.history.changes import changes
    from bench.history.find import journal_of
    from bench.records import read
    from bench.report.change_page import as_json, page
    from bench.report.change_terminal import lines
    from bench.report.write import replace_file

    before, after = (
        read(journal_of(name, options.results)) for name in (options.before, options.after)
    )
    found = changes(before, after, options.part)
    print("\n".join(lines(found)))
    for path, text in ((options.markdown, page), (options.json, as_json)):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, text(found))
            print(f"wrote {os.path.relpath(path)}")
    if found.is_comparable:
        return 0
    print(f"joulebench: nothing is comparable: {found.why_not}", file=sys.stderr)
    return EXIT_USAGE
