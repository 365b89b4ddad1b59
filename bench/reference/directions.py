"""What papers found that our digit models can be set beside, in direction only."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from bench.reference.layers import least_sure, short
from bench.reference.published import Confidence, Published, load


@dataclass(frozen=True, slots=True)
class Direction:
    """What a method did to a network in a paper.

    Args:
        paper: Short, with the table.
        network: Such as ``LeNet-300-100``, with its data where the table says them.
        what: Of what the rate is: ``connections`` or ``size``; empty if there is no rate.
        rate: How many times fewer or smaller, or None.
        accuracy_change: Points of accuracy, or None.
        confidence: The least sure of the numbers behind it.
    """

    paper: str
    network: str
    what: str
    rate: float | None
    accuracy_change: float | None
    confidence: Confidence


@functools.cache
def directions(technique: str, workload: str) -> tuple[Direction, ...]:
    """What was published of a technique, for the network that a digits workload resembles.

    Args:
        technique: Such as ``magnitude_pruning``.
        workload: Such as ``digits-mlp`` (LeNet-300-100) or ``digits-cnn`` (LeNet-5).
    """
    if not workload.startswith("digits"):
        return ()
    network = "LeNet-5" if "cnn" in workload else "LeNet-300-100"
    found = _SOURCES.get(technique)
    return found(network) if found else ()


def _han2015(network: str) -> tuple[Direction, ...]:
    return (_of_table1("han2015_table1", network, "pruned", "connections"),)


def _deep_compression(network: str) -> tuple[Direction, ...]:
    return (_of_table1("deepcompression_table1", network, "compressed", "size"),)


def _brain_damage(network: str) -> tuple[Direction, ...]:
    removed = _row("obd_obs", "handwritten digit net", "parameter_reduction")
    claim = Direction(
        _place(removed), removed.network, "connections", removed.value, None, removed.confidence
    )
    return (claim, *_han2015(network))


def _energy_aware(network: str) -> tuple[Direction, ...]:
    saved = _row("yang2017_energy_aware_pruning", "AlexNet", "energy_reduction")
    claim = Direction(
        _place(saved), "AlexNet", "modelled energy", saved.value, None, saved.confidence
    )
    return (claim, *_han2015(network))


def _ternary(_network: str) -> tuple[Direction, ...]:
    return tuple(
        _change("ttq", network, f"{error}.full_precision", f"{error}.ttq")
        for network, error in (
            ("ResNet-20", "test_error"),
            ("ResNet-56", "test_error"),
            ("ResNet-18", "top1_error"),
        )
    )


def _distilled(_network: str) -> tuple[Direction, ...]:
    student = "test_errors.student_2x800_"
    return tuple(
        _change("distillation", "MNIST MLP", "test_errors.teacher_2x1200", after, name)
        for after, name in (
            (f"{student}plain", "the student alone beside its teacher, MNIST"),
            (f"{student}distilled_T20", "the student distilled, MNIST"),
        )
    )


def _of_table1(table: str, network: str, after: str, what: str) -> Direction:
    """Both papers' Table 1 has the same columns."""
    errors = [_row(table, network, f"top1_error.{form}") for form in ("ref", after)]
    rate = _row(table, network, "compress_rate")
    return Direction(
        _place(rate),
        f"{network}, MNIST",
        what,
        rate.value,
        _points(*errors),
        least_sure((rate, *errors)),
    )


def _change(table: str, network: str, before: str, after: str, name: str = "") -> Direction:
    rows = [_row(table, network, metric) for metric in (before, after)]
    named = name or f"{network}, {rows[0].device}"
    return Direction(_place(rows[0]), named, "", None, _points(*rows), least_sure(rows))


def _points(before: Published, after: Published) -> float | None:
    """The change of accuracy, in points, of two errors in per cent or of 10,000."""
    if before.value is None or after.value is None:
        return None
    scale = 100 if before.unit == "errors of 10000" else 1
    return (before.value - after.value) / scale


def _place(row: Published) -> str:
    return f"{short(row.paper)}, {row.table}"


def _row(table: str, network: str, metric: str) -> Published:
    return next(row for row in load(table) if (row.network, row.metric) == (network, metric))


_SOURCES: dict[str, Callable[[str], tuple[Direction, ...]]] = {
    "magnitude_pruning": _han2015,
    "optimal_brain_damage": _brain_damage,
    "energy_aware_pruning": _energy_aware,
    "weight_sharing": _deep_compression,
    "deep_compression": _deep_compression,
    "ternary": _ternary,
    "distillation": _distilled,
}
