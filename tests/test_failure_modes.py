"""The 31 ways in which a power source fails, and the meters on which each of them is shown."""

import json
import re
import subprocess
import sys
from pathlib import Path

from failure_marks import HEADER
from processes import untraced

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "failure-modes.md"


def marked() -> dict[int, list[str]]:
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "failure_marks",
         "-p", "no:cacheprovider", str(TESTS)],
        capture_output=True, text=True, check=True,
        env={**untraced(), "PYTHONPATH": str(TESTS)},
    ).stdout  # fmt: skip
    line = next(line for line in found.splitlines() if line.startswith(HEADER))
    return {int(row): meters for row, meters in json.loads(line.removeprefix(HEADER)).items()}


def promised() -> dict[int, list[str]]:
    rows = re.findall(
        r"^\| (\d+) \|.*\| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {int(row): re.findall(r"[a-z_]+", meters) for row, meters in rows}


def test_every_way_to_fail_is_shown_on_the_meters_that_the_page_names() -> None:
    assert sorted(promised()) == list(range(1, 32))
    assert marked() == promised()
