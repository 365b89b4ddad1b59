"""The energy of any program: ``joulebench measure -- COMMAND``."""

import dataclasses
import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.cover import cover, total
from bench.cross_check import cross_checks
from bench.instruments import Instruments
from bench.meter import Channel
from bench.quantities import Absent, Quantity
from bench.window import ChannelEnergy, doubts


class CommandError(RuntimeError):
    """The command could not be started; *exit_code* is what a shell would give."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command took.

    Args:
        t0_ns: CLOCK_MONOTONIC just before it was started, ns.
        t1_ns: CLOCK_MONOTONIC just after it ended, ns.
        exit_code: Its own; 128 + n if signal n killed it.
        channels: The channels that were read.
        energy: The energy of each.
        total: The sum over a cover of them, or why there is none.
        cpu_seconds: CPU time of it and of the children that it waited for, s.
        flags: What spoiled the window, such as throttling.
        observer_cpu_s: CPU time that reading the meters took while it ran, s.
    """

    t0_ns: int
    t1_ns: int
    exit_code: int
    channels: tuple[Channel, ...]
    energy: tuple[ChannelEnergy, ...]
    total: Quantity | Absent
    cpu_seconds: float
    flags: tuple[str, ...] = ()
    observer_cpu_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length of the window, s."""
        return (self.t1_ns - self.t0_ns) / 1e9

    def as_json(self) -> dict[str, Any]:
        """The outcome as one object; what was not measured is null, with the reason."""
        domains = {channel.id: channel.domain for channel in self.channels}
        whole: Mapping[str, Any] | None = None
        if isinstance(self.total, Quantity):
            whole = {
                "joules": self.total.value,
                "low": self.total.low,
                "high": self.total.high,
                "kind": self.total.kind,
                "boundary": self.total.boundary,
            }
        return {
            "t0_ns": self.t0_ns,
            "t1_ns": self.t1_ns,
            "duration_s": self.duration_s,
            "exit_code": self.exit_code,
            "energy": [
                {**dataclasses.asdict(energy), "domain": domains[energy.channel]}
                for energy in self.energy
            ],
            "total": whole,
            "reason": None if isinstance(self.total, Quantity) else str(self.total),
            "cpu_seconds": self.cpu_seconds,
            "flags": list(self.flags),
            "cross_checks": [
                {"channel": c.channel, "route": c.route, "ratio": c.ratio, "agrees": c.agrees}
                for c in cross_checks([self.energy])
            ],
            "observer_cpu_s": self.observer_cpu_s,
        }

    def lines(self) -> Iterator[str]:
        """The outcome for a person."""
        yield f"time    {self.duration_s:.4g} s   CPU {self.cpu_seconds:.4g} s"
        if isinstance(self.total, Absent):
            yield f"energy  NOT MEASURED: {self.total}"
        else:
            watts = self.total.value / self.duration_s
            yield f"energy  {_joules(self.total)}   {watts:.4g} W   {self.total.boundary}"
        for energy in self.energy:
            quantity = energy.quantity()
            if isinstance(quantity, Absent):
                yield f"        {quantity}"
            elif quantity.kind.is_reading:
                yield f"        {energy.channel}: {_joules(quantity)}"
            else:
                low, high = quantity.low, quantity.high
                yield f"        {energy.channel}: ≈ {low:.2g}–{high:.2g} J {energy.kind}"
        for check in cross_checks([self.energy]):
            yield f"check   {check}"
        for flag in self.flags:
            yield f"flag    {flag}"


def _joules(quantity: Quantity) -> str:
    low, high = quantity.low, quantity.high
    return f"{quantity.value:.4g} J [{low:.4g}, {high:.4g}] {quantity.kind}"


def measure_command(command: Sequence[str], instruments: Instruments) -> Outcome:
    """Runs a command, and reads all meters around it.

    Meters are read in between as often as their wrap or their kind asks for.

    Args:
        command: Program and arguments.
        instruments: Open meters.

    Raises:
        CommandError: The program was not found or cannot be executed.
    """
    clock = instruments.clock
    cpu = _children_cpu_s() - instruments.children_cpu_s
    ended: tuple[int, int] | None = None
    try:
        with instruments.recording() as recording:
            t0_ns = clock()
            code = _run(command)
            ended = code, clock()
            used = _children_cpu_s() - instruments.children_cpu_s - cpu
    except KeyboardInterrupt:
        if ended is None:
            raise
        # the command has ended, and only its meters were awaited: its outcome is not lost
    code, t1_ns = ended
    energy = instruments.energy(recording, t0_ns, t1_ns)
    return Outcome(
        t0_ns,
        t1_ns,
        code if code >= 0 else 128 - code,
        instruments.channels,
        energy,
        total(energy, cover(instruments.channels, instruments.device)),
        used,
        (*recording.flags, *doubts(energy)),
        recording.observer_cpu_s,
    )


def _run(command: Sequence[str]) -> int:
    """Runs the command and waits for it; gives its exit code.

    The terminal sends Ctrl-C to the command too: it decides, and we report what it took. A
    handler that does nothing, unlike SIG_IGN, is not handed on to the command.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.Popen(command).wait()  # noqa: S603 - running it is what was asked for
    except FileNotFoundError as error:
        raise CommandError(f"{command[0]}: not found; is it on the PATH?", 127) from error
    except OSError as error:
        raise CommandError(f"{command[0]} cannot be executed: {error.strerror}", 126) from error
    finally:
        signal.signal(signal.SIGINT, before)


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
