"""The pytest plugin: ``pytest --benchmark``, the fixture ``joules``, and what they print.

Every pytest run of every user pays for the import of this file, so it imports the standard
library and pytest; torch, pandas and the meters are imported when something is measured.
"""

import argparse
import contextlib
import os
import shlex
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from bench import marks
from bench.options import HELP
from bench.quantities import NotMeasuredError
from bench.refusal import Refusal
from bench.status_line import StatusLine

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from bench.child import Launcher
    from bench.fixture import Joules
    from bench.instruments import Instruments
    from bench.result import Result
    from bench.run import Settings
    from bench.session import Session
    from bench.wanted import Wanted
    from bench.workload import Loop, Sources, Variant

EXIT_CANNOT_MEASURE = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    """Registers our options; each but the flags has an ini key of the same name."""
    group = parser.getgroup("joules", "joules: energy of baseline against compressed models")
    help_text = (
        "Measure joules per inference and speed. Without it each case runs once, unmeasured."
    )
    # another plugin may own that name; our alias remains
    with contextlib.suppress(ValueError, argparse.ArgumentError):
        group.addoption("--benchmark", action="store_true", dest="joules", help=help_text)
    group.addoption("--joules", action="store_true", dest="joules", help="Same as --benchmark.")
    for name, (default, text) in HELP.items():
        metavar = name.upper()
        group.addoption(f"--joules-{name}", dest=f"joules_{name}", metavar=metavar, help=text)
        parser.addini(f"joules_{name}", f"{text} (command line: --joules-{name})", default=default)
    group.addoption(
        "--joules-resume",
        action="store_true",
        dest="joules_resume",
        help="Go on with the newest journal if it did not end well; run only what is missing.",
    )
    group.addoption(
        "--joules-raw",
        action="store_true",
        dest="joules_raw",
        help="Keep every raw reading in the journal: joulebench replay makes all joules again.",
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Tells pytest of the hooks that a project may define."""
    from bench import hookspec

    pluginmanager.add_hookspecs(hookspec)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that a suite gives out (`bench.Suite.test`) is one for each of its cases."""
    suite = getattr(metafunc.function, "joules_suite", None)
    if suite is not None:
        cases = list(suite.cases())
        ids = [f"{variant}-b{batch}" for variant, batch in cases]
        metafunc.parametrize(("variant", "batch"), cases, ids=ids)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker, and the plugin's state; a fresh process of another session is silent.

    It comes before the plugins that open what their options name.
    """
    config.addinivalue_line("markers", marks.MARKER)
    state = _State(config)
    if state.measuring and _has_workers(config):
        raise pytest.UsageError(
            "joules cannot measure under parallel workers: they would measure each other;"
            " run pytest --benchmark with -n0"
        )
    config.pluginmanager.register(state, "joules-state")


def _has_workers(config: pytest.Config) -> bool:
    parallel = config.getoption("numprocesses", default=None) or config.getoption("tx", default=[])
    return bool(parallel) or "PYTEST_XDIST_WORKER" in os.environ


def _option(config: pytest.Config, name: str) -> str:
    """A setting: command line over environment over ini over default."""
    given = config.getoption(f"joules_{name}")
    if given is None:
        given = os.environ.get(f"JOULES_{name.upper()}")
    if given is None:
        given = config.getini(f"joules_{name}")
    return str(given)


class _State:
    """What the plugin keeps between hooks: the open session, and what there is to print."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.session: Session | None = None
        self.wanted = _wanted(config)
        self.measuring = bool(config.getoption("joules")) and self.wanted is None
        self.line = StatusLine(config)
        self.variants: dict[object, Variant] = {}
        self.written: tuple[Path, ...] = ()
        self.failure = ""

    # -- before the tests -------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Lets pytest-benchmark count our tests as benchmarks; a fresh process has one test."""
        if self.wanted is not None:
            others = [item for item in items if item.nodeid != self.wanted.nodeid]
            items[:] = [item for item in items if item.nodeid == self.wanted.nodeid]
            config.hook.pytest_deselected(items=others)
        if not any(marks.uses_joules(item) for item in items):
            return
        self._leave_to_longer_profiles(config, items)
        from bench import pytest_bridge

        if pytest_bridge.is_active(config):
            pytest_bridge.adopt(items, marks.FIXTURE)

    def _leave_to_longer_profiles(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselects the tests that are marked for a longer profile than that of this session."""
        profile = _option(config, "profile")
        left = [item for item in items if not marks.reaches(profile, item)]
        if left:
            items[:] = [item for item in items if item not in left]
            config.hook.pytest_deselected(items=left)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Opens the measuring session once it is known that there is something to measure."""
        config = self.config
        ours = [
            item for item in session.items if marks.uses_joules(item) and not marks.is_skipped(item)
        ]
        self.line.cases = len(ours)
        if self.measuring and config.option.collectonly and _option(config, "alone") != "0":
            self._write_tests(ours)
        if not (self.measuring and ours) or config.option.collectonly:
            return
        if config.getoption("benchmark_disable", default=False):
            self.measuring = False
            return
        from bench.plan import plan

        self.session = self._start()
        self.line.say(plan(self.session, [marks.said(item).get("pairs") for item in ours]))

    def _start(self) -> "Session":
        from bench.alone import AloneSession
        from bench.meter import MeterUnavailable
        from bench.record import JournalError
        from bench.session import NothingMeasuresError, Session

        try:
            settings = self._settings()
            launcher = self._launcher() if settings.processes else None
            kind = AloneSession if settings.alone else Session
            instruments = None if settings.meters else self._own_instruments()
            return kind.start(settings, self.line.say, os.environ, instruments, launcher)
        except (NothingMeasuresError, MeterUnavailable) as error:
            pytest.exit(f"joules: {error}", EXIT_CANNOT_MEASURE)
        except (JournalError, OSError, ValueError) as error:
            pytest.exit(f"joules: {error}", pytest.ExitCode.USAGE_ERROR)

    def _own_instruments(self) -> "Instruments | None":
        """Those that the project brings: see `bench.hookspec`."""
        found: Instruments | None = self.config.hook.pytest_joules_instruments(config=self.config)
        return found

    def _write_tests(self, ours: list[pytest.Item]) -> None:
        """Tells whoever starts a process for each of them which tests would be measured."""
        from bench.alone import write_tests

        here = self.config.invocation_params.dir
        tests = (
            (item.nodeid, os.path.relpath(item.path, here) + "::" + item.nodeid.partition("::")[2])
            for item in ours
        )
        write_tests(here / _option(self.config, "results"), self.config.args, tests)

    def _settings(self) -> "Settings":
        from bench.options import settings

        invocation = self.config.invocation_params
        return settings(
            partial(_option, self.config),
            folder=invocation.dir,
            resume=bool(self.config.getoption("joules_resume")),
            raw=bool(self.config.getoption("joules_raw")),
            command=shlex.join(["pytest", *map(str, invocation.args)]),
        )

    def _launcher(self) -> "Launcher":
        from bench.child import Launcher, limit_s, own_arguments

        invocation = self.config.invocation_params
        arguments = own_arguments(invocation.args, self.config.pluginmanager.has_plugin)
        return Launcher(arguments, invocation.dir, dict(os.environ), limit_s(os.environ))

    @property
    def sources(self) -> "Sources":
        """Where weights and data of workloads come from."""
        from bench.workload import Sources

        return Sources(_option(self.config, "weights"), _option(self.config, "data"))

    # -- while they run ---------------------------------------------------------------------

    def serve(self, loop: "Loop", version: str) -> NoReturn:
        """Serves one side of a case to the session that has started this process."""
        from bench.wanted import serve

        assert self.wanted is not None  # noqa: S101 - who asks for it has looked
        serve(self.wanted, loop, version)
        pytest.skip("this process has served its case")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Skips a test that cannot run here, or asserts on a number which was not measured.

        Where the journal cannot be written any more, no test goes on as if it could.
        """
        try:
            yield
        except (NotMeasuredError, Refusal) as error:
            pytest.skip(f"{item.name}: {error}")
        except ValueError as error:
            if self.session is None or not _is_of_the_journal(error):
                raise
            pytest.exit(f"joules: {error}", EXIT_CANNOT_MEASURE)

    # -- after them -------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Ends the journal and writes the report."""
        if self.session is None:
            return
        try:
            self.written = self._finish(self.session, int(exitstatus))
        except Exception as error:  # noqa: BLE001 - whatever it is, pytest's own summary goes on
            self.failure = f"{type(error).__name__}: {error}"
            if exitstatus != EXIT_CANNOT_MEASURE:
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def _finish(self, session: "Session", exit_status: int) -> tuple[Path, ...]:
        """Ends the journal and writes the report; gives the paths of what there is."""
        path = session.finish(exit_status)
        if not session.ledger.has_cases or session.settings.alone:
            return ()
        from bench.report.write import write

        return (path, *write([path], path.parent.parent / "reports" / f"{path.stem}.md"))

    def pytest_terminal_summary(self, terminalreporter: "TerminalReporter") -> None:
        """Prints the table; the report has the rest."""
        if self.failure and self.session is not None:
            terminalreporter.section("joules", sep="-", red=True)
            terminalreporter.write_line(f"the report could not be written: {self.failure}")
            terminalreporter.write_line(f"nothing is lost: {self.session.ledger.path}")
        if not self.written:
            return
        from bench.compare import compare
        from bench.records import read
        from bench.report.terminal import lines

        terminalreporter.section("joules", sep="-")
        for line in lines(compare([read(self.written[0])])):
            terminalreporter.write_line(line)
        terminalreporter.write_line("")
        for path in self.written:
            if path.suffix in {".jsonl", ".md"}:
                terminalreporter.write_line(f"wrote {_relative(path, self.config)}")

    def pytest_unconfigure(self) -> None:
        """Frees the host if the session ended out of order."""
        if self.session is not None:
            self.session.abandon()


def _wanted(config: pytest.Config) -> "Wanted | None":
    """What this process is to serve, if another session has started it."""
    if "JOULES_CHILD" not in os.environ:
        return None
    from bench.wanted import claim, silence

    try:
        wanted = claim(os.environ)
    except ValueError as error:
        raise pytest.UsageError(f"joules: {error}") from error
    silence(config.option)
    return wanted


def _is_of_the_journal(error: ValueError) -> bool:
    from bench.record import JournalError

    return isinstance(error, JournalError)


def _relative(path: Path, config: pytest.Config) -> str:
    here = config.invocation_params.dir
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@pytest.fixture
def joules(request: pytest.FixtureRequest) -> "Generator[Joules]":
    """Measures a model, or a variant against its baseline: see `bench.fixture.Joules`."""
    from bench import pytest_bridge
    from bench.fixture import Joules

    config = request.config
    state = config.pluginmanager.get_plugin("joules-state")
    assert isinstance(state, _State)  # noqa: S101 - pytest_configure registered it
    companion = pytest_bridge.companion(request)
    smoke = pytest_bridge.is_disabled(companion)
    state.line.case += state.session is not None

    def measured(result: "Result", suffix: str) -> None:
        assert result.row is not None  # noqa: S101 - it was measured
        state.line.measured(result.row.case.case)
        if companion is not None:
            pytest_bridge.publish(request.node, suffix, result.row, result.own_windows)

    fixture = None
    try:
        fixture = Joules(
            nodeid=request.node.nodeid,
            marked=marks.marked(request.node),
            seed=int(_option(config, "seed")),
            device=_option(config, "device"),
            variants=state.variants,
            session=None if smoke else state.session,
            progress=state.line.progress,
            measured=measured,
            wanted=state.wanted,
            serve=state.serve,
            sources=state.sources,
        )
        yield fixture
    finally:
        if fixture is not None:
            fixture.close()
        pytest_bridge.release(companion)
