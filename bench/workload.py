"""What is measured: a workload, a variant of it, and the case that a row of a table stands for."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Level = tuple[tuple[str, str], ...]
"""A technique's parameters, sorted by name, each value as text: part of the case id."""

BASELINE = "baseline"

PHASE = "phase"
"""Stands for the technique in the case of a phase of a test, which is held against nothing."""

JUDGED = "judged"
"""Stands for the runtime in the case of a variant that was judged and not run for its time."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a model's outputs are.

    Args:
        metric: Such as ``test accuracy``.
        value: Share between 0 and 1, or the metric's own unit.
        n: Number of samples it rests on.
        target: Least value that counts, or None if the workload sets none.
        values: Of each seed, if there are several: *value* and *target* are then means.
        seeds: Which ones.
        others: Further metrics by their names, such as ``SQNR, dB``; shown, and no verdict is
            built on them.
    """

    metric: str
    value: float
    n: int
    target: float | None = None
    values: tuple[float, ...] = ()
    seeds: tuple[int, ...] = ()
    others: Mapping[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the value reaches the target; a workload without target accepts any."""
        return self.target is None or self.value >= self.target


class NotComparableError(ValueError):
    """What a model answers cannot be held against what is wanted: its quality is not known."""


RANDOM = "random"
"""Stands for weights that are drawn from a seed."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where what a workload does not ship comes from; nothing is downloaded without asking.

    Args:
        weights: ``random`` draws them from the seed; ``hub`` loads them by the workload's own id
            from the Hugging Face hub; anything else is the path of a checkpoint.
        data: A folder of labelled data to judge by; empty for none.
    """

    weights: str = RANDOM
    data: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What a runtime is asked to make of a model besides running it.

    Args:
        dtype: The type that most multiplications are to run in: ``bfloat16``, ``float16``,
            ``int8``, ``float8``.
        calibration: Inputs from which an int8 quantizer takes the scales of activations, each as
            the model is called with it.
    """

    dtype: str
    calibration: Callable[[], Sequence[Any]] = field(default=tuple, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Lowered:
    """What a runtime made of a model, as far as it can be told.

    Args:
        source: The torch module or file that it was made from: operations are counted from it.
        dtype: The type that most of its multiplications really run in.
        kernels: How many operators with weights run in which type, such as ``{"int8": 20}``; empty
            where the runtime does not tell.
    """

    source: Any = field(compare=False, repr=False)
    dtype: str | None = None
    kernels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workload:
    """A model with its input, its quality function and its quality target (MLPerf's benchmark).

    Args:
        name: Such as ``digits-mlp``.
        model: The model as shipped: what the baseline runs.
        inputs: Gives the input for a batch size.
        quality: Judges any variant's model, target included; None if there is nothing to judge by.
        unit: What one sample is, such as ``image``.
        threads: CPU threads that every variant of it runs on.
        version: Hash of what makes it: data, architecture, seed. Another version, another history.
        context: What techniques may need besides: training data, a training function.
        again: Makes the same workload from another seed; None for what has no seed.
        seeded: Whether its quality is judged over several seeds; False where a seed says nothing,
            as with random weights.
        note: What the reader of each of its rows should know, such as ``random weights``.
        calibration: Gives inputs for quantizers to look at, each as the model is called with it.
        least_calls: Fewest calls of a block: five, or 1 for what does much work in one, such as a
            program or a whole model.
    """

    name: str
    model: Callable[..., Any]
    inputs: Callable[[int], Any]
    quality: Callable[[Callable[..., Any]], Quality] | None = None
    unit: str = "sample"
    threads: int = 1
    version: str = ""
    context: Any = field(default=None, compare=False, repr=False)
    again: Callable[[int], "Workload"] | None = field(default=None, compare=False, repr=False)
    seeded: bool = True
    note: str = ""
    calibration: Callable[[], Sequence[Any]] = field(default=tuple, compare=False, repr=False)
    least_calls: int = 5


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of a workload: its baseline, or what a technique made of it at one level.

    Args:
        workload: What it is a form of.
        technique: Such as ``magnitude_pruning``, or ``baseline``.
        level: The technique's parameters.
        model: What runs; a fresh object that shares nothing with the baseline's.
        size_disk: Bytes of its weights as stored, or None if unknown.
        note: What the reader of its row should know, such as ``masked: dense kernel``.
        sizes: Bytes of its weights in other forms of storage, by their names: ``dense``, ``csr``,
            ``shared``, ``huffman``, ``onnx``.
        again: Makes the same variant from another seed, its workload's model included; None for
            what has no seed.
        training: What measuring the trained stages gave that it is made of; empty where nothing
            measured them, or nothing was trained.
    """

    workload: Workload
    technique: str
    level: Level
    model: Callable[..., Any]
    size_disk: int | None = None
    note: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict, compare=False)
    again: Callable[[int], "Variant"] | None = field(default=None, compare=False, repr=False)
    training: tuple[object, ...] = field(default=(), compare=False, repr=False)
    request: Request | None = None
    lowered: Lowered | None = field(default=None, compare=False, repr=False)

    @property
    def label(self) -> str:
        """``technique@name=value,…`` as it stands in case ids and tables."""
        parameters = ",".join(f"{name}={value}" for name, value in self.level)
        return f"{self.technique}@{parameters}" if parameters else self.technique


def baseline_of(workload: Workload) -> Variant:
    """The workload as shipped, as a variant."""
    again = functools.partial(_baseline_again, workload.again) if workload.again else None
    return Variant(workload, BASELINE, (), workload.model, again=again)


def _baseline_again(again: Callable[[int], Workload], seed: int) -> Variant:
    return baseline_of(again(seed))


def level(**parameters: object) -> Level:
    """A technique's keyword parameters as a `Level`: sorted, short numbers.

    >>> level(form="csr", density=0.10)
    (('density', '0.1'), ('form', 'csr'))
    """
    return tuple(
        (name, f"{value:g}" if isinstance(value, float) else str(value))
        for name, value in sorted(parameters.items())
    )


_UNSAFE = re.compile(r"[^A-Za-z0-9_.:@=,+-]+")


@dataclass(frozen=True, slots=True)
class Case:
    """``workload/technique@level/runtime/device/bN``: one row of a table, the unit of history.

    Args:
        workload: The workload's name.
        variant: ``technique@level``.
        runtime: What executes it.
        device: ``cpu`` or ``cuda:0``.
        batch: Samples given together.
        against: The runtime of its baseline, if that is another one.
    """

    workload: str
    variant: str
    runtime: str
    device: str
    batch: int
    against: str = ""

    @property
    def id(self) -> str:
        """The case as one string; characters that would break it are replaced by ``-``."""
        parts = (self.workload, self.variant, self.runtime, self.device)
        safe = (_UNSAFE.sub("-", part) for part in parts)
        return f"{'/'.join(safe)}/b{self.batch}"

    @property
    def baseline(self) -> "Case":
        """The case of the workload as shipped: same device, same batch, and its runtime."""
        runtime = self.against or self.runtime
        return Case(self.workload, BASELINE, runtime, self.device, self.batch)

    @property
    def is_baseline(self) -> bool:
        """Whether it is the workload as shipped, in the runtime that others are held against."""
        return self.variant == BASELINE and self.against in {"", self.runtime}


Technique = Callable[..., Variant]
"""What ``apply`` of a technique's file is: ``apply(workload, *, seed, **level) -> Variant``."""

Loop = Callable[[int], Sequence[float]]
"""Runs n inferences, waits until the device is done, and gives the latency of each in seconds."""

Prepare = Callable[..., Loop]
"""``prepare(model, inputs, *, device, threads)`` of a runtime's file."""

Lower = Callable[..., Variant]
"""``lower(variant, inputs, *, device) -> Variant`` of a runtime that makes something of models.

The model of what it gives back is what runs, a callable that takes what the workload's model takes,
in batches of any size, and gives a tensor or what the workload's quality function can read; its
`Variant.lowered` says what was made. It raises `bench.refusal.Refusal` where it cannot.
"""
