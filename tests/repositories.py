"""Makes small git repositories for tests."""

import os
import subprocess
from pathlib import Path

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.invalid",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *arguments: str, **environment: str) -> str:
    """What a command of git prints, in an identity of its own."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **IDENTITY, **environment},
    )
    return done.stdout.strip()


class History:
    """A repository that grows commit by commit; each is a minute later than the one before.

    Args:
        folder: Its top, new.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hashes: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet", "--initial-branch=main")

    def commit(self, subject: str, files: dict[str, str], author: str = "Ada") -> str:
        """Adds a commit that writes *files*; gives its hash."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        when = f"2026-11-22T10:{len(self.hashes):02d}:00+00:00"
        git(self.folder, "add", "--all")
        git(
            self.folder, "commit", "--quiet", "--allow-empty", "-m", subject,
            GIT_AUTHOR_DATE=when, GIT_COMMITTER_DATE=when, GIT_AUTHOR_NAME=author,
        )  # fmt: skip
        self.hashes.append(git(self.folder, "rev-parse", "HEAD"))
        return self.hashes[-1]
