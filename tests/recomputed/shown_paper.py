"""The paper beside here, again; see `recompute_published`."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from page_pieces import LineCheck, Place, RowCheck, found_case, label_of, plain
from recompute import Number
from recompute_case import Case
from recompute_parts import in_order
from recompute_published import (
    DEVICES,
    READ,
    Row,
    layer_density,
    layer_quotient,
    one,
    place,
    sure,
    value,
)
from recompute_roofline import ratio_of
from shown_digits import fixed, is_fixed, is_interval, is_sig, is_times, sig
from shown_numbers import even_half

LAYERS = (
    "The published columns are sparse ÷ dense of the paper's device, from its times and powers;"
    " ours is variant ÷ baseline here, the same layer at the same batch and density with other"
    " weights. Comparable are the ratio and its sign (below 1 it pays, above 1 it costs), never"
    " microseconds or millijoules of another machine. The papers timed float32 CSR only: shared"
    " weights had no kernel, so their row stands beside the published CSR ratio."
)
EVEN = 0.02
NAME = "The paper beside here"


def said(shown: str, rows: Sequence[Row]) -> str:
    """A published number, with the word if nobody has read it anywhere."""
    word = sure(rows)
    return shown if word in READ else f"{shown} ({word})"


def sign(published: float, ours: Number | None) -> str:
    if ours is None or (ours.low or 0.0) <= 1 <= (ours.high or 0.0):
        return "ours unresolved"
    if abs(published - 1) < EVEN:
        return "theirs even"
    return f"sign {'agrees' if (ours.value < 1) == (published < 1) else 'differs'}"


# -- layers -----------------------------------------------------------------------------------


def layer(here: Place, cells: Mapping[str, str]) -> bool:
    workload = f"layer:{plain(cells['layer'])}"
    case = found_case(here.table, plain(cells["variant"]), batch=cells["batch"], workload=workload)
    ratio_column = next(name for name in cells if name.endswith("÷ dense, here [95 %]"))
    energy = ratio_column.startswith("energy")
    ours = ratio_of(case, energy=energy)
    published = {
        device: layer_quotient(workload, case.record["batch"], device, energy=energy)
        for device in DEVICES
        if device in cells
    }
    known = [each for each in published.values() if each]
    return (
        is_interval(cells[ratio_column], ours)
        and _densities(plain(cells["density here / paper, %"]), case)
        and all(
            plain(cells[device])
            == (said(f"{sig(each.value, 2)}, {sign(each.value, ours)}", each.rows) if each else "—")
            for device, each in published.items()
        )
        and plain(cells["published in"]) == known[0].place
    )


def _densities(shown: str, case: Case) -> bool:
    """Ours as the level says it, or as the weights do; theirs from the paper."""
    record, row = case.record, layer_density(case.record["workload"])
    ours, _, theirs = shown.partition(" / ")
    density = record["level"].get("density")
    if density is None and record["nonzero"] is not None and record["parameters"]:
        density = record["nonzero"] / record["parameters"]
    here = ours == "—" if density is None else is_sig(ours, 100 * float(density), 2)
    return here and theirs == (said(sig(value(row), 2), [row]) if row else "—")


# -- digits -----------------------------------------------------------------------------------


def digits(here: Place, cells: Mapping[str, str]) -> bool:
    """A technique on digits, beside what papers found of it: the first case that has layers."""
    named = plain(cells["workload"]), plain(cells["variant"])
    found = [
        case
        for case in in_order(here.table)
        if (case.record["workload"], label_of(case)) == named and case.record.get("layers")
    ]
    case = found[0]
    before = here.table.cases.get(case.record["baseline"])
    network = "LeNet-5" if "cnn" in named[0] else "LeNet-300-100"
    return (
        _fewer(cells["connections ÷"], before, case, _connections)
        and _fewer(cells["size ÷"], before, case, lambda each: each.record["size_bytes"]["disk"])
        and _accuracy(cells["accuracy, points"], case)
        and [plain(each) for each in cells["published"].split("<br>")]
        == list(directions(case.record["technique"], network))
    )


def _fewer(
    shown: str, before: Case | None, case: Case, count: Callable[[Case], int | None]
) -> bool:
    numbers = (before and count(before)) or 0, count(case) or 0
    return is_times(shown, numbers[0] / numbers[1] if all(numbers) else None)


def _connections(case: Case) -> int:
    """Weights that are not zero, biases left out."""
    layers = case.record.get("layers", ())
    return sum(round(each["weights"] * each["weight_density"]) for each in layers)


def _accuracy(shown: str, case: Case) -> bool:
    change = case.quality_change()
    if change is None:
        return shown == "—"
    moved, _, side = shown.partition(" ± ")
    signed = moved.startswith("+") == (round(100 * change.value, 1) > 0)
    half = is_fixed(side, 100 * even_half(change), 1) if side else change.low is None
    return signed and half and is_fixed(moved.removeprefix("+"), 100 * change.value, 1)


def directions(technique: str, network: str) -> Iterator[str]:
    """What papers found of a technique."""
    pruned = ("han2015_table1", "pruned", "connections")
    shared = ("deepcompression_table1", "compressed", "size")
    if technique == "optimal_brain_damage":
        row = one("obd_obs", "handwritten digit net", "parameter_reduction")
        yield _claim(row, row["network"], "connections")
    if technique == "energy_aware_pruning":
        row = one("yang2017_energy_aware_pruning", "AlexNet", "energy_reduction")
        yield _claim(row, "AlexNet", "modelled energy")
    if technique in {"magnitude_pruning", "optimal_brain_damage", "energy_aware_pruning"}:
        yield _from_table1(network, *pruned)
    if technique in {"weight_sharing", "deep_compression"}:
        yield _from_table1(network, *shared)
    if technique == "ternary":
        for name, error in (("ResNet-20", "test"), ("ResNet-56", "test"), ("ResNet-18", "top1")):
            ends = [f"{error}_error.full_precision", f"{error}_error.ttq"]
            rows = [one("ttq", name, each) for each in ends]
            yield _moved(f"{name}, {rows[0]['device']}", rows)
    if technique == "distillation":
        for after, name in (("plain", "alone beside its teacher"), ("distilled_T20", "distilled")):
            ends = ["test_errors.teacher_2x1200", f"test_errors.student_2x800_{after}"]
            rows = [one("distillation", "MNIST MLP", each) for each in ends]
            yield _moved(f"the student {name}, MNIST", rows)


def _claim(row: Row, network: str, what: str) -> str:
    return said(f"{network}: {sig(value(row), 2)}× {what} ({place(row)})", [row])


def _from_table1(network: str, table: str, after: str, what: str) -> str:
    names = ("compress_rate", "top1_error.ref", f"top1_error.{after}")
    rows = [one(table, network, name) for name in names]
    rate = f"{sig(value(rows[0]), 2)}× {what}"
    return said(f"{network}, MNIST: {rate}, {_points(*rows[1:])} ({place(rows[0])})", rows)


def _moved(name: str, rows: Sequence[Row]) -> str:
    return said(f"{name}: {_points(*rows)} ({place(rows[0])})", rows)


def _points(before: Row, after: Row) -> str:
    """The change of accuracy of two errors, in per cent or of 10,000."""
    scale = 100 if before["unit"] == "errors of 10000" else 1
    change = (value(before) - value(after)) / scale
    return f"{'+' if round(change, 2) > 0 else ''}{fixed(change, 2)} points"


ROWS: Mapping[str, RowCheck] = {
    r"layer \| variant \| batch \| density here / paper, % \| (time|energy) ÷ dense, here"
    rf" \[95 %\] \| ({'|'.join(DEVICES)})( \| ({'|'.join(DEVICES)}))* \| published in": layer,
    r"workload \| variant \| connections ÷ \| size ÷ \| accuracy, points \| published": digits,
}
LINES: Mapping[str, LineCheck] = {
    re.escape(LAYERS): lambda here, _: here.fold.startswith(NAME),
}
