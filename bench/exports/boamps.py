"""Reports of BoAmps, Boavizta's format for the energy of AI tasks: one for each case, in kWh.

It has places for how joules were tracked and for a calibration, which most tools leave empty; both
are filled. An estimate is taken, for the format can say it: its tracking mode is ``constant`` and
its range stands in the description. What nobody knows here (country, kind of site, quality of the
information) is left out, or is ``other`` where the format wants a word.

Source: github.com/Boavizta/BoAmps, model/report_schema.json, CC BY 4.0.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bench.compare import Row, Table
from bench.cover import total
from bench.export_format import FileFormat, LeftOut, Rendered, json_text, slugs
from bench.exports._rows import channels_of, each, foreign, meter, no_model, own, why_not
from bench.meter import Channel
from bench.quantities import Kind, Quantity
from bench.record import CaseRecord, Run

_JOULES_PER_KWH = 3.6e6
_BILLION = 1e9
_DATA = {
    "image": "image",
    "token": "token",
    "sequence": "text",
    "sentence": "text",
    "row": "tabular",
}
_DTYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_FRAMEWORKS = {"eager": "torch", "compile": "torch"}


def _render(tables: Sequence[Table]) -> Rendered:
    reports: dict[str, dict[str, Any]] = {}
    left = []
    for table, row in each(tables):
        energy = row.energy if isinstance(row.energy, Quantity) else row.estimate
        if why := foreign(table) or no_model(row):
            left.append(LeftOut(row.case.case, why))
        elif energy is None:
            left.append(LeftOut(row.case.case, why_not(table, row)))
        else:
            reports[row.case.case] = _report(table, row, energy)
    names = slugs(reports, "_")
    files = {names[case]: json_text(report) for case, report in reports.items()}
    return Rendered(files, tuple(left))


def _report(table: Table, row: Row, energy: Quantity) -> dict[str, Any]:
    journal = table.journal
    run = journal.run
    kernel = str(run.machine.get("kernel", "unknown"))
    return {
        "header": {
            "formatVersion": "0.1",
            "formatVersionSpecificationUri": "https://github.com/Boavizta/BoAmps/tree/main/model",
            "reportId": f"{run.run_id}/{row.case.case}",
            "reportDatetime": _moment(journal.end.finished if journal.end else run.started),
            "reportStatus": "draft",
        },
        "task": _task(table, row, energy),
        "measures": [_measure(table, row, energy)],
        "system": {"os": kernel.partition(" ")[0].lower() or "unknown"},
        "software": {"language": "python", "version": str(run.machine.get("python", "unknown"))},
        "infrastructure": {
            "infraType": "other",  # a journal does not know whose machine it was
            "components": _components(run),
        },
    }


def _task(table: Table, row: Row, energy: Quantity) -> dict[str, Any]:
    case = row.case
    task: dict[str, Any] = {
        "taskStage": "inference",
        "taskFamily": case.workload,
        "nbRequest": _samples(table, row),
        "algorithms": [_algorithm(case, table.journal.run)],
        "dataset": [
            {
                "dataUsage": "input",
                "dataType": _DATA.get(case.unit, "other"),
                "dataQuantity": _samples(table, row),
            }
        ],
        "taskDescription": _description(row, energy),
    }
    quality: Mapping[str, Any] = case.quality or {}
    value = quality.get("value")
    if "accuracy" in str(quality.get("metric")) and value is not None and 0 <= value <= 1:
        task["measuredAccuracy"] = float(value)
    return task


def _algorithm(case: CaseRecord, run: Run) -> dict[str, Any]:
    framework = _FRAMEWORKS.get(case.runtime, case.runtime)
    found = {
        "algorithmName": case.workload,
        "parametersNumber": None if case.parameters is None else case.parameters / _BILLION,
        "framework": framework,
        "frameworkVersion": run.packages.get(framework),
        "layersNumber": len(case.layers) or None,
        "quantization": _DTYPES.get(case.dtype, case.dtype) if case.dtype else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _description(row: Row, energy: Quantity) -> str:
    """What no field of the format has: the case, what the joules contain, their interval."""
    case = row.case
    if energy.kind.is_reading:
        value = (
            f"{energy.value:.6g} J per {case.unit}, 95 % CI {energy.low:.6g} to {energy.high:.6g} J"
        )
    else:
        value = (
            f"NOT MEASURED: a power model, {energy.low:.6g} to {energy.high:.6g} J per {case.unit}"
        )
    idle = " idle power included;" if energy.kind.is_reading else ""
    return (
        f"{case.case}: {value}; kind: {energy.kind}; boundary: {energy.boundary};{idle}"
        f" {row.windows} windows"
    )


def _measure(table: Table, row: Row, energy: Quantity) -> dict[str, Any]:
    run = table.journal.run
    return {
        **_instrument(run, energy),
        **_tracking(table, energy),
        **_calibration(table, energy),
        "powerConsumption": energy.value * _samples(table, row) / _JOULES_PER_KWH,
        "measurementDuration": math.fsum(window.seconds for window in own(table, row)),
        "measurementDateTime": _moment(run.started),
    }


def _instrument(run: Run, energy: Quantity) -> dict[str, str]:
    """What measured: a wattmeter has no version here, for the journal does not know it."""
    if energy.kind is Kind.EXTERNAL:
        return {"measurementMethod": "wattmeter"}
    version = run.packages.get("joulebench")
    return {"measurementMethod": "joulebench", **({"version": version} if version else {})}


def _tracking(table: Table, energy: Quantity) -> dict[str, str]:
    """How each side was read: the instrument's name, or ``constant`` for a power model."""
    if not energy.kind.is_reading:
        return {"cpuTrackingMode": "constant"}
    modes: dict[str, list[str]] = {}
    for channel in channels_of(table, energy):
        side = {"cpu": "cpuTrackingMode", "gpu": "gpuTrackingMode"}.get(channel.id.split("/")[0])
        if side:
            modes.setdefault(side, []).append(_mode(channel))
    return {side: "+".join(dict.fromkeys(names)) for side, names in modes.items()}


def _mode(channel: Channel) -> str:
    name = meter(channel)
    return "rapl" if name in {"powercap", "perf", "pyrapl"} else name


def _calibration(table: Table, energy: Quantity) -> dict[str, float]:
    """The idle windows: what the waiting system used, kWh, and how long it was watched, s."""
    windows = [window for window in table.journal.windows if window.role == "idle"]
    totals = [total(window.energy, energy.channels) for window in windows]
    found = [each_total.value for each_total in totals if isinstance(each_total, Quantity)]
    if not energy.kind.is_reading or not found or len(found) < len(windows):
        return {}
    return {
        "powerCalibrationMeasurement": math.fsum(found) / _JOULES_PER_KWH,
        "durationCalibrationMeasurement": math.fsum(window.seconds for window in windows),
    }


def _components(run: Run) -> list[dict[str, Any]]:
    """The parts of the machine; of a CPU, its logical processors are counted."""
    machine = run.machine
    cpu = {
        "componentType": "cpu",
        "componentName": str(machine.get("cpu", "unknown")),
        "nbComponent": int(machine.get("cpus") or 1),
    }
    gpus = [str(gpu.get("name") or "GPU") for gpu in machine.get("gpu") or ()]
    boards = [
        {"componentType": "gpu", "componentName": name, "nbComponent": gpus.count(name)}
        for name in dict.fromkeys(gpus)
    ]
    memory = machine.get("memory_bytes")
    if not memory:
        return [cpu, *boards]
    ram = {"componentType": "ram", "nbComponent": 1, "memorySize": round(memory / 2**30)}
    return [cpu, *boards, ram]


def _samples(table: Table, row: Row) -> int:
    return sum(window.samples for window in own(table, row))


def _moment(stamp: str) -> str:
    """``YYYY-MM-DD HH:MM:SS``, UTC."""
    return stamp.replace("T", " ").removesuffix("Z")


export = FileFormat(
    "BoAmps reports (Boavizta), one for each case: kWh, tracking modes, calibration",
    ".boamps",
    _render,
    inside=".json",
)
