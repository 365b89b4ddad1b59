"""Every form of a report with all that it may tell has the same bytes in another process."""

import os
import subprocess
import sys
from pathlib import Path

from recomputed_journals import GRAMS_PER_KWH, ROOT, SIZE_BUDGET, folder, written

_FRESH = "import sys; from bench.cli import main; sys.exit(main(sys.argv[1:]))"
PLACE = {"PYTHONHASHSEED": "7", "TZ": "Asia/Kolkata", "LC_ALL": "C"}


def test_another_process_writes_the_same_bytes_of_every_form(tmp_path: Path) -> None:
    path, wanted = written("everything")
    broken = folder() / "20261122T101203Z-0123456789ab-r0.jsonl"
    outs = [a for end in (".md", ".html", ".tex") for a in ("-o", str(tmp_path / f"page{end}"))]
    options = [
        "--since", str(written("several processes")[0]), "--size-budget", f"{SIZE_BUDGET}B",
        "--grid-factor", f"{GRAMS_PER_KWH:g}gCO2e/kWh@2025:RTE",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, "report", str(path), str(broken), *options, *outs],
        env={**os.environ, "PYTHONPATH": str(ROOT), **PLACE},
        cwd=tmp_path, check=False, capture_output=True,
    )  # fmt: skip

    assert b"left out: 20261122T101203Z" in done.stderr
    found = {each.name.removeprefix("page"): each.read_text("utf-8") for each in tmp_path.iterdir()}
    assert set(found) == {".md", ".csv", ".svg", ".html", ".tex"}
    assert found == wanted
