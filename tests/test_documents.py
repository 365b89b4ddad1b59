"""What the documents say is so: options, tables, examples, the names of files."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main
from bench.demo_cases import COUNTERS, NOISES
from bench.discover import plugins
from bench.records import read
from bench.report.write import write

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
JOURNALS = sorted((ROOT / "results").glob("*.jsonl"))


def test_every_option_of_the_plugin_stands_in_the_readme() -> None:
    text = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"], capture_output=True, text=True, check=True
    ).stdout

    options = set(re.findall(r"--(?:joules|benchmark)(?:-(?:joules)?[a-z]+)?\b(?=[ =\n])", text))
    ours = {
        option for option in options if option.startswith("--joules") or option == "--benchmark"
    }
    keys = set(re.findall(r"^  (joules_[a-z]+)", text, re.MULTILINE))

    assert len(ours) >= 8
    assert {option for option in ours if f"`{option}`" not in README} == set()
    assert {key for key in keys if f"`{key}`" not in README} == set()


@pytest.mark.parametrize("verb", sorted(plugins("bench.verbs", "add")[0]))
def test_every_verb_of_the_command_stands_in_the_readme(verb: str) -> None:
    assert f"joulebench {verb}" in README


def test_every_option_of_the_demo_stands_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help", "--output"}
    choices = {*COUNTERS, *NOISES}

    assert options == {"--counter", "--noise", "--seed"}
    assert {option for option in options if f"[{option} " not in README} == set()
    assert {choice for choice in choices if f"`{choice}`" not in README} == set()


def test_the_demo_of_the_readme_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = README.partition("<!-- demo -->")[2].partition("<!-- end -->")[0]

    assert main(["demo"]) == 0
    assert shown == f"\n```\n{capsys.readouterr().out}```\n"


def test_there_is_a_committed_journal_with_its_page_and_figure() -> None:
    assert JOURNALS
    for journal in JOURNALS:
        assert (ROOT / "reports" / f"{journal.stem}.md").exists()
        assert (ROOT / "reports" / f"{journal.stem}.svg").exists()


@pytest.mark.parametrize("journal", JOURNALS, ids=lambda path: path.stem)
def test_a_committed_page_is_what_its_journal_gives_byte_for_byte(
    journal: Path, tmp_path: Path
) -> None:
    write([journal], tmp_path / f"{journal.stem}.md")

    for kind in ("md", "csv"):
        made = (tmp_path / f"{journal.stem}.{kind}").read_bytes()
        assert made == (ROOT / "reports" / f"{journal.stem}.{kind}").read_bytes()


def test_the_table_of_the_readme_stands_in_a_committed_page() -> None:
    shown = README.partition("<!-- table -->")[2].partition("<!-- end -->")[0]
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    pages = [page.read_text(encoding="utf-8").splitlines() for page in ROOT.glob("reports/*.md")]

    assert len(rows) > 4
    assert any(all(row in page for row in rows) for page in pages)


def test_committed_pages_say_in_words_what_was_not_measured() -> None:
    unmeasured = [
        path for path in JOURNALS if not any(c.kind.is_reading for c in read(path).run.channels)
    ]
    for journal in unmeasured:
        text = (ROOT / "reports" / f"{journal.stem}.md").read_text(encoding="utf-8")
        assert "Energy was NOT measured on this machine" in text
        assert "est." in text
        masks = [line for line in text.splitlines() if "form=mask" in line and "time:" in line]
        masked = any("form=mask" in case.label for case in read(journal).cases)
        assert any("no gain" in line for line in masks) == masked


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_example_in_python_is_python(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        ast.parse(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_command_that_ci_runs_is_the_one_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "<!-- test command -->" in script
    assert README.count("<!-- test command -->") == 1
    assert (
        "tox -e tests" in README.partition("<!-- test command -->")[2].partition("<!-- end -->")[0]
    )


def test_the_profiles_in_the_documents_are_those_of_the_code() -> None:
    from bench.schedule import PROFILES

    text = (ROOT / "docs" / "measuring.md").read_text(encoding="utf-8")
    for name in ("quick", "nightly", "full"):
        schedule = PROFILES[name]
        row = (
            f"| `{name}` | {schedule.pairs} | {schedule.block_s:g} s | {schedule.warmup_s:g} s"
            f" | {schedule.idle_s:g} s | {100 * schedule.margin:g} %"
            f" | {100 * (schedule.target or 0):g} % | {schedule.most_pairs} |"
        )
        assert row in text


def test_the_schema_that_ships_is_a_valid_schema() -> None:
    import jsonschema

    schema = json.loads((ROOT / "bench" / "schema" / "journal-1.json").read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("journal", JOURNALS, ids=lambda path: path.stem)
def test_every_line_of_a_committed_journal_fits_the_schema(journal: Path) -> None:
    import jsonschema

    schema = json.loads((ROOT / "bench" / "schema" / "journal-1.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    for line in journal.read_text(encoding="utf-8").splitlines():
        validator.validate(json.loads(line))
