"""Plug-ins are files that are found, and a broken one stops nobody."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import bench.meters
from bench.discover import ours, plugins


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that counts as part of `bench.meters` while the test runs."""
    monkeypatch.setattr(bench.meters, "__path__", [*bench.meters.__path__, str(tmp_path)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("bench.meters."):
            del sys.modules[name]
            delattr(bench.meters, name.rpartition(".")[2])


def test_a_new_file_in_the_folder_is_found_under_its_name(room: Path) -> None:
    (room / "sundial.py").write_text("open_meter = lambda environment: 'noon'")

    found, broken = plugins("bench.meters", "open_meter")

    assert found["sundial"].target({}) == "noon"
    assert not found["sundial"].opt_in
    assert broken == ()


def test_a_file_may_ask_to_be_used_only_when_named(room: Path) -> None:
    (room / "sundial.py").write_text("OPT_IN = True\nopen_meter = print")

    found, _ = plugins("bench.meters", "open_meter")

    assert found["sundial"].opt_in


def test_a_file_with_an_underscore_is_a_helper_and_no_plug_in(room: Path) -> None:
    (room / "_cogs.py").write_text("open_meter = print")

    found, broken = plugins("bench.meters", "open_meter")

    assert "_cogs" not in found
    assert broken == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise RuntimeError('no sun')", "RuntimeError: no sun"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("shadow = 1", "bench.meters.sundial does not define open_meter"),
    ],
)
def test_a_broken_file_is_told_with_its_reason_and_the_others_are_found(
    room: Path, text: str, reason: str
) -> None:
    (room / "sundial.py").write_text(text)

    found, broken = plugins("bench.meters", "open_meter")

    assert "sundial" not in found
    assert found
    assert [(each.name, each.reason) for each in broken] == [("sundial", reason)]


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, "joulebench.meters")


def test_packages_of_other_people_join_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [entry("theirs", "math:sqrt"), entry("broken", "not_there:at_all")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)

    found, broken = plugins("bench.meters", "open_meter")

    assert found["theirs"].target(9) == 3
    assert [each.name for each in broken] == ["broken"]


def test_an_entry_point_that_hangs_while_it_is_imported_is_told_and_the_others_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "joules_hanging_plugin.py").write_text(
        "import threading\nthreading.Event().wait(20)\nopen_meter = None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("bench.discover.LOAD_DEADLINE_S", 0.1)
    points = [entry("hanging", "joules_hanging_plugin"), entry("theirs", "math:sqrt")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)

    found, broken = plugins("bench.meters", "open_meter")

    assert found["theirs"].target(9) == 3
    assert [(each.name, each.reason) for each in broken] == [
        ("hanging", "joules_hanging_plugin did not load within 0.1 s")
    ]


def test_an_entry_point_that_names_a_module_gives_its_required_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = [entry("whole", "math")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)

    found, _ = plugins("bench.meters", "sqrt")

    assert found["whole"].target(9) == 3


def test_a_file_of_ours_wins_over_an_entry_point_of_its_name(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (room / "sundial.py").write_text("open_meter = 'ours'")
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: [entry("sundial", "math:sqrt")]
    )

    found, broken = plugins("bench.meters", "open_meter")

    assert found["sundial"].target == "ours"
    assert broken[0].reason == "math:sqrt has the name of bench.meters.sundial"


def test_one_file_of_ours_is_found_without_a_look_at_the_others(room: Path) -> None:
    (room / "sundial.py").write_text("open_meter = print")
    (room / "broken.py").write_text("import nothing_of_that_name")
    (room / "_cogs.py").write_text("open_meter = print")

    found = ours("bench.meters", "sundial", "open_meter")

    assert not any(name.endswith((".broken", "._cogs")) for name in sys.modules)
    assert found == plugins("bench.meters", "open_meter")[0]["sundial"]
    for name in ("broken", "_cogs", "nowhere"):
        assert ours("bench.meters", name, "open_meter") is None
