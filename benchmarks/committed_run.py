"""What programs of this folder have in common: a run that is committed, and the page it gives."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import fingerprint, git_state

ROOT = Path(__file__).resolve().parent.parent
Found = dict[str, Any]


def program(
    about: str, name: str, measure: Callable[[], Found], page: Callable[[Found], str]
) -> None:
    """Measures and writes a run and its page, or with ``--page`` an earlier run's page again.

    Args:
        about: The program's docstring, for its help.
        name: Of the folder in ``results/`` and of the page in ``reports/``.
        measure: Gives what belongs to the run, beside when, where and of which revision.
        page: The page of a run: the same run gives the same bytes.
    """
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--page", type=Path, metavar="FILE", help="an earlier run")
    options = parser.parse_args()
    if options.page:
        run = json.loads(options.page.read_text(encoding="utf-8"))
    else:
        run = _measured(name, measure)
        path = ROOT / run["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    text = page(run)
    (ROOT / "reports" / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


def _measured(name: str, measure: Callable[[], Found]) -> Found:
    machine, git = fingerprint(), git_state(ROOT)
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stamp = started.replace("-", "").replace(":", "")
    return {
        "path": f"results/{name}/{stamp}-{machine.id}.json",
        "started": started,
        "git": asdict(git) if git else None,
        "machine": asdict(machine),
        **measure(),
    }
