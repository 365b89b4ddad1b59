"""What a project's ``conftest.py`` may tell the plugin, as hooks of pytest."""

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from bench.instruments import Instruments

_hookspec = pluggy.HookspecMarker("pytest")  # what pytest.hookspec is


@_hookspec(firstresult=True)
def pytest_joules_instruments(config: Any) -> "Instruments | None":  # noqa: ANN401 - pytest's own
    """Open instruments to measure with, instead of those that are found; None finds them.

    It is asked once in each measuring session, and not where ``--joules-meters`` names meters.
    The session closes what it is given.

    Args:
        config: The configuration of the pytest session.
    """
