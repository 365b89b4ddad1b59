"""A process of one side: its deadline, its output, what it leaves."""

import os
import time
from pathlib import Path

import pytest

from bench.alone import TESTS
from bench.gate import process
from bench.gate.checkout import Checkout
from bench.gate.process import start, tail, take


def side(folder: Path, script: str) -> Checkout:
    """A checkout whose "Python" is a shell script."""
    fake = folder / "python"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    return Checkout("1" * 40, folder, fake, folder, folder)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_whose_time_is_over_ends_with_all_that_it_started(tmp_path: Path) -> None:
    hung = side(tmp_path, f"sleep 600 & echo $! > {tmp_path}/child; echo waiting; sleep 600")

    ended = start(hung, [], tmp_path / "out", 0.5)

    assert ended.code is None
    assert not ended.in_order
    assert ended.how.startswith("did not end within ")
    assert ended.said == "waiting"
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_alive(child) or Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    ("script", "how", "in_order"),
    [
        ("exit 3", "ended with exit code 3", False),
        ("exit 1", "ended with exit code 1", True),
        ("kill -9 $$", "was killed by SIGKILL", False),
    ],
)
def test_how_a_process_ended_is_told(
    tmp_path: Path, script: str, how: str, *, in_order: bool
) -> None:
    ended = start(side(tmp_path, script), [], tmp_path / "out", 60)

    assert (ended.how, ended.in_order, ended.journal) == (how, in_order, None)


def test_a_process_gets_our_options_and_leaves_its_journal(tmp_path: Path) -> None:
    shown = side(tmp_path, f'echo "$@"; pwd; touch {tmp_path}/out/a.jsonl')

    ended = start(shown, ["-k", "x"], tmp_path / "out", 60)
    take(ended, tmp_path / "out", tmp_path / "kept.jsonl")

    words, folder = ended.said.splitlines()
    assert words.startswith(f"-m pytest --benchmark --joules-results={tmp_path}/out -o cache_dir=")
    assert words.endswith("-k x")
    assert folder == str(tmp_path)
    assert (tmp_path / "kept.jsonl").exists()
    assert not (tmp_path / "out").exists()


def test_what_a_broken_process_printed_is_kept(tmp_path: Path) -> None:
    ended = start(side(tmp_path, "seq 100; exit 3"), [], tmp_path / "out", 60)
    take(ended, tmp_path / "out", tmp_path / "kept.jsonl")

    assert ended.said.splitlines() == [str(n) for n in range(86, 101)]
    assert tail(tmp_path / "out") == ended.said
    assert tail(tmp_path / "nowhere") == ""
    assert process.tests_of(tmp_path) is None
    (tmp_path / TESTS).write_text("{}")
    assert process.tests_of(tmp_path) == "{}"
