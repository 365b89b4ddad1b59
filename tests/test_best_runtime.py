"""The best float32 runtime: which it is, and what a row costs beside it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import a_case, a_journal, package
from model_journals import BF16, INT8, Case, crossed, model, rows_of, table_of

from bench.compare import compare
from bench.quantities import Kind
from bench.report import pareto
from bench.report.best_runtime import beside_best, best_fp32, crosses, runs_in
from bench.report.winners import is_smaller, winners
from bench.uncertainty import SPREAD, Budget, Component, quotient
from reports import SAME, sampled


def test_the_best_float32_runtime_has_the_smallest_time_beside_the_shared_baseline() -> None:
    table = table_of(crossed())
    rows = rows_of(table)

    for row in table.rows:
        assert best_fp32(row, table.rows, energy=False).runtime == "openvino"
    beside = beside_best(rows["openvino precision@dtype=bf16"], table.rows, energy=False)
    assert beside is not None
    assert beside.value == pytest.approx(0.4)  # 0.2 of eager's, which takes twice openvino's
    assert beside.low < 0.4 < beside.high
    assert beside_best(rows["openvino baseline"], table.rows, energy=False) is None


def test_the_baseline_itself_is_held_against_the_best_float32_runtime() -> None:
    table = table_of(crossed())
    beside = beside_best(rows_of(table)["eager baseline"], table.rows, energy=False)

    assert beside is not None
    assert beside.value == pytest.approx(2.0)


def test_where_no_runtime_beats_the_baseline_it_is_the_best_one() -> None:
    table = table_of([model("eager", 1.0), model("openvino", 1.3)])
    rows = rows_of(table)
    best = best_fp32(rows["openvino baseline"], table.rows, energy=False)

    assert (best.runtime, best.log) == ("eager", None)
    beside = beside_best(rows["openvino baseline"], table.rows, energy=False)
    assert beside == rows["openvino baseline"].time_ratio
    assert beside_best(rows["eager baseline"], table.rows, energy=False) is None


def test_a_baseline_without_a_row_of_its_own_still_counts_as_a_runtime() -> None:
    table = table_of([model("openvino", 1.3), model("openvino", 0.5, "precision", level=INT8)])

    assert best_fp32(table.rows[0], table.rows, energy=False).runtime == "eager"


@pytest.mark.parametrize(
    "not_float32",
    [
        model("openvino", 0.3, dtype="bfloat16"),
        model("openvino", 0.3, kernels={"float32": 3, "bfloat16": 18}),
        model("openvino", 0.3, agreement=0.5),
    ],
    ids=["runs in bf16", "most kernels run in bf16", "breaks quality"],
)
def test_what_runs_in_another_type_or_breaks_quality_is_no_float32_runtime(
    not_float32: Case,
) -> None:
    table = table_of([model("eager", 1.0), model("onnxruntime", 0.7), not_float32])

    assert best_fp32(table.rows[0], table.rows, energy=False).runtime == "onnxruntime"


def test_another_batch_or_workload_has_a_best_runtime_of_its_own() -> None:
    table = table_of(
        [
            model("openvino", 0.5),
            model("onnxruntime", 0.4, batch=8),
            model("compile", 0.3, workload="minilm"),
        ]
    )

    found = {
        (row.case.workload, row.case.batch): best_fp32(row, table.rows, energy=False).runtime
        for row in table.rows
    }
    assert found == {
        ("resnet18", 1): "openvino",
        ("resnet18", 8): "onnxruntime",
        ("minilm", 1): "compile",
    }


def test_energies_of_another_kind_are_never_the_best_runtime_of_a_row() -> None:
    journal = a_journal(crossed(joules=1.0))
    mixed = replace(
        journal,
        windows=tuple(
            sampled(w) if w.case.startswith("resnet18/baseline/openvino") else w
            for w in journal.windows
        ),
    )
    (table,) = compare([mixed])
    rows = rows_of(table)

    assert rows["openvino baseline"].energy.kind is Kind.SAMPLED  # type: ignore[union-attr]
    row = rows["openvino precision@dtype=bf16"]
    assert best_fp32(row, table.rows, energy=True).runtime == "onnxruntime"
    assert best_fp32(row, table.rows, energy=False).runtime == "openvino"


def test_rows_of_one_runtime_are_not_crossed_and_have_one_winner() -> None:
    half = [(package(0.010, 0.001), package(0.005, 0.0005))] * 3
    (table,) = compare([a_journal([(a_case(), SAME), (a_case("student"), half)])])

    assert not crosses(table.rows)
    assert [row.case.technique for row in winners(table.rows)] == ["student"]
    (idle,) = compare([a_journal([(a_case(), SAME)])])
    assert winners(idle.rows) == []


def test_a_quotient_of_two_unknown_budgets_is_one_without_uncertainty() -> None:
    assert quotient(None, None) == Budget(0.0, (), 0)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0.01, 100), st.floats(0.01, 100), st.floats(1e-4, 0.3), st.floats(1e-4, 0.3),
    st.integers(2, 40),
)  # fmt: skip
def test_a_quotient_is_the_quotient_and_never_surer_than_its_parts(
    one: float, other: float, spread: float, more: float, degrees: int
) -> None:
    budgets = [
        Budget(math.log(value), (Component(SPREAD, standard, degrees),), degrees + 1)
        for value, standard in ((one, spread), (other, more))
    ]
    found = quotient(*budgets)

    assert found.ratio().value == pytest.approx(one / other)
    assert found.combined >= max(spread, more)
    assert found.degrees >= degrees - 1e-6
    back = quotient(budgets[1], budgets[0])
    assert back.value == pytest.approx(-found.value)
    assert back.half == pytest.approx(found.half)


# -- winners --------------------------------------------------------------------------------------


def test_the_best_with_the_whole_model_and_the_best_of_all_are_both_winners() -> None:
    table = table_of(crossed())

    assert [row.case.label for row in winners(table.rows)] == [
        "precision@dtype=bf16",  # int8 breaks quality
        "whole_pruning@dtype=int8,ratio=0.5",
    ]


def test_one_winner_stands_once_and_a_runtime_alone_may_win() -> None:
    table = table_of([model("eager", 1.0), model("openvino", 0.5)])
    (only,) = winners(table.rows)

    assert (only.case.runtime, only.case.technique) == ("openvino", "baseline")


def test_measured_energy_decides_and_kinds_are_not_ranked_against_each_other() -> None:
    journal = a_journal(crossed(joules=1.0))
    (table,) = compare([journal])
    mixed = replace(
        journal,
        windows=tuple(sampled(w) if "whole_pruning" in w.case else w for w in journal.windows),
    )

    assert [row.case.technique for row in winners(table.rows)] == ["precision", "whole_pruning"]
    assert winners(compare([mixed])[0].rows) == []


def test_a_model_is_smaller_if_weights_or_operations_are_gone_not_if_they_were_rounded() -> None:
    rows = rows_of(
        table_of(
            [
                *crossed(),
                model("compile", 0.5, "precision", level=INT8, nonzero=985),
                model("compile", 0.5, "skip_layers", macs=GIGAS, parameters=None, nonzero=None),
            ]
        )
    )
    among = list(rows.values())

    assert {name for name, row in rows.items() if is_smaller(row, among)} == {
        "openvino whole_pruning@dtype=int8,ratio=0.5",
        "eager whole_mask@density=0.1",
        "compile skip_layers",
    }


GIGAS = 10**9

# -- types and front ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (model("eager", 1.0), "float32"),
        (model("eager", 1.0, dtype=None), ""),
        (model("x", 1.0, "precision", level=INT8), "int8"),
        (model("x", 1.0, "precision", level=INT8, kernels={"int8": 22}), "int8"),
        (
            model("x", 1.0, "precision", level=INT8, kernels={"float32": 2, "int8": 20}),
            "20 int8, 2 float32",
        ),
        (
            model("x", 1.0, "precision", level=INT8, kernels={"float32": 22}),
            "float32, asked for int8",
        ),
        (
            model("x", 1.0, "precision", level=BF16, dtype="float32"),
            "float32, asked for bfloat16",
        ),
    ],
)
def test_a_row_says_which_types_run_and_what_was_asked_for_in_vain(case: Case, said: str) -> None:
    assert runs_in(case[0]) == said


def test_the_front_is_drawn_over_all_runtimes_and_names_them() -> None:
    table = table_of(crossed())
    front = pareto.on_front(table, table.rows)
    (panel,) = pareto.panels([table])

    assert {case.split("/")[1] for case in front} == {
        "precision@dtype=bf16",
        "whole_pruning@dtype=int8,ratio=0.5",
    }
    assert [point.level for point in panel.points if point.technique.startswith("as shipped")] == [
        "baseline · onnxruntime",
        "baseline · openvino",
    ]
    assert [point.technique for point in panel.points if point.baseline] == ["baseline"]


def test_rows_that_nobody_judged_are_on_no_front() -> None:
    table = table_of([model("eager", 1.0, agreement=None), model("openvino", 0.5, agreement=None)])

    assert pareto.on_front(table, table.rows) == frozenset()
