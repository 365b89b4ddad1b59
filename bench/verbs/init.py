"""``joulebench init``: a first suite and the nightly workflow, in a project of yours."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    init = verbs.add_parser(
        "init",
        help="a first suite and the nightly workflow, in your project",
        description="Writes suites/test_energy.py and .github/workflows/nightly.yml into a project."
        " What exists is never written over.",
    )
    init.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="top of the project (default: here)",
    )
    init.add_argument(
        "--repository",
        default="",
        metavar="OWNER/NAME",
        help="on GitHub, where alone the workflow runs; default: that of the remote origin",
    )
    init.add_argument(
        "--model",
        choices=["torch", "plain"],
        help="what the suite measures: a torch module or plain functions; default: torch if it is"
        " installed",
    )
    init.set_defaults(verb=_init)


def _init(options: argparse.Namespace) -> int:
    from bench.starter import SUITE, UNKNOWN, WORKFLOW, start

    torch = None if options.model is None else options.model == "torch"
    found = start(options.folder, repository=options.repository, torch=torch)
    for path in found.made:
        print(f"wrote {path}")
    for path in found.kept:
        print(f"kept {path}: it exists, and nothing in it was changed")
    if found.pytest:
        print(f"pytest reads {found.pytest}")
    if WORKFLOW in found.made and found.repository == UNKNOWN:
        print(f"put your repository in place of {UNKNOWN} in {WORKFLOW}: else it runs nowhere")
    smoke, measure = found.commands()
    print(f"\nnext, each case once:  {smoke}")
    print(f"then, measured:        {measure}")
    if SUITE in found.kept:
        print("(these run the suite that you had)")
    return 0
