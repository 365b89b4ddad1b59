"""Git repositories of users, made on the spot: a package, a suite, and what commits change."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}

CONFTEST = """
from bench.instruments import Instruments
from bench.schedule import PROFILES, Schedule

PROFILES["tiny"] = Schedule(pairs=2, block_s=0.02, warmup_s=0.005, idle_s=0.02, margin=0.03)
"""

NO_METERS = """

def pytest_joules_instruments(config):
    return Instruments()
"""

WORK = """
def run():
    return sum(i * i for i in range({times} * 2000))
"""
"""In one thread: a library's own threads wait for each other on a busy machine, at any length."""

SUITE = """
from model import run


def test_model(joules):
    joules(run)
"""

DEVICE = """
import os

from bench.simulated import DeviceModel, SimulatedDevice

DEVICE = SimulatedDevice(DeviceModel(noise=0.001), seed=os.getpid())


def pytest_joules_instruments(config):
    return DEVICE.instruments()
"""


SIMULATED = """
from conftest import DEVICE
from model import WATTS

from bench.simulated import SimulatedModel, Work


def test_model(joules):
    joules(SimulatedModel(DEVICE, Work(0.004, WATTS)), runtime="simulated")
"""


def quick(patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Lets many processes start fast: without plug-ins that are none of ours, compiled once.

    Nor do they count which lines they run: that takes a third of such a short process, and leaves
    a file each; what runs in them is tested in the tests' own process as well.

    Args:
        patch: Of the environment.
        cache: For compiled files.
    """
    patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    patch.setenv("PYTEST_ADDOPTS", "-p bench.plugin")
    patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    patch.setenv("PYTHONPYCACHEPREFIX", str(cache))
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        patch.delenv(name)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ("git", "-C", str(folder), *arguments),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **ENVIRONMENT},
    )
    return done.stdout.strip()


def commit(folder: Path, subject: str, files: Mapping[str, str]) -> str:
    """Writes files, commits all there is, and gives the hash."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", subject)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path) -> Path:
    """An empty repository whose suites run as short as the loop allows."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "pytest.ini").write_text("[pytest]\njoules_profile = tiny\n")
    (folder / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    (folder / "conftest.py").write_text(CONFTEST)
    return folder
