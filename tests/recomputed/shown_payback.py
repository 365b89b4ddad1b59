"""The payback of the training again; see `recompute_payback`."""

import math
import re
from collections.abc import Mapping

from page_cases import one_case
from page_pieces import Place, RowCheck
from recompute import Number
from recompute_case import Case
from recompute_parts import is_measured
from recompute_payback import (
    earned_back,
    saved,
    training_estimate,
    training_joules,
    training_seconds,
    trainings,
)
from recompute_screen import verdict
from recompute_table import Table
from shown_digits import is_sig, is_span, sig
from shown_numbers import absent, half, outward, plus_minus

NEVER = ("no gain", "costs", "breaks quality")


def payback(place: Place, cells: Mapping[str, str]) -> bool:
    table = place.table
    case = one_case(place, cells)
    what = re.search(r"saved (energy|time) per", " ".join(cells))
    assert what is not None
    energy = what[1] == "energy"
    gain, shown = saved(case, energy=energy), list(cells.values())[-2:]
    return (
        bool(trainings(case))
        and energy == is_measured(table)
        and is_sig(cells["training, s"], training_seconds(case))
        and _joules(cells["training, J"], case, energy=energy)
        and (is_span(shown[0], gain, "J" if energy else "s") if gain else shown[0] == "—")
        and shown[1] == _earned(table, case, gain, energy=energy)
    )


def _joules(shown: str, case: Case, *, energy: bool) -> bool:
    """What an instrument read; else the range of a model, in italics; else a dash."""
    found, guess = training_joules(case), training_estimate(case)
    if found:
        return plus_minus(shown, found.value, half(found))
    if guess is None or energy:
        return absent(shown)
    return bool(re.fullmatch(r"\*[≈<] [^ ]+ est\.\*", shown)) and outward(shown.strip("*"), guess)


def _earned(table: Table, case: Case, gain: Number | None, *, energy: bool) -> str:
    """A number of samples with its interval, or in words why there is none."""
    word = verdict(table, case, energy=energy)
    if word in NEVER:
        return f"never ({word})"
    spent = training_joules(case) if energy else Number(training_seconds(case))
    if gain is None or spent is None:
        return "—"
    found = earned_back(spent, gain)
    if found is None:
        return "never (saves nothing)"
    low = _whole(found.low)
    if word == "unresolved" or math.isinf(found.high):
        return f"{low} or more (unresolved)"
    return f"{_whole(found.value)} [{low}, {_whole(found.high)}]"


def _whole(samples: float) -> str:
    """At least one; rounded up, and to three digits from a thousand on."""
    whole = max(1, math.ceil(samples))
    return sig(float(whole)) if whole >= 1000 else str(whole)


ROWS: Mapping[str, RowCheck] = {
    r"workload \| variant \| batch \| training, s \| training, J \| saved (energy|time) per \S+"
    r" \| earned back after … \S+s, by (energy|time)": payback,
}
