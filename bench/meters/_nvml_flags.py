"""What spoils a window on a GPU: clocks that were held back, and other processes that use it."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.guard import GpuState
from bench.meters._nvml import Device, NvmlError

_THROTTLES = {
    0x04: "SW power cap",
    0x08: "HW slowdown",
    0x20: "SW thermal slowdown",
    0x40: "HW thermal slowdown",
    0x80: "HW power brake",
}
_SM_CLOCK = 1  # NVML_CLOCK_SM
_DIE = 0  # NVML_TEMPERATURE_GPU
_FIRST_NAMESPACE = "pid:[4026531836]"  # the kernel's constant PROC_PID_INIT_INO


def throttles(device: Device, uuid: str) -> Iterator[str]:
    """One line for each reason that holds the clocks back now; none if the GPU does not tell."""
    try:
        bits = int(
            device.first_of(
                "nvmlDeviceGetCurrentClocksEventReasons",
                "nvmlDeviceGetCurrentClocksThrottleReasons",  # its older name
            )
        )
    except NvmlError:
        return
    for bit, reason in _THROTTLES.items():
        if bits & bit:
            yield f"throttled: {reason} ({uuid})"


def state(device: Device, uuid: str) -> GpuState:
    """Clock, temperature and power limit of a GPU now; None for what it does not tell."""

    def told(factor: float, function: str, *arguments: object) -> float | None:
        try:
            return factor * int(device.call(function, *arguments))
        except NvmlError:
            return None

    return GpuState(
        uuid,
        clock_hz=told(1e6, "nvmlDeviceGetClockInfo", _SM_CLOCK),
        temperature_c=told(1.0, "nvmlDeviceGetTemperature", _DIE),
        power_limit_w=told(1e-3, "nvmlDeviceGetEnforcedPowerLimit"),
    )


def shared(device: Device, uuid: str, processes: "Processes") -> Iterator[str]:
    """A line if other processes compute on the GPU now: its energy includes theirs."""
    try:
        running = device.first_of(
            "nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetComputeRunningProcesses_v2"
        )
    except NvmlError:
        return
    count = processes.others(int(each.pid) for each in running)
    if count:
        noun, verb = ("process", "computes") if count == 1 else ("processes", "compute")
        yield f"shared: {count} other {noun} {verb} on {uuid}"


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of this machine, as far as they can be seen.

    Args:
        own: This process.
        proc: Where the proc file system is.
        kill: As `os.kill`: with signal 0 it tells whether a process exists.
    """

    own: int = field(default_factory=os.getpid)
    proc: Path = Path("/proc")
    kill: Callable[[int, int], None] = os.kill

    def others(self, pids: Iterable[int]) -> int:
        """How many of *pids* are certainly neither this process nor one that it started.

        Some drivers give a container the host's process ids, which say nothing in it. Of such
        ones as many may be ours as we have processes; only those beyond are certainly others.
        """
        found = [self._is_ours(pid) for pid in set(pids)]
        unseen = found.count(None)
        if unseen:
            unseen = max(0, unseen - self._ours())
        return found.count(False) + unseen

    @property
    def note(self) -> str:
        """What cannot be seen from here, for a person; an empty string if all can be."""
        try:
            namespace = str((self.proc / "self" / "ns" / "pid").readlink())
        except OSError:
            namespace = ""
        if namespace == _FIRST_NAMESPACE:
            return ""
        return "whether another container uses this GPU may go unseen here"

    def _is_ours(self, pid: int) -> bool | None:
        """Whether it is this process or below it; None if there is no such process to be seen."""
        seen = self._group_and_parent(pid)
        if seen is None:
            return False if self._is_hidden(pid) else None
        for _ in range(1000):  # a parent may change while it is followed
            group, parent = seen
            if group == self.own:
                return True
            seen = self._group_and_parent(parent)
            if seen is None:
                return False
        return False

    def _is_hidden(self, pid: int) -> bool:
        """Whether it exists, and is another user's: /proc may be mounted with hidepid."""
        if pid <= 0:
            return False
        try:
            self.kill(pid, 0)
        except PermissionError:
            return True
        except OSError:
            return False
        return False

    def _group_and_parent(self, pid: int) -> tuple[int, int] | None:
        """The process that a thread or process *pid* belongs to, and the parent of that."""
        if pid <= 0:
            return None
        try:
            lines = (self.proc / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        status = dict(line.partition(":")[::2] for line in lines.splitlines())
        try:
            return int(status["Tgid"]), int(status["PPid"])
        except (KeyError, ValueError):
            return None

    def _ours(self) -> int:
        """How many processes belong to this one, itself included."""
        try:
            pids = [int(each.name) for each in self.proc.iterdir() if each.name.isdecimal()]
        except OSError:
            pids = []
        return max(1, sum(self._is_ours(pid) is True for pid in pids))
