"""``joulebench reference``: the papers' own numbers, each with its source."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
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
