"""What a test says of itself: whether it measures, and its marker ``joules``.

The plugin asks at collection: only the standard library and pytest are imported.
"""

from collections.abc import Mapping
from typing import Any

import pytest

FIXTURE = "joules"
MARKER = (
    "joules(unit=None, pairs=None, profile=None): unit of one sample, such as 'image'; pairs of "
    "blocks to measure; the least profile that runs it, such as 'full'"
)


def uses_joules(item: pytest.Item) -> bool:
    """Whether a test asks for our fixture."""
    return FIXTURE in getattr(item, "fixturenames", ())


def is_skipped(item: pytest.Item) -> bool:
    """Whether a marker skips it whatever happens."""
    return any(mark.name == "skip" for mark in item.iter_markers())


def said(node: pytest.Item) -> dict[str, Any]:
    """What the markers of a test say; of two that speak of one thing, the closer."""
    found: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers(FIXTURE))):
        found |= marker.kwargs
    return found


def marked(node: pytest.Item) -> Mapping[str, Any]:
    """What the markers of a test say.

    Raises:
        UsageError: They say something that the marker does not have.
    """
    found = said(node)
    if unknown := sorted(set(found) - {"unit", "pairs", "profile"}):
        raise pytest.UsageError(f"@pytest.mark.joules has no {unknown[0]}; it is {MARKER}")
    return found


def reaches(profile: str, item: pytest.Item) -> bool:
    """Whether a session of *profile* runs a test.

    Raises:
        UsageError: Its marker names a profile that is none.
    """
    from bench import options

    try:
        return options.reaches(profile, said(item).get("profile"))
    except ValueError as error:
        raise pytest.UsageError(f"@pytest.mark.joules of {item.nodeid}: {error}") from error
