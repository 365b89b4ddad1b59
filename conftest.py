"""Settings of the tests that must stand at the root: pytest's own tester, hypothesis' profile."""

import os

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    """Lets property tests take the time that a noisy machine needs, and repeat in CI."""
    try:
        from hypothesis import HealthCheck, settings
    except ImportError:  # the suites need no hypothesis
        return
    settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("ci", settings.get_profile("steady"), derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") else "steady")
