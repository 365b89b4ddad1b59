"""The typical time of a sample: pure functions of a case's windows."""

import statistics

from bench.record import CaseRecord
from bench.records import Journal
from bench.replicates import replicates
from bench.row import own_windows
from bench.statistics import Interval, ratio_interval


def seconds_per_sample(journal: Journal, case: CaseRecord) -> Interval | None:
    """Time per sample, s, as the ratios take it: by the median latency of each window.

    What disturbs single calls is no property of model or machine. The interval is that of the
    logarithms, so its ends are above 0. None for fewer than two windows, or two processes where
    each side ran in several, and where a call took no time that the clock could show.
    """
    windows = own_windows(case, journal.windows_of(case.case))
    timed = [(w.latency_s.p50 / case.batch, w.process) for w in windows if w.latency_s]
    values = [seconds for seconds, _ in timed]
    if any(seconds <= 0 for seconds in values):
        return None
    each = replicates(values, [process for _, process in timed], statistics.median)
    return ratio_interval([(1.0, seconds) for seconds in each])
