"""Workloads, techniques and runtimes by name, and the user's own models as workloads."""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bench.discover import Plugin, plugins
from bench.refusal import Refusal
from bench.workload import BASELINE, Loop, Quality, Sources, Variant, Workload, baseline_of


def _named(folder: str, required: str, what: str, name: str) -> Plugin:
    """The plug-in *name*; dashes and underscores are the same."""
    found, broken = plugins(folder, required)
    plugin = found.get(name.replace("-", "_")) or found.get(name)
    if plugin is None:
        reasons = "".join(f"; {each.name} is broken: {each.reason}" for each in broken)
        raise ValueError(f"no {what} is named {name}; choose from {', '.join(found)}{reasons}")
    return plugin


SHIPPED = Sources()
"""Random weights, and no data but what ships."""


_workloads: dict[tuple[str, int, Sources], Workload] = {}
"""Those that were made: all that were trained, and of the whole models the last."""


def make_workload(name: str, seed: int, sources: Sources = SHIPPED) -> Workload:
    """The workload *name*, loaded or trained once in a process.

    Of whole models only the last is kept: all of them together fill a machine's memory.
    Arguments and errors are those of `load_workload`.
    """
    key = (name, seed, sources)
    if key not in _workloads:
        made = load_workload(name, seed, sources)
        if not made.seeded:
            for other in [other for other, kept in _workloads.items() if not kept.seeded]:
                del _workloads[other]
        _workloads[key] = made
    return _workloads[key]


def load_workload(name: str, seed: int, sources: Sources = SHIPPED) -> Workload:
    """The workload *name*, loaded or trained anew.

    Args:
        name: Such as ``digits-mlp``; what follows a colon says which of a family, as in
            ``layer:alexnet-fc6``.
        seed: Of its weights.
        sources: Where weights and data come from, for a workload whose ``load`` asks for them.

    Raises:
        ValueError: No workload has that name; the message lists those that exist.
        Refusal: It cannot be had here.
    """
    family, _, which = name.partition(":")
    load = _named("bench.workloads", "load", "workload", family).target
    asked: dict[str, Any] = {"which": which} if which else {}
    if "sources" in inspect.signature(load).parameters:
        asked["sources"] = sources
    workload: Workload = load(seed=seed, **asked)
    if not workload.seeded:
        return workload
    return replace(workload, again=functools.partial(make_workload, name, sources=sources))


def make_variant(
    technique: str,
    workload: str,
    *,
    seed: int = 0,
    sources: Sources = SHIPPED,
    **level: object,
) -> Variant:
    """What *technique* makes of *workload* at one level; ``baseline`` makes nothing of it.

    Raises:
        ValueError: No technique or workload has that name.
        TypeError: The technique has no such parameter.
        Refusal: It cannot be had here.
    """
    shipped = make_workload(workload, seed, sources)
    if technique == BASELINE:
        return baseline_of(shipped)
    variant = compressed(technique, shipped, seed=seed, **level)
    if not shipped.seeded:
        return variant
    again = functools.partial(_again, technique, workload, level, sources)
    return replace(variant, again=again)


def compressed(technique: str, shipped: Workload, *, seed: int = 0, **level: object) -> Variant:
    """What *technique* makes of a workload at one level.

    Raises:
        ValueError: No technique has that name.
        TypeError: The technique has no such parameter.
        Refusal: It cannot be had here.
    """
    plugin = _named("bench.techniques", "apply", "technique", technique)
    variant: Variant = plugin.target(shipped, seed=seed, **level)
    return variant


def _again(
    technique: str, workload: str, level: Mapping[str, object], sources: Sources, seed: int
) -> Variant:
    """The same variant from another seed; a partial of this can be sent to another process."""
    return make_variant(technique, workload, seed=seed, sources=sources, **level)


def find_runtime(name: str) -> Plugin:
    """The runtime of that name.

    Raises:
        ValueError: There is none; the message lists those that exist.
    """
    return _named("bench.runtimes", "prepare", "runtime", name)


def lowered(
    variant: Variant,
    inputs: Any,  # noqa: ANN401 - a model's input may be anything
    runtime: str,
    device: str,
) -> Variant:
    """What a runtime makes of a variant before it runs: compiled, exported, quantized.

    Args:
        variant: Of a workload.
        inputs: What it will be called with; shapes are taken from it.
        runtime: Its name.
        device: ``cpu`` or ``cuda:0``.

    Raises:
        ValueError: No runtime has that name.
        Refusal: The runtime cannot run it, or cannot do what is requested.
    """
    found, _ = plugins("bench.runtimes", "lower")
    name = find_runtime(runtime).name
    if name in found:
        made: Variant = found[name].target(variant, inputs, device=device)
        return made
    if variant.request is not None:
        raise Refusal(
            f"the runtime {runtime} has no {variant.request.dtype} of its own",
            "use a technique that makes such a model, or another runtime",
        )
    return variant


def prepare(
    variant: Variant,
    inputs: Any,  # noqa: ANN401 - a model's input may be anything
    runtime: str,
    device: str,
) -> Loop:
    """The loop that runs a variant in a runtime on a device.

    Raises:
        ValueError: No runtime has that name.
    """
    target, threads = find_runtime(runtime).target, variant.workload.threads
    loop: Loop = target(variant.model, inputs, device=device, threads=threads)
    return loop


def adopt_subject(
    subject: Variant | Callable[..., Any],
    inputs: Any,  # noqa: ANN401 - a model's input may be anything
    *,
    baseline: Callable[..., Any] | None,
    batch: int | None,
    name: str,
    node: str,
    quality: Callable[[Callable[..., Any]], Quality] | None,
    unit: str | None,
) -> tuple[Variant, Any, int]:
    """What the fixture was given, as (variant, inputs, samples in them).

    Args:
        subject: A variant, a module, or any callable.
        inputs: Its input; None lets a variant bring its own.
        baseline: What a callable is compared with; None compares it with itself.
        batch: Samples in *inputs*; None asks their first dimension.
        name: Tells two measurements of one test apart.
        node: The test's id: names the workload of a model that has none.
        quality: Judges a model, for a subject that is no variant.
        unit: What one sample is.

    Raises:
        TypeError: The subject cannot be called, or the arguments do not fit it.
    """
    if isinstance(subject, Variant):
        if baseline is not None or quality is not None:
            raise TypeError("a variant knows its baseline and its quality; leave both out")
        samples = batch or (1 if inputs is None else samples_in(inputs))
        given = subject.workload.inputs(samples) if inputs is None else inputs
        return subject, given, samples
    if name == BASELINE:
        raise TypeError("a variant cannot be named baseline; give another name")
    if not callable(subject):
        raise TypeError(
            f"found a {type(subject).__name__}, wanted a variant, a torch module or a callable"
        )
    if inputs is None:
        inputs = ()
    samples = batch or samples_in(inputs)
    workload = Workload(
        name=f"{node}-{name}" if name and baseline is None else node,
        model=subject if baseline is None else baseline,
        inputs=lambda _: inputs,
        quality=quality,
        unit=unit or "sample",
        threads=_threads(),
    )
    if baseline is None:
        return baseline_of(workload), inputs, samples
    return Variant(workload, name or "variant", (), subject), inputs, samples


def samples_in(inputs: Any) -> int:  # noqa: ANN401 - a model's input may be anything
    """The first dimension of the first array among the inputs, or 1."""
    arguments = tuple(inputs.values()) if isinstance(inputs, Mapping) else inputs
    first = next(iter(arguments), None) if isinstance(arguments, tuple) else arguments
    shape: Any = getattr(first, "shape", None)
    return int(shape[0]) if shape else 1


def _threads() -> int:
    """The threads that torch is set to, if it is loaded: the user's models run as they were."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch is not None else 1
