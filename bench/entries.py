"""The cases of ``joulebench run``: a baseline and what is held against it, or those of a suite."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bench.likeness import likeness
from bench.own import PROGRAM, Own
from bench.refusal import Refusal
from bench.suite import Suite
from bench.workload import BASELINE, Case, Variant, Workload, baseline_of

JUDGED_SAMPLES = 16
"""Samples of random input on which the answers of variants are held against the first's."""

_OTHER = re.compile(r"(?P<name>[\w.+-]+)(?:@(?P<runtime>[\w-]+))?=(?P<spec>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Other:
    """A ``--vs``: the name of a variant, its spec, and its runtime if it has one of its own."""

    name: str
    spec: str
    runtime: str = ""


def other(text: str) -> Other:
    """What a ``--vs`` says.

    Raises:
        ValueError: It is not ``NAME=SPEC`` or ``NAME@RUNTIME=SPEC``.

    >>> other("int8@openvino=onnx:model.int8.onnx")
    Other(name='int8', spec='onnx:model.int8.onnx', runtime='openvino')
    """
    match = _OTHER.fullmatch(text)
    if match is None:
        raise ValueError(f"--vs {text}: write NAME=SPEC, such as int8=onnx:model.int8.onnx")
    if match["name"] == BASELINE:
        raise ValueError("--vs baseline=…: the first spec is the baseline; give another name")
    return Other(match["name"], match["spec"], match["runtime"] or "")


@dataclass(frozen=True, slots=True)
class Entry:
    """A case to measure.

    Args:
        case: It.
        make: Makes its variant; may raise a refusal.
        inputs: Gives what it is called with.
    """

    case: Case
    make: Callable[[], Variant]
    inputs: Callable[[], Any]


def entries_of_suite(suite: Suite, batch: int | None, runtime: str, device: str) -> list[Entry]:
    """The cases of a suite, a batch's baseline first.

    Args:
        suite: Of a user.
        batch: The only one to measure; None for those of the suite.
        runtime: For all of it; empty for those of the suite.
        device: Where it runs.
    """
    found = []
    for name, size in suite.cases() if batch is None else ((n, batch) for n in suite.names):
        runs, against = (runtime or each for each in (suite.runtime_of(name), suite.runtime))
        case = Case(suite.name, name, runs, device, suite.samples(size), against)
        found.append(Entry(case, partial(suite.made, name), partial(suite.inputs, size)))
    return found


def workload_of(
    own: Own, *, seed: int, unit: str = "", name: str = "", threads: int | None = None
) -> Workload:
    """The workload of the first spec.

    Args:
        own: What it stands for.
        seed: Of its inputs.
        unit: What one sample is; empty for its own.
        name: Of the workload; empty for its own.
        threads: CPU threads; None for its own, or one.

    Raises:
        ValueError: A shipped workload is to have other threads than its name says.
    """
    if own.workload is not None:
        if threads is not None:
            raise ValueError(f"--threads: a shipped workload says it in its name: {own.name}:2t")
        return replace(own.workload, name=name or own.workload.name)
    inputs = own.draw(seed)
    return Workload(
        name=name or own.name,
        model=own.model,
        inputs=lambda _: inputs,
        quality=likeness(own.model, _others(own, seed)),
        unit=unit or own.unit,
        threads=own.threads or threads or 1,
        version=own.version,
        seeded=False,
        note=own.note,
        calibration=lambda: _others(own, seed),
        least_calls=own.least_calls,
    )


def _others(own: Own, seed: int) -> list[Any]:
    """Inputs that are not those of the timing, `JUDGED_SAMPLES` of them."""
    number = max(1, JUDGED_SAMPLES // own.samples)
    return [own.draw(each) for each in range(seed + 1, seed + 1 + number)]


def variant_of(workload: Workload, name: str, own: Own) -> Variant:
    """What a ``--vs`` stands for, as a variant of the first spec."""
    made = own.variant or Variant(workload, name, (), own.model)
    note = "" if own.note == workload.note else own.note
    told = "; ".join(filter(None, (made.note, note)))
    return replace(made, technique=name, level=(), note=told, again=None)


def entries(
    first: Own,
    others: Sequence[tuple[Other, Own | Refusal]],
    workload: Workload,
    *,
    samples: int | None,
    runtime: str,
    device: str,
) -> list[Entry]:
    """The cases of a baseline and what stands beside it; a refusal is raised when it is made.

    Args:
        first: The baseline.
        others: What each ``--vs`` says, and what it stands for.
        workload: Of the first.
        samples: In a call; None for those of the inputs.
        runtime: For those that say none; empty for their own. A program runs as it does.
        device: Where they run.
    """
    size, against = samples or first.samples, _runtime(first, "", runtime)
    inputs = partial(workload.inputs, first.samples)
    shipped = Case(workload.name, BASELINE, against, device, size, against)
    found = [Entry(shipped, partial(baseline_of, workload), inputs)]
    for each, own in others:
        runs = each.runtime or against  # what is made of the first, and what could not be made
        if isinstance(own, Own) and own.variant is None:
            runs = _runtime(own, each.runtime, runtime)
        case = replace(shipped, variant=each.name, runtime=runs)
        make = partial(_made, own, partial(variant_of, workload, each.name))
        found.append(Entry(case, make, inputs))
    return found


def _runtime(own: Own, asked: str, general: str) -> str:
    """What executes it: what was asked for it, for all, or its own; a program runs as it does."""
    return own.runtime if own.runtime == PROGRAM else asked or general or own.runtime


def _made(own: Own | Refusal, make: Callable[[Own], Variant]) -> Variant:
    if isinstance(own, Refusal):
        raise own
    return make(own)
