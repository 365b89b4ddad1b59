"""Every test has its own cache, its own lock, and no setting of the person who runs it."""

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        # a session in a test is none of the workers that run the tests, and may measure
        for name in [name for name in os.environ if name.startswith(("JOULES_", "PYTEST_XDIST_"))]:
            patch.delenv(name)
        patch.setenv("JOULES_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("JOULES_LOCK", str(tmp_path_factory.mktemp("lock") / "host.lock"))
        yield


@pytest.fixture(autouse=True, scope="session")
def _set_aside() -> Iterator[None]:
    """The collection before each window walks what its test made, not the thousands of tests.

    A measurement sets aside what is alive and gives it back; here it stays aside, or each case of
    each simulated session would walk all of pytest's and torch's objects twice.
    """
    gc.collect()
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "unfreeze", lambda: None)
        yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def _loaded() -> None:
    """Compiled libraries load once in a process; pytester forgets what a run in it imported."""
    for name in ("pandas", "matplotlib.figure", "codecarbon", "torch_pruning", "sklearn.datasets"):
        importlib.import_module(name)
    import torch

    from bench.model_facts import facts

    facts(torch.nn.Linear(2, 2), torch.rand(1, 2))  # counting operators loads half of torch


@pytest.fixture
def project(pytester: pytest.Pytester, _loaded: None) -> pytest.Pytester:
    """A user's project with one profile more: as short as the loop allows."""
    pytester.makeini(
        "[pytest]\njoules_profile = tiny\njoules_seeds = 1\nfilterwarnings =\n    error\n"
    )
    pytester.makeconftest(
        """
        from bench.schedule import PROFILES, Schedule

        PROFILES["tiny"] = Schedule(pairs=2, block_s=0.02, warmup_s=0.02, idle_s=0.02, margin=0.03)
        """
    )
    return pytester


@pytest.fixture
def results(project: pytest.Pytester) -> Path:
    """Where the project's journals go."""
    return project.path / "results"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with one folder for each plug-in folder of ours, all of which are searched."""
    before = set(sys.modules)
    for name in ("meters", "workloads", "techniques", "runtimes", "report.sections"):
        package = importlib.import_module(f"bench.{name}")
        folder = tmp_path / "added" / name
        folder.mkdir(parents=True)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    yield tmp_path / "added"
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            parent, _, child = name.rpartition(".")
            del sys.modules[name]
            delattr(sys.modules[parent], child)
