"""A fresh process and its parent: what they say, how it ends, and whose CPU time it is."""

import json
import os
import socket
import threading
from argparse import Namespace
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import children, wire
from bench.child import LIMIT_VARIABLE, Child, ChildError, Launcher, limit_s, own_arguments
from bench.guard import foreign_cpu_s
from bench.meters.codecarbon import _cpu_clock
from bench.options import processes
from bench.wanted import VARIABLE, Wanted, claim, serve, silence

WORKER = """
import os, sys, time
from bench.wanted import claim, serve

wanted = claim(os.environ)
assert "JOULES_CHILD" not in os.environ
print("I am", wanted.role, flush=True)

def burn(seconds):
    while time.process_time() < seconds:
        pass

def loop(calls):
    if calls == 13:
        os.kill(os.getpid(), 9)
    if calls == 14:
        raise ValueError("no 14")
    if calls == 15:
        time.sleep(1000)
    if calls == 16:
        burn(time.process_time() + 0.3)
    return [float(calls)] * calls

if wanted.role == "absent":
    sys.exit(3)
serve(wanted, loop, "v1")
"""
"""Stands for pytest in the child: what follows ``-m pytest`` is found in the folder first."""


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    tmp_path.joinpath("pytest.py").write_text(WORKER)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    root = str(Path(__file__).parents[1])
    return Launcher((), tmp_path, {**os.environ, "PYTHONPATH": os.pathsep.join([path, root])})


@contextmanager
def alone(child: Child) -> Iterator[Child]:
    """A child of which nothing is left, whatever the test does with it."""
    try:
        with child:
            yield child
    finally:
        assert child.pid not in children.alive()
        assert not is_alive(child.pid)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_runs_as_many_calls_as_are_asked_for_and_gives_their_latencies(
    launcher: Launcher,
) -> None:
    with alone(launcher.start("node", "case", "baseline")) as child:
        child.up("v1")

        assert list(child.loop(3)) == [3.0, 3.0, 3.0]
        assert child.loop(100_000) == array("d", [1e5]) * 100_000
        assert child.pid != os.getpid()


def test_a_child_of_another_workload_is_refused(launcher: Launcher) -> None:
    said = "has version v1 of the workload, wanted v2: make"
    with (
        alone(launcher.start("node", "case", "baseline")) as child,
        pytest.raises(ChildError, match=said),
    ):
        child.up("v2")


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (13, r"for the variant of case was killed by SIGKILL when it should run 13 calls;"),
        (14, r"ended with exit code 1 when it should run 14 calls;(?s:.*)ValueError: no 14"),
    ],
)
def test_a_child_that_ends_in_a_run_says_how_and_its_last_lines(
    launcher: Launcher, calls: int, said: str
) -> None:
    with alone(launcher.start("node", "case", "variant")) as child:
        child.up("v1")
        with pytest.raises(ChildError, match=said) as error:
            child.loop(calls)

    assert "I am variant" in str(error.value)


def test_a_child_that_never_reaches_its_case_says_what_to_do(launcher: Launcher) -> None:
    with (
        alone(launcher.start("node", "case", "absent")) as child,
        pytest.raises(
            ChildError, match=r"exit code 3 when it should reach its case; it runs the test anew"
        ),
    ):
        child.up("v1")


def test_a_child_that_hangs_is_ended_and_has_said_where_it_was(launcher: Launcher) -> None:
    said = r"did not run 15 calls within 1\.5 s"
    with alone(launcher.start("node", "case", "control")) as child:
        child.up("v1")
        child._limit_s = 1.5
        with pytest.raises(ChildError, match=said) as error:
            child.loop(15)
        child.kill()  # as the error does where it is not caught

    assert LIMIT_VARIABLE in str(error.value)
    assert "in loop" in str(error.value)


def test_a_child_that_is_left_by_an_error_is_killed(launcher: Launcher) -> None:
    with pytest.raises(KeyboardInterrupt), alone(launcher.start("node", "case", "baseline")):
        raise KeyboardInterrupt


def test_what_a_child_wrote_is_gone_with_it(launcher: Launcher) -> None:
    with alone(launcher.start("node", "case", "baseline")) as child:
        folder = Path(child._folder.name)
        child.up("v1")
        assert folder.joinpath("output").exists()

    assert not folder.exists()


def test_a_program_that_cannot_be_started_leaves_nothing_open(launcher: Launcher) -> None:
    gone = Launcher((), launcher.folder / "gone", launcher.environment)

    with pytest.raises(FileNotFoundError):
        gone.start("node", "case", "baseline")


def test_the_cpu_time_of_a_living_child_is_ours_and_nobodys_load(
    launcher: Launcher, tmp_path: Path
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "stat").write_text("cpu  100000 0 0 0 0 0 0 0 0 0\n")
    clock = _cpu_clock()

    def now() -> tuple[float, float, float]:
        foreign = foreign_cpu_s(tmp_path)
        assert foreign is not None
        return foreign, clock(), children.cpu_s()

    with alone(launcher.start("node", "case", "baseline")) as child:
        child.up("v1")
        foreign, own, theirs = now()
        child.loop(16)  # it burns 0.3 s
        more = now()

    assert foreign - more[0] >= 0.29
    assert more[1] - own >= 0.3
    assert more[2] - theirs >= 0.3
    assert children.cpu_s() == 0
    assert clock() >= more[1]  # it has ended, and is in the kernel's count of ended ones


def test_a_pid_that_is_gone_counts_what_was_seen_last() -> None:
    children.born(2**22 + 1)  # beyond the largest pid of Linux
    try:
        assert children.cpu_s() == 0
    finally:
        children.gone(2**22 + 1)


# -- in the child ---------------------------------------------------------------------------


def test_the_order_is_taken_out_of_the_environment_and_off_from_grandchildren() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        os.set_inheritable(theirs.fileno(), True)
        wanted = Wanted("node", "case", "baseline", theirs.fileno())
        environment = {VARIABLE: json.dumps(wanted.as_dict()), "HOME": "/"}

        assert claim(environment) == wanted
        assert environment == {"HOME": "/"}
        assert not theirs.get_inheritable()
    assert claim(environment) is None


@pytest.mark.parametrize(
    "text", ["", "7", "{}", '{"nodeid":"a","case":"b","role":"c","fd":987654}']
)
def test_a_variable_that_is_no_order_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(ValueError, match=r"only joulebench sets it, .* unset it"):
        claim({VARIABLE: text})


def test_a_parent_that_is_gone_ends_the_serving() -> None:
    ours, theirs = socket.socketpair()
    served = threading.Thread(
        target=serve,
        args=(Wanted("node", "case", "baseline", theirs.detach()), lambda n: [0.0] * n, "v1"),
    )
    served.start()
    with ours:
        assert bytes(wire.receive(ours, lambda: None) or b"") == b"v1"
        wire.send_calls(ours, 500_000)  # more than the socket holds: the child is in its sending
    served.join(timeout=60)

    assert not served.is_alive()


def test_a_slow_message_is_waited_for_and_whole() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        pieces = iter([b"\x04\0\0\0", b"\0\0\0\0a", b"bcd"])

        found = wire.receive(ours, lambda: theirs.sendall(next(pieces)))

        assert bytes(found or b"") == b"abcd"


def test_options_that_would_write_or_wait_are_silenced_and_others_stay() -> None:
    options = Namespace(xmlpath="junit.xml", usepdb=True, benchmark_disable=False, verbose=2)

    silence(options)

    assert options == Namespace(xmlpath=None, usepdb=False, benchmark_disable=True, verbose=2)


# -- the options ----------------------------------------------------------------------------


def test_arguments_of_a_child_come_last_but_for_those_behind_two_dashes() -> None:
    def has(name: str) -> bool:
        return name in {"capture", "tmpdir"}

    assert own_arguments(["-k", "mlp"], has) == ("-k", "mlp", "-s", "--basetemp={folder}/tmp")
    assert own_arguments(["--", "a b"], has)[-2:] == ("--", "a b")


@pytest.mark.parametrize(
    ("text", "platform", "said"),
    [
        ("x", "linux", "=x: give a whole number, 2 or more"),
        ("-2", "linux", "=-2: give a whole number, 2 or more"),
        ("1", "linux", "=1: one process shows no spread between processes; give 2 or more"),
        ("2", "darwin", "=2: found darwin, wanted Linux"),
    ],
)
def test_a_wrong_number_of_processes_is_refused(text: str, platform: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"--joules-processes{said}"):
        processes(text, platform)


def test_no_processes_are_fine_everywhere() -> None:
    assert processes("0", "win32") == 0


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan"])
def test_a_limit_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"{LIMIT_VARIABLE}={text}: give a number of seconds"):
        limit_s({LIMIT_VARIABLE: text})


def test_the_limit_is_ten_minutes_unless_the_environment_says_otherwise() -> None:
    assert limit_s({}) == 600
    assert limit_s({LIMIT_VARIABLE: "5"}) == 5
