"""What a run is: its settings, its first record, and its journal, a new one or a resumed one."""

import dataclasses
import re
import secrets
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import machine, records
from bench.instruments import Instruments
from bench.journal_writer import JournalWriter
from bench.record import JournalError, Run
from bench.schedule import Schedule
from bench.workload import RANDOM, Sources

PACKAGES = (
    "joulebench",
    "torch",
    "torch-pruning",
    "numpy",
    "pytest",
    "pytest-benchmark",
    "nvidia-ml-py",
    "codecarbon",
    "transformers",
    "torchao",
    "onnx",
    "onnxruntime",
    "openvino",
    "nncf",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session is asked to do.

    Args:
        profile: Name of the schedule, for the record.
        schedule: How long and how often.
        meters: Meters that must open; None opens all that can.
        device: ``cpu`` or ``cuda:0``.
        results: Folder of the journals.
        seed: Orders the blocks and seeds the techniques.
        resume: Go on with the newest journal that was cut off.
        require_measured: Refuse to start without an instrument.
        raw: Keep the raw readings of every window in the journal.
        command: What the user typed.
        processes: Fresh processes in which each side runs; 0 for that of the session.
        seeds: Seeds over which the quality of variants is judged; 0 judges none.
        alone: Blocks of each case with nothing beside it; 0 measures pairs.
        sources: Where weights and data of workloads come from.
    """

    profile: str
    schedule: Schedule
    meters: tuple[str, ...] | None = None
    device: str = "cpu"
    results: Path = Path("results")
    seed: int = 0
    resume: bool = False
    require_measured: bool = False
    raw: bool = False
    command: str = field(default_factory=lambda: shlex.join(sys.argv))
    processes: int = 0
    seeds: int = 1
    alone: int = 0
    sources: Sources = field(default_factory=Sources)

    def as_record(self) -> dict[str, Any]:
        """The settings that shape the numbers, for the journal."""
        meters = None if self.meters is None else [without_passwords(m) for m in self.meters]
        return {
            "profile": self.profile,
            **dataclasses.asdict(self.schedule),
            "meters": meters,
            "device": self.device,
            "processes": self.processes,
            "seeds": self.seeds,
            # a path may name its owner: its last part tells one checkpoint from another
            "weights": Path(self.sources.weights).name,
            "data": Path(self.sources.data).name,
            **({"alone": self.alone} if self.alone else {}),
        }


def without_passwords(text: str) -> str:
    """*text* without what stands before the ``@`` of an address: a journal is shared.

    >>> without_passwords("pytest --joules-meters=plug:http://me:secret@10.0.0.7/x")
    'pytest --joules-meters=plug:http://10.0.0.7/x'
    """
    return re.sub(r"(://)[^/@\s]*@", r"\1", text)


def new_run(settings: Settings, instruments: Instruments) -> Run:
    """The first record of a journal: where, when and how it is measured."""
    state = machine.git_state(Path.cwd())
    return Run(
        run_id=secrets.token_hex(3),
        started=records.now(),
        command=without_passwords(settings.command),
        settings=settings.as_record(),
        seed=settings.seed,
        git=dataclasses.asdict(state) if state else None,
        machine=dataclasses.asdict(machine.fingerprint()),
        packages=machine.versions(PACKAGES),
        channels=instruments.channels,
        unusable=instruments.unusable,
    )


def open_journal(settings: Settings, run: Run, say: Callable[[str], None]) -> JournalWriter:
    """A new journal, or the newest one if it is to be resumed and did not end well.

    Raises:
        JournalError: It cannot be written, or was measured under other circumstances.
    """
    newest = records.journals(settings.results)[-1:] if settings.resume else []
    for path in newest:
        if b"\n" not in path.read_bytes():
            say(f"{path.name} was cut off in its first line")
            continue
        journal = records.read(path)
        if journal.end is None or journal.end.exit != 0:
            _require_same(journal.run, run, path)
            say(f"going on with {path.name}, which has {len(journal.cases)} finished cases")
            return JournalWriter.resume(path)
    if settings.resume:
        say(f"nothing to resume in {settings.results}: starting anew")
    return JournalWriter.create(settings.results, run)


_EARLIER = {"processes": 0, "alone": 0, "seeds": 1, "weights": RANDOM, "data": ""}


def _require_same(old: Run, new: Run, path: Path) -> None:
    for what, found, wanted in (
        ("machine", new.machine["id"], old.machine["id"]),
        # earlier journals say nothing of what there was not yet
        ("settings", _EARLIER | dict(new.settings), _EARLIER | dict(old.settings)),
        ("seed", new.seed, old.seed),
        ("git revision", new.git, old.git),
        ("packages", new.packages, old.packages),
        ("channels", _sources(new), _sources(old)),
    ):
        if found != wanted:
            raise JournalError(
                f"cannot resume {path}: its {what} are {wanted}, now they are {found};"
                " use the same ones, or start anew without --joules-resume"
            )


def _sources(run: Run) -> list[tuple[str, str, str, str]]:
    return [(c.id, c.kind.value, c.boundary, c.origin) for c in run.channels]
