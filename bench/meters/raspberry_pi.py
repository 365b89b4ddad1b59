"""The rails of a Raspberry Pi 5, as its power chip measures them, through ``vcgencmd``."""

import time
from collections.abc import Mapping, Sequence

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable, probe
from bench.meters._pmic import (
    OLDER_FIX,
    PAIRS,
    LateError,
    PmicError,
    Ran,
    Run,
    answer,
    rails_w,
    run_within,
    sum_w,
    throttled_bits,
)
from bench.quantities import Kind

PRECEDENCE = 40

_PMIC, _BOARD = "board/dc/pmic", "board/dc"
_DEADLINE_S = 2.0  # an answer takes 25 ms; zeus measured 23 ms, nearly all in the firmware
_NOMINAL_S = 0.05  # the chip's converter was seen to refresh 21 times a second
_PROBE_S, _PROBE_CHANGES = 1.0, 10
# Each poll runs two programs, and five a second are known not to slow a workload down.
_POLL_S = 0.4
# The steps of published samples, 26.8 mA on the core, 0.98 mA on seven rails, 0.061 mA on four,
# 0.37 mV on all, sum up to 0.04 W.
_STEP_W = 0.05
_P_MAX_W = 27.0  # its supply gives 5 A at 5.1 V
# Two fits of a bare board's input to the sum of its rails were published; over 0.5 to 27 W they
# differ by up to 4 %.
_GAIN, _OFFSET_W = 1.1451, 0.5879
_FIT_RANGE = (0.85, 1.2)
_NOW = {0: "under-voltage", 2: "the clock is lowered", 3: "the soft temperature limit"}
_STICKY = {16: "under-voltage", 18: "a lowered clock", 19: "the soft temperature limit"}
_POWER_FIX = "use the 27 W supply and a fan"


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the rails of this Raspberry Pi.

    Raises:
        MeterUnavailable: There is no vcgencmd, it may not be used, or it tells no currents.
    """
    return RaspberryPiMeter(run_within(_DEADLINE_S, environment))


class RaspberryPiMeter:
    """The sum of the rails behind the power chip, and what the board draws by a published fit.

    Args:
        run: Runs a program.
        clock: Monotonic time in ns.

    Raises:
        MeterUnavailable: The rails cannot be read, or some of them are missing.
    """

    name = "raspberry_pi"

    def __init__(self, run: Run, *, clock: Clock = time.monotonic_ns) -> None:
        self._run, self._clock = run, clock
        self.children_cpu_s = 0.0
        self._unusable: list[Unusable] = []
        try:
            self._rails = frozenset(rails_w(answer(self._counted, "pmic_read_adc")))
            self._require_all()
            seen = probe(self._watts, longest_s=_PROBE_S, changes=_PROBE_CHANGES, clock=clock)
        except PmicError as error:
            raise MeterUnavailable(error.reason, error.fix, error.status) from error
        interval_s = max(_NOMINAL_S, seen.update_interval_s if seen else 0.0)
        known = self._rails == PAIRS
        self._channels = (_pmic(interval_s), *([_board(interval_s)] if known else []))
        self._bits_at_open = self._bits_or_refuse()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The sum of the rails, and the board by the fit."""
        return self._channels

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """What this firmware does not tell."""
        return tuple(self._unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each channel, both from one answer."""
        t0 = self._clock()
        try:
            watts = self._watts()
        except PmicError as error:
            status, reason = error.status, str(error)
            if status is Status.UNAVAILABLE:  # it was there when the meter was opened
                status = Status.LOST
            return self._failed(t0, status, reason)
        t1 = self._clock()
        if not 0 <= watts <= _P_MAX_W:
            reason = f"the rails sum up to {watts:.4g} W, and 0 to {_P_MAX_W:g} W are possible"
            return self._failed(t0, Status.ERROR, f"{reason}; this reading is left out")
        values = {_PMIC: watts, _BOARD: board_w(watts)}
        return tuple(Reading(c.id, t0, t1, values[c.id]) for c in self._channels)

    def flags(self) -> tuple[str, ...]:
        """Why the board is slower than it could be now, or has been since it was opened."""
        try:
            bits = self._bits()
        except PmicError as error:
            return (f"whether the board is throttled is not known: {error}",)
        now = [f"throttled: {what}; {_POWER_FIX}" for bit, what in _NOW.items() if bits >> bit & 1]
        new = bits & ~self._bits_at_open
        since = [
            f"throttled: {what} since the meter was opened; {_POWER_FIX}"
            for bit, what in _STICKY.items()
            if new >> bit & 1
        ]
        return (*now, *since)

    def close(self) -> None:
        """Nothing is held: each answer is a program of its own."""

    def _counted(self, command: Sequence[str]) -> Ran:
        """Runs a program, and adds up the CPU time that they take."""
        try:
            ran = self._run(command)
        except LateError as error:
            self.children_cpu_s += error.cpu_s
            raise
        self.children_cpu_s += ran.cpu_s
        return ran

    def _watts(self) -> float:
        return sum_w(rails_w(answer(self._counted, "pmic_read_adc")), self._rails)

    def _bits(self) -> int:
        return throttled_bits(answer(self._counted, "get_throttled"))

    def _failed(self, t0: int, status: Status, reason: str) -> tuple[Reading, ...]:
        t1 = self._clock()
        return tuple(Reading(c.id, t0, t1, None, status, reason) for c in self._channels)

    def _require_all(self) -> None:
        """Refuses a board of which some rails are missing, and the fit for one with others."""
        missing, new = sorted(PAIRS - self._rails), sorted(self._rails - PAIRS)
        if len(self._rails) < len(PAIRS):
            told = f"; it tells {', '.join(new)} instead" if new else ""
            reason = f"vcgencmd does not tell the rail {', '.join(missing)}{told}"
            fix = f"update the firmware: sudo rpi-eeprom-update -a; {OLDER_FIX}"
            raise PmicError(Status.NOT_SUPPORTED, reason, fix)
        if new:
            reason = f"the fit was made for other rails: {', '.join(new)} is new"
            fix = f"report it with what vcgencmd pmic_read_adc says; {_PMIC} is read"
            self._unusable.append(Unusable(_BOARD, Status.NOT_SUPPORTED, reason, fix))

    def _bits_or_refuse(self) -> int:
        try:
            return self._bits()
        except PmicError as error:
            what = Unusable("vcgencmd get_throttled", error.status, error.reason, error.fix)
            self._unusable.append(what)
            return 0


def board_w(pmic_w: float) -> float:
    """The power that a bare board draws, W, by the published fit.

    >>> round(board_w(4.0), 4)
    5.1683
    """
    return _GAIN * pmic_w + _OFFSET_W


def _pmic(interval_s: float) -> Channel:
    return Channel(
        id=_PMIC,
        domain="pmic",
        kind=Kind.SAMPLED,
        boundary="pmic-outputs",
        resolution=_STEP_W,
        update_interval_s=interval_s,
        wrap=None,
        p_max_w=_P_MAX_W,
        origin="vcgencmd:pmic_read_adc",
        note=(
            "the sum of the rails behind the power chip; outside it are the chip's own losses, and"
            " what hangs on 5 V: USB, HAT, fan, NVMe"
        ),
        unit="W",
        poll_s=_POLL_S,
    )


def _board(interval_s: float) -> Channel:
    low, high = _FIT_RANGE
    return Channel(
        id=_BOARD,
        domain="board",
        kind=Kind.ESTIMATED,
        boundary="bare-board",
        resolution=_GAIN * _STEP_W,
        update_interval_s=interval_s,
        wrap=None,
        p_max_w=board_w(_P_MAX_W),
        origin="vcgencmd:pmic_read_adc",
        range=_FIT_RANGE,
        note=(
            f"{_GAIN} · {_PMIC} + {_OFFSET_W} W, a published fit for a board with nothing on USB,"
            f" HAT or fan; there the truth may lie between {low:g} and {high:g} times this"
        ),
        unit="W",
        poll_s=_POLL_S,
    )
