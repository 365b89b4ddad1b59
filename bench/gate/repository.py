"""A git repository as the gate reads it: revisions, files at a revision, and who wrote what."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LIMIT_S = 600.0
_OF_ANOTHER = frozenset(
    (
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    )
)
"""What a hook of git sets for its own repository (see ``git rev-parse --local-env-vars``)."""


class GitError(ValueError):
    """Git cannot do what is asked; the message says what to do."""


def elsewhere(given: Mapping[str, str]) -> dict[str, str]:
    """Environment variables without those that would turn git to another repository.

    Settings stay: people give them to CI in variables too, such as ``safe.directory``.
    """
    return {name: value for name, value in given.items() if name not in _OF_ANOTHER}


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; all of it but the hash is what somebody typed.

    Args:
        hash: All forty digits.
        author: Name.
        date: ISO 8601, of the author.
        subject: First line of the message.
    """

    hash: str
    author: str
    date: str
    subject: str

    @property
    def short(self) -> str:
        """As much of the hash as a reader needs."""
        return self.hash[:9]


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository around a folder.

    Args:
        folder: Any folder inside.
    """

    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command of git, whatever it answers, in English and without questions.

        Raises:
            GitError: There is no git, or it does not come to an end.
        """
        command = ("git", "-C", str(self.folder), "--literal-pathspecs", *arguments)
        told = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat"}
        try:
            return subprocess.run(  # noqa: S603 - no shell, and revisions are resolved before
                command,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=_LIMIT_S,
                env={**elsewhere(os.environ), **told},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GitError(
                f"git {arguments[0]} cannot be run: {error}; is it installed?"
            ) from error

    def git(self, *arguments: str) -> str:
        """What a command of git prints.

        Raises:
            GitError: Git refuses.
        """
        done = self.run(*arguments)
        if done.returncode:
            said = " ".join((done.stderr.strip() or done.stdout).split())
            said = said or f"exit code {done.returncode}"
            raise GitError(f"git {arguments[0]} in {self.folder}: {said}")
        return done.stdout

    def line(self, *arguments: str) -> str:
        """The one line that a command of git prints.

        Raises:
            GitError: Git refuses.
        """
        return self.git(*arguments).rstrip("\n")

    def top(self) -> Path:
        """Its highest folder.

        Raises:
            GitError: The folder is in no repository.
        """
        try:
            return Path(self.line("rev-parse", "--show-toplevel"))
        except GitError as error:
            raise GitError(
                f"found no git repository at {self.folder}, and revisions are compared by git; run"
                f" it in your repository ({error})"
            ) from error

    def resolve(self, revision: str) -> str:
        """The hash of the commit that a revision stands for.

        Raises:
            GitError: There is none.
        """
        if revision and not revision.startswith("-"):
            done = self.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
            if not done.returncode:
                return done.stdout.strip()
        shallow = self.run("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        fix = (
            "this clone is shallow: git fetch --unshallow, or fetch-depth: 0 in a workflow"
            if shallow
            else "give a hash, a tag or a branch that git log shows; git fetch --all --tags brings"
            " what the remotes have"
        )
        raise GitError(f"found no commit {revision!r} in {self.folder}; {fix}")

    def prefix(self) -> str:
        """Where the folder stands in the repository: empty at its top, else ``a/b/``."""
        return self.line("rev-parse", "--show-prefix")

    def is_ancestor(self, one: str, other: str) -> bool:
        """Whether *other* has all of *one*; a commit is an ancestor of itself.

        A hash that the repository does not have is no ancestor of anything.
        """
        return self.run("merge-base", "--is-ancestor", one, other).returncode == 0

    def files(self, revision: str) -> frozenset[str]:
        """The paths of a revision, from the top of the repository."""
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", "--name-only", revision)
        return frozenset(filter(None, listed.split("\0")))

    def text(self, revision: str, path: str) -> str:
        """A file at a revision, read as UTF-8.

        Raises:
            GitError: It is not there.
        """
        return self.git("cat-file", "blob", f"{revision}:{path}")

    def count(self, base: str, head: str) -> int:
        """How many commits *head* has that *base* has not."""
        return int(self.git("rev-list", "--count", f"{base}..{head}"))

    def log(self, base: str, head: str, paths: tuple[str, ...]) -> tuple[Commit, ...]:
        """The commits that *head* has and *base* has not and that touch *paths*, newest first.

        Args:
            base: Hash.
            head: Hash.
            paths: From the top of the repository.
        """
        if not paths:
            return ()
        return _commits(Repository(self.top()).git(*_LOG, f"{base}..{head}", "--", *paths))

    def commit(self, revision: str) -> Commit:
        """One commit.

        Raises:
            GitError: There is none.
        """
        return _commits(self.git(*_LOG, "-1", self.resolve(revision)))[0]


# names and subjects hold no line break and no null; each may hold anything else
_LOG = ("-c", "log.showSignature=false", "log", "-z", "--no-color", "--format=%H%n%an%n%aI%n%s")


def _commits(log: str) -> tuple[Commit, ...]:
    return tuple(Commit(*entry.split("\n", 3)) for entry in log.split("\0") if entry.strip())
