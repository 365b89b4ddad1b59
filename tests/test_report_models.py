"""The page of whole models: several runtimes, refusals, memory, and what limits each."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from journals import a_case, a_journal, save
from model_journals import BF16, INT8, Case, crossed, gemm, model, table_of, unmeasured

from bench.compare import compare
from bench.record import Note
from bench.records import Journal
from bench.reference.targets import target
from bench.report.markdown import main_table, page
from bench.report.sections import (
    best,
    closeness,
    left_out,
    limits,
    memory,
    methods,
    refused,
    verdict,
)
from bench.report.write import write
from reports import grid_of, measured, report_of

GEMMS = (gemm("float32", 100), gemm("bfloat16", 200), gemm("int8", 400))
"""Ceilings in GMAC/s: a ResNet-18 of 2 GMAC takes 20, 10 and 5 ms at them."""


# -- the main table -------------------------------------------------------------------------------


def test_each_row_of_several_runtimes_stands_beside_the_best_float32_runtime() -> None:
    rows = {
        (row["variant"].strip("*● "), row["runtime"].strip("*")): row
        for row in grid_of(main_table(table_of(crossed())))
    }

    eager = rows["baseline", "eager"]
    assert eager["time ÷ best fp32 [95 %]"].startswith("2.00 [")
    assert eager["time ÷ baseline [95 %]"].startswith("A/A 1.00")
    assert rows["baseline", "openvino"]["time ÷ best fp32 [95 %]"] == "1"
    assert rows["baseline", "onnxruntime"]["time ÷ best fp32 [95 %]"].startswith("1.40 [")
    bf16 = rows["precision@dtype=bf16", "openvino"]
    assert bf16["time ÷ best fp32 [95 %]"].strip("*").startswith("0.40 [")
    assert bf16["runs in"] == "bfloat16"
    assert rows["precision@dtype=int8", "openvino"]["runs in"] == "20 int8, 1 float32"


def test_the_best_whole_model_and_the_best_of_all_are_bold_by_time_where_no_energy_is() -> None:
    lines = main_table(table_of(crossed())).splitlines()
    bold = [line for line in lines if line.startswith("| **")]

    assert [line.split(" | ")[0] for line in bold] == [
        "| **precision@dtype=bf16 ●**",
        "| **whole_pruning@dtype=int8,ratio=0.5 ●**",
    ]
    assert all("**not measured; time: saves**" in line for line in bold)
    assert "**—" not in "".join(bold)


def test_with_energy_the_ratio_to_the_best_runtime_is_of_energy_too() -> None:
    (table,) = compare([a_journal(crossed(joules=1.0))])
    text = main_table(table)
    rows = grid_of(text)

    assert rows[0]["energy ÷ best fp32 [95 %]"].startswith("2.00 [")
    assert "Best float32 runtime by energy: openvino at batch 1 (0.50" in text
    bold = [line for line in text.splitlines() if line.startswith("| **")]
    assert len(bold) == 2
    assert all("| **saves** |" in line for line in bold)


def test_the_caption_says_what_is_the_baseline_and_which_runtime_is_best_at_each_batch() -> None:
    cases = [
        model("openvino", 0.5),
        model("openvino", 1.3, batch=8),
        model("eager", 0.5, "precision", level=BF16, batch=8, agreement=None),
    ]
    text = main_table(table_of(cases))

    assert "Baseline: eager. Best float32 runtime by time: openvino at batch 1 (" in text
    assert "; eager at batch 8 (1 of the baseline)." in text
    unjudged = main_table(table_of([model("openvino", 0.5, agreement=None)]))
    assert "quality not judged<br>Baseline: eager." in unjudged


def test_what_is_on_the_front_and_breaks_quality_has_a_mark_of_its_own() -> None:
    cases = [model("eager", 1.0), model("openvino", 0.1, "precision", level=INT8, agreement=0.6)]
    text = main_table(table_of(cases))

    assert [row["variant"] for row in grid_of(text)] == ["baseline ●", "precision@dtype=int8 ○"]
    assert text.count("○ is on it and breaks quality") == 1


def test_a_row_without_pairs_has_a_dash_beside_the_best_runtime() -> None:
    case, pairs = model("openvino", 0.2, "precision", level=BF16)
    rows = grid_of(main_table(table_of([model("openvino", 0.5), (case, pairs[:1])])))

    assert [row["time ÷ best fp32 [95 %]"] for row in rows] == ["**1**", "—"]


def test_a_workload_of_one_runtime_keeps_its_columns() -> None:
    (table,) = compare([measured()])

    assert "runtime" not in main_table(table)
    assert "best fp32" not in page(report_of(measured()))


# -- the first screen -----------------------------------------------------------------------------


def test_the_verdict_names_the_best_with_both_ratios_and_its_quality() -> None:
    text = verdict.section(report_of(unmeasured(crossed())))

    assert (
        "<code>whole_pruning@dtype=int8,ratio=0.5 · openvino</code> takes 0.080× the time of the"
        " resnet18 baseline (95 % CI" in text
    )
    assert "; top-1 agreement −3.0 pt), and 0.160× the time of its best float32 runtime," in text
    only = verdict.section(report_of(unmeasured([model("eager", 1.0), model("openvino", 0.5)])))
    assert ", and is its best float32 runtime." in only


def test_the_best_of_all_runtimes_has_a_line_for_the_whole_and_for_the_smaller_model() -> None:
    cases = [*crossed(), model("openvino", 1.2, workload="minilm"), *digits()]
    whole, smaller, none = sorted(
        grid_of(best.section(report_of(unmeasured(cases)))),
        key=lambda row: row["workload"] != "resnet18",
    )

    assert whole["model"] == "whole"
    assert whole["÷ baseline [95 %]"].startswith("0.200 [")
    assert whole["÷ best fp32 [95 %]"].startswith("0.40 [")
    assert (whole["best fp32 runtime"], whole["ratio of"]) == ("openvino", "time")
    assert whole["quality (Δ)"] == "100.0 (0.0) %"
    assert (smaller["model"], smaller["runs in"]) == ("smaller", "int8")
    assert none["best within the quality budget"] == "none: nothing saves and holds its quality"


def digits() -> list[Case]:
    """A workload of one runtime, without energy."""
    cost = model("eager", 1.0)[1]
    return [(a_case(), cost)]


def test_the_best_runtime_alone_is_one_beside_itself_and_an_unjudged_row_says_so() -> None:
    cases = [model("openvino", 0.5, agreement=None)]
    (row,) = grid_of(best.section(report_of(unmeasured(cases))))

    assert row["÷ best fp32 [95 %]"] == "1"
    assert row["quality (Δ)"] == "not judged"


def test_pages_of_one_runtime_have_none_of_these_sections() -> None:
    report = report_of(measured())

    for section in (best, closeness, limits, memory, refused):
        assert section.section(report) == ""
    assert "best float32 runtime" not in methods.section(report)


def test_the_methods_say_that_both_ratios_are_combined_as_independent() -> None:
    text = methods.section(report_of(unmeasured(crossed())))

    assert "the quotient of two such ratios to the same baseline" in text
    assert "combined as independent" in text


def test_several_devices_each_have_their_name_in_every_section() -> None:
    cases = [*crossed(memory_bytes={"peak": 5}), *GEMMS]
    journals = [unmeasured(cases), unmeasured(cases, run_id="r2")]
    report = replace(report_of(journals[0]), tables=compare(journals))

    for section in (best, limits, memory):
        assert "cpu · run r2" in section.section(report)


# -- refusals, memory, other measures -------------------------------------------------------------


def test_what_was_refused_has_a_row_with_its_reason_and_its_fix_and_no_bullet() -> None:
    notes = [
        Note("a/b", "refused: openvino is not installed; pip install 'joulebench[openvino]'"),
        Note("a/b", "refused: openvino is not installed; pip install 'joulebench[openvino]'"),
        Note("c/d", "refused: one; two|three; do this"),
        Note("", "refused: nothing helps"),
        Note("e", "ValueError: an error"),
    ]
    report = report_of(unmeasured(crossed(), notes))
    first, second, third = grid_of(refused.section(report))

    assert first["case"] == "<code>a/b</code>"
    assert first["why"] == "openvino is not installed"
    assert "pip install" in first["what to do"]
    assert second["why"] == "one; two&#124;three"
    assert second["what to do"] == "do this"
    assert (third["case"], third["why"], third["what to do"]) == ("—", "nothing helps", "—")
    assert "ValueError: an error" in left_out.section(report)
    assert "refused" not in left_out.section(report)


def test_memory_shows_the_peak_and_what_the_case_added() -> None:
    cases = [
        model("eager", 1.0, memory_bytes={"peak": 3 * 2**30, "before": 2**30, "cuda": 2**20}),
        model("openvino", 0.5, memory_bytes={"peak": 2**30}),
        model("onnxruntime", 0.6),
    ]
    one, other = grid_of(memory.section(report_of(unmeasured(cases))))

    assert (one["peak"], one["before"], one["added"]) == ("3.00 GiB", "1.00 GiB", "2.00 GiB")
    assert one["peak on the GPU"] == "1.00 MiB"
    assert (other["before"], other["added"], other["peak on the GPU"]) == ("—", "—", "—")
    plain = memory.section(report_of(unmeasured(cases[1:])))
    assert "peak on the GPU" not in plain


def test_other_measures_of_quality_stand_again_where_another_batch_gives_other_answers() -> None:
    def judged(**others: float) -> dict[str, object]:
        return {"metric": "m", "value": 1.0, "target": 0.95, "n": 9, "others": others}

    cases = [
        model("eager", 1.0),
        model("openvino", 0.5, quality=judged(cosine=0.99991, **{"SQNR, dB": 31.25})),
        model("openvino", 0.5, batch=8, quality=judged(cosine=0.5)),
        model("compile", 0.5, quality=judged(cosine=1.0)),
        model("compile", 0.5, batch=8, quality=judged(cosine=1.0)),
    ]
    rows = grid_of(closeness.section(report_of(unmeasured(cases))))

    assert [list(row.values()) for row in rows] == [
        ["baseline · compile", "1, 8", "1.000", "—"],
        ["baseline · openvino", "1", "0.9999", "31.25"],
        ["baseline · openvino", "8", "0.5000", "—"],
    ]
    (alone,) = grid_of(closeness.section(report_of(unmeasured(cases[3:]))))
    assert list(alone) == ["variant", "cosine"]


# -- limits ---------------------------------------------------------------------------------------


def limits_of(*cases: Case) -> str:
    return limits.section(report_of(unmeasured(cases)))


def grid_below(text: str, title: str) -> list[dict[str, str]]:
    return grid_of(text[text.index(f"<summary>{title}") :])


def test_each_row_stands_over_its_floor_at_the_type_that_runs() -> None:
    text = limits_of(*crossed(eager=0.040), *GEMMS)
    rows = {
        (row["variant"], row["runtime"]): row for row in grid_below(text, "What limits each model")
    }

    eager = rows["baseline", "eager"]
    assert eager["floor"] == "20.0 ms"  # 2 GMAC at 100 GMAC/s
    assert eager["time ÷ floor [95 %]"].startswith("2.0")
    assert (eager["baseline ÷ time [95 %]"], eager["at most"]) == ("1", "2.0×")
    int8 = rows["precision@dtype=int8", "openvino"]
    assert int8["floor"] == "5.00 ms"
    assert int8["time ÷ floor [95 %]"].startswith("0.80")  # 4 ms: below it, and said
    assert int8["baseline ÷ time [95 %]"].startswith("10.0")
    assert int8["at most"] == "8.0×"
    assert "Winograd" in text


def test_a_row_whose_type_has_no_ceiling_says_so_and_keeps_its_ratio() -> None:
    untimed, _ = model("eager", 1.0, "other", macs=None)
    text = limits_of(*crossed(), gemm("float32", 100), (untimed, []))
    rows = {row["variant"]: row for row in grid_below(text, "What limits each model")}

    int8 = rows["precision@dtype=int8"]
    assert int8["floor"].startswith("—")
    assert (int8["time ÷ floor [95 %]"], int8["at most"]) == ("—", "—")
    assert "no roofline of gemm of int8 on 1 thread" in text
    assert rows["other"]["baseline ÷ time [95 %]"] == "—"
    assert "cannot be counted" in text


def test_a_row_that_was_never_timed_has_its_floor_alone() -> None:
    case, _ = model("compile", 0.5)
    text = limits_of(*crossed(), *GEMMS, (case, []))
    (row,) = [r for r in grid_below(text, "What limits each model") if r["runtime"] == "compile"]

    assert row["floor"] == "20.0 ms"
    assert (row["time ÷ floor [95 %]"], row["at most"]) == ("—", "—")


def test_without_a_roofline_there_are_no_floors_and_the_targets_say_what_helps() -> None:
    text = limits_of(*crossed())
    (row,) = grid_of(text)

    assert "What limits each model" not in text
    assert row["result"] == "**missed**"
    assert row["what limits it"].startswith("unknown: no roofline in this journal; run suites/")


def test_a_target_that_is_reached_says_so_beside_what_another_machine_showed() -> None:
    (row,) = grid_of(limits_of(model("eager", 1.0), *fast(1 / 12), *GEMMS))

    assert (row["asked for"], row["result"], row["what limits it"]) == ("9.0×", "reached", "—")
    assert row["best here, within quality"].startswith("12.0")
    assert row["÷ best fp32 runtime"] == "12.0× (eager)"
    assert row["there: best; fp32 runtime; half pruned"] == (
        "9.35× OpenVINO bf16; 1.92× onnxruntime; 24.2× OpenVINO int8"
    )


def fast(ratio: float, runtime: str = "openvino", **changes: object) -> list[Case]:
    return [model(runtime, ratio, "precision", level=INT8, **changes)]  # type: ignore[arg-type]


def test_a_target_within_the_interval_is_unresolved() -> None:
    case, pairs = fast(1 / 9)[0]
    (row,) = grid_of(limits_of((case, pairs), *GEMMS))

    assert row["result"] == "unresolved"


def test_a_target_above_what_the_products_allow_is_missed_by_the_machine() -> None:
    (row,) = grid_of(limits_of(*fast(1 / 3, eager=0.030), *GEMMS))  # 30 ms ÷ 5 ms: 6 at most

    assert row["result"] == "**missed**"
    assert row["what limits it"] == (
        "this machine's multiplications: if all of them ran at the rate of its int8 product"
        " (4.0 times float32's), 6.0× were the most"
    )


def test_a_target_below_what_the_products_allow_is_missed_by_what_is_around_them() -> None:
    (row,) = grid_of(limits_of(*fast(1 / 4, eager=0.100), *GEMMS))  # 25 ms, floor 5 ms

    assert row["what limits it"] == (
        "what is around the multiplications of the best, which takes 5.0 times its floor; at the"
        " rate of the int8 product 20× were the most"
    )


def test_a_best_row_below_its_floor_is_not_explained_by_the_roofline() -> None:
    (row,) = grid_of(limits_of(*fast(1 / 8, eager=0.030), *GEMMS))  # 3.75 ms, floor 5 ms

    assert row["what limits it"] == (
        "nothing that this roofline shows: the best takes 0.75 times the floor of its int8 product"
    )


def test_a_type_that_does_not_hold_quality_is_named_as_the_limit() -> None:
    cases = [
        *fast(1 / 20, eager=0.060, agreement=0.5),
        model("openvino", 0.2, "precision", level=BF16, eager=0.060),
    ]
    (row,) = grid_of(limits_of(*cases, *GEMMS))  # 12 ms; bf16 floor 10 ms: 6 at most, int8 12

    assert row["what limits it"] == (
        "the type: bfloat16 products allow 6.0× at most, int8 ones 12×"
    )


def test_a_model_of_which_nothing_holds_quality_names_the_fastest() -> None:
    (row,) = grid_of(limits_of(*fast(1 / 20, eager=0.100, agreement=0.5), *GEMMS))

    assert row["best here, within quality"] == "none"
    assert row["÷ best fp32 runtime"] == "—"
    assert "precision@dtype=int8 · openvino breaks quality; what is around" in row["what limits it"]


def test_a_model_of_which_nothing_saves_says_so_and_blames_no_quality() -> None:
    (row,) = grid_of(limits_of(*fast(1.0, eager=0.100), *GEMMS))

    assert row["what limits it"].startswith("nothing saves; what is around the multiplications")


def test_the_fastest_smaller_model_is_shown_with_its_quality() -> None:
    text = limits_of(*crossed(), *GEMMS)
    (row,) = grid_of(text)

    assert "whole_pruning@dtype=int8,ratio=0.5 · openvino" in row["smaller model here"]
    assert row["smaller model here"].endswith("; quality 97.0 (−3.0) %")


def test_a_float32_product_that_was_not_measured_is_not_compared_with() -> None:
    (row,) = grid_of(limits_of(*fast(1 / 3, eager=0.030), gemm("int8", 400)))

    assert "the rate of its int8 product, 6.0× were the most" in row["what limits it"]


def test_a_gpu_and_a_model_nobody_asks_for_have_no_target() -> None:
    case, pairs = model("openvino", 0.5, workload="mine")

    assert limits_of((case, pairs)) == ""
    on_gpu = replace(case, device="cuda:0", workload="resnet18")
    assert limits.section(report_of(unmeasured([(on_gpu, pairs)]))) == ""


@pytest.mark.parametrize(
    ("workload", "batch", "least"),
    [
        ("resnet18", 1, 9),
        ("resnet18:2t", 1, 9),
        ("resnet50", 1, 10),
        ("mobilenet-v2", 1, 8),
        ("vit-small", 1, 3.5),
        ("bert-base", 1, 5),
        ("distilbert", 1, 5),
        ("minilm", 1, 3.5),
    ],
)
def test_the_targets_are_those_of_the_notes_and_below_what_was_measured_there(
    workload: str, batch: int, least: float
) -> None:
    found = target(workload, batch)

    assert found is not None
    assert found.least.value == least
    assert found.best.value is not None
    assert found.half_pruned.value is not None
    assert least <= found.best.value < found.half_pruned.value


@pytest.mark.parametrize(
    ("workload", "batch"), [("resnet18", 32), ("resnet18:smallest", 1), ("alexnet", 1)]
)
def test_other_batches_shapes_and_models_have_no_target(workload: str, batch: int) -> None:
    assert target(workload, batch) is None


# -- files ----------------------------------------------------------------------------------------


def test_the_csv_has_the_ratio_to_the_best_runtime_and_the_memory(tmp_path: Path) -> None:
    cases = crossed(memory_bytes={"peak": 5, "cuda": 7})
    write([save(unmeasured(cases), tmp_path)], tmp_path / "out.md")
    frame = pd.read_csv(tmp_path / "out.csv")
    ratios = frame[frame.quantity == "time_ratio_best_fp32"].set_index("case").value

    assert ratios["resnet18/precision@dtype=bf16/openvino/cpu/b1"] == pytest.approx(0.4)
    assert "resnet18/baseline/openvino/cpu/b1" not in ratios.index  # it is that one
    assert "energy_ratio_best_fp32" not in set(frame.quantity)
    memory_rows = frame[frame.quantity.isin(["memory_peak", "memory_cuda"])]
    assert set(memory_rows.unit) == {"byte"}


def test_the_same_journal_of_models_gives_the_same_page_twice() -> None:
    journal: Journal = unmeasured([*crossed(), *GEMMS], [Note("a", "refused: b; c")])

    assert page(report_of(journal)) == page(report_of(journal))
    assert "could not be written" not in page(report_of(journal))
