"""Publishes our rows into pytest-benchmark's session: its table, its JSON, its compare.

pytest-benchmark has no public way in for a loop that is not its own. The four private touches
stand here and nowhere else: ``config._benchmarksession``, its list ``benchmarks``, the class
``stats.Metadata``, and ``_mode`` of its fixture. They are the same from 4.0 to 5.3. If one is
missing, rows are not mirrored, and everything of ours goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bench.compare import Row
from bench.quantities import Absent
from bench.record import Window

FIXTURE = "benchmark"


@dataclass
class _Published:
    """What `Metadata` reads of a fixture, and no more."""

    name: str
    fullname: str
    group: str | None
    param: str | None
    params: dict[str, Any] | None
    extra_info: dict[str, Any]
    cprofile_stats: None = None
    has_error: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def is_active(config: pytest.Config) -> bool:
    """Whether pytest-benchmark takes part in this session."""
    return hasattr(config, "_benchmarksession") and config.pluginmanager.has_plugin(FIXTURE)


def adopt(items: Sequence[pytest.Item], fixture: str) -> None:
    """Marks the tests that use *fixture* as benchmarks in pytest-benchmark's eyes.

    It looks for the name of its own fixture: then --benchmark-only and --benchmark-skip mean
    our tests too.
    """
    for item in items:
        names = getattr(item, "fixturenames", [])
        if fixture in names and FIXTURE not in names:
            names.append(FIXTURE)


def companion(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - their fixture is untyped
    """pytest-benchmark's own fixture for this test, or None where it takes no part.

    Asking for it at set-up makes its skipping and disabling apply to our tests.
    """
    return request.getfixturevalue(FIXTURE) if is_active(request.config) else None


def is_disabled(fixture: Any) -> bool:  # noqa: ANN401 - their fixture is untyped
    """Whether pytest-benchmark was told to run each benchmark once (--benchmark-disable)."""
    return bool(getattr(fixture, "disabled", False))


def release(fixture: Any) -> None:  # noqa: ANN401 - their fixture is untyped
    """Keeps pytest-benchmark from warning that its fixture was not used: ours was."""
    if getattr(fixture, "_mode", FIXTURE) is None:
        fixture._mode = "joules"  # noqa: SLF001 - one of the four touches


def publish(item: pytest.Item, suffix: str, row: Row, windows: Sequence[Window]) -> bool:
    """Adds a row to pytest-benchmark's session: seconds per call, one value for each window.

    Args:
        item: The test.
        suffix: Tells rows of one test apart; empty for the first.
        row: What was measured; its energy goes into ``extra_info["joules"]``.
        windows: The windows of the row itself.

    Returns:
        Whether it could be added.
    """
    try:
        from pytest_benchmark.stats import Metadata

        benchmarks = item.config._benchmarksession.benchmarks  # type: ignore[attr-defined] # noqa: SLF001
    except (ImportError, AttributeError):
        return False
    callspec = getattr(item, "callspec", None)
    marker = item.get_closest_marker(FIXTURE)
    published = _Published(
        name=f"{item.name}{suffix}",
        fullname=f"{item.nodeid}{suffix}",
        group=marker.kwargs.get("group") if marker else None,
        param=callspec.id if callspec else None,
        params=dict(callspec.params) if callspec else None,
        extra_info={"joules": summary(row)},
    )
    calls = max(1, min((window.calls for window in windows), default=1))
    metadata: Any = Metadata(published, calls, {"joules": True})  # type: ignore[no-untyped-call]
    for window in windows:
        metadata.stats.update(window.seconds / window.calls)
    benchmarks.append(metadata)
    return True


def summary(row: Row) -> dict[str, Any]:
    """A row as JSON for other tools: energy is an object, never a bare number, null if absent."""
    energy: dict[str, Any] = {"value_j": None, "reason": "", "per": row.case.unit}
    if isinstance(row.energy, Absent):
        energy["reason"] = str(row.energy)
    else:
        energy |= {
            "value_j": row.energy.value,
            "ci95_j": [row.energy.low, row.energy.high],
            "kind": str(row.energy.kind),
            "boundary": row.energy.boundary,
            "includes_idle": True,
        }
    ratio = row.energy_ratio
    return {
        "case": row.case.case,
        "energy": energy,
        "energy_ratio": [ratio.value, ratio.low, ratio.high] if ratio else None,
        "verdict": str(row.energy_verdict),
        "time_verdict": str(row.time_verdict),
        "quality": row.case.quality,
    }
