"""A thread for what may hang: each call has a time limit, and a stuck one stops nobody else."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class Job:
    """One call: *done* is set when it has returned or raised."""

    function: Callable[[], Any]
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.function()
        except Exception as error:  # noqa: BLE001 - it is raised where the call was made
            self.error = error
        except BaseException as error:  # noqa: BLE001 - sys.exit() here must not end the program
            self.error = RuntimeError(f"it ended with {type(error).__name__}: {error}")
        self.done.set()


class Worker:
    """One thread that runs calls one after another.

    Whoever holds a library whose handles belong to a thread opens, reads and closes it here. The
    thread is a daemon: a call that never returns does not keep the program from ending.

    Args:
        name: Of what it works for, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._last: Job | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether a call has not returned yet."""
        return self._last is not None and not self._last.done.is_set()

    def call(self, function: Callable[[], T], seconds: float) -> T:
        """Runs *function* in the thread, and waits for it up to *seconds*.

        Raises:
            TimeoutError: It has not returned by then, or an earlier call still has not.
        """
        if self.is_stuck:
            raise TimeoutError(f"{self.name} still does not answer")
        job = self.submit(function)
        if not job.done.wait(seconds):
            raise TimeoutError(f"{self.name} did not answer within {seconds:g} s")
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def submit(self, function: Callable[[], Any]) -> Job:
        """Runs *function* in the thread, and does not wait for it."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name=f"joulebench-{self.name}", daemon=True
            )
            self._thread.start()
        job = self._last = Job(function)
        self._jobs.put(job)
        return job

    def end(self) -> None:
        """Lets the thread end once it has nothing left to do."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._jobs.put(Job(_stop))
            if not self.is_stuck:
                thread.join()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job.function is _stop:
                return
            job.run()


def _stop() -> None:
    """Stands in the queue for the end of it."""
