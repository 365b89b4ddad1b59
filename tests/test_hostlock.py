"""One measurement at a time on a host."""

import threading
from pathlib import Path

from bench.hostlock import acquire, lock_path


def test_a_free_host_is_taken_without_a_word(tmp_path: Path) -> None:
    said: list[str] = []

    with acquire(tmp_path / "host.lock", said.append) as lock:
        assert lock.is_locked
    assert said == []


def test_a_taken_host_is_waited_for_and_said_once(tmp_path: Path) -> None:
    path = tmp_path / "host.lock"
    first = acquire(path, print)
    said: list[str] = []
    waiting = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        waiting.set()

    thread = threading.Thread(target=lambda: acquire(path, say).release())
    thread.start()
    assert waiting.wait(timeout=60)
    assert thread.is_alive()
    first.release()
    thread.join(timeout=60)

    assert not thread.is_alive()
    assert said == [f"another joulebench run measures on this host ({path}); waiting until it ends"]


def test_the_lock_is_one_file_of_the_host_unless_a_variable_names_another(tmp_path: Path) -> None:
    assert lock_path({"JOULES_LOCK": str(tmp_path / "mine")}) == tmp_path / "mine"
    assert lock_path({}).name == "joulebench.lock"
    assert lock_path({"JOULES_LOCK": ""}) == lock_path({})
