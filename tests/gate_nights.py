"""Nights without processes: revisions are works on a simulated device, run in this process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.alone import AloneSession, write_tests
from bench.gate.checkout import Checkout
from bench.gate.process import Ended
from bench.run import Settings
from bench.schedule import Schedule
from bench.simulated import ORIGIN, Counter, DeviceModel, SimulatedDevice, SimulatedModel, Work
from bench.workload import Quality, Workload, baseline_of

SCHEDULE = Schedule(pairs=2, block_s=0.1, warmup_s=0.02, idle_s=0.02, margin=0.03)
QUIET = DeviceModel(noise=0.001, power_noise=0.001, process_effect=0.001)
WORK = Work(0.004)
A, B = "suites/test_a.py::test_a", "suites/test_b.py::test_b"


def revision(number: int, *, dirty: bool = False) -> Checkout:
    """A checkout that is none: its works are looked up by its revision."""
    nowhere = Path("/nowhere")
    return Checkout(f"{number:040x}", nowhere, nowhere, nowhere, nowhere, dirty)


BASE, HEAD = revision(1), revision(2)


@dataclass
class Lab:
    """Starts "processes": a session on a device of its own, with the works of the revision.

    Args:
        works: By revision and test.
        model: Of each process's device, by its number from 1.
        before: Is told the revision, the tests and the number of each measuring process; what it
            gives back is how the process ended, instead of measuring.
        versions: Of workloads, by revision.
        qualities: By revision.
    """

    works: Mapping[str, Mapping[str, Work]]
    model: Callable[[int], DeviceModel] = lambda _: QUIET
    before: Callable[[str, Sequence[str], int], Ended | None] = lambda *_: None
    versions: Mapping[str, str] = field(default_factory=dict)
    qualities: Mapping[str, float] = field(default_factory=dict)
    number: int = 0
    log: list[tuple[str, tuple[str, ...], float]] = field(default_factory=list)

    def __call__(
        self, side: Checkout, arguments: Sequence[str], folder: Path, deadline_s: float
    ) -> Ended:
        works = self.works[side.revision]
        if "--collect-only" in arguments:
            given = [argument for argument in arguments if not argument.startswith("-")]
            named = {argument for argument in given if "::" in argument}
            chosen = [test for test in works if not named or test in named]
            write_tests(folder, given, [(test, test) for test in chosen])
            return Ended(0, None, "", 0.5)
        self.number += 1
        tests = tuple(argument for argument in arguments if "::" in argument)
        self.log.append((side.revision, tuple(arguments), deadline_s))
        if (ended := self.before(side.revision, tests, self.number)) is not None:
            return ended
        judges = "--joules-seeds=1" in arguments
        path = self.measure(side, tests, folder, judges=judges)
        return Ended(0, path, f"{len(tests)} passed", 1.0)

    def measure(
        self, side: Checkout, tests: Sequence[str], folder: Path, *, judges: bool = False
    ) -> Path:
        """The journal of a process."""
        device = SimulatedDevice(self.model(self.number), self.number)
        settings = Settings("tiny", SCHEDULE, results=folder, alone=3, seeds=int(judges))
        folder.mkdir(parents=True, exist_ok=True)
        lock = {"JOULES_LOCK": str(folder / "lock")}
        session = AloneSession.start(settings, lambda _: None, lock, device.instruments())
        try:
            for test in tests:
                quality = self.qualities.get(side.revision)
                workload = Workload(
                    test.rpartition("::")[2],
                    SimulatedModel(device, self.works[side.revision][test], quality),
                    lambda _: None,
                    quality=_quality if quality is not None else None,
                    unit="image",
                    version=self.versions.get(side.revision, "1"),
                )
                session.measure(baseline_of(workload), None, 1, runtime=ORIGIN, nodeid=test)
            return session.finish(0)
        finally:
            session.abandon()


def _quality(model: object) -> Quality:
    assert isinstance(model, SimulatedModel)
    assert model.quality is not None
    return Quality("accuracy", model.quality, 1000)


def lab(
    base: Mapping[str, Work] | None = None, head: Mapping[str, Work] | None = None, **more: object
) -> Lab:
    """A lab of `BASE` and `HEAD`; by default both run two works that are the same."""
    same = {A: WORK, B: WORK}
    works = {BASE.revision: base or same, HEAD.revision: head or base or same}
    return Lab(works, **more)  # type: ignore[arg-type] # the fields of Lab


def without_counter(_: int) -> DeviceModel:
    """A device that nothing reads."""
    return DeviceModel(counters=(), noise=0.001)


def seen_by(counter: Counter) -> Callable[[int], DeviceModel]:
    """A quiet device with that counter."""
    return lambda _: DeviceModel((counter,), noise=0.001, power_noise=0.001)
