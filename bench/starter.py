"""What ``joulebench init`` writes into a project: a first suite, and the nightly workflow.

The files come from `bench/templates/`. Nothing that exists is ever written over, and no program of
the project is run.
"""

import configparser
import importlib.metadata
import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

SUITE = Path("suites") / "test_energy.py"
WORKFLOW = Path(".github") / "workflows" / "nightly.yml"
UNKNOWN = "OWNER/NAME"
"""What the workflow says for a repository that nobody named: it then runs nowhere."""

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_REMOTE = re.compile(r"github\.com[:/]([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+?)(?:\.git)?/?\Z")
_REQUIREMENT = re.compile(r"[A-Za-z0-9_.@:/+=~-]+(?: @ [A-Za-z0-9_.@:/+=~-]+)?")
_CONFIGURATIONS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml",
                   "tox.ini", "setup.cfg")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """What differs between the workflows of two projects.

    Args:
        repository: ``owner/name`` on GitHub.
        project: Arguments of pip that install the project's own code and ours.
        tool: Arguments of pip that install ours alone.
    """

    repository: str
    project: str
    tool: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a project.

    Args:
        made: Files that were written.
        kept: Files that exist already, and were left as they are.
        pytest: The file that configures pytest, or None.
        parallel: Whether it runs tests in parallel workers, in which nothing is measured.
        repository: What the workflow runs for.
    """

    made: tuple[Path, ...]
    kept: tuple[Path, ...]
    pytest: Path | None
    parallel: bool
    repository: str

    def commands(self) -> tuple[str, str]:
        """What to type next: the smoke run, and the first measurement."""
        alone = " -n0" if self.parallel else ""
        first = f"python -m pytest {SUITE}"
        return first, f"{first} --benchmark{alone}"


def workflow(names: Names) -> str:
    """The nightly workflow of a project.

    Raises:
        ValueError: A name has a character that would not stay a name in it.
    """
    if not _REPOSITORY.fullmatch(names.repository):
        raise ValueError(
            f"found the repository {names.repository!r}, wanted OWNER/NAME as on GitHub"
        )
    text = _template("nightly.yml")
    for mark, value in (
        ("@REPOSITORY@", names.repository),
        ("@PROJECT@", names.project),
        ("@TOOL@", names.tool),
    ):
        text = text.replace(mark, value)
    return text


def suite(*, torch: bool) -> str:
    """The first suite: of a torch module, or of plain functions."""
    return _template("energy_torch.txt" if torch else "energy_plain.txt")


def _template(name: str) -> str:
    return (files("bench") / "templates" / name).read_text(encoding="utf-8")


def start(folder: Path, *, repository: str = "", torch: bool | None = None) -> Written:
    """Writes the suite and the workflow into a project.

    Args:
        folder: The top of it.
        repository: ``owner/name``; empty takes that of the remote ``origin``.
        torch: Whether the suite measures a torch module; None asks whether torch is installed.

    Raises:
        ValueError: The folder is none, lies inside a repository, or a name is none.
        OSError: A file cannot be written.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; make it first, or give another one")
    top = _top(folder)
    if top != folder.resolve() and top is not None:
        raise ValueError(
            f"{folder} lies inside the repository {top}, and GitHub reads workflows only at its"
            f" top; run joulebench init {shlex.quote(str(top))}"
        )
    has_torch = importlib.util.find_spec("torch") is not None if torch is None else torch
    names = names_of(folder, repository)
    texts = {SUITE: suite(torch=has_torch), WORKFLOW: workflow(names)}
    made = [path for path, text in texts.items() if _write(folder / path, text)]
    kept = [path for path in texts if path not in made]
    configuration = pytest_configuration(folder)
    options = (_options(configuration) if configuration else None) or {}
    given = options.get("addopts", "")
    words = " ".join(map(str, given)) if isinstance(given, list) else str(given)
    parallel = bool(re.search(r"(^|\s)(-n|--numprocesses)", words))
    where = configuration.relative_to(folder) if configuration else None
    return Written(tuple(made), tuple(kept), where, parallel, names.repository)


def _write(path: Path, text: str) -> bool:
    """Writes a new file; False if there is one, or a link, of that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _top(folder: Path) -> Path | None:
    """The top of the git repository around a folder, or None."""
    resolved = folder.resolve()
    return next((each for each in (resolved, *resolved.parents) if (each / ".git").exists()), None)


def names_of(folder: Path, repository: str = "") -> Names:
    """The names of a project, by its git configuration and its files.

    Args:
        folder: The top of it.
        repository: ``owner/name`` if it was given.
    """
    tool = shlex.quote(requirement())
    if (folder / "pyproject.toml").exists() or (folder / "setup.py").exists():
        project = f". {tool}"
    elif (folder / "requirements.txt").exists():
        project = f"-r requirements.txt {tool}"
    else:
        project = tool
    return Names(repository or _remote(folder) or UNKNOWN, project, tool)


def _remote(folder: Path) -> str:
    """``owner/name`` of the remote ``origin`` on GitHub; empty if there is none."""
    configuration = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        configuration.read_string((folder / ".git" / "config").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return ""
    url = configuration.get('remote "origin"', "url", fallback="")
    found = _REMOTE.search(url)
    return found[1] if found else ""


def requirement() -> str:
    """What pip needs to install just this joulebench: where it came from, or else its version."""
    try:
        distribution = importlib.metadata.distribution("joulebench")
    except importlib.metadata.PackageNotFoundError:
        return "joulebench"
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    commit = (origin.get("vcs_info") or {}).get("commit_id")
    if commit and (origin.get("vcs_info") or {}).get("vcs") == "git":
        found = f"joulebench @ git+{origin.get('url')}@{commit}"
        if _REQUIREMENT.fullmatch(found):
            return found
    return f"joulebench=={distribution.version}"


def pytest_configuration(folder: Path) -> Path | None:
    """The file in which pytest finds its options, or None."""
    return next(
        (
            folder / name
            for name in _CONFIGURATIONS
            if (folder / name).is_file() and _options(folder / name) is not None
        ),
        None,
    )


def _options(path: Path) -> Mapping[str, Any] | None:
    """Pytest's options in a file; None if it has no place for them, or cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            content = tomllib.loads(text)
            tool = content.get("tool", {}).get("pytest")
            found = content.get("pytest") if path.name != "pyproject.toml" else tool
            return None if found is None else {**found, **found.get("ini_options", {})}
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text)
        section = "tool:pytest" if path.name == "setup.cfg" else "pytest"
        return dict(parser[section]) if parser.has_section(section) else None
    except (OSError, ValueError, configparser.Error, AttributeError, TypeError):
        return None
