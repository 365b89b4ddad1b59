"""A git repository as the gate reads it: revisions, files at a revision, and who wrote what."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LIMIT_S = 120
_OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""What a hook of git sets: it would turn our commands to another place."""


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of git: its words in English, no questions, and no other repository."""
    kept = {name: value for name, value in given.items() if name not in _OF_ANOTHER}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat"}


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
        """One command of git, whatever it answers."""
        command = ("git", "-C", str(self.folder), "--literal-pathspecs", *arguments)
        return subprocess.run(  # noqa: S603 - no shell, and revisions are resolved before
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_LIMIT_S,
            env=environment(os.environ),
        )

    def git(self, *arguments: str) -> str:
        """What a command of git prints.

        Raises:
            ValueError: Git refuses.
        """
        done = self.run(*arguments)
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise ValueError(f"git {arguments[0]} in {self.folder}: {said}")
        return done.stdout

    def resolve(self, revision: str) -> str:
        """The hash of the commit that a revision stands for.

        Raises:
            ValueError: There is none.
        """
        if revision and not revision.startswith("-"):
            done = self.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
            if not done.returncode:
                return done.stdout.strip()
        raise ValueError(
            f"found no commit {revision!r} in {self.folder}; give a hash, a tag or a branch that"
            " git log shows (a shallow clone has few: git fetch --unshallow)"
        )

    def prefix(self) -> str:
        """Where the folder stands in the repository: empty at its top, else ``a/b/``."""
        return self.git("rev-parse", "--show-prefix").strip()

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
            ValueError: It is not there.
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
        top = Repository(Path(self.git("rev-parse", "--show-toplevel").rstrip("\n")))
        return _commits(top.git(*_LOG, f"{base}..{head}", "--", *paths))

    def commit(self, revision: str) -> Commit:
        """One commit.

        Raises:
            ValueError: There is none.
        """
        return _commits(self.git(*_LOG, "-1", self.resolve(revision)))[0]


# names and subjects hold no line break and no null; each may hold anything else
_LOG = ("-c", "log.showSignature=false", "log", "-z", "--no-color", "--format=%H%n%an%n%aI%n%s")


def _commits(log: str) -> tuple[Commit, ...]:
    return tuple(Commit(*entry.split("\n", 3)) for entry in log.split("\0") if entry.strip())
