"""The nights before a night, as an index has them: comparable values, A/A spreads, noise. Pure.

Comparable nights are those of one machine, device, workload version and unit; for energy also of
one kind, boundary and set of channels.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.history.index import Index
from bench.history.noise import nights_of
from bench.history.table import Table, stacked

MOST = 100
"""How many comparable nights back."""

SPREAD_NIGHTS = 30
"""How many nights back A/A spreads count."""

NOISE_NIGHTS = 20
"""How many nights back the noise of a case counts."""

SAME = ("case", "device_id", "unit", "workload_version")
"""Columns that are equal in nights of which the time can be compared."""

SAME_ENERGY = ("kind", "boundary", "channels")
"""Columns that are equal besides, for the energy."""

COLUMNS = (
    "journal", "started", *SAME, *SAME_ENERGY, "energy", "time", "estimate", "energy_step",
    "absent", "is_control", "windows",
    *(f"{name}_ratio{end}" for name in ("energy", "time") for end in ("", "_low", "_high")),
)  # fmt: skip
"""Columns of an index that a night is judged by."""

_LEAST = 3  # nights that show a noise

Key = tuple[Any, ...]


def cases_of(index: Index, journal: str) -> Table:
    """The cases of one journal."""
    return index.cases.where(index.cases.is_("journal", journal))


def earlier(index: Index, journal: str) -> Table:
    """The cases of the runs of the same machine that began before a journal's, oldest first.

    A machine that no journal names is no machine: nothing is comparable with it.
    """
    runs = list(index.runs.rows(("journal", "machine")))
    place = index.runs["journal"].index(journal)
    machine = runs[place][1]
    names = {name for name, id_ in runs[:place] if id_ == machine and id_}
    return index.cases.where(index.cases.within("journal", names))


def histories(
    now: Table,
    before: Table,
    column: str,
    same: Sequence[str],
    *,
    begins: Mapping[str, str] | None = None,
    most: int = MOST,
) -> dict[Key, list[float]]:
    """The values of the comparable nights of each of a night's cases, oldest first.

    Args:
        now: The cases of the night.
        before: Those of the nights before it, oldest first.
        column: ``energy``, ``time`` or ``estimate``.
        same: Columns that must be equal; the first is the case.
        begins: By case the UTC time before which nights do not count.
        most: How many nights at most; the last ones count.
    """
    keys = list(now.rows(same))
    codes = stacked((now, before), same).codes(same)
    wanted, theirs = codes[: len(keys)], codes[len(keys) :]
    rows = np.flatnonzero(_usable(before, column) & _counts(before, begins or {}))
    rows = rows[theirs[rows].argsort(kind="stable")]
    values, theirs = before.numbers(column)[rows], theirs[rows]
    ends = zip(*(np.searchsorted(theirs, wanted, side) for side in ("left", "right")), strict=True)
    return {
        key: values[max(begin, end - most) : end].tolist()
        for key, (begin, end) in zip(keys, ends, strict=True)
    }


def _usable(table: Table, column: str) -> NDArray[Any]:
    """Which rows have a number as `is_usable` wants it."""
    values = table.numbers(column)
    return np.asarray((values > 0) & (values < math.inf))


def _counts(before: Table, begins: Mapping[str, str]) -> NDArray[Any]:
    """Which rows are not before the time from which their case counts."""
    found = np.ones(len(before), dtype=bool)
    for case, since in begins.items():
        found &= ~before.is_("case", case) | ~before.less("started", since)
    return found


def same_of(quantity: str) -> tuple[str, ...]:
    """The columns that are equal in comparable nights of ``energy`` or ``time``."""
    return (*SAME, *SAME_ENERGY) if quantity == "energy" else SAME


def canary_spreads(
    index: Index, journal: str, quantity: str = "energy", nights: int = SPREAD_NIGHTS
) -> tuple[float, ...]:
    """The A/A spread of each night before a journal's, of its machine, oldest first.

    A spread is the median of |ln ratio| over the night's baselines that ran beside themselves; of
    energy, those of the kinds and boundaries that the journal's own have.
    """
    kinds = set(cases_of(index, journal).rows(("kind", "boundary")))
    found: dict[str, list[float]] = {}
    names = ("journal", "is_control", f"{quantity}_ratio", "kind", "boundary")
    before = earlier(index, journal).of(names)
    is_one = (before.numbers("is_control") != 0) & _usable(before, f"{quantity}_ratio")
    for name, _, ratio, *kind in before.where(is_one).rows(names):
        if quantity != "energy" or tuple(kind) in kinds:
            found.setdefault(name, []).append(abs(math.log(ratio)))
    return tuple(statistics.median(each) for each in found.values())[-nights:]


def case_noise(
    index: Index, journal: str, case: str, quantity: str = "energy", nights: int = NOISE_NIGHTS
) -> float | None:
    """Standard deviation of a case from night to night, as a share; None below three nights.

    Args:
        index: Of the results folder.
        journal: The nights lie before it.
        case: Its id.
        quantity: ``energy`` or ``time``.
        nights: How many at most.
    """
    now, before = cases_of(index, journal), earlier(index, journal)
    now, before = (each.where(each.is_("case", case)) for each in (now, before))
    found = histories(now, before, quantity, same_of(quantity), most=nights)
    values = next(iter(found.values()), [])
    return nights_of(values).spread if len(values) >= _LEAST else None
