"""The best of each workload again: that of one runtime, and that of all."""

from collections.abc import Mapping, Sequence

from page_pieces import Place, RowCheck, label_of, plain
from recompute_case import Case
from recompute_parts import in_order, is_measured, is_share
from recompute_screen import best, crosses, is_smaller, long_label, runs_in, winners
from recompute_table import Table, number_of
from shown_first_screen import settings
from shown_main_table import disk, quality
from shown_numbers import PREFIX, half, plus_minus, ratio

NOTHING = "nothing saves and holds its quality"


def brief(place: Place, row: Mapping[str, str]) -> bool:
    """The one that saves most beside its baseline, with its quality, its ratio, its size."""
    table = place.table
    cases = _cases(table, row)
    found = best(table, cases, energy=is_measured(table))
    name, shown, *joules, time, size = list(row.values())[2:]
    if crosses(cases):
        return False
    if found is None:
        return name == NOTHING and {shown, *joules, time, size} == {"—"}
    return (
        name == f"**{name.strip('*')}**"
        and plain(name) == long_label(found, in_order(table))
        and _quality(shown, found)
        and (not joules or _energy(joules, found))
        and ratio(time, number_of(found.time_log()))
        and disk(size, found)
    )


def _energy(shown: Sequence[str], case: Case) -> bool:
    """``7.00 ± 0.03 mJ``, and the ratio to the baseline."""
    found, (value, _, unit) = case.energy(), shown[0].rpartition(" ")
    if found is None:
        return False
    scale = PREFIX[unit.removesuffix("J")]
    return (
        unit.endswith("J")
        and 1 <= found.value / scale < 1000
        and plus_minus(value, found.value / scale, half(found) / scale)
        and ratio(shown[1], number_of(case.energy_log()))
    )


def of_all(place: Place, row: Mapping[str, str]) -> bool:
    """A winner of a workload in several runtimes, beside its baseline and the best of float32."""
    table = place.table
    cases = _cases(table, row)
    energy = any(case.energy() is not None for case in cases)
    won = winners(table, cases) if crosses(cases) else []
    name, runtime, types, what, beside, fp32, other, shown, model = list(row.values())[2:]
    if not won:
        return (
            crosses(cases) and name == f"none: {NOTHING}" and set(list(row.values())[3:]) == {"—"}
        )
    case = {(label_of(each), each.record["runtime"]): each for each in won}[plain(name), runtime]
    held, best_case = (
        table.best_fp32(case, energy=energy),
        table.best_runtime(case, energy=energy)[1],
    )
    return (
        types == (runs_in(case) or "—")
        and what == ("energy" if energy else "time")
        and ratio(beside, number_of(case.log(energy=energy)))
        and (ratio(fp32, held) if held else fp32 == "1")
        and other == best_case.split("/")[-3]
        and (_quality(shown, case) if case.record["quality"] else shown == "not judged")
        and model == ("smaller" if is_smaller(case, cases) else "whole")
    )


def _cases(table: Table, row: Mapping[str, str]) -> list[Case]:
    found = {(plain(name), str(batch)): cases for (name, batch), cases in settings(table).items()}
    return found[plain(row["workload"]), row["batch"]]


def _quality(shown: str, case: Case) -> bool:
    """``97.2 (−0.2) %``, or in the metric's own unit."""
    if case.record["quality"] is None:
        return shown == "—"
    share = is_share([case])
    return shown.endswith(" %") == share and quality(
        shown.removesuffix(" %"), case, "quality, % (Δ pt)" if share else "quality (Δ)"
    )


ROWS: Mapping[str, RowCheck] = {
    r"workload \| batch \| best within the quality budget \| quality \(Δ\)"
    r" \| (energy per sample \| energy ÷ baseline \[95 %\] \| )?time ÷ baseline \[95 %\]"
    r" \| on disk": brief,
    r"workload \| batch \| best within the quality budget \| runtime \| runs in \| ratio of"
    r" \| ÷ baseline \[95 %\] \| ÷ best fp32 \[95 %\] \| best fp32 runtime \| quality \(Δ\)"
    r" \| model": of_all,
}
