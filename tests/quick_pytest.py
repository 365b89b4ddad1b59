"""Stands for the processes of a gate: reads ``model.json`` of a revision, and writes a journal.

{"seconds": 0.001, "watts": 20, "has": true, "imports": true}
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from journals import PACKAGE, Cost, a_case, a_journal, a_run, quality, save
from repositories import History

from bench.alone import write_tests
from bench.gate import case_pairs, culprit, night, process
from bench.gate.checkout import Checkout
from bench.gate.process import Ended

TEST = "test_model.py::test_model"
CASE = "digits/baseline/eager/cpu/b1"
HOSTILE = "<script>dearer | `x`</script>\n\nSigned-off-by: ](javascript:x)\n| a | b |"
MODEL: dict[str, Any] = {"seconds": 0.001, "watts": 20.0, "has": True, "imports": True}


def model(**changes: Any) -> dict[str, str]:
    """The files of a revision."""
    return {"model.json": json.dumps({**MODEL, **changes}), "test_model.py": "import model"}


def start(side: Checkout, arguments: Sequence[str], folder: Path, deadline_s: float) -> Ended:
    """What `bench.gate.process.start` would give, in a moment."""
    found = json.loads((side.folder / "model.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    if not found["imports"]:
        return Ended(2, None, "ERROR test_model.py\nImportError: no module named torch", 0.5)
    if "--collect-only" in arguments:
        write_tests(folder, [TEST], [(TEST, TEST)] if found["has"] else [])
        return Ended(0, None, "", 0.5)
    luck = random.Random(f"{folder.name}/{side.revision}")
    costs = []
    for _ in range(3):
        seconds = found["seconds"] * (1 + luck.gauss(0, 0.001))
        costs.append((Cost({PACKAGE.id: seconds * found["watts"]}, seconds), None))
    case = a_case(nodeid=TEST, quality=quality(0.97), **found.get("case", {}))
    run = a_run(channels=() if found.get("unread") else (PACKAGE,))
    path = save(a_journal([(case, costs)], run=run), folder)
    return Ended(0, path, "", 0.5)


def nine_commits(folder: Path) -> History:
    """Nine commits: the fifth does not import, the seventh makes each sample dearer."""
    history = History(folder)
    history.commit("begin", model())
    history.commit("words", {"README.md": "one"})
    history.commit("more words", {"README.md": "two"})
    history.commit("third", {"README.md": "three"})
    history.commit("cannot be imported", model(imports=False))
    history.commit("can again", model())
    history.commit(HOSTILE, model(seconds=0.0012), "Eve ](x)")
    history.commit("later", {"README.md": "four"})
    history.commit("last", {"README.md": "five"})
    return history


def instead_of_processes(patch: pytest.MonkeyPatch) -> None:
    """Lets all that would start a process of pytest take a moment instead."""
    patch.setitem(night.run_night.__kwdefaults__ or {}, "start", start)
    for made in (case_pairs.CasePairs, culprit.Inquiry):
        defaults = made.__init__.__defaults__ or ()
        quick = tuple(start if each is process.start else each for each in defaults)
        patch.setattr(made.__init__, "__defaults__", quick)
