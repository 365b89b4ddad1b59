"""The command line: report, wrong calls, and help that is complete."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import _parser, main
from bench.discover import plugins
from bench.records import journals


@pytest.fixture
def measured(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one journal, which is the working folder."""
    project.makepyfile("def test_work(joules): joules(lambda: sum(range(300)))")
    project.runpytest_inprocess("--benchmark", "-p", "no:cacheprovider").assert_outcomes(passed=1)
    monkeypatch.chdir(project.path)
    return project.path


def test_the_report_of_the_newest_journal_is_the_same_bytes_again(measured: Path) -> None:
    (page,) = (measured / "reports").glob("*.md")
    before = page.read_bytes()
    page.unlink()

    assert main(["report"]) == 0
    assert page.read_bytes() == before


def test_a_report_goes_where_it_is_asked_to_go(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = journals(measured / "results")[0]

    assert main(["report", str(journal), "-o", "out/page.md"]) == 0
    assert (measured / "out/page.md").exists()
    assert "wrote out/page.md" in capsys.readouterr().out


def test_carbon_appears_only_with_a_factor_that_was_stated(measured: Path) -> None:
    assert main(["report", "results", "-o", "plain.md"]) == 0
    assert main(["report", "-o", "grid.md", "--grid-factor", "34gCO2e/kWh@2025:RTE"]) == 0
    assert main(["report", "-o", "country.md", "--country", "FRA"]) == 0

    assert "CO2e" not in (measured / "plain.md").read_text()
    assert "34" in (measured / "grid.md").read_text()
    assert "RTE" in (measured / "grid.md").read_text()
    assert "CO2e" in (measured / "country.md").read_text()


def test_a_name_that_no_form_has_is_refused_with_those_that_there_are(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "-o", "page.pdf"]) == 2
    assert "wanted a name that ends in .md, .html, .tex, .csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "missing.jsonl"], "cannot read missing.jsonl"),
        (["report"], "run pytest --benchmark suites first"),
        (["doctor", "--meters", "sundial"], "no meter is named sundial"),
        (["measure", "-o", "missing/out.json", "--", "true"], "No such file or directory"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("joulebench: ")
    assert error.count("\n") == 1


def test_the_command_is_installed_under_its_name() -> None:
    program = Path(sys.executable).parent / "joulebench"

    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)

    assert "doctor" in done.stdout
    assert "10 cannot measure" in done.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_is_not_in_utf_8_gets_all_that_it_can_show(
    encoding: str, tmp_path: Path
) -> None:
    program = [Path(sys.executable).parent / "joulebench"]
    settings = {**os.environ, "PYTHONIOENCODING": encoding, "JOULES_SYSFS_ROOT": str(tmp_path)}

    def output(*arguments: str) -> str:
        done = subprocess.run(
            [*program, "doctor", "--meters", "replay", *arguments],
            env=settings,
            capture_output=True,
            encoding=encoding,
            check=True,
        )
        return done.stdout

    assert "energy: MEASURED" in output()
    assert json.loads(output("--json"))["measured"] is True


@pytest.mark.parametrize("verb", sorted(plugins("bench.verbs", "add")[0]))
def test_the_help_of_a_verb_is_the_same_whether_or_not_the_others_are_there(verb: str) -> None:
    def said(parser: argparse.ArgumentParser) -> str:
        (verbs,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        return str(verbs.choices[verb].format_help())

    alone, together = _parser([verb]), _parser()

    assert said(alone) == said(together)
