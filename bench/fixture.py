"""What a test gets as ``joules``: it measures, and it compresses. It knows no pytest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from bench.catalogue import adopt_subject, make_variant, prepare
from bench.result import Result
from bench.session import Session
from bench.wanted import Wanted
from bench.workload import Case, Loop, Quality, Variant, baseline_of


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
    _calls: int = 0

    def variant(self, technique: str, workload: str, **level: object) -> Variant:
        """What *technique* makes of *workload* at one level; made once in a session.

        Args:
            technique: A file in `bench/techniques/`, or ``baseline``.
            workload: A workload's name, such as ``digits-mlp``.
            level: The technique's own parameters, such as ``density=0.1``.

        Raises:
            ValueError: No technique or workload has that name.
        """
        key = (technique, workload, tuple(sorted(level.items())), self.seed)
        if key not in self.variants:
            self.variants[key] = make_variant(technique, workload, seed=self.seed, **level)
        return self.variants[key]

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
        if self.wanted and self.serve:
            case = Case(variant.workload.name, variant.label, runtime, self.device, samples)
            if case.id == self.wanted.case:
                side = variant if self.wanted.role == "variant" else baseline_of(variant.workload)
                self.serve(prepare(side, given, runtime, self.device), variant.workload.version)
        if self.session is None:
            prepare(variant, given, runtime, self.device)(1)
            return Result()
        result = self.session.measure(
            variant,
            given,
            samples,
            runtime=runtime,
            nodeid=self.nodeid,
            pairs=self.marked.get("pairs"),
            progress=self.progress,
        )
        self._calls += 1
        self.measured(result, f"::{variant.label}" if self._calls > 1 else "")
        return result
