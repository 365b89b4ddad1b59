"""``joulebench replay``: makes the joules of a journal again from its raw readings."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench.record import JournalError

if TYPE_CHECKING:
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    replay = verbs.add_parser(
        "replay",
        help="makes the joules of a journal again from its raw readings, and compares",
        description="Makes the joules of journals measured with --joules-raw again from their raw"
        " readings. Exit code 0 if each is the same, bit for bit, else 1.",
    )
    replay.add_argument("journals", nargs="+", type=Path, metavar="JOURNAL")
    replay.set_defaults(verb=_replay)


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
