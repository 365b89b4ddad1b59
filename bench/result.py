"""What ``joules(…)`` gives back: one row, in the units in which people write assertions."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.compare import Row, own_windows
from bench.quantities import Absent, NotMeasuredError, Quantity
from bench.record import Latency, Window
from bench.statistics import Interval, Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one measured case.

    Args:
        row: The case as in the report's table; None if nothing was measured (smoke run).
        windows: The windows it rests on.
    """

    row: Row | None = None
    windows: Sequence[Window] = ()

    def _measured_row(self) -> Row:
        if self.row is None:
            raise NotMeasuredError("nothing was measured; run with --benchmark")
        return self.row

    @property
    def own_windows(self) -> tuple[Window, ...]:
        """The windows of the thing itself, without those of the baseline beside it."""
        return own_windows(self._measured_row().case, self.windows)

    @property
    def energy_mj(self) -> Quantity:
        """Energy per sample in mJ, idle included, with ``value``, ``low``, ``high``, ``kind``.

        Raises:
            NotMeasuredError: No instrument measured it; the message says why.
        """
        energy = self._measured_row().energy
        if isinstance(energy, Absent):
            raise NotMeasuredError(f"energy was not measured: {energy}")
        return energy.scaled(1e3, "mJ/sample")

    @property
    def latency_ms(self) -> Latency:
        """Latency of a call in ms: ``p50``, ``p95``, ``p99``, ``mean``, over all its windows.

        Raises:
            NotMeasuredError: It was a smoke run.
        """
        self._measured_row()
        own = [window.latency_s for window in self.own_windows if window.latency_s]
        calls = sum(latency.n for latency in own)

        def over_windows(values: Sequence[float]) -> float:
            return 1e3 * sum(v * each.n for v, each in zip(values, own, strict=True)) / calls

        return Latency(
            calls,
            over_windows([each.p50 for each in own]),
            over_windows([each.p95 for each in own]),
            over_windows([each.p99 for each in own]),
            over_windows([each.mean for each in own]),
        )

    @property
    def energy_ratio(self) -> Interval:
        """Energy per sample, variant ÷ baseline, with its interval.

        Raises:
            NotMeasuredError: No instrument measured it.
        """
        row = self._measured_row()
        if row.energy_ratio is None:
            raise NotMeasuredError(_why_no_ratio(row))
        return row.energy_ratio

    @property
    def time_ratio(self) -> Interval:
        """Time per sample, variant ÷ baseline, with its interval.

        Raises:
            NotMeasuredError: It was a smoke run, or had fewer than two pairs.
        """
        ratio = self._measured_row().time_ratio
        if ratio is None:
            raise NotMeasuredError("a ratio needs two pairs; raise the number of pairs")
        return ratio

    @property
    def verdict(self) -> Verdict:
        """What the energy says.

        Raises:
            NotMeasuredError: No instrument measured it.
        """
        row = self._measured_row()
        if row.energy_verdict is Verdict.NOT_MEASURED:
            raise NotMeasuredError(_why_no_ratio(row))
        return row.energy_verdict


def _why_no_ratio(row: Row) -> str:
    if isinstance(row.energy, Absent):
        return f"energy was not measured: {row.energy}"
    return "nothing was measured beside it; run it without --joules-alone, with two pairs or more"
