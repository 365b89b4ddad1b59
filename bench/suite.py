"""A user's model with its variants, in a few lines: `Suite`.

    suite = Suite("mynet", model=MyNet, inputs=lambda batch: torch.rand(batch, 3, 224, 224))

    @suite.variant("int8", kind="quantized")
    def _(model): return quantize(model)

    test_mynet = suite.test

``joulebench run py:MODULE:suite`` measures all of it, and so does ``pytest --benchmark``.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.workload import BASELINE, Quality, Variant, Workload, baseline_of

Model = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Form:
    """How a variant is made, as its suite was told.

    Args:
        kind: Such as ``quantized``; shown beside its row.
        make: Takes a copy of the baseline's model and gives another one.
        runtime: What executes it.
    """

    kind: str
    make: Callable[[Model], Model]
    runtime: str


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How a suite's models are judged.

    Args:
        value: Gives a model's accuracy.
        unit: What that is, such as ``top-1 %``.
        max_drop: By how much a variant may fall below the baseline.
        n: Samples that it rests on.
    """

    value: Callable[[Model], float]
    unit: str
    max_drop: float
    n: int


class Suite:
    """A model, its inputs, and its variants.

    Args:
        name: Of the model, as it stands in case ids.
        model: Makes the baseline: a torch module, or any callable.
        inputs: Gives the input for a batch: a tuple for positional arguments, a dict for keywords.
        batches: Batches to measure.
        unit: What one sample is, such as ``image``.
        work: Samples in a batch, where they are not its size: ``lambda batch: batch * 128`` for
            tokens.
        runtime: What executes it, such as ``eager``.
        threads: CPU threads that it runs on.
    """

    def __init__(
        self,
        name: str,
        *,
        model: Callable[[], Model],
        inputs: Callable[[int], Any],
        batches: Sequence[int] = (1,),
        unit: str = "sample",
        work: Callable[[int], int] = lambda batch: batch,
        runtime: str = "eager",
        threads: int = 1,
    ) -> None:
        self.name, self.batches, self.unit, self.runtime = name, tuple(batches), unit, runtime
        self._model, self._inputs, self._work, self._threads = model, inputs, work, threads
        self._forms: dict[str, Form] = {}
        self._accuracy: Accuracy | None = None
        self._made: dict[str, Variant] = {}

    def variant(
        self,
        name: str,
        *,
        kind: str = "",
        runtime: str = "",
        model: Callable[[], Model] | None = None,
    ) -> Callable[[Callable[[Model], Model]], Callable[[Model], Model]]:
        """Adds a variant: a function that takes the baseline's model and gives another callable.

        The function gets a copy of its own, which it may change. A variant that is not made of
        the baseline, such as a student, is given as *model*: then nothing is decorated.

        Args:
            name: As it stands in case ids.
            kind: Such as ``quantized``, ``pruned`` or ``distilled``; shown beside its row.
            runtime: What executes it; by default as the baseline.
            model: Makes it from nothing.

        Raises:
            ValueError: The suite has a variant of that name, or it is ``baseline``.
        """
        if name in {BASELINE, *self._forms}:
            raise ValueError(f"{self.name} has a {name} already; give the variant another name")

        def add(make: Callable[[Model], Model]) -> Callable[[Model], Model]:
            self._forms[name] = Form(kind, make, runtime or self.runtime)
            return make

        if model is not None:
            add(lambda _: model())
        return add

    def accuracy(
        self,
        value: Callable[[Model], float],
        *,
        unit: str = "accuracy",
        max_drop: float = 0.0,
        n: int = 1,
    ) -> None:
        """Says how models are judged; a variant that falls by more than *max_drop* breaks quality.

        Args:
            value: Gives the accuracy of a model, which is called as the suite's model is.
            unit: What that is, such as ``top-1 %``.
            max_drop: In the same unit.
            n: Samples that it rests on.
        """
        self._accuracy = Accuracy(value, unit, max_drop, n)

    @cached_property
    def workload(self) -> Workload:
        """The baseline with its inputs; made once."""
        model = self._model()
        judged = None if self._accuracy is None else _Judged(self._accuracy, model)
        return Workload(
            self.name,
            model,
            self._inputs,
            quality=judged,
            unit=self.unit,
            threads=self._threads,
            seeded=False,
            calibration=lambda: (self._inputs(1),),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The baseline and the variants, in the order in which they were added."""
        return (BASELINE, *self._forms)

    def made(self, name: str) -> Variant:
        """One of them; made once.

        Raises:
            ValueError: There is none of that name.
            TypeError: What was made cannot be called.
        """
        if name not in self.names:
            raise ValueError(f"{self.name} has no {name}; choose from {', '.join(self.names)}")
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Variant:
        if name == BASELINE:
            return baseline_of(self.workload)
        form = self._forms[name]
        model = form.make(copy.deepcopy(self.workload.model))
        if not callable(model):
            raise TypeError(
                f"variant {name} of {self.name}: found a {type(model).__name__}, wanted a callable;"
                " return the model from the function"
            )
        return Variant(self.workload, name, (), model, note=form.kind)

    def runtime_of(self, name: str) -> str:
        """What executes it."""
        return self._forms[name].runtime if name in self._forms else self.runtime

    def samples(self, batch: int) -> int:
        """Samples of a call on a batch."""
        return self._work(batch)

    def inputs(self, batch: int) -> Any:  # noqa: ANN401 - what the model takes
        """The input for a batch."""
        return self._inputs(batch)

    def cases(self) -> Iterator[tuple[str, int]]:
        """Each variant with each batch, a batch's baseline first."""
        return ((name, batch) for batch in self.batches for name in self.names)

    @property
    def test(self) -> Callable[..., None]:
        """A test of pytest that measures all cases, each as a test of its own."""

        def test(joules: Any, variant: str, batch: int) -> None:  # noqa: ANN401 - the fixture
            with joules.refusals_noted(f"{self.name}/{variant}"):
                made = self.made(variant)
            joules(
                made,
                self.inputs(batch),
                batch=self.samples(batch),
                runtime=self.runtime_of(variant),
                against=self.runtime,
            )

        test.joules_suite = self  # type: ignore[attr-defined] # by which the plugin finds the cases
        return test


@dataclass(frozen=True)
class _Judged:
    """Judges models by a user's function; the baseline's own value is asked for once."""

    accuracy: Accuracy
    shipped: Model

    def __call__(self, model: Model) -> Quality:
        """The quality of a model, with the least that counts."""
        said, shipped = self.accuracy, self._of_shipped
        value = shipped if model is self.shipped else float(said.value(model))
        return Quality(said.unit, value, said.n, shipped - said.max_drop)

    @cached_property
    def _of_shipped(self) -> float:
        return float(self.accuracy.value(self.shipped))
