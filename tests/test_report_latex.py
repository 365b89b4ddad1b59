"""The LaTeX tables: the page's numbers, every special character escaped, braces that balance."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hostile import ATTACKS, hostile
from hypothesis import given
from hypothesis import strategies as st
from journals import a_case, a_journal, a_run, an_idle, save
from model_journals import crossed

from bench.compare import compare
from bench.report.latex import escape, from_markdown, latex
from bench.report.markdown import Report, main_table
from bench.report.text import plain
from bench.report.write import write
from reports import HALF, SAME, estimated, grid_of, measured, report_of

COMMANDS = {
    "begin", "end", "centering", "caption", "label", "resizebox", "textwidth", "toprule", "midrule",
    "bottomrule", "textbf", "textit", "texttt", "textsuperscript", "ensuremath", "pm", "times",
    "div", "approx", "geq", "leq", "mu", "Delta", "cdot", "bullet", "circ", "textbackslash",
    "textasciitilde", "textasciicircum", "textbar", "textless", "textgreater", "textasciigrave",
    "textendash", "textemdash", "ldots", "symbol", "par", "smallskip", "small", "footnotesize", ",",
    "\\", *"{}$&#_%",
}  # fmt: skip
PIECE = re.compile(r"\\([A-Za-z]+|.)|(.)", re.DOTALL)


def lexed(text: str) -> list[tuple[str, str]]:
    """(command, character) of each piece; comments, which begin a line, are left out."""
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    return PIECE.findall("\n".join(lines))


def check(text: str) -> None:
    """Fails where LaTeX would: unknown commands, naked special characters, what is not closed."""
    depth, environments = 0, []
    pieces = lexed(text)
    assert {command for command, _ in pieces if command} <= COMMANDS
    for command, character in pieces:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
        assert character not in {"$", "#", "_", "%"}
        assert command or character.isascii() or "À" <= character <= "ÿ"
    assert depth == 0
    for verb, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", text):
        if verb == "begin":
            environments.append(name)
        else:
            assert environments.pop() == name
    assert environments == []


def test_the_tables_of_a_measured_run_are_whole_and_say_the_numbers_of_the_page() -> None:
    report = report_of(measured())
    text = latex(report)
    student = next(
        row for row in grid_of(main_table(report.tables[0])) if "student" in row["variant"]
    )

    check(text)
    assert text.count(r"\begin{tabular}{lrrrrrrrrll}") == 1
    assert r"\textbf{student} & 96.8 (\ensuremath{-}0.2) & 1 &" in text
    assert student["power, W"].replace(" ± ", r" \ensuremath{\pm} ") in text
    assert r"& measured & \textbf{saves} \\" in text
    assert r"& measured & breaks quality \\" in text
    assert text.startswith("% The main tables of a joulebench report.")


def test_the_caption_says_machine_run_boundary_number_and_what_the_signs_mean() -> None:
    journal = a_journal(
        [(a_case(), SAME), (a_case("student"), HALF)], idle=(an_idle(6.0), an_idle(6.0))
    )
    (caption,) = re.findall(r"\\caption\{(.*)\}\n", latex(report_of(journal)))

    for said in (
        "AMD EPYC 9654", "machine 0123456789ab", "run r1", "boundary cpu-package", "n = 3 pairs",
        "Energy is measured", r"Idle power (6.0000 \ensuremath{\pm} 0.0034 W) is included",
        r"\ensuremath{\pm} is the half-width of the 95 \% interval", "target",
    ):  # fmt: skip
        assert said in caption


def test_what_was_not_measured_is_a_mark_with_its_reason_and_an_estimate_stays_a_range() -> None:
    text = latex(report_of(estimated()))

    check(text)
    assert r"\textemdash{}\textsuperscript{1}" in text
    assert r"\footnotesize\textsuperscript{1} RAPL exists and this user may not read it" in text
    assert r"\textit{\ensuremath{\approx} 0.50\textendash{}2.0 est.}" in text
    assert "Energy was not measured (RAPL exists and this user may not read it)" in text
    assert "estimates are ranges and are not ranked" in text


def test_a_simulated_device_and_fresh_processes_stand_in_the_caption() -> None:
    settings = {**a_run().settings, "processes": 3}
    journal = a_journal([(a_case("a", runtime="simulated"), HALF)], run=a_run(settings=settings))
    text = latex(report_of(journal))

    assert r"\caption{Simulated device, no machine's power. Energy" in text
    assert "n = 3 processes" in text


def test_models_in_several_runtimes_have_their_columns_and_marks() -> None:
    text = latex(report_of(a_journal(crossed())))

    check(text)
    assert r"\begin{tabular}{lll" in text
    assert r"\ensuremath{\bullet}" in text
    assert "Baseline: eager." in text


def test_no_table_is_no_broken_file() -> None:
    text = latex(Report(()))

    check(text)
    assert "no journal holds a finished case" in text


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_strings_are_escaped_everywhere(attack: str) -> None:
    text = latex(report_of(hostile(attack)))

    check(text)
    assert r"\input" not in text
    assert len(re.findall(r"^\\begin\{table\*\}$", text, re.MULTILINE)) == 1
    assert not [line for line in text.splitlines() if line.startswith(("[", "*"))]


def test_a_row_that_begins_with_a_bracket_is_no_option_of_the_line_above() -> None:
    names = ("[2cm]", "*")
    cases = [(a_case(name), SAME) for name in names]
    text = latex(report_of(a_journal(cases)))

    assert "\n{}[2cm] & " in text
    assert "\n{}* & " in text


@given(st.text())
def test_any_text_is_escaped_into_pieces_that_latex_knows(value: str) -> None:
    check(escape(value))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_nothing_of_an_ascii_text_is_lost(value: str) -> None:
    names = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textbar": "|",
             "textless": "<", "textgreater": ">", "textasciigrave": "`"}  # fmt: skip
    written = re.sub(r"\\symbol\{34\}", '"', escape(value)).replace("-{}", "-")
    back = re.sub(r"\\(text\w+)\{\}", lambda found: f"\0{names[found[1]]}", written)
    back = re.sub(r"\\([{}$&#_%])", r"\1", back).replace("\0", "")

    assert back == plain(value)


def test_hyphens_stay_hyphens_and_letters_without_glyph_are_code_points() -> None:
    assert escape("--joules") == "-{}-joules"
    assert escape("Müller 中") == r"Müller \texttt{U+4E2D}"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("**4.2 ± 0.1**", r"\textbf{4.2 \ensuremath{\pm} 0.1}"),
        ("*< 1\u202f200 est.*", r"\textit{\textless{} 1\,200 est.}"),
        ("a&#95;b &amp; c&#124;d", r"a\_b \& c\textbar{}d"),
        ("one<br>two <code>c</code>", "one two c"),
        ("**open", r"\textbf{open}"),
        ("5 µJ, 3×, ≥ 95 %", r"5 \ensuremath{\mu}J, 3\ensuremath{\times}, \ensuremath{\geq} 95 \%"),
    ],
)
def test_the_little_markdown_of_a_cell_becomes_latex(cell: str, written: str) -> None:
    assert from_markdown(cell) == written


def test_each_table_has_a_label_of_its_own(tmp_path: Path) -> None:
    other = measured(run=a_run(run_id="r2"), path="b.jsonl")
    text = latex(Report(compare([measured(), other])))
    labels = re.findall(r"\\label\{(.*)\}", text)

    assert labels == ["tab:joulebench:r1-cpu:1", "tab:joulebench:r2-cpu:1"]
    assert write([save(measured(), tmp_path)], tmp_path / "t.tex") == (tmp_path / "t.tex",)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex: apt-get install texlive")
def test_pdflatex_takes_the_tables_and_the_hostile_ones(tmp_path: Path) -> None:
    journals = [measured(), estimated(), *map(hostile, ATTACKS)]
    document = "\n".join(latex(report_of(journal)) for journal in journals)
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\n"
        f"{document}\\end{{document}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-2000:]
