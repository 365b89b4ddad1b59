"""A revision of a repository in a folder of its own, with a Python environment of its own.

    repository/.joulebench/worktrees/1a2b3c4d5e6f      a git worktree, detached
    repository/.joulebench/environments/1a2b3c4d5e6f   its environment: `bench.gate.environment`

Git leaves ``.joulebench`` out by ``.git/info/exclude``. Both are made once and used again.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.gate.environment import Build, make_environment
from bench.gate.repository import GitError, Repository, elsewhere

STATE = ".joulebench"
"""Folder at the top of the repository in which revisions are checked out."""

SHORT = 12


@dataclass(frozen=True, slots=True)
class Checkout:
    """A revision that can be run.

    Args:
        revision: The full hash of its commit; empty outside a repository.
        folder: Where its commands run: as deep in its tree as the caller stood in the repository.
        python: The interpreter of its environment.
        top: Top of its tree.
        repository: Top of the repository that it is of; the same for the working tree itself.
        dirty: Whether it is the working tree and differs from its commit.
    """

    revision: str
    folder: Path
    python: Path
    top: Path
    repository: Path
    dirty: bool = False

    @property
    def short(self) -> str:
        """The first twelve characters of its commit."""
        return self.revision[:SHORT]

    def environment(self, given: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Environment variables for its processes.

        What `PYTHONPATH` names in the repository is named in this tree instead: it would bring the
        working tree's code into every revision.
        """
        kept = elsewhere(given)
        if paths := kept.get("PYTHONPATH"):
            moved = (self._moved(path) for path in paths.split(os.pathsep))
            kept["PYTHONPATH"] = os.pathsep.join(moved)
        if self.python != Path(sys.executable):
            scripts = self.python.parent
            kept["PATH"] = os.pathsep.join((str(scripts), kept.get("PATH", os.defpath)))
            kept["VIRTUAL_ENV"] = str(scripts.parent)
        return kept

    def _moved(self, path: str) -> str:
        """A path of the repository, in this tree."""
        if path and Path(path).is_absolute() and Path(path).is_relative_to(self.repository):
            return str(self.top / Path(path).relative_to(self.repository))
        return path


def working_tree(folder: Path) -> Checkout:
    """The working tree as it is, in the environment of this process.

    Raises:
        GitError: *folder* is in no git repository.
    """
    folder = folder.resolve()
    repository = Repository(Repository(folder).top())
    top, revision = repository.folder, repository.line("rev-parse", "HEAD")
    dirty = bool(repository.git("status", "--porcelain", "--untracked-files=no"))
    return Checkout(revision, folder, Path(sys.executable), top, top, dirty)


def checkout(
    folder: Path,
    revision: str,
    *,
    build: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> Checkout:
    """Another revision in a worktree and an environment of its own, made or found.

    Args:
        folder: In the repository; the checkout's folder is the same place in its tree.
        revision: A commit, branch or tag, as git names it.
        build: A shell command that installs it; empty for what its files ask for.
        say: Is told what takes a while.

    Raises:
        GitError: *folder* is in no git repository, or there is no such revision.
        BuildError: It cannot be installed; the message ends with what was printed.
    """
    folder = folder.resolve()
    repository = Repository(Repository(folder).top())
    top, commit = repository.folder, repository.resolve(revision)
    tree = _worktree(repository, commit, say)
    inner = tree / folder.relative_to(top)
    if not inner.is_dir():
        raise GitError(
            f"{revision} has no folder {folder.relative_to(top)}; run the gate from the top of"
            " the repository"
        )
    place = top / STATE / "environments" / commit[:SHORT]
    python = make_environment(place, Build(inner, tree, top, build), say)
    return Checkout(commit, inner, python, tree, top)


def discard(made: Checkout) -> None:
    """Removes a checkout's worktree and environment; never the working tree."""
    if made.top == made.repository:
        return
    Repository(made.repository).run("worktree", "remove", "--force", str(made.top))
    shutil.rmtree(made.repository / STATE / "environments" / made.short, ignore_errors=True)


def _worktree(repository: Repository, commit: str, say: Callable[[str], None]) -> Path:
    """The tree of a commit; one that is there is put back to what the commit says."""
    _exclude(repository)
    top = repository.folder
    tree = top / STATE / "worktrees" / commit[:SHORT]
    repository.git("worktree", "prune")
    if (tree / ".git").exists() and _is_tree(tree):
        Repository(tree).git("checkout", "--force", "--detach", commit)
        return tree
    if tree.exists():
        shutil.rmtree(tree)
        repository.git("worktree", "prune")
    say(f"checking out {commit[:SHORT]} in {tree.relative_to(top)}")
    repository.git("worktree", "add", "--force", "--detach", str(tree), commit)
    return tree


def _is_tree(tree: Path) -> bool:
    """Whether git knows a folder as the top of a tree; a torn one belongs to the tree around it."""
    try:
        return Repository(tree).top() == tree
    except GitError:
        return False


def _exclude(repository: Repository) -> None:
    """Keeps git, of this clone only, from offering our folder to be committed."""
    common = Path(repository.line("rev-parse", "--path-format=absolute", "--git-common-dir"))
    path, line = common / "info" / "exclude", f"/{STATE}/"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if line not in before.splitlines():
        path.parent.mkdir(exist_ok=True)
        ended = before if not before or before.endswith("\n") else f"{before}\n"
        path.write_text(f"{ended}{line}\n", encoding="utf-8")
