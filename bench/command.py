"""The energy of any program: ``joulebench measure -- COMMAND``."""

import dataclasses
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.instruments import Instruments
from bench.meter import Channel, Reading
from bench.quantities import Absent, Quantity
from bench.window import ChannelEnergy, cover, total

_LONGEST_WAIT_S = 60.0


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
    """

    t0_ns: int
    t1_ns: int
    exit_code: int
    channels: tuple[Channel, ...]
    energy: tuple[ChannelEnergy, ...]
    total: Quantity | Absent
    cpu_seconds: float

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


def _joules(quantity: Quantity) -> str:
    low, high = quantity.low, quantity.high
    return f"{quantity.value:.4g} J [{low:.4g}, {high:.4g}] {quantity.kind}"


def measure_command(command: Sequence[str], instruments: Instruments) -> Outcome:
    """Runs a command, and reads all meters around it.

    Counters are read in between as often as their wrap asks for.

    Args:
        command: Program and arguments.
        instruments: Open meters.

    Raises:
        CommandError: The program was not found or cannot be executed.
    """
    clock = instruments.clock
    cpu = _children_cpu_s()
    readings = [instruments.read()]
    t0_ns = clock()
    try:
        process = subprocess.Popen(command)  # noqa: S603 - running it is what was asked for
    except FileNotFoundError as error:
        raise CommandError(f"{command[0]}: not found; is it on the PATH?", 127) from error
    except OSError as error:
        raise CommandError(f"{command[0]} cannot be executed: {error.strerror}", 126) from error
    code, t1_ns = _wait(process, instruments, readings)
    readings.append(instruments.read())
    energy = instruments.energy(readings, t0_ns, t1_ns)
    return Outcome(
        t0_ns,
        t1_ns,
        code if code >= 0 else 128 - code,
        instruments.channels,
        energy,
        total(energy, cover(instruments.channels, "")),
        _children_cpu_s() - cpu,
    )


def _wait(
    process: "subprocess.Popen[bytes]",
    instruments: Instruments,
    readings: list[dict[str, Reading]],
) -> tuple[int, int]:
    """Waits for the command; gives its exit code, and when it ended.

    A thread reads the counters before they can wrap unseen. (`Popen.wait` with a timeout would
    look only every 50 ms whether the command has ended.)
    """
    wraps = [channel.wrap / channel.p_max_w / 2 for channel in instruments.channels if channel.wrap]
    longest = min([_LONGEST_WAIT_S, *wraps])
    ended = threading.Event()

    def keep_reading() -> None:
        while not ended.wait(longest):
            readings.append(instruments.read())

    reader = threading.Thread(target=keep_reading, daemon=True)
    # the terminal sends Ctrl-C to the command too: it decides, and we report what it took
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    reader.start()
    try:
        code = process.wait()
        t1_ns = instruments.clock()
    finally:
        ended.set()
        reader.join()
        signal.signal(signal.SIGINT, before)
    return code, t1_ns


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
