"""The Python environment of a revision: its own packages over those that are installed here.

An environment of its own has what the revision installs. Below it lies what this process imports
from, so that torch is not installed again; what the revision pins to another version is installed
into its own environment, and wins. What the repository itself has installed here, such as an
editable copy of the working tree, is left out: it would hide the revision's own code.

Offline it works if nothing is missing: the revision is built with the build tools that are here
first (``pip install --no-build-isolation``), and only if that fails with fetched ones.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LAYER = "zz-joulebench-layer.pth"
"""Its name comes last: what the revision installs goes before it."""

_READY = "joulebench.json"
_BUILD_S = 3600.0
_LINES = 25
_SITES = {"site-packages", "dist-packages"}
_FINDERS_FIRST = (
    "import sys; sys.meta_path.sort("
    'key=lambda finder: "editable" not in str(getattr(finder, "__module__", "")))'
)


class BuildError(RuntimeError):
    """A revision cannot be installed; the message says what was run and how it ended."""


@dataclass(frozen=True, slots=True)
class Build:
    """What is installed, and how.

    Args:
        folder: Where commands run in the revision's tree.
        tree: Top of that tree.
        repository: Top of the repository, whose own packages are left out.
        command: A shell command instead of what the files of the tree ask for.
    """

    folder: Path
    tree: Path
    repository: Path
    command: str = ""

    @property
    def ways(self) -> tuple[tuple[str, ...], ...]:
        """Arguments of ``python -m pip``, of which the first that works is enough."""
        places = (self.folder, self.tree)
        for place in places:
            if any((place / name).exists() for name in ("pyproject.toml", "setup.py")):
                if not _is_project(place):
                    continue
                what = ("install", "--editable", str(place))
                return (("install", "--no-build-isolation", *what[1:]), what)
        for place in places:
            if (file := place / "requirements.txt").exists():
                what = ("install", "--requirement", str(file))
                return (("install", "--no-build-isolation", *what[1:]), what)
        return ()


def _is_project(place: Path) -> bool:
    """Whether a folder can be installed; a pyproject.toml may hold only settings of tools."""
    if (place / "setup.py").exists():
        return True
    text = (place / "pyproject.toml").read_text(encoding="utf-8", errors="replace")
    return re.search(r"^\[(project|build-system|tool\.poetry)\]", text, re.MULTILINE) is not None


def make_environment(
    place: Path, build: Build, say: Callable[[str], None] = lambda _: None
) -> Path:
    """The interpreter of a revision's environment, made unless it is there.

    Args:
        place: Where it lies.
        build: What is installed into it.
        say: Is told what takes a while.

    Raises:
        BuildError: The revision cannot be installed.
    """
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = place / scripts / Path(sys.executable).name
    wanted = {"python": sys.executable, "version": sys.version, "command": build.command}
    ready = place / _READY
    if ready.exists() and json.loads(ready.read_text(encoding="utf-8")) == wanted:
        return python
    shutil.rmtree(place, ignore_errors=True)
    venv.EnvBuilder(symlinks=os.name != "nt").create(place)
    if not python.exists():  # this one is called python3.11, that one has python
        python = place / scripts / "python"
    purelib = sysconfig.get_path("purelib", "venv", {"base": str(place), "platbase": str(place)})
    lines = layer(build.repository)
    (Path(purelib) / LAYER).write_text("\n".join(lines) + "\n", encoding="utf-8")
    _install(place, python, build, say)
    ready.write_text(json.dumps(wanted), encoding="utf-8")
    return python


def layer(repository: Path) -> list[str]:
    """The lines of a ``.pth`` file that give what this environment has, without the repository."""
    paths = [path for path in _search_path() if not _is_of(Path(path), repository)]
    finders = [line for path in paths for line in _finders(Path(path), repository)]
    return [*paths, _FINDERS_FIRST, *finders]  # those of here stay behind, as they do here


def _search_path() -> list[str]:
    """Where this interpreter finds packages, without its library, its folder and PYTHONPATH."""
    with_sites, without = (
        json.loads(
            subprocess.run(  # noqa: S603 - it is our own Python
                (sys.executable, *flags, "-c", "import json, sys; print(json.dumps(sys.path))"),
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for flags in (("-E", "-P"), ("-I", "-S"))
    )
    return [path for path in with_sites if path not in without and Path(path).is_dir()]


def _is_of(path: Path, repository: Path) -> bool:
    """Whether a path is a part of the repository, and no environment that only lies in it."""
    return path.resolve().is_relative_to(repository.resolve()) and path.name not in _SITES


def _finders(site: Path, repository: Path) -> Iterator[str]:
    """The lines that make editable packages importable which no path has."""
    for file in sorted(site.glob("*.pth")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            found = re.match(r"import\s+(\w+)", line)
            if not found or "editable" not in line:
                continue
            module = site / f"{found[1]}.py"
            if module.is_file() and not _names(module, repository):
                yield line


def _names(module: Path, repository: Path) -> bool:
    text = module.read_text(encoding="utf-8", errors="replace")
    return str(repository.resolve()) in text or str(repository) in text


def _install(place: Path, python: Path, build: Build, say: Callable[[str], None]) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PATH": os.pathsep.join((str(python.parent), os.environ.get("PATH", os.defpath))),
        "VIRTUAL_ENV": str(place),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }
    log = place / "build.txt"
    if build.command:
        say(f"building: {build.command}")
        _require([_ran(build.command, build.folder, environment, log)], build.command)
        return
    if not build.ways:
        return
    shown = f"pip {' '.join(build.ways[0])}"
    say(f"building: {shown}")
    commands = ((str(python), "-m", "pip", *way) for way in build.ways)
    _require((_ran(each, build.folder, environment, log) for each in commands), shown)


def _require(endings: Iterable[tuple[int | None, str]], shown: str) -> None:
    """Does what is needed until one ends well.

    Raises:
        BuildError: None did.
    """
    said = []
    for code, output in endings:
        if code == 0:
            return
        how = f"did not end within {_BUILD_S:g} s" if code is None else f"ended with {code}"
        said.append(f"it {how}:\n{output}")
    raise BuildError(
        f"the revision cannot be installed by `{shown}`; give your own command with --build."
        f" {' Then without --no-build-isolation: '.join(said)}"
    )


def _ran(
    command: str | tuple[str, ...], folder: Path, environment: dict[str, str], log: Path
) -> tuple[int | None, str]:
    """How a command ended, None for one that took too long; and its last lines."""
    with log.open("wb") as output:
        try:
            code: int | None = subprocess.run(  # noqa: S603 - what the user gave, or our pip
                command,
                shell=isinstance(command, str),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=_BUILD_S,
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
    text = log.read_text(encoding="utf-8", errors="replace")
    return code, "\n".join(f"  {line}" for line in text.splitlines()[-_LINES:])
