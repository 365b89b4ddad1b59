"""A revision in a folder and an environment of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gate_repositories import commit, git, quick, repository

from bench.gate.checkout import Checkout, checkout, discard, working_tree
from bench.gate.environment import Build, BuildError, layer
from bench.gate.repository import GitError

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "{version}"

[tool.setuptools]
packages = ["mine"]
"""

BACKEND = """
import pathlib, zipfile


def build_wheel(folder, config_settings=None, metadata_directory=None, lines="{paths}"):
    name, version = "{name}", "{version}"
    wheel, about = f"{{name}}-{{version}}-py3-none-any.whl", f"{{name}}-{{version}}.dist-info"
    files = {{
        f"{{about}}/METADATA": f"Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n",
        f"{{about}}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{{about}}/RECORD": "",
    }}
    for path in map(pathlib.Path, lines.split()):
        files[path.name] = path.read_text()
    with zipfile.ZipFile(pathlib.Path(folder) / wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def build_editable(folder, config_settings=None, metadata_directory=None):
    pathlib.Path("mine.pth").write_text(str(pathlib.Path("src").resolve()))
    return build_wheel(folder, lines="mine.pth")
"""
"""A package's own build backend: it needs no build tool, so none is fetched."""

OWN = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
version = "{version}"
"""


def python(side: Checkout, code: str) -> str:
    done = subprocess.run(
        [str(side.python), "-c", code],
        cwd=side.folder,
        env=side.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    quick(monkeypatch, tmp_path_factory.getbasetemp() / "compiled")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository of two commits with a module that says which one it is of."""
    folder = repository(tmp_path / "project")
    commit(folder, "one", {"which.py": "NUMBER = 1\n", "deep/inner.py": ""})
    commit(folder, "two", {"which.py": "NUMBER = 2\n"})
    return folder


def test_a_revision_has_a_tree_that_git_leaves_out_and_uses_again(project: Path) -> None:
    said: list[str] = []

    made = checkout(project, "HEAD~1", say=said.append)
    again = checkout(project, "HEAD~1", say=said.append)

    assert made == again
    assert made.revision == git(project, "rev-parse", "HEAD~1")
    assert (made.folder / "which.py").read_text() == "NUMBER = 1\n"
    assert made.folder == project / ".joulebench" / "worktrees" / made.revision[:12]
    assert git(project, "status", "--porcelain") == ""
    assert said == [f"checking out {made.short} in .joulebench/worktrees/{made.short}"]
    assert python(made, "import which; print(which.NUMBER)") == "1"


def test_a_tree_that_somebody_has_touched_is_put_back(project: Path) -> None:
    made = checkout(project, "HEAD~1")
    (made.folder / "which.py").write_text("NUMBER = 3\n")

    assert (checkout(project, "HEAD~1").folder / "which.py").read_text() == "NUMBER = 1\n"


def test_a_tree_that_somebody_has_removed_is_made_anew(project: Path) -> None:
    made = checkout(project, "HEAD~1")
    shutil.rmtree(made.folder)
    made.folder.mkdir()

    assert (checkout(project, "HEAD~1").folder / "which.py").exists()


def test_a_checkout_stands_as_deep_as_its_caller(project: Path) -> None:
    made = checkout(project / "deep", "HEAD~1")

    assert made.folder == made.top / "deep"
    assert working_tree(project / "deep").folder == project / "deep"


def test_a_folder_that_the_revision_has_not_is_named(project: Path) -> None:
    (project / "new").mkdir()

    with pytest.raises(GitError, match="HEAD~1 has no folder new"):
        checkout(project / "new", "HEAD~1")


def test_the_working_tree_says_if_it_differs_from_its_commit(project: Path) -> None:
    clean = working_tree(project)
    (project / "which.py").write_text("NUMBER = 4\n")
    dirty = working_tree(project)

    assert (clean.dirty, dirty.dirty) == (False, True)
    assert clean.python == Path(sys.executable)


def test_a_commit_that_a_shallow_clone_has_not_says_how_to_get_it(
    project: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git(project, "clone", "-q", "--depth", "1", f"file://{project}", str(clone))

    with pytest.raises(GitError, match=r"git fetch --unshallow, or fetch-depth: 0"):
        checkout(clone, git(project, "rev-parse", "HEAD~1"))
    with pytest.raises(GitError, match="git fetch --all --tags"):
        checkout(project, "v1.2.3")
    with pytest.raises(GitError, match="found no commit '--all'"):
        checkout(project, "--all")


def test_a_discarded_checkout_leaves_nothing_and_the_working_tree_is_never_one(
    project: Path,
) -> None:
    made = checkout(project, "HEAD~1")

    discard(made)
    discard(working_tree(project))

    assert not made.folder.exists()
    assert not made.python.exists()
    assert (project / "which.py").exists()
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_paths_of_the_repository_are_those_of_the_revision(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = checkout(project, "HEAD~1")
    elsewhere = os.environ.get("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(project), "deep", elsewhere)))
    monkeypatch.setenv("GIT_DIR", "/nowhere")

    environment = made.environment()

    assert environment["PYTHONPATH"] == os.pathsep.join((str(made.folder), "deep", elsewhere))
    assert "GIT_DIR" not in environment
    assert environment["PATH"].startswith(str(made.python.parent))


def test_an_environment_has_what_is_installed_here_and_not_what_the_repository_installed(
    project: Path,
) -> None:
    lines = layer(project)

    assert any(line.endswith("site-packages") for line in lines)
    made = checkout(project, "HEAD")
    assert python(made, "import pytest; print(pytest.__name__)") == "pytest"


def test_editable_packages_of_the_repository_are_left_out_and_of_others_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    inside, outside = tmp_path / "project" / "src", tmp_path / "other"
    for name, where in (("mine", inside), ("theirs", outside)):
        where.mkdir(parents=True)
        (site / f"__editable___{name}_finder.py").write_text(f"MAPPING = {{'x': '{where}'}}\n")
        (site / f"__editable__.{name}.pth").write_text(
            f"import __editable___{name}_finder; __editable___{name}_finder.install()\n"
        )
    monkeypatch.setattr(
        "bench.gate.environment._search_path", lambda: [str(site), str(inside), str(outside)]
    )

    lines = layer(tmp_path / "project")

    assert lines[:2] == [str(site), str(outside)]
    assert [line for line in lines if "finder" in line][1:] == [
        "import __editable___theirs_finder; __editable___theirs_finder.install()"
    ]


def test_a_revision_runs_its_own_version_of_what_it_pins(tmp_path: Path) -> None:
    folder = repository(tmp_path / "project")
    for number in (1, 2):
        about = {"name": "dummy", "version": f"{number}.0"}
        files = {
            "vendor/pyproject.toml": OWN.format(**about),
            "vendor/backend.py": BACKEND.format(**about, paths="dummy.py"),
            "vendor/dummy.py": f"NUMBER = {number}\n",
            "requirements.txt": "./vendor\n",
        }
        commit(folder, f"pins dummy {number}", files)

    copied = (
        "cp vendor/dummy.py $(python -c 'import sysconfig as s; print(s.get_path(\"purelib\"))')"
    )
    old, new = checkout(folder, "HEAD~1"), checkout(folder, "HEAD", build=copied)

    said = "import dummy, importlib.metadata as m; print(dummy.NUMBER, m.version('dummy'))"
    assert python(old, said) == "1 1.0"
    assert python(new, "import dummy; print(dummy.NUMBER)") == "2"


@pytest.mark.parametrize("layout", ["src", "flat"])
def test_an_installed_revision_is_imported_from_its_own_tree(tmp_path: Path, layout: str) -> None:
    folder = repository(tmp_path / "project")
    place = "src/mine" if layout == "src" else "mine"
    about = {"name": "mine", "version": "1.0"}
    # setuptools makes a flat one importable by a finder of its own, not by a path
    files = {
        "pyproject.toml": (OWN if layout == "src" else PROJECT).format(**about),
        "backend.py": BACKEND.format(**about, paths=""),
        f"{place}/__init__.py": "NUMBER = 1\n",
    }
    commit(folder, "a package", files)
    made = checkout(folder, "HEAD")
    found = python(made, "import sys; sys.path.pop(0); import mine; print(mine.__file__)")

    assert Path(found).is_relative_to(made.folder)
    build = Build(made.folder, made.folder, folder)
    assert build.ways[0][:2] == ("install", "--no-build-isolation")


def test_a_build_that_fails_shows_its_last_lines(project: Path) -> None:
    command = f"{sys.executable} -c \"import sys; print('no compiler'); sys.exit(3)\""

    with pytest.raises(BuildError, match=r"(?s)it ended with 3:\n  no compiler"):
        checkout(project, "HEAD~1", build=command)


def test_a_command_of_the_users_builds_in_the_tree_and_environment_of_the_revision(
    project: Path,
) -> None:
    said: list[str] = []
    command = 'python -c \'import sys; open("built.txt", "w").write(sys.prefix)\''

    made = checkout(project, "HEAD~1", build=command, say=said.append)
    checkout(project, "HEAD~1", build=command, say=said.append)

    assert (made.folder / "built.txt").read_text() == str(made.python.parent.parent)
    assert said.count(f"building: {command}") == 1


def test_settings_of_tools_alone_are_no_package(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")

    assert Build(project, project, project).ways == ()
    (project / "setup.py").write_text("")
    assert Build(project, project, project).ways[1] == ("install", "--editable", str(project))


def test_without_git_there_are_no_revisions(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))

    with pytest.raises(GitError, match="is it installed"):
        working_tree(project)


def test_a_build_that_hangs_ends_and_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.gate.environment._BUILD_S", 0.2)

    with pytest.raises(BuildError, match=r"it did not end within 0\.2 s"):
        checkout(project, "HEAD~1", build="exec sleep 600")
