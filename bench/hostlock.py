"""One measurement at a time on a host: two would measure each other."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import filelock


def lock_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the host's lock is: ``JOULES_LOCK``, or a file in the temporary folder."""
    return Path(environment.get("JOULES_LOCK") or Path(tempfile.gettempdir()) / "joulebench.lock")


def acquire(path: Path, say: Callable[[str], None]) -> filelock.BaseFileLock:
    """Waits until no other run measures on this host, and takes the lock.

    The kernel frees the lock when its process ends, however it ends.

    Args:
        path: The lock's file.
        say: Is told once if there is something to wait for.

    Raises:
        PermissionError: Another user's file is in the way; the message says what to do.
    """
    lock = filelock.FileLock(path, mode=0o666)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        say(f"another joulebench run measures on this host ({path}); waiting until it ends")
        lock.acquire()
    except PermissionError as error:
        raise PermissionError(
            f"cannot lock {path}: it belongs to another user;"
            " set JOULES_LOCK to a file that all users of this host may write"
        ) from error
    return lock
