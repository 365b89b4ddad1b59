"""The LaTeX says what the Markdown's main table says, and its captions what the journal says."""

import random
import re
from functools import cache

import pytest
from page_latex import as_words, from_latex
from page_latex_rules import CEILINGS, MainTable, latex_faults, main_tables
from recomputed_journals import JOURNALS, source, written

TRIES = 16


@cache
def of_page(name: str) -> list[MainTable]:
    return main_tables(written(name)[1][".md"], source(name))


def faults(name: str, text: str) -> list[str]:
    try:
        return list(latex_faults(text, of_page(name)))
    except (IndexError, ValueError) as error:
        return [str(error)]


@pytest.mark.parametrize("name", JOURNALS)
def test_the_latex_has_the_cells_captions_and_footnotes_of_the_main_table(name: str) -> None:
    assert faults(name, written(name)[1][".tex"]) == []


@pytest.mark.parametrize("name", JOURNALS)
def test_a_digit_of_the_latex_that_is_altered_is_found(name: str) -> None:
    text, chance = written(name)[1][".tex"], random.Random(name)
    places = [match.start() for match in re.finditer(r"[0-9]", text)]

    missed = []
    for at in chance.sample(places, min(TRIES, len(places))):
        other = f"{text[:at]}{(int(text[at]) + 5) % 10}{text[at + 1 :]}"
        if not faults(name, other):
            missed.append(text[at - 40 : at + 40])
    assert missed == []


def test_a_paper_gets_neither_throughput_nor_models_nor_the_ceilings_of_the_machine() -> None:
    left_out, ceilings = set(), set()
    for name in JOURNALS:
        for table in of_page(name):
            if table.workload.startswith(CEILINGS):
                ceilings.add(table.workload)
            left_out |= {h for i, h in enumerate(table.header) if i not in table.kept}

    assert {re.sub(r"^\w+s per s$", "samples per s", each) for each in left_out} == {
        "samples per s",
        *(f"*modelled, {p}J per {unit}*" for p, unit in MODELLED),
    }
    assert ceilings == {
        f"roofline:{each}"
        for each in ("copy-cache", "copy-dram", "gemm-bf16", "gemm-fp32", "gemm-int8")
    }


MODELLED = [
    ("µ", "image"), ("m", "image"), ("µ", "input"), ("m", "input"), ("m", "product"),
    ("m", "sequence"), ("m", "token"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("latex", "words"),
    [
        (r"\textbf{0.70 [0.70, 0.71]}", "**0.70 [0.70, 0.71]**"),
        (r"1\,020 \ensuremath{\pm} 16", "1\u202f020 ± 16"),
        (r"\textit{\ensuremath{\approx} 21\textendash{}550 est.}", "*≈ 21–550 est.*"),
        (r"\textemdash{}\textsuperscript{1}\textsuperscript{2}", "—¹²"),
        (r"\texttt{U+2192} 50 \%\symbol{34}-{}-a\_b~c", '→ 50 %"--a_b\u00a0c'),
    ],
)
def test_latex_is_read_back_as_the_words_it_was_made_from(latex: str, words: str) -> None:
    assert from_latex(latex) == words


@pytest.mark.parametrize("latex", [r"\input{a}", "$x$", r"\textbf{a", "a & b", "100 %"])
def test_latex_that_no_report_writes_cannot_be_read(latex: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        from_latex(latex)


def test_markdown_keeps_its_stars_and_loses_tags_and_entities() -> None:
    assert as_words("**a&#95;b** <code>c</code><br>1 &lt; 2") == "**a_b** c 1 < 2"
