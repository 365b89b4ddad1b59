"""``joulebench demo``: what is answered, and how surely, on a simulated device."""

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
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
