"""Where the energy goes by a model: marked, beside what was measured, and never ranked."""

import dataclasses
from typing import Any

from journals import LOCKED, PROCESS, Cost, a_case, a_journal, a_run

from bench.layer_counts import LayerCount
from bench.record import CaseRecord
from bench.records import Journal
from bench.report import findings
from bench.report.markdown import main_table, page
from bench.report.sections.modelled import section
from reports import GUESS, HALF, SAME, estimated, grid_of, measured, report_of

CONVOLUTION = LayerCount(
    "conv", "Conv2d", 1_000_000, 400_000, 1000, 32, 32, 4000, 1000, 1000, 0.5, 1.0
)
LINEAR = LayerCount("fc", "Linear", 100_000, 50_000, 100_000, 32, 32, 400_000, 1000, 100, 0.5, 1.0)
PRUNED = dataclasses.replace(
    LINEAR, kind="SparseLinear", macs=10_000, macs_nonzero=5_000, weight_bytes=80_000,
    weight_density=0.1,
)  # fmt: skip


def case(technique: str = "baseline", *layers: LayerCount, **changes: Any) -> CaseRecord:
    made = tuple(dataclasses.asdict(layer) for layer in layers)
    return a_case(technique, **{"macs": None, "layers": made, **changes})


def guessed(*cases: CaseRecord) -> Journal:
    run = a_run(channels=(PROCESS,), unusable=(LOCKED,))
    return a_journal([(each, GUESS) for each in cases], run=run)


def test_a_journal_without_layers_has_neither_section_nor_column() -> None:
    for journal in (measured(), estimated()):
        assert section(report_of(journal)) == ""
        assert "modelled" not in page(report_of(journal))


def test_each_case_says_what_share_each_level_has_and_its_ratio_to_the_baseline() -> None:
    journal = guessed(case("baseline", LINEAR), case("csr", PRUNED))
    text = section(report_of(journal))
    baseline, csr = grid_of(text)

    assert "*Modelled: operations and bytes × pJ, not measured.*" in text
    # DRAM: (400 000 + 1100 · 4) bytes · 160 pJ; SRAM 10 pJ and arithmetic 4.6 pJ an operation
    assert baseline["*modelled, µJ per image*"] == "*66.2*"
    assert [baseline[f"{level}, %"] for level in ("DRAM", "SRAM", "arithmetic")] == ["98", "2", "1"]
    assert baseline["*÷ baseline*"] == "1"
    assert csr["*÷ baseline*"] == "*0.21*"
    assert csr["*÷ baseline, Eyeriss*"] == "*0.11*"


def test_energy_is_per_image_and_a_batch_shares_the_weights() -> None:
    many = dataclasses.replace(
        LINEAR, macs=6_400_000, macs_nonzero=3_200_000, inputs=64_000, outputs=6400
    )
    one, shared = grid_of(section(report_of(guessed(case("a", LINEAR), case("a", many, batch=64)))))

    assert one["*modelled, µJ per image*"] == "*66.2*"
    assert shared["*modelled, µJ per image*"] == "*3.16*"
    assert shared["*÷ baseline*"] == "—"


def test_layers_are_shown_of_the_baseline_and_of_what_won_beside_it() -> None:
    fast = [(Cost({PROCESS.id: 0.001}, 0.001), Cost({PROCESS.id: 0.001}, 0.0005))] * 3
    same = [(Cost({PROCESS.id: 0.001}, 0.001), Cost({PROCESS.id: 0.001}, 0.001))] * 3
    cases = [
        (case("baseline", CONVOLUTION, LINEAR), same),
        (case("csr", CONVOLUTION, PRUNED), fast),
        (case("mask", CONVOLUTION, LINEAR), same),
    ]
    journal = a_journal(cases, run=a_run(channels=(PROCESS,)))
    text = section(report_of(journal)).partition("| variant | batch | layer")
    rows = grid_of("".join(text[1:]))

    assert [(row["variant"], row["layer"]) for row in rows] == [
        ("baseline", "conv Conv2d"),
        ("baseline", "fc Linear"),
        ("csr", "conv Conv2d"),
        ("csr", "fc SparseLinear"),
    ]
    assert rows[0]["of two nonzeros, %"] == "40"
    assert rows[3]["operations"] == "10\u202f000"
    assert rows[1]["*DRAM, µJ per image*"] == "*64.7*"
    assert rows[1]["weights"] == "391 KiB"


def test_measured_energy_chooses_what_won_and_the_table_above_has_no_modelled_column() -> None:
    cases = [(case("baseline", LINEAR), SAME), (case("student", PRUNED), HALF)]
    report = report_of(a_journal(cases))
    text = section(report)

    assert "| student | 1 | fc SparseLinear |" in text
    assert "modelled" not in main_table(report.tables[0])


def test_without_a_baseline_and_a_winner_no_layer_is_shown() -> None:
    text = section(report_of(guessed(case("a", LINEAR))))

    assert "fc Linear" not in text
    assert len(grid_of(text)) == 1


def test_the_main_table_shows_it_in_italics_only_where_energy_was_not_measured() -> None:
    lost = [(Cost({"cpu/0/package": None}), Cost({"cpu/0/package": None}))] * 2
    cases = [
        (case("baseline", LINEAR), SAME),
        (case("lost", PRUNED), lost),
        (case("unknown"), lost),
    ]
    rows = grid_of(main_table(report_of(a_journal(cases)).tables[0]))

    shown = [(row["variant"], row["*modelled, µJ per image*"]) for row in rows]
    assert shown == [("baseline", "—"), ("lost", "*13.7 mod.*"), ("unknown", "—")]


def test_it_stands_beside_the_estimate() -> None:
    text = main_table(report_of(guessed(case("baseline", LINEAR))).tables[0])
    header = next(line for line in text.splitlines() if line.startswith("| variant"))

    assert "| *estimate, mJ per image* | *modelled, µJ per image* |" in header
    assert "*66.2 mod.*" in text


def test_it_changes_no_verdict_no_best_row_and_no_figure() -> None:
    plain, known = (
        report_of(
            guessed(*(dataclasses.replace(each, layers=kept * each.layers) for each in cases))
        )
        for cases in [(case("baseline", LINEAR), case("csr", PRUNED))]
        for kept in (0, 1)
    )

    for before, after in zip(plain.tables[0].rows, known.tables[0].rows, strict=True):
        assert (before.energy_verdict, before.time_verdict) == (
            after.energy_verdict,
            after.time_verdict,
        )
    assert findings.best(known.tables[0].rows) is None


def test_operations_outside_of_the_layers_are_told() -> None:
    (row,) = grid_of(section(report_of(guessed(case("a", LINEAR, macs=200_000)))))

    assert row["variant"] == "a <sub>(50 % of its operations)</sub>"


def test_layers_of_a_damaged_journal_are_left_out_and_the_page_still_stands() -> None:
    broken = dataclasses.replace(case("a"), layers=({"name": "fc"},))

    assert "modelled" not in page(report_of(guessed(broken)))


def test_a_layer_that_multiplies_nothing_has_no_share_of_nonzeros() -> None:
    empty = dataclasses.replace(PRUNED, macs=0, macs_nonzero=0, weight_density=0.0)
    text = section(report_of(guessed(case("baseline", empty))))

    assert "| fc SparseLinear | 0 | 0 |" in text


def test_names_of_layers_cannot_break_the_page() -> None:
    hostile = dataclasses.replace(LINEAR, name="a|b<script>", kind="`x`")
    text = section(report_of(guessed(case("baseline", hostile))))

    assert "<script>" not in text
    assert "a&#124;b" in text


def test_the_same_models_of_alexnet_stand_beside_the_published_ratios() -> None:
    text = section(report_of(guessed(case("baseline", LINEAR))))

    assert "2.2× less energy by Horowitz, 2.1× by Eyeriss" in text
    assert "3.7× for energy-aware pruning, said to be 1.7× better than magnitude pruning" in text


def test_each_device_has_a_part_of_its_own() -> None:
    text = section(report_of(guessed(case("a", LINEAR), case("a", LINEAR, device="cuda:0"))))

    assert "Where the energy goes, modelled · cpu</summary>" in text
    assert "Where the energy goes, modelled · cuda:0</summary>" in text
