"""What a test gets as ``joules``: it measures, and it compresses. It knows no pytest."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from bench.catalogue import SHIPPED, adopt_subject, lowered, make_variant, prepare
from bench.phases import Phases
from bench.refusal import Refusal, for_memory
from bench.result import Result
from bench.session import Session
from bench.stages import costed
from bench.wanted import Wanted
from bench.workload import Case, Loop, Quality, Sources, Variant, baseline_of


@dataclass
class Joules:
    """The fixture: ``joules(model, inputs)`` measures, ``joules.variant(…)`` compresses.

    Args:
        nodeid: The test that asks.
        marked: What its marker says: ``unit``, ``pairs``.
        seed: Of the techniques.
        device: ``cpu`` or ``cuda:0``.
        variants: Those that the pytest session has made already.
        session: The open session; None runs everything once and measures nothing.
        progress: Is told between windows what goes on.
        measured: Is given each result, and what tells it from others of the same test.
        wanted: What this process is to serve, if it is a fresh one of another session.
        serve: Serves a loop and the version of its workload, and ends the test.
        sources: Where weights and data of workloads come from.
    """

    nodeid: str
    marked: Mapping[str, Any]
    seed: int
    device: str
    variants: dict[object, Variant]
    session: Session | None
    progress: Callable[[str], None]
    measured: Callable[[Result, str], None]
    wanted: Wanted | None = None
    serve: Callable[[Loop, str], NoReturn] | None = None
    sources: Sources = SHIPPED
    _calls: int = 0
    _phases: Phases = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._phases = Phases(self.nodeid, self.device, self.session)

    def variant(self, technique: str, workload: str, **level: object) -> Variant:
        """What *technique* makes of *workload* at one level; made once in a session.

        A measuring session meters what is trained for it, for the payback.

        Args:
            technique: A file in `bench/techniques/`, or ``baseline``.
            workload: A workload's name, such as ``digits-mlp``.
            level: The technique's own parameters, such as ``density=0.1``.

        Raises:
            ValueError: No technique or workload has that name.
            Refusal: It cannot be had here; the journal notes why, and the test is skipped.
        """
        key = (technique, workload, tuple(sorted(level.items())), self.seed)
        if key not in self.variants:
            with self.refusals_noted(f"{workload}/{technique}"):
                self.variants[key] = self._made(technique, workload, level)
        return self.variants[key]

    def _made(self, technique: str, workload: str, level: Mapping[str, object]) -> Variant:
        with costed(self.session.trainings.measure if self.session else None) as used:
            made = make_variant(technique, workload, seed=self.seed, sources=self.sources, **level)
        if not made.workload.seeded:  # a whole model: those of others would fill the memory
            self._forget_others(made.workload.name)
        return replace(made, training=tuple(used.values()))

    def _forget_others(self, workload: str) -> None:
        for key, kept in list(self.variants.items()):
            if not kept.workload.seeded and kept.workload.name != workload:
                del self.variants[key]

    @contextlib.contextmanager
    def refusals_noted(self, case: str) -> Iterator[None]:
        """The journal notes what is refused, for the report to say why a row is missing."""
        try:
            yield
        except Exception as error:
            refusal = error if isinstance(error, Refusal) else for_memory(error)
            if refusal is None:
                raise
            if self.session is not None:
                self.session.refuse(case, refusal)
            if refusal is error:
                raise
            raise refusal from error

    @property
    def measures(self) -> bool:
        """Whether this is a measuring session; a smoke run may take the smallest shapes."""
        return self.session is not None

    def window(
        self, name: str, *, work: int = 1, unit: str = ""
    ) -> contextlib.AbstractContextManager[None]:
        """Measures what runs inside as one window of a phase, such as prefill and decode.

        A phase is a row of its own: nothing stands beside it, so it has no ratio and no verdict.
        Repeat it in a loop for its spread; windows of one name are one row. Without
        ``--benchmark`` it just runs.

        Args:
            name: Of the phase, part of its case.
            work: Samples in it, such as tokens.
            unit: What one sample is; that of the marker unless given.

        Raises:
            ValueError: There is no work, or not that of the phase's windows before.
        """
        named = unit or str(self.marked.get("unit") or "sample")
        return self._phases.window(name, work=work, unit=named)

    def close(self) -> None:
        """Ends what the test has begun; it stays in the journal."""
        self._phases.close()

    def judge(self, variant: Variant) -> Quality | None:
        """Judges a variant's quality and size without timing it: a step of a sweep.

        Its place in the report is the section on quality against size. In a smoke run it runs once.

        Returns:
            Its quality over the session's seeds; None in a smoke run, or where there is none.
        """
        if self.session is None:
            prepare(variant, variant.workload.inputs(1), "eager", self.device)(1)
            return None
        record = self.session.judge(variant, nodeid=self.nodeid, progress=self.progress)
        if record.quality is None:
            return None
        listed = {name: tuple(record.quality.get(name, ())) for name in ("values", "seeds")}
        return Quality(**{**record.quality, **listed})

    def __call__(
        self,
        subject: Variant | Callable[..., Any],
        inputs: Any = None,  # noqa: ANN401 - a model's input may be anything
        *,
        baseline: Callable[..., Any] | None = None,
        batch: int | None = None,
        name: str = "",
        quality: Callable[[Callable[..., Any]], Quality] | None = None,
        runtime: str = "eager",
        against: str = "",
    ) -> Result:
        """Measures *subject*, beside its baseline if it has one, else beside itself (A/A).

        Args:
            subject: A `Variant`, a ``torch.nn.Module``, or any callable.
            inputs: What it is called with: a tuple gives positional arguments, a dict keyword
                arguments. A variant brings its own.
            baseline: What a module or callable is compared with.
            batch: Samples in *inputs*; by default its first dimension, or 1.
            name: Tells two measurements of one test apart.
            quality: Judges a model, for a subject that is no variant.
            runtime: What executes it.
            against: What executes its baseline; by default the same.

        Returns:
            The outcome; assertions on what was not measured skip the test, with the reason.
        """
        variant, given, samples = adopt_subject(
            subject,
            inputs,
            baseline=baseline,
            batch=batch,
            name=name,
            node=self.nodeid,
            quality=quality,
            unit=self.marked.get("unit"),
        )
        case = Case(variant.workload.name, variant.label, runtime, self.device, samples, against)
        if self.wanted and self.serve and case.id == self.wanted.case:
            self._serve(variant, case, given, self.wanted.role)
        if self.session is None:
            with self.refusals_noted(case.id):
                made = lowered(variant, given, runtime, self.device)
                prepare(made, given, runtime, self.device)(1)
            return Result()
        result = self.session.measure(
            variant,
            given,
            samples,
            runtime=runtime,
            against=against,
            nodeid=self.nodeid,
            pairs=self.marked.get("pairs"),
            progress=self.progress,
        )
        self._calls += 1
        self.measured(result, f"::{variant.label}" if self._calls > 1 else "")
        return result

    def _serve(self, variant: Variant, case: Case, inputs: Any, role: str) -> NoReturn:  # noqa: ANN401
        """Serves the side of a case that another session wants of this process."""
        assert self.serve is not None  # noqa: S101 - who wants something can be served
        side, runtime = variant, case.runtime
        if role != "variant":
            side, runtime = baseline_of(variant.workload), case.baseline.runtime
        side = lowered(side, inputs, runtime, self.device)
        self.serve(prepare(side, inputs, runtime, self.device), variant.workload.version)
