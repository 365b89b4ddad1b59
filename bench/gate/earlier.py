"""What the nights before have answered: the noise of a case, and the change that is accepted.

Each night's answer stands in its folder. The noise of a case is the scatter of its ratios over the
last nights: 1.4826 times their median distance from their median, so that a night on which it did
change counts for little.
"""

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.gate.answer import ENERGY, TIME
from bench.gate.known import Known
from bench.gate.machine_answer import ANSWER

NIGHTS = 20
"""How many of the last nights count (shared/users.md §6.5)."""

_MOST = 2 * NIGHTS  # answers that are read; not every night has every case
_LEAST = 5  # nights; the scatter of fewer says nothing
_NORMAL = 1.4826  # standard deviation of a normal distribution per median absolute deviation


def with_noise(known: Mapping[str, Known], folder: Path, machine: str) -> dict[str, Known]:
    """What is known of some cases, with the noise of each over the nights before.

    Args:
        known: By case.
        folder: Of tonight's evidence; the nights before lie beside it.
        machine: Id of the machine; nights of another one do not count.
    """
    ratios: dict[tuple[str, str], list[float]] = {}
    before = [path for path in folder.parent.glob(f"*/{ANSWER}") if path.parent.name < folder.name]
    for path in sorted(before, reverse=True)[:_MOST]:
        for key, log in _logs(path, machine).items():
            if key[0] in known and len(ratios.setdefault(key, [])) < NIGHTS:
                ratios[key].append(log)
    return {case: _told(each, case, ratios) for case, each in known.items()}


def _told(known: Known, case: str, ratios: Mapping[tuple[str, str], list[float]]) -> Known:
    own = {quantity: logs for (of, quantity), logs in ratios.items() if of == case}
    noise = {quantity: scatter(logs) for quantity, logs in own.items() if len(logs) >= _LEAST}
    return replace(known, noise=noise, nights=max(map(len, own.values()), default=0))


def scatter(logs: list[float]) -> float:
    """The robust standard deviation of logarithms of ratios, as a share.

    >>> scatter([0.0, 0.0, 0.0, 0.5])
    0.0
    """
    middle = statistics.median(logs)
    return math.expm1(_NORMAL * statistics.median(abs(log - middle) for log in logs))


class Change(NamedTuple):
    """What a night has said of a case: head ÷ base, and the name of its folder."""

    ratio: float
    night: str


def change_of(case: str, commit: str, nights: Path) -> Change | None:
    """The change of a case at a commit as the newest night with both tells it, energy first.

    Args:
        case: Its id.
        commit: Hash of the head of that night.
        nights: Folder of all nights.
    """
    for path in sorted(nights.glob(f"*/{ANSWER}"), reverse=True)[:_MOST]:
        found = {
            each["quantity"]: each["ratio"]["value"]
            for each in _decisions(path)
            if each["case"] == case and each["ratio"] and each["head"]["commit"] == commit
        }
        if found:
            return Change(found.get(ENERGY) or found[TIME], path.parent.name)
    return None


def _logs(path: Path, machine: str) -> dict[tuple[str, str], float]:
    """ln(head ÷ base) of each case and quantity of a night."""
    return {
        (each["case"], each["quantity"]): math.log(each["ratio"]["value"])
        for each in _decisions(path)
        if each["ratio"] and each["head"]["machine"] in {None, machine}
    }


def _decisions(path: Path) -> list[dict[str, Any]]:
    """What a night has decided; nothing of one that cannot be read: it is no more than a hint."""
    try:
        answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        decisions = answer["decisions"]
        for each in decisions:
            if each["ratio"] and not 0 < float(each["ratio"]["value"]) < math.inf:
                return []
            _ = each["case"], each["quantity"], each["head"]["machine"], each["head"]["commit"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return list(decisions)
