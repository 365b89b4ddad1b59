"""The nights before a night, as an index has them: comparable values, A/A spreads, noise. Pure.

Comparable nights are those of one machine, device, workload version and unit; for energy also of
one kind, boundary and set of channels.
"""

import math
import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from bench.history.index import Index
from bench.history.noise import is_usable, nights_of
from bench.history.table import Table

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
    found: dict[Key, deque[float]] = {each: deque(maxlen=most) for each in now.rows(same)}
    begins = begins or {}
    for value, started, *key in before.rows((column, "started", *same)):
        values = found.get(tuple(key))
        if values is not None and is_usable(value) and started >= begins.get(key[0], ""):
            values.append(value)
    return {key: list(values) for key, values in found.items()}


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
    for name, is_control, ratio, *kind in earlier(index, journal).rows(names):
        if is_control and is_usable(ratio) and (quantity != "energy" or tuple(kind) in kinds):
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
