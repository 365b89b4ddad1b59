"""What training a variant costs: each trained stage in one window, time and energy of the same."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bench.block import Place, measure_window
from bench.instruments import Instruments
from bench.record import Window

T = TypeVar("T")

ROLE = "training"


@dataclass
class Trainings:
    """The trainings of one session.

    Args:
        instruments: What is read while a stage trains.
    """

    instruments: Instruments
    _windows: list[Window] = field(default_factory=list)

    def measure(self, make: Callable[[], T]) -> tuple[T, Window]:
        """Makes a stage within a window; gives it and the window, which has no case yet.

        The garbage collector works in it, as in any training.
        """
        made: list[T] = []

        def run() -> Sequence[float]:
            gc.enable()
            try:
                made.append(make())
            finally:
                gc.disable()
            return ()

        place = Place("", ROLE, 0, 0)
        window = measure_window(self.instruments, run, place, calls=1, samples=1)
        self._windows.append(window)
        return made[0], window

    def of(self, case: str, costs: Iterable[object], done: Sequence[Window]) -> Iterator[Window]:
        """The windows to record for a case: those of all its stages, or none.

        None if any of them was made before this session or unmeasured: a part of the cost would
        look like the whole. None either if the case has them already.

        Args:
            case: Its id.
            costs: What `measure` gave for the stages that its variant uses.
            done: All windows of the case; those of the training follow them.
        """
        wanted = list(costs)
        windows = [each for cost in wanted for each in self._windows if each is cost]
        if len(windows) < len(wanted) or any(window.role == ROLE for window in done):
            return
        first = 1 + max((window.order for window in done), default=-1)
        for number, window in enumerate(windows):
            yield replace(window, case=case, pair=number, order=first + number)
