"""Git's own bisection, in a worktree of its own: the user's tree and branch are never touched.

``refs/bisect`` are of one worktree each, so a bisection of the user's goes on beside ours. The
worktree is an empty folder: git says which revision is next, and who measures checks it out where
it wants. It is removed in the end; what a kill has left is removed at the next start.
"""

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Self

from bench.gate.checkout import STATE
from bench.gate.halving import Mark
from bench.gate.repository import Commit, Repository

_NAME = re.compile(r"bisect-(\d+)")
_GUILTY = re.compile(r"# (?:possible )?first bad commit: \[([0-9a-f]{40,64})\]")


class GitBisection:
    """A bisection between two revisions; use it as a context manager.

    Args:
        repository: Where they are.
        good: Hash of an ancestor of *bad*.
        bad: Hash.

    Raises:
        ValueError: *good* is no ancestor of *bad*, or both are one.
    """

    def __init__(self, repository: Repository, good: str, bad: str) -> None:
        if good == bad or not repository.is_ancestor(good, bad):
            raise ValueError(
                f"found good {good[:9]} and bad {bad[:9]}, wanted a good one that is an ancestor of"
                " the bad one; give the older one as --good"
            )
        self._home = repository
        self._good, self._bad = good, bad
        self._top = repository.top()
        self._tree = Repository(self._top / STATE / f"bisect-{os.getpid()}")

    def __enter__(self) -> Self:
        clean(self._home)
        self._tree.folder.parent.mkdir(exist_ok=True)
        add = ("worktree", "add", "--no-checkout", "--detach", str(self._tree.folder), self._bad)
        self._home.git(*add)
        try:
            self._tree.git("bisect", "start", "--no-checkout", self._bad, self._good)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _remove(self) -> None:
        _remove(self._home, self._tree.folder)

    def midpoint(self) -> Commit | None:
        """The revision to measure next, or None at the end."""
        if self._named():
            return None
        return self._tree.commit("BISECT_HEAD")

    def tell(self, mark: Mark) -> None:
        """Tells git what the midpoint is.

        Raises:
            ValueError: Git cannot go on.
        """
        done = self._tree.run("bisect", str(mark))
        if done.returncode and not self._named():
            said = " ".join((done.stderr or done.stdout).split())
            raise ValueError(f"git bisect {mark}: {said}")

    def guilty(self) -> tuple[Commit, ...]:
        """The first bad commit, or all that it may be; oldest first."""
        found = [self._home.commit(each) for each in self._named()]
        return tuple(sorted(found, key=lambda each: self._home.count(self._good, each.hash)))

    def _named(self) -> list[str]:
        return list(dict.fromkeys(_GUILTY.findall(self._tree.git("bisect", "log"))))


def clean(repository: Repository) -> None:
    """Removes the worktrees of bisections whose process is gone."""
    top = repository.top()
    for folder in sorted((top / STATE).glob("bisect-*")):
        name = _NAME.fullmatch(folder.name)
        if name and not _lives(int(name[1])):
            _remove(repository, folder)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _remove(repository: Repository, folder: Path) -> None:
    repository.run("worktree", "remove", "--force", str(folder))
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
    repository.run("worktree", "prune")
