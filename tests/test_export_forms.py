"""Forms that other people publish: BoAmps, MLPerf's energy fields, ML.ENERGY, JUnit, tables."""

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from boamps_schema import BOAMPS
from export_journals import (
    HOSTILE,
    IDLE_W,
    hostile,
    of_cpu,
    of_gpu,
    of_power_model,
    rendered,
    saved,
)
from journals import MACHINE, SAMPLES, SETTINGS, Cost, a_case, a_journal, a_run, an_idle, package

from bench.compare import compare
from bench.quantities import Kind, Quantity
from bench.records import Journal, frame

POSITIVE = {"type": "number", "exclusiveMinimum": 0}
MLPERF = {
    "type": "object",
    "required": [
        "task_type", "total_energy_joules", "static_power_baseline_watts", "measurement_method",
        "inference_active_power_watts", "sampling_rate_hz", "thermal_stabilization_seconds",
        "scenario", "accelerator_count",
    ],
    "properties": {
        "task_type": {"enum": ["llm", "cv", "other"]},
        "total_energy_joules": POSITIVE,
        "static_power_baseline_watts": {"type": "number", "minimum": 0},
        "inference_active_power_watts": {
            "type": "object", "required": ["mean"], "additionalProperties": False,
            "properties": {"mean": POSITIVE, "peak": POSITIVE},
        },
        "measurement_method": {"enum": ["nvml", "dcgm", "rocm_smi", "rapl", "external_analyzer"]},
        "sampling_rate_hz": {"type": "number", "minimum": 1},
        "thermal_stabilization_seconds": {"type": "number", "minimum": 0},
        "scenario": {"enum": ["offline", "server", "singlestream"]},
        "accelerator_count": {"type": "integer", "minimum": 1},
        "batch_size": {"type": "integer", "minimum": 1},
        "software_runtime_versions": {
            "type": "object", "additionalProperties": {"type": "string"},
        },
        "energy_per_query_joules": {
            "type": "object", "required": ["mean"], "additionalProperties": False,
            "properties": {"mean": POSITIVE, "std": {"type": "number", "minimum": 0}},
        },
    },
    "if": {"properties": {"task_type": {"const": "cv"}}},
    "then": {"required": ["energy_per_query_joules"]},
}  # fmt: skip
"""What the schema proposed in mlcommons/inference#2587 (v6.1) asks for, in our own words."""


def document(name: str, journal: Journal) -> Any:
    (content,) = rendered(name, journal).files.values()
    return json.loads(str(content))


def one_case(**others: Any) -> Journal:
    """10, 12, 14 and 16 mJ/image in four windows of a baseline; 2 W at rest."""
    pairs = [(package(0.010), package(0.012)), (package(0.014), package(0.016))]
    return a_journal([(a_case(), pairs)], idle=(an_idle(IDLE_W), an_idle(IDLE_W)), **others)


def of_kind(journal: Journal, kind: Kind, origin: str) -> Journal:
    """The journal as if another instrument had given its joules."""
    channels = tuple(replace(c, kind=kind, origin=origin) for c in journal.run.channels)
    windows = tuple(
        replace(w, energy=tuple(replace(e, kind=kind) for e in w.energy)) for w in journal.windows
    )
    return replace(journal, run=replace(journal.run, channels=channels), windows=windows)


def boamps(report: Mapping[str, Any]) -> None:
    """Checks a report by the schema, and by the models with which codecarbon reads BoAmps."""
    from codecarbon.output_methods.boamps.models import BoAmpsReport

    jsonschema.Draft202012Validator(BOAMPS).validate(report)
    assert BoAmpsReport.from_dict(dict(report)).to_dict() == report  # it knows every field


@pytest.mark.parametrize("journal", [of_cpu(), of_gpu(), of_power_model(), hostile(), one_case()])
def test_every_report_of_boamps_is_valid_by_its_own_schema(journal: Journal) -> None:
    files = rendered("boamps", journal).files

    assert len(files) == len(journal.cases)
    for content in files.values():
        boamps(json.loads(str(content)))


def test_the_schema_of_boamps_refuses_what_is_no_report() -> None:
    report = document("boamps", one_case())
    del report["measures"][0]["powerConsumption"]

    with pytest.raises(jsonschema.ValidationError):
        boamps(report)


def test_boamps_gets_kilowatt_hours_with_their_requests_and_calibration(tmp_path: Path) -> None:
    report = document("boamps", saved(one_case(), tmp_path))
    (measure,) = report["measures"]

    assert report["task"]["nbRequest"] == 4 * SAMPLES
    assert measure["powerConsumption"] == pytest.approx(0.013 * 4 * SAMPLES / 3.6e6, rel=1e-12)
    assert measure["measurementDuration"] == pytest.approx(4 * SAMPLES * 0.001)
    assert measure["cpuTrackingMode"] == "rapl"
    assert "gpuTrackingMode" not in measure
    assert measure["powerCalibrationMeasurement"] == pytest.approx(2 * IDLE_W * 2.0 / 3.6e6)
    assert measure["durationCalibrationMeasurement"] == pytest.approx(4.0)
    assert measure["measurementDateTime"] == "2026-11-23 10:12:03"
    assert report["header"]["reportDatetime"] == "2026-11-23 10:15:00"
    assert report["task"]["measuredAccuracy"] == 0.97
    assert report["task"]["algorithms"] == [
        {
            "algorithmName": "digits",
            "parametersNumber": 1e-6,
            "framework": "torch",
            "frameworkVersion": "2.9.0",
            "quantization": "fp32",
        }
    ]
    components = report["infrastructure"]["components"]
    assert [each["componentType"] for each in components] == ["cpu", "ram"]
    assert components[1]["memorySize"] == 16
    assert "environment" not in report
    assert "quality" not in report


def test_boamps_says_of_each_side_how_it_was_read() -> None:
    (measure,) = document("boamps", of_gpu())["measures"]

    assert (measure["cpuTrackingMode"], measure["gpuTrackingMode"]) == ("rapl", "nvml")


def test_boamps_gets_an_estimate_only_under_the_word_constant() -> None:
    for content in rendered("boamps", of_power_model()).files.values():
        report = json.loads(str(content))
        (measure,) = report["measures"]

        assert measure["cpuTrackingMode"] == "constant"
        assert "powerCalibrationMeasurement" not in measure
        assert (
            "NOT MEASURED: a power model, 0.0005 to 0.002 J per image"
            in (report["task"]["taskDescription"])
        )


def test_boamps_calls_a_meter_outside_a_wattmeter_and_names_no_address() -> None:
    journal = of_kind(one_case(), Kind.EXTERNAL, "plug:shelly:http://10.0.0.7")
    report = document("boamps", journal)

    assert report["measures"][0]["measurementMethod"] == "wattmeter"
    assert "10.0.0.7" not in json.dumps(report)


def test_boamps_has_no_memory_where_nobody_knows_it_and_lists_the_gpus() -> None:
    gpus = [{"name": "A100", "uuid": "1"}, {"name": "A100", "uuid": "2"}]
    run = a_run(machine={**MACHINE, "memory_bytes": None, "gpu": gpus})
    report = document("boamps", one_case(run=run))

    assert report["infrastructure"]["components"][1:] == [
        {"componentType": "gpu", "componentName": "A100", "nbComponent": 2}
    ]


@pytest.mark.parametrize("name", ["boamps", "mlperf_energy"])
def test_a_ceiling_of_the_machine_is_no_task(name: str) -> None:
    ceiling = a_case(workload="roofline:gemm-fp32", unit="product", quality=None)
    pairs = [(package(0.010), package(0.010))] * 2
    done = rendered(name, a_journal([(ceiling, pairs)], idle=(an_idle(IDLE_W),)))

    assert done.files == {}
    assert done.left_out[0].reason == "it is a ceiling of the machine, no model"


def test_mlperf_gets_what_its_schema_asks_for(tmp_path: Path) -> None:
    journal = saved(one_case(), tmp_path)
    record = document("mlperf_energy", journal)
    jsonschema.Draft202012Validator(MLPERF).validate(record)

    assert record["task_type"] == "cv"
    assert record["energy_per_query_joules"]["mean"] == pytest.approx(0.013, rel=1e-12)
    assert record["energy_per_query_joules"]["std"] == pytest.approx(
        math.sqrt(20 / 3) * 1e-3, rel=1e-9
    )
    assert record["total_energy_joules"] == pytest.approx(0.013 * 4 * SAMPLES)
    assert record["static_power_baseline_watts"] == pytest.approx(IDLE_W)
    assert record["inference_active_power_watts"] == {"mean": pytest.approx(13.0)}
    assert record["measurement_method"] == "rapl"
    assert record["sampling_rate_hz"] == pytest.approx(1000.0)
    assert record["thermal_stabilization_seconds"] == SETTINGS["warmup_s"]
    assert record["scenario"] == "singlestream"


def test_mlperf_gets_of_a_gpu_the_board_alone(tmp_path: Path) -> None:
    record = document("mlperf_energy", saved(of_gpu("image", "resnet50"), tmp_path))
    jsonschema.Draft202012Validator(MLPERF).validate(record)

    assert record["energy_per_query_joules"]["mean"] == pytest.approx(0.5)
    assert record["static_power_baseline_watts"] == pytest.approx(20.0)
    assert record["inference_active_power_watts"] == {"mean": pytest.approx(50.0)}
    assert (record["measurement_method"], record["scenario"]) == ("nvml", "offline")
    assert record["joules"]["boundary"] == "gpu-board"


def without_warm_up() -> Journal:
    settings = {name: value for name, value in SETTINGS.items() if name != "warmup_s"}
    return one_case(run=a_run(settings=settings))


@pytest.mark.parametrize(
    ("journal", "reason"),
    [
        (of_gpu(), "prefill and generation of one request in one record"),
        (of_power_model(), "an estimate is not exported here"),
        (without_warm_up(), "does not say for how long it warmed up"),
        (replace(one_case(), windows=one_case().windows[2:]), "no idle window was measured"),
        (of_kind(one_case(), Kind.SAMPLED, "hwmon:x/y"), "no one word for joules read by hwmon"),
        (of_gpu("image", "x", device_id="cuda:GPU-9"), "no instrument reads gpu/GPU-9/board"),
    ],
)
def test_mlperf_says_why_it_does_not_take_a_case(journal: Journal, reason: str) -> None:
    done = rendered("mlperf_energy", journal)

    assert done.files == {}
    assert all(reason in each.reason for each in done.left_out), done.left_out


def test_mlperf_takes_no_meter_that_is_slower_than_a_second() -> None:
    journal = one_case()
    slow = tuple(replace(c, update_interval_s=4.0) for c in journal.run.channels)
    done = rendered("mlperf_energy", replace(journal, run=replace(journal.run, channels=slow)))

    assert "it wants a reading a second at least, and the meter shows 0.25" in str(done.left_out)


def test_mlperf_takes_no_work_that_draws_less_than_rest() -> None:
    journal = one_case()
    idle = (an_idle(40.0), an_idle(40.0))
    done = rendered("mlperf_energy", replace(journal, windows=(*idle, *journal.windows[2:])))

    assert "idle 40 W is no less than 13 W at work" in str(done.left_out)


def test_mlperf_calls_a_meter_outside_an_external_analyzer() -> None:
    record = document("mlperf_energy", of_kind(one_case(), Kind.EXTERNAL, "plug:x:http://10.0.0.7"))

    assert record["measurement_method"] == "external_analyzer"
    assert "10.0.0.7" not in json.dumps(record)


def test_mlenergy_gets_the_joules_of_the_board_alone(tmp_path: Path) -> None:
    (record,) = document("mlenergy", saved(of_gpu(), tmp_path))["configurations"]

    assert record["energy_per_token_joules"] == pytest.approx(0.5)
    assert record["avg_power_watts"] == pytest.approx(50.0)
    assert record["output_throughput_tokens_per_sec"] == pytest.approx(100.0)
    assert record["batch_latency_s"] == pytest.approx(0.04)
    assert (record["batch_size"], record["num_gpus"]) == (4, 1)
    assert record["gpu_model"] == "NVIDIA H100 80GB HBM3"
    assert record["weight_precision"] == "float16"
    assert record["joules"]["boundary"] == "gpu-board"


@pytest.mark.parametrize(
    ("unit", "key"),
    [("image", "energy_per_image_joules"), ("request", "energy_per_request_joules")],
)
def test_mlenergy_has_a_key_for_each_of_its_units(unit: str, key: str) -> None:
    (record,) = document("mlenergy", of_gpu(unit, "some"))["configurations"]

    assert record[key] == pytest.approx(0.5)
    assert "energy_per_token_joules" not in record


@pytest.mark.parametrize(
    ("journal", "reason"),
    [
        (of_cpu(), "the format is of GPUs, and the case ran on cpu"),
        (of_gpu("sequence", "bert"), "it counts sequences, and the format has keys for image,"),
        (of_gpu("token", "llama:prefill128"), "its tokens are read"),
        (of_gpu(device_id="cuda:GPU-9"), "no instrument reads gpu/GPU-9/board"),
    ],
)
def test_mlenergy_says_why_it_does_not_take_a_case(journal: Journal, reason: str) -> None:
    done = rendered("mlenergy", journal)

    assert done.files == {}
    assert all(reason in each.reason for each in done.left_out)


def test_a_gpu_that_the_journal_does_not_name_is_not_guessed() -> None:
    journal = of_gpu()
    run = replace(journal.run, machine={**journal.run.machine, "gpu": []})
    done = rendered("mlenergy", replace(journal, run=run))

    assert "does not say which GPU GPU-1 is" in str(done.left_out)


def test_a_simulated_gpu_is_no_gpu() -> None:
    journal = of_gpu()
    channels = tuple(replace(c, origin="simulated:x") for c in journal.run.channels)
    done = rendered("mlenergy", replace(journal, run=replace(journal.run, channels=channels)))

    assert done.left_out[0].reason == "a simulated device was measured, not a machine"


def test_a_case_without_windows_is_in_no_form() -> None:
    journal = a_journal([(a_case(), [])])

    for name in ("boamps", "github_action_benchmark", "mlperf_energy"):
        done = rendered(name, journal)
        assert done.files == {}
        assert "no window was measured" in done.left_out[0].reason


def test_ai_energy_score_gets_watt_hours_of_a_thousand_queries(tmp_path: Path) -> None:
    (record,) = document("ai_energy_score", saved(of_gpu(), tmp_path))

    assert record["gpu_energy_wh_per_1000_queries"] == pytest.approx(0.5 * 1000 / 3600)
    assert record["note"].startswith("no AI Energy Score")


def properties(element: ET.Element) -> dict[str, str]:
    found = element.find("properties")
    assert found is not None
    return {each.attrib["name"]: each.attrib["value"] for each in found}


def test_junit_has_the_numbers_of_a_case_as_properties(tmp_path: Path) -> None:
    journal = saved(of_cpu(), tmp_path)
    (table,) = compare([journal])
    root = ET.fromstring(str(rendered("junit", journal).files[""]))
    cases = list(root.iter("testcase"))

    assert [case.attrib["name"] for case in cases] == [
        f"{row.case.label} eager" for row in table.rows
    ]
    for case, row in zip(cases, table.rows, strict=True):
        told = properties(case)
        assert isinstance(row.energy, Quantity)
        assert float(told["energy_mj_per_sample"]) == pytest.approx(1e3 * row.energy.value)
        assert told["kind"] == "measured"
        assert told["boundary"] == "cpu-package"
        assert told["unit"] == "mJ/image"
        assert told["energy_verdict"] == str(row.energy_verdict)
    assert float(cases[0].attrib["time"]) == pytest.approx(6 * SAMPLES * 0.001)
    assert float(properties(cases[0])["time_ms_per_sample"]) == pytest.approx(1.0)


def test_junit_says_why_there_is_no_energy_and_marks_the_estimate() -> None:
    root = ET.fromstring(str(rendered("junit", of_power_model()).files[""]))
    told = properties(next(root.iter("testcase")))

    assert "energy_mj_per_sample" not in told
    assert told["energy_reason"]
    assert told["estimate_kind"] == "estimated"
    assert float(told["estimate_mj_per_sample_high"]) == pytest.approx(2.0)


@pytest.mark.parametrize("journal", [of_cpu(), of_gpu(), of_power_model(), hostile()])
def test_a_reader_of_junit_finds_the_same(journal: Journal) -> None:
    junitparser = pytest.importorskip("junitparser")
    content = str(rendered("junit", journal).files[""])

    suites = list(junitparser.JUnitXml.fromstring(content.encode()))
    cases = [case for suite in suites for case in suite]
    assert [suite.tests for suite in suites] == [len(list(suite)) for suite in suites]
    assert len(cases) == len(journal.cases)
    names = [p.name for suite in suites for case in suite for p in case.child(
        junitparser.Properties)]  # fmt: skip
    assert names.count("case") == len(cases)


def shape(root: ET.Element) -> dict[str, set[str]]:
    """The attributes of each element, by its path."""
    found: dict[str, set[str]] = {}

    def walk(element: ET.Element, path: str) -> None:
        found.setdefault(path, set()).update(element.attrib)
        for child in element:
            walk(child, f"{path}/{child.tag}")

    walk(root, root.tag)
    return found


def test_junit_has_the_shape_of_what_pytest_itself_writes(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_it(record_property, record_testsuite_property):\n"
        "    record_property('a', 1)\n"
        "    record_testsuite_property('b', 2)\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "test_it.py", "--junitxml=theirs.xml"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(command, cwd=tmp_path, env=alone, check=True)

    theirs = shape(ET.parse(tmp_path / "theirs.xml").getroot())
    ours = shape(ET.fromstring(str(rendered("junit", of_cpu()).files[""])))
    assert set(ours) == set(theirs)
    assert all(ours[path] <= theirs[path] for path in ours)


def test_a_csv_of_windows_has_one_line_for_each_window_and_channel(tmp_path: Path) -> None:
    import pandas as pd

    journal = saved(one_case(), tmp_path)
    table = pd.read_csv(io.StringIO(str(rendered("csv", journal).files[""])))

    assert len(table) == len(frame(journal)) == 6
    assert list(table[table.role == "baseline"].joules) == pytest.approx([10.0, 14.0])
    assert set(table.machine) == {"0123456789ab"}
    assert table[table.role == "idle"].case.isna().all()


def test_a_csv_of_hostile_names_has_no_more_lines_than_windows() -> None:
    import pandas as pd

    table = pd.read_csv(io.StringIO(str(rendered("csv", hostile()).files[""])), lineterminator="\n")

    assert len(table) == len(hostile().windows)
    assert HOSTILE.split("\r")[0] in table.run_id[0]


def test_parquet_is_read_back_as_the_windows_and_the_cases(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    journal = saved(of_cpu(), tmp_path)
    (table,) = compare([journal])
    files = rendered("parquet", journal).files
    windows, cases = (
        pd.read_parquet(io.BytesIO(bytes_of(files[e]))) for e in (".windows", ".cases")
    )

    assert len(windows) == len(frame(journal))
    assert windows.joules.sum() == pytest.approx(frame(journal).joules.sum())
    assert list(cases.case) == [row.case.case for row in table.rows]
    wanted = [row.energy.value for row in table.rows if isinstance(row.energy, Quantity)]
    assert list(cases.energy_j) == wanted
    assert set(cases.energy_j_kind) == {"measured"}
    assert list(cases.energy_ratio_n)[1:] == [3] * 4


def test_parquet_has_no_value_where_nothing_was_measured() -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    files = rendered("parquet", of_power_model()).files
    cases = pq.read_table(io.BytesIO(bytes_of(files[".cases"]))).to_pylist()

    assert [case["energy_j"] for case in cases] == [None, None]
    assert all(case["energy_j_reason"] for case in cases)
    assert [case["estimate_high_j"] for case in cases] == pytest.approx([0.002, 0.002])
    windows = pq.read_table(io.BytesIO(bytes_of(files[".windows"]))).to_pylist()
    assert {window["kind"] for window in windows} == {"estimated"}


def test_the_files_of_several_journals_are_one_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    found = [of_cpu(), of_power_model(), of_gpu(), a_journal([(a_case(), [])], run=a_run())]
    for ending in (".windows", ".cases"):
        schemas = set()
        for journal in found:
            content = bytes_of(rendered("parquet", journal).files[ending])
            schemas.add(str(pq.read_schema(io.BytesIO(content)).remove_metadata()))
        assert len(schemas) == 1


def test_parquet_holds_hostile_names() -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    files = rendered("parquet", hostile()).files
    (case,) = pq.read_table(io.BytesIO(bytes_of(files[".cases"]))).to_pylist()

    assert case["dtype"] == HOSTILE.replace("\ud800", "\\ud800")


def bytes_of(content: object) -> bytes:
    assert isinstance(content, bytes)
    return content


def test_windows_that_gave_nothing_stand_in_the_table_with_their_status() -> None:
    lost = Cost({"cpu/0/package": None})
    journal = a_journal([(a_case(), [(package(0.01), lost)] * 2)])
    lines = str(rendered("csv", journal).files[""]).splitlines()

    assert sum(",reset" in line for line in lines) == 2
    assert (
        rendered("github_action_benchmark", journal).left_out[0].reason
        == "cpu/0/package: it went back"
    )
