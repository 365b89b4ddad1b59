"""A journal in which energy was measured, with all that the folded parts of models speak of."""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import recompute
from journals import MACHINE as KNOWN
from journals import PACKAGE, PROCESS, Cost, a_case, a_journal, a_run, an_idle, quality, save
from page_pieces import Source
from recompute_table import Table

from bench.record import CaseRecord, Window
from bench.records import read
from bench.report import markdown
from reports import report_of

MACHINE = {**KNOWN, "last_level_cache_bytes": 2**20}
CSR = {"density": "0.09", "form": "csr", "retrain": "none"}
PAIRS = 12
CROSSED = ("eager", "onnxruntime", "openvino")
"""Runtimes; the first is that of the baseline."""


def _layers(
    share: float, bits: int, places: float = 1.0, kind: str = "Linear"
) -> tuple[dict[str, Any], ...]:
    """Two layers that keep a share of their weights, and multiply them at some places."""
    return tuple(
        {
            "name": f"features.{number}", "kind": kind, "macs": round(size * share * places),
            "macs_nonzero": round(0.6 * size * share * places), "weights": size,
            "weight_bits": bits, "activation_bits": 32,
            "weight_bytes": round(size * bits // 8 * share), "inputs": size // 100,
            "outputs": 321, "activation_density": 0.6, "weight_density": share,
        }
        for number, size in enumerate((235200, 30000))
    )  # fmt: skip


def _cost(seconds: float, watts: float, number: int) -> Cost:
    """A window's cost that differs from window to window, without any randomness."""
    wobble = 1 + 0.01 * math.sin(1.7 * number) + 0.004 * (number % 5)
    joules = watts * seconds * wobble
    return Cost({PACKAGE.id: joules, PROCESS.id: joules / 7}, seconds * wobble, 1e-3 * joules)


def _trained(case: CaseRecord, seconds: float, window: Window) -> Window:
    """The window in which a case was trained."""
    factor = seconds / window.seconds
    energy = tuple(
        replace(each, joules=factor * each.joules, low=factor * each.low, high=factor * each.high)
        for each in window.energy
        if each.joules is not None and each.low is not None and each.high is not None
    )
    end = window.t0_ns + round(1e9 * seconds)
    return replace(
        window, case=case.case, role="training", pair=0, t1_ns=end, calls=1, samples=1,
        energy=energy, latency_s=None,
    )  # fmt: skip


def _digits() -> Iterable[tuple[CaseRecord, float, float]]:
    """Cases with their time and power beside the baseline's."""
    for batch in (1, 64):
        known: dict[str, Any] = {
            "workload": "digits-mlp", "batch": batch, "macs": 265200 // batch, "bytes_moved": 70000,
        }  # fmt: skip
        yield a_case(**known, layers=_layers(1.0, 32)), 1.0, 1.0
        for technique, level, share, time, watts in (
            ("magnitude_pruning", {"density": "0.08"}, 0.08, 0.6, 1.1),
            ("optimal_brain_damage", {"density": "0.5"}, 0.5, 1.001, 1.0),
            ("energy_aware_pruning", {"density": "0.2"}, 0.2, 1.3, 0.7),
            ("ternary", {}, 0.4, 0.9, 1.2),
            ("distillation", {"soft": "0.9"}, 0.1, 0.3, 1.0),
            ("deep_compression", {"bits": "5"}, 0.08, 1.4, 1.0),
        ):
            more: dict[str, Any] = {**known, "level": level, "macs": round(known["macs"] * share)}
            if technique == "distillation":
                more["quality"] = quality(0.9)
            bits = 8 if technique == "deep_compression" else 16 if technique == "ternary" else 32
            yield a_case(technique, **more, layers=_layers(share, bits)), time, watts


def _of_layers() -> Iterable[tuple[CaseRecord, float, float]]:
    for batch in (1, 64):
        known: dict[str, Any] = {
            "workload": "layer:alexnet-fc6", "batch": batch, "quality": None, "unit": "input",
            "baseline_quality": None, "macs": 37748736, "bytes_moved": 2**22,
        }  # fmt: skip
        yield a_case(**known), 1.0, 1.0
        time = 0.4 if batch == 1 else 3.0
        yield a_case("magnitude_pruning", **known, level=CSR, layers=_layers(0.09, 32)), time, 0.9


def _roofline() -> Iterable[tuple[CaseRecord, float, float]]:
    for name, more in {
        "copy-cache": {"bytes_moved": 2**19, "macs": 0, "unit": "copy"},
        "copy-dram": {"bytes_moved": 2**24, "macs": 0, "unit": "copy"},
        "gemm-fp32": {"macs": 2**27, "unit": "product"},
        "gemm-int8": {"macs": 2**28, "unit": "product", "dtype": "int8"},
    }.items():
        case: dict[str, Any] = {"workload": f"roofline:{name}", "quality": None, **more}
        yield a_case(**case, baseline_quality=None), 1.0, 1.0


def _models() -> Iterable[tuple[CaseRecord, float, float]]:
    """Whole models in three runtimes."""
    sizes = {"resnet18": 18e8, "resnet50": 41e8, "mobilenet-v2": 3e8, "bert-base": 9e9}
    for workload, macs in {**sizes, "distilbert": 45e8, "vit-small": 42e8}.items():
        known: dict[str, Any] = {"workload": workload, "macs": round(macs), "bytes_moved": 2**25}
        known["parameters"] = known["nonzero"] = round(macs / 80)
        first = a_case(**known, layers=_layers(1.0, 32, 0.96 * macs / 265200, "Conv2d"))
        for speed, runtime in enumerate(CROSSED, start=1):
            more = {**known, "runtime": runtime, "baseline": first.case}
            if runtime != "eager":
                kernels = {"float32": 20}
                yield replace(a_case(**more), kernels=kernels), 1 / speed, 1 / math.sqrt(speed)
            level, kernels = {"dtype": "int8"}, {"float32": 2, "int8": 20}
            whole = a_case("precision", **more, level=level, dtype="int8", kernels=kernels)
            yield whole, 0.6 / speed, 0.3 + speed / 4
            fewer = {**more, "level": {"ratio": "0.5"}, "nonzero": round(macs / 160)}
            small = a_case("whole_pruning", **{**fewer, "bytes_moved": None, "dtype": "float16"})
            yield replace(small, quality=quality(0.4)), 0.3 / speed, 1.0
        yield first, 1.0, 1.0


@cache
def folds() -> Path:
    """The journal; its power is between 1 and 40 W."""
    parts = {"digits": 2e-5, "layers": 1e-3, "roofline": 5e-4, "models": 0.04}
    made = zip(parts.items(), (_digits(), _of_layers(), _roofline(), _models()), strict=True)
    cases, windows = [], []
    for (part, scale), found in made:
        for case, seconds, watts in found:
            pairs = [
                (_cost(scale, 20.0, number), _cost(scale * seconds, 20.0 * watts, 3 * number + 1))
                for number in range(PAIRS)
            ]
            own = a_journal([(case, pairs)]).windows
            trained = part in {"digits", "layers"} and case.case != case.baseline
            windows += [*own, *([_trained(case, 4.2 + seconds, own[0])] if trained else [])]
            cases.append(case)
    run = a_run(channels=(PACKAGE, PROCESS), machine=MACHINE, run_id="r3")
    journal = replace(
        a_journal((), run=run, path="20261124T101203Z-0123456789ab-r3.jsonl"),
        cases=tuple(cases),
        windows=(an_idle(3.0), an_idle(3.3), *windows),
    )
    return save(journal, Path(mkdtemp(prefix="joules-folds-")))


@cache
def page() -> str:
    """The report's Markdown."""
    return markdown.page(report_of(read(folds())))


@cache
def source() -> Source:
    told = recompute.read(folds())
    return Source(told, {"cpu": Table(told, "cpu", PACKAGE.boundary)})
