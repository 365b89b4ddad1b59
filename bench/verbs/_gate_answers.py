"""What ``joulebench gate`` leaves: the files that are asked for, the night's answer, the lines."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.garbage import uncollected

if TYPE_CHECKING:
    from bench.gate.answer import Night
    from bench.gate.evidence import Evidence


def results_of(options: argparse.Namespace, found: "Evidence") -> Path:
    """The folder of all results that a night is one of."""
    if options.folder is None:
        results: Path = options.results
        return results
    return found.folder.resolve().parent.parent


def tell(options: argparse.Namespace, night: "Night", found: "Evidence") -> None:
    """Writes the answers that are asked for, and one beside the evidence for the nights to come."""
    from bench.gate.about import known_of, with_guilty
    from bench.gate.alert import blocks, page
    from bench.gate.earlier import with_noise
    from bench.gate.machine_answer import ANSWER, answer, junit
    from bench.gate.repository import Repository
    from bench.gate.terminal import lines

    known = known_of(found, Repository(Path.cwd()), blocks(night, {}))
    known = with_noise(known, found.folder.resolve(), found.state.machine)
    known = with_guilty(known, night, results_of(options, found))
    told = json.dumps(answer(night, known), indent=1) + "\n"
    _put(None if options.folder else found.folder / ANSWER, lambda: told)
    _put(options.json, lambda: told)
    _put(options.junit, lambda: junit(night, known))
    _put(options.markdown, lambda: page(night, known))
    print("\n".join(lines(night, found, known)))


@uncollected()
def look_back(options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """The newest night of a folder by those before it: where no baseline can be run again."""
    from bench.gate.accepted import read
    from bench.gate.alert import page
    from bench.gate.canary import DEFAULT_MARGIN, exit_code
    from bench.gate.from_history import from_history
    from bench.gate.limits import ALL, margins
    from bench.gate.machine_answer import answer, junit

    _require_paired(options)
    given = margins(options.margin)
    if some := [pattern for pattern, _ in given if pattern != ALL]:
        raise ValueError(f"--margin {some[0]}=…: with --history alone there is one for all cases")
    night, said = from_history(
        options.history,
        accepted={each.case: each.commit for each in read(options.history)},
        asked=given[-1][1] if given else DEFAULT_MARGIN,
        allow_estimates=options.allow_estimates,
        say=say,
    )
    _put(options.json, lambda: json.dumps(answer(night), indent=1) + "\n")
    _put(options.junit, lambda: junit(night))
    _put(options.markdown, lambda: page(night, {}))
    print("\n".join(said))
    return exit_code(night)


def _require_paired(options: argparse.Namespace) -> None:
    """Refuses what only a night of pairs can do.

    Raises:
        ValueError: One of it was asked for.
    """
    given = {
        "--floor": options.floor,
        "--metric": options.metric != "energy,time",
        "--bisect": options.bisect,
        " ".join(options.arguments): options.arguments,
    }
    if named := [name for name, value in given.items() if value]:
        raise ValueError(
            f"{named[0]}: with --history alone nothing is run and every case is judged by all that"
            " was measured; leave it out, or give --against REV"
        )


def _put(path: Path | None, text: Callable[[], str]) -> None:
    """Makes and writes a file, if one is asked for."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(), encoding="utf-8")
