"""A revision of a repository in a folder of its own, with a Python environment of its own.

    repository/.joulebench/worktrees/1a2b3c4d5e6f      a git worktree, detached
    repository/.joulebench/environments/1a2b3c4d5e6f   its environment: `bench.gate.environment`

Git leaves ``.joulebench`` out by ``.git/info/exclude``. Both are made once and used again.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.gate.environment import Build, make_environment

STATE = ".joulebench"
"""Folder at the top of the repository in which revisions are checked out."""

SHORT = 12
_TIMEOUT_S = 600.0


class CheckoutError(ValueError):
    """There is no such revision here; the message says what to do."""


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
        working tree's code into every revision. Git's own variables are left out, as a hook sets
        them for the repository that it runs in.
        """
        kept = {name: value for name, value in given.items() if not name.startswith("GIT_")}
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
        CheckoutError: *folder* is in no git repository.
    """
    folder = folder.resolve()
    top = top_of(folder)
    revision = git(top, "rev-parse", "HEAD")
    dirty = bool(git(top, "status", "--porcelain", "--untracked-files=no"))
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
        CheckoutError: *folder* is in no git repository, or there is no such revision.
        BuildError: It cannot be installed; the message ends with what was printed.
    """
    folder = folder.resolve()
    top = top_of(folder)
    commit = resolve(top, revision)
    tree = _worktree(top, commit, say)
    inner = tree / folder.relative_to(top)
    if not inner.is_dir():
        raise CheckoutError(
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
    with contextlib.suppress(CheckoutError):
        git(made.repository, "worktree", "remove", "--force", str(made.top))
    shutil.rmtree(made.repository / STATE / "environments" / made.short, ignore_errors=True)


def top_of(folder: Path) -> Path:
    """The top of the repository that *folder* is in.

    Raises:
        CheckoutError: It is in none.
    """
    try:
        return Path(git(folder, "rev-parse", "--show-toplevel"))
    except CheckoutError as error:
        raise CheckoutError(
            f"found no git repository at {folder}, and revisions are compared by git; run it in"
            f" your repository ({error})"
        ) from error


def resolve(top: Path, revision: str) -> str:
    """The full hash of a commit.

    Raises:
        CheckoutError: The repository has no such commit.
    """
    try:
        return git(top, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except CheckoutError as error:
        if git(top, "rev-parse", "--is-shallow-repository") == "true":
            fix = "this clone is shallow: git fetch --unshallow, or fetch-depth: 0 in a workflow"
        else:
            fix = "git fetch --all --tags brings what the remotes have"
        raise CheckoutError(f"found no commit {revision!r} in {top}; {fix}") from error


def git(folder: Path, *arguments: str) -> str:
    """What git prints, without the last newline.

    Raises:
        CheckoutError: It fails, or there is no git.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are ours, revisions after an end mark
            ("git", "-C", str(folder), *arguments),  # noqa: S607 - the user's git
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CheckoutError(
            f"git {arguments[0]} cannot be run: {error}; is it installed?"
        ) from error
    if done.returncode:
        raise CheckoutError(f"git {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.rstrip("\n")


def _worktree(top: Path, commit: str, say: Callable[[str], None]) -> Path:
    """The tree of a commit; one that is there is put back to what the commit says."""
    _exclude(top)
    tree = top / STATE / "worktrees" / commit[:SHORT]
    git(top, "worktree", "prune")
    if (tree / ".git").exists() and _is_tree(tree):
        git(tree, "checkout", "--force", "--detach", commit)
        return tree
    if tree.exists():
        shutil.rmtree(tree)
        git(top, "worktree", "prune")
    say(f"checking out {commit[:SHORT]} in {tree.relative_to(top)}")
    git(top, "worktree", "add", "--force", "--detach", str(tree), commit)
    return tree


def _is_tree(tree: Path) -> bool:
    """Whether git knows a folder as the top of a tree; a torn one belongs to the tree around it."""
    try:
        return Path(git(tree, "rev-parse", "--show-toplevel")) == tree
    except CheckoutError:
        return False


def _exclude(top: Path) -> None:
    """Keeps git, of this clone only, from offering our folder to be committed."""
    common = Path(git(top, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    path, line = common / "info" / "exclude", f"/{STATE}/"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if line not in before.splitlines():
        path.parent.mkdir(exist_ok=True)
        ended = before if not before or before.endswith("\n") else f"{before}\n"
        path.write_text(f"{ended}{line}\n", encoding="utf-8")
