"""Published figures of whole models: what they are, and when they are not compared."""

from dataclasses import replace
from typing import Any

import pytest
from journals import a_journal
from model_journals import INT8, Case, crossed, model, unmeasured

from bench.compare import compare
from bench.record import Window
from bench.reference.models import base, distilled_quotients, int8_quotients, joules
from bench.report.sections.reference_models import section
from reports import grid_of, report_of


def test_resnet50_has_the_joules_of_mlperf_by_version_and_scenario() -> None:
    found = {(each.paper, each.setting): each for each in joules("resnet50")}

    offline = found["MLPerf Inference v4.1", "Offline"]
    assert offline.low == 0.0023609  # three UntetherAI cards
    assert offline.high == 0.0089064  # eight H200
    assert "UntetherAI" in offline.least
    assert found["MLPerf Inference v2.1", "SingleStream"].low == 0.0101202
    assert {each.boundary for each in found.values()} == {"wall"}
    assert all(each.confidence.is_read and not each.other_model for each in found.values())
    assert ("MLPerf Inference v4.1", "MultiStream") not in found  # of eight samples a query


def test_bert_of_mlperf_and_the_decoder_of_mlenergy_are_other_models() -> None:
    assert {each.other_model for each in joules("bert-base")} == {"BERT-large with 384 tokens"}
    tokens = joules("llama-small:decode")
    assert {each.unit for each in tokens} == {"token"}
    assert min(each.low for each in tokens) == 0.0467
    assert all("8B" in each.other_model for each in tokens)


@pytest.mark.parametrize("workload", ["digits-mlp", "resnet50:smallest", "vit-small", "mine"])
def test_of_other_workloads_no_joules_are_published(workload: str) -> None:
    assert joules(workload) == ()
    assert int8_quotients(workload) == ()


def test_int8_of_the_same_mobilenet_paid_on_eight_edge_systems() -> None:
    energy, time = int8_quotients("mobilenet-v2:2t")

    assert (energy.what, time.what) == ("energy", "time")
    assert energy.systems == time.systems == 8
    assert energy.low <= 0.056328 / 0.143807 <= energy.high  # one of them
    assert energy.low < energy.value < energy.high < 1
    assert base("mobilenet-v2:2t") == "mobilenet-v2"


def test_distilbert_has_two_fifths_fewer_parameters_and_takes_three_fifths_of_the_time() -> None:
    parameters, time = distilled_quotients()

    assert parameters.value == pytest.approx(66 / 110)
    assert time.value == pytest.approx(410 / 668)
    assert time.device == "CPU, STS-B dev set"


# -- the section ----------------------------------------------------------------------------------


def test_joules_that_nobody_measured_here_are_not_compared() -> None:
    text = section(report_of(unmeasured(crossed(workload="resnet50"))))
    rows = grid_of(text)

    assert {row["least here"] for row in rows} == {"not measured"}
    assert {row["compared"] for row in rows} == {
        "not comparable: their boundary is the wall, ours was not measured"
    }
    assert any("UntetherAI" in row["systems"] for row in rows)


def test_joules_of_another_boundary_are_refused_and_both_boundaries_named() -> None:
    (table,) = compare([a_journal(crossed(workload="resnet50", joules=1.0))])
    rows = grid_of(section(report_of(table.journal)))

    assert {row["compared"] for row in rows} == {
        "not comparable: their boundary is the wall, ours is cpu-package"
    }
    assert all(row["least here"].startswith("80") for row in rows)
    assert all("cpu-package)" in row["least here"] for row in rows)


def walled(window: Window) -> Window:
    return replace(window, energy=tuple(replace(e, boundary="wall") for e in window.energy))


def test_joules_at_the_wall_are_compared_and_those_of_another_model_never() -> None:
    journal = a_journal(
        [
            *crossed(workload="resnet50", joules=1.0, unit="image"),
            *crossed(workload="bert-base", joules=1.0),
        ]
    )
    journal = replace(journal, windows=tuple(map(walled, journal.windows)))
    rows = grid_of(section(report_of(journal)))

    resnet = [row for row in rows if row["workload"] == "resnet50"]
    bert = [row for row in rows if row["workload"] == "bert-base"]
    assert resnet
    assert all(row["compared"].endswith(" times their least, on other hardware") for row in resnet)
    assert all("mJ per image (whole" in row["least here"] for row in resnet)
    assert {row["compared"] for row in bert} == {
        "not comparable: another model, BERT-large with 384 tokens"
    }


def mobilenet(ratio: float, **changes: Any) -> list[Case]:
    return [
        model("eager", 1.0, workload="mobilenet-v2", **changes),
        model("openvino", 0.5, workload="mobilenet-v2", **changes),
        model("openvino", ratio, "precision", workload="mobilenet-v2", level=INT8, **changes),
        model("eager", 1.2, "precision", workload="mobilenet-v2", level=INT8, **changes),
        model("compile", 0.3, "precision", workload="mobilenet-v2", level=INT8, **changes),
    ]


def test_int8_is_compared_with_float32_of_the_same_runtime_by_ratio_and_sign() -> None:
    text = section(report_of(unmeasured(mobilenet(0.25))))
    rows = {row["runtime"]: row for row in grid_of(text)}

    assert set(rows) == {"openvino", "eager"}  # compile has no float32 row beside it
    assert {row["of"] for row in rows.values()} == {"time"}
    assert rows["openvino"]["here [95 %]"].startswith("0.50 [")
    assert "8 systems" in rows["openvino"]["published"]
    assert rows["openvino"]["published"].endswith("sign agrees")
    assert rows["eager"]["here [95 %]"].startswith("1.20")
    assert rows["eager"]["published"].endswith("sign differs")
    assert rows["eager"]["in"] == "MLPerf Inference v2.1, edge, SingleStream"


def test_energy_ratios_are_compared_whatever_the_boundary() -> None:
    rows = grid_of(section(report_of(a_journal(mobilenet(0.25, joules=1.0)))))

    assert {(row["runtime"], row["of"]) for row in rows} == {
        (runtime, of) for runtime in ("openvino", "eager") for of in ("energy", "time")
    }


def test_a_float32_row_without_pairs_leaves_int8_without_a_ratio() -> None:
    cases = mobilenet(0.25)
    (case, _) = cases[1]
    rows = grid_of(section(report_of(unmeasured([cases[0], (case, []), *cases[2:]]))))

    assert rows[1]["here [95 %]"] == "—"
    assert rows[1]["published"].endswith("ours unresolved")


def test_another_batch_than_the_published_one_is_not_compared() -> None:
    cases = [
        model("eager", 1.0, workload="mobilenet-v2", batch=8),
        model("eager", 0.5, "precision", workload="mobilenet-v2", batch=8, level=INT8),
    ]

    assert section(report_of(unmeasured(cases))) == ""


def test_distilbert_stands_beside_bert_where_both_ran_the_same_way() -> None:
    cases = [
        model("eager", 1.0, workload="bert-base", eager=0.10, parameters=110),
        model("openvino", 0.5, workload="bert-base", eager=0.10, parameters=None),
        model("eager", 1.0, workload="distilbert", eager=0.05, parameters=66),
        model("openvino", 0.5, workload="distilbert", eager=0.05),
        model("compile", 0.5, workload="distilbert", eager=0.05),
        model("eager", 1.0, workload="distilbert", eager=0.05, batch=8),
    ]
    text = section(report_of(unmeasured(cases)))
    rows = grid_of(text[text.index("**DistilBERT") :])

    assert [(row["runtime"], row["of"]) for row in rows] == [
        ("eager", "parameters"),
        ("eager", "time"),
        ("openvino", "parameters"),
        ("openvino", "time"),
    ]
    assert rows[0]["here [95 %]"] == "0.600"
    assert rows[0]["published"] == "0.60, sign agrees"
    assert rows[1]["here [95 %]"].startswith("0.50")
    assert rows[1]["published"] == "0.61 (CPU, STS-B dev set), sign agrees"
    assert rows[2]["here [95 %]"] == "—"  # BERT's parameters are unknown there


def test_several_runs_have_their_name() -> None:
    journals = [unmeasured(mobilenet(0.25)), unmeasured(mobilenet(0.25), run_id="r2")]
    report = replace(report_of(journals[0]), tables=compare(journals))

    assert "same models · cpu · run r2" in section(report)
