"""Python's search for garbage, left out where there is none."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Lets nobody look for cycles meanwhile: for verbs that make many small values, and then end.

    A year is a million of them, none is garbage before the end, and to look for it takes a tenth
    to a fifth of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
