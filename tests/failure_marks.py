"""A plug-in of pytest that says which failure modes the collected tests show, on which meters.

python -m pytest --collect-only -q -p failure_marks tests      # with tests/ on the path
"""

import json
import sys
from collections import defaultdict

import pytest

HEADER = "failure modes: "


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prints one line of JSON: meters by row."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for item in session.items:
        for mark in item.iter_markers("failure_mode"):
            row, meter = mark.args
            found[row].add(meter)
    sys.stdout.write(
        f"\n{HEADER}{json.dumps({row: sorted(found[row]) for row in sorted(found)})}\n"
    )
