"""The house has floors: a file imports only from floors below its own."""

import ast
from pathlib import Path

import pytest

import bench

ROOT = Path(bench.__file__).parent
FLOORS = {
    "quantities": 0,
    "children": 0,
    "stages": 0,
    "weight_form": 0,
    "wire": 0,
    "machine": 0,
    "memory": 0,
    "refusal": 0,
    "guard": 0,
    "preconditions": 1,
    "discover": 0,
    "meter": 1,
    "workload": 1,
    "counter": 1,
    "gauge": 1,
    "clock_fit": 1,
    "envelope": 1,
    "window": 1,
    "uncertainty": 1,
    "cover": 1,
    "statistics": 1,
    "soundness": 1,
    "contradictions": 1,
    "journal_line": 1,
    "replicates": 1,
    "record": 1,
    "cli": 4,
    "verbs": 4,
    "exit_codes": 0,
    "run_command": 3,
    "specs": 3,
    "plugin": 4,
    "marks": 4,
    "status_line": 4,
    "ledger": 3,
    "fixture": 4,
    "__init__": 4,
    "report": 3,
    "doctor": 3,
    "pytest_bridge": 3,
    "session": 3,
    "subject": 3,
    "alone": 3,
    "run": 3,
    "result": 3,
    "description": 3,
    "judge": 3,
    "seed_workers": 3,
    "options": 3,
    "plan": 3,
    "catalogue": 3,
    "command": 3,
    "demo": 3,
    "demo_cases": 3,
    "gate": 3,
    "phases": 3,
    "exports": 3,
}
"""Every file that is not named stands on floor 2."""
STANDARD_LIBRARY_ONLY = {0, 1}
HEAVY = {"torch", "pandas", "matplotlib", "pynvml", "codecarbon", "pyRAPL", "sklearn", "scipy"}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def floor(name: str) -> int:
    return FLOORS.get(name, 2)


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    """The modules that a file imports; with *top_only*, those that its own import loads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    nodes = tree.body if top_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("bench.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_its_own_floor_or_below(path: Path) -> None:
    above = {name for name in own(path) if floor(name) > floor(room(path))}

    assert above == set()


def test_files_of_our_own_import_each_other_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        graph.setdefault(room(path), set()).update(own(path) - {room(path)})
    resolved: set[str] = set()
    while ready := {n for n in graph if n not in resolved and graph[n] & set(graph) <= resolved}:
        resolved |= ready

    assert set(graph) == resolved


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if floor(room(path)) in STANDARD_LIBRARY_ONLY],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_lowest_floors_load_the_standard_library_only(path: Path) -> None:
    loaded = {name.split(".")[0] for name in imports(path, top_only=True)}

    assert not loaded & (HEAVY | {"pytest", "filelock"})


def test_pytest_is_imported_only_by_the_plugin_its_parts_and_its_bridge() -> None:
    users = {
        room(path)
        for path in FILES
        if any(name.split(".")[0] in {"pytest", "_pytest"} for name in imports(path))
    }

    assert users == {"plugin", "marks", "status_line", "pytest_bridge"}


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if not path.stem.startswith("_") or path.stem == "__init__"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_heavy_libraries_are_imported_inside_the_function_that_needs_them(path: Path) -> None:
    loaded = {name.split(".")[0] for name in imports(path, top_only=True)}

    assert not loaded & HEAVY


def test_the_package_hands_out_at_most_ten_public_names() -> None:
    assert len(bench.__all__) <= 10
    assert all(hasattr(bench, name) for name in bench.__all__)


def test_a_public_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Joule'"):
        _ = bench.Joule
