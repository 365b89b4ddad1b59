"""What a fresh process is told: which test to run, and which side of which case to serve."""

import contextlib
import dataclasses
import faulthandler
import gc
import json
import os
import signal
import socket
from array import array
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from bench import wire
from bench.workload import Loop

VARIABLE = "JOULES_CHILD"
"""The environment variable with which a fresh process gets its order; nobody else sets it."""

_SILENT = {
    "benchmark_disable": True,
    "benchmark_only": False,
    "benchmark_json": None,
    "benchmark_save": None,
    "benchmark_autosave": None,
    "benchmark_histogram": None,
    "benchmark_compare": None,
    "benchmark_compare_fail": None,
    "xmlpath": None,
    "report_log": None,
    "htmlpath": None,
    "json_report": False,
    "usepdb": False,
    "trace": False,
    "color": "no",
    "tbstyle": "short",
    "reportchars": "fEs",  # why it did not come to its case
}
"""Options of pytest and its plugins by which a second run would write over the first, or wait."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The order of one fresh process.

    Args:
        nodeid: The one test that it runs.
        case: The case that it serves.
        role: The side of it: ``baseline``, ``variant`` or ``control``.
        fd: Its end of the connection.
    """

    nodeid: str
    case: str
    role: str
    fd: int

    def as_dict(self) -> dict[str, Any]:
        """Its fields, for the environment."""
        return dataclasses.asdict(self)


def claim(environment: MutableMapping[str, str]) -> Wanted | None:
    """Takes the order out of the environment, so that nothing started from here sees it.

    On SIGUSR1 the process then says where it is: its parent asks, before it ends one that hangs.

    Raises:
        ValueError: The variable holds something else.
    """
    text = environment.pop(VARIABLE, None)
    if text is None:
        return None
    try:
        wanted = Wanted(**json.loads(text))
        os.set_inheritable(wanted.fd, False)  # noqa: FBT003 - its second parameter has no name
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(
            f"{VARIABLE}={text} ({error}): only joulebench sets it, for processes that it starts;"
            " unset it"
        ) from error
    faulthandler.register(signal.SIGUSR1, file=2)
    return wanted


def silence(options: object) -> None:
    """Changes pytest's options so that nothing is written or awaited besides what is served."""
    for name, value in _SILENT.items():
        if hasattr(options, name):
            setattr(options, name, value)


def serve(wanted: Wanted, loop: Loop, version: str) -> None:
    """Runs *loop* as often as the parent asks, until it closes its end or is gone.

    The garbage collector rests in each run as in a window of the parent, and works after it.
    """
    with socket.socket(fileno=wanted.fd) as parent, contextlib.suppress(ConnectionError):
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            wire.send(parent, version.encode())
            while (calls := wire.receive_calls(parent)) is not None:
                wire.send(parent, memoryview(array("d", loop(calls))))
                gc.collect()
        finally:
            gc.enable()
            gc.unfreeze()
