"""More of NVML than `emulators.FakeNvml`: field values, power gauges, scopes, reasons, processes.

Each board draws one known power; its counter and its gauges show that power as shared/counters.md
§2 says they do: held from refresh to refresh, averaged, in whole milliwatts and millijoules.
"""

# ruff: noqa: N802 - the names are those of the library that is stood for

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from emulators import Count, FakeNvml, Gpu, NVMLError, VirtualClock
from known_power import KnownPower

from bench.meters._nvml_flags import Processes
from bench.meters.replay import PowerTrace

ENERGY = "nvmlDeviceGetTotalEnergyConsumption"
USAGE = "nvmlDeviceGetPowerUsage"
FIELDS = "nvmlDeviceGetFieldValues"
REASONS = "nvmlDeviceGetCurrentClocksEventReasons"
OLD_REASONS = "nvmlDeviceGetCurrentClocksThrottleReasons"
PROCESSES = "nvmlDeviceGetComputeRunningProcesses"
UINT, ULL = 1, 3
GPU, MODULE, MEMORY = 0, 1, 2
MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")


def level(watts: float) -> KnownPower:
    """A power that never changes."""
    return KnownPower([watts], [1.0])


@dataclass
class Board(Gpu):
    """A GPU with everything; what it lacks stands in *errors* and *fields*.

    Args:
        power: What the board draws, W.
        hold_s: From one refresh of its counter and its gauges to the next.
        phase_s: Time of the first refresh.
        sensor_s: Time over which its instant gauge averages.
        architecture: NVML's number; None if the driver does not know the function.
        fields: What each (field, scope) returns instead of its value: 0 is its value.
        value_type: Type in which its fields come.
        flicker: Whether its gauges show the last digit now up, now down, as real ones do.
        cpu: What the rest of its module draws; None if it sits on no module.
        module_energy: Whether its total-energy function counts the module, as on GH200.
        every_scope: Whether its driver shows the one count whatever scope is asked for.
        memory: Share of its power that its memory draws; None if that is not told.
        reasons: Bits that hold the clocks back.
        pids: Processes that compute on it.
        shows_mw: What its gauges show instead of its power.
    """

    power: KnownPower = field(default_factory=lambda: level(300))
    hold_s: float = 0.1
    phase_s: float = 0.0
    sensor_s: float = 0.1
    architecture: int | None = 9
    fields: dict[tuple[int, int], int] = field(default_factory=dict)
    value_type: int | None = None
    flicker: bool = True
    cpu: KnownPower | None = None
    module_energy: bool = False
    every_scope: bool = False
    memory: float | None = None
    reasons: int = 0
    pids: Sequence[int] = ()
    shows_mw: int | None = None
    clock_mhz: int = 1500
    celsius: int = 45
    limit_mw: int = 700_000

    def tick_s(self, now_s: float) -> float:
        """The last refresh."""
        return (now_s - self.phase_s) // self.hold_s * self.hold_s + self.phase_s

    def gauge_mw(self, now_s: float, average_s: float) -> int:
        """What a gauge shows: the mean before the last refresh, less or more than it by a digit."""
        if self.shows_mw is not None:
            return self.shows_mw
        tick_s = self.tick_s(now_s)
        shown = int(round(self.power.mean(tick_s - average_s, tick_s) * 1e3, 3))
        return shown + (round((tick_s - self.phase_s) / self.hold_s) % 2 if self.flicker else 0)

    def scope_mj(self, scope: int, now_ns: int) -> int:
        """What the energy counter of a scope shows."""
        board = self.energy.at(now_ns)
        if scope == MODULE and self.cpu is not None:
            tick_s = max(0.0, self.tick_s(now_ns / 1e9))
            return board + 7_000_000 + int(self.cpu.energy(0, tick_s) * 1e3)
        if scope == MEMORY and self.memory is not None:
            return int(board * self.memory)
        if scope == GPU or self.every_scope:
            return board
        raise NVMLError(3)

    def count_mj(self, now_ns: int) -> int:
        """What the total-energy function shows."""
        return self.scope_mj(MODULE if self.module_energy else GPU, now_ns)


def board(uuid: str, power: KnownPower, **settings: Any) -> Board:
    """A board whose counter began with 5 kJ."""
    found = Board(uuid, cast("Count", None), power=power, **settings)
    hold_ns, phase_ns = round(found.hold_s * 1e9), round(found.phase_s * 1e9)
    known = cast("PowerTrace", power)  # it has the same energy()
    found.energy = Count(known, 1_000_000, hold_ns, phase_ns, start=5_000_000, wrap=None)
    return found


def without_counter(uuid: str, power: KnownPower, *fields: int, **settings: Any) -> Board:
    """A board without an energy counter; of the power fields it has only *fields*."""
    found = board(uuid, power, **settings)
    found.errors[ENERGY] = 3
    found.fields.update({(each, GPU): 3 for each in (83, 185, 186) if each not in fields})
    return found


class Nvml(FakeNvml):
    """What the meter and the probe use of pynvml.

    Args:
        gpus: The boards, in NVML's order.
        clock: Virtual time; a look at a counter or a gauge takes half of one of its steps.
        errors: Codes by function, for all boards.
        absent: Functions that this release of the library does not have.
    """

    class NVMLLibraryMismatchError(Exception):
        pass

    def __init__(
        self,
        gpus: Sequence[Board],
        clock: VirtualClock,
        errors: Mapping[str, int] | None = None,
        absent: Sequence[str] = (),
    ) -> None:
        super().__init__(gpus, clock, errors)
        self.boards = gpus
        self.absent = frozenset(absent)
        self.mismatched = False

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("nvml") and name in self.absent:
            raise AttributeError(name)
        return super().__getattribute__(name)

    def _look(self) -> int:
        self.clock.now_ns += self.clock.step_ns // 2
        return self.clock.now_ns

    def _board(self, handle: Gpu, function: str) -> Board:
        assert isinstance(handle, Board)
        self._call(function, handle)
        return handle

    def nvmlDeviceGetClockInfo(self, handle: Gpu, clock: int) -> int:
        assert clock == 1, "the clock of the multiprocessors"
        return self._board(handle, "nvmlDeviceGetClockInfo").clock_mhz

    def nvmlDeviceGetTemperature(self, handle: Gpu, sensor: int) -> int:
        assert sensor == 0, "the die"
        return self._board(handle, "nvmlDeviceGetTemperature").celsius

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: Gpu) -> int:
        return self._board(handle, "nvmlDeviceGetEnforcedPowerLimit").limit_mw

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Gpu:
        self._call("nvmlDeviceGetHandleByUUID")
        for each in self.boards:
            if each.uuid == uuid:
                return each
        raise NVMLError(6)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Gpu) -> int:
        return self._board(handle, ENERGY).count_mj(self._look())

    def nvmlDeviceGetPowerUsage(self, handle: Gpu) -> int:
        found = self._board(handle, USAGE)
        instant = found.architecture is not None and (
            found.architecture < 7 or (found.architecture == 7 and "A100" in found.name)
        )
        return found.gauge_mw(self._look() / 1e9, found.sensor_s if instant else 1.0)

    def nvmlDeviceGetFieldValues(
        self, handle: Gpu, ids: Sequence[tuple[int, int]]
    ) -> list[SimpleNamespace]:
        found = self._board(handle, FIELDS)
        return [self._field(found, *each) for each in ids]

    def _field(self, found: Board, field_id: int, scope: int) -> SimpleNamespace:
        value, kind = 0, UINT
        code = found.fields.get((field_id, scope), 0)
        if not code:
            try:
                value, kind = self._raw(found, field_id, scope)
            except NVMLError as error:
                code = error.value
        kind = kind if found.value_type is None else found.value_type
        # only the member of its type holds the value: to read another one is an error
        union = SimpleNamespace(**{MEMBERS[kind]: value}) if kind < len(MEMBERS) else None
        return SimpleNamespace(
            fieldId=field_id, scopeId=scope, nvmlReturn=code, valueType=kind, value=union
        )

    def _raw(self, found: Board, field_id: int, scope: int) -> tuple[int, int]:
        if field_id == 83:
            return found.scope_mj(scope, self._look()), ULL
        if field_id in {185, 186} and scope == GPU:
            average_s = 1.0 if field_id == 185 else found.sensor_s
            return found.gauge_mw(self._look() / 1e9, average_s), UINT
        raise NVMLError(3)

    def nvmlDeviceGetArchitecture(self, handle: Gpu) -> int:
        found = self._board(handle, "nvmlDeviceGetArchitecture")
        if found.architecture is None:
            raise NVMLError(13)
        return found.architecture

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: Gpu) -> int:
        return self._board(handle, REASONS).reasons

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: Gpu) -> int:
        return self._board(handle, OLD_REASONS).reasons

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Gpu) -> list[SimpleNamespace]:
        if self.mismatched:
            raise self.NVMLLibraryMismatchError("use a versioned function")
        found = self._board(handle, PROCESSES)
        return [SimpleNamespace(pid=pid) for pid in found.pids]

    def nvmlDeviceGetComputeRunningProcesses_v2(self, handle: Gpu) -> list[SimpleNamespace]:
        found = self._board(handle, f"{PROCESSES}_v2")
        return [SimpleNamespace(pid=pid) for pid in found.pids]

    def nvmlSystemGetDriverVersion(self) -> str:
        self._call("nvmlSystemGetDriverVersion")
        return "570.00"


def machine(
    proc: Path, parents: Mapping[int, int], *, own: int = 100, hidden: Sequence[int] = ()
) -> Processes:
    """The processes of a machine, each with its parent; *hidden* ones are another user's.

    A negative parent makes a thread of that process.
    """
    for pid, parent in parents.items():
        (proc / str(pid)).mkdir(parents=True, exist_ok=True)
        group, above = (pid, parent) if parent >= 0 else (-parent, parents[-parent])
        status = f"Name:\tpy: thon\nTgid:\t{group}\nPid:\t{pid}\nPPid:\t{above}\n"
        (proc / str(pid) / "status").write_text(status)
    (proc / "self" / "ns").mkdir(parents=True, exist_ok=True)
    (proc / "self" / "ns" / "pid").symlink_to("pid:[4026531836]")

    def kill(pid: int, signal: int) -> None:
        assert signal == 0
        if pid in hidden:
            raise PermissionError(pid)
        if pid not in parents:
            raise ProcessLookupError(pid)

    return Processes(own=own, proc=proc, kill=kill)
