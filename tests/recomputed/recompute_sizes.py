"""The folded parts about bytes again: sweeps, forms, budgets; see `recompute`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from recompute import Line, Number
from recompute_case import Case
from recompute_parts import in_order
from recompute_table import Table

STORED = ("disk", "dense", "csr", "shared", "huffman", "onnx")
FORMS = ("disk", "nominal", "dense", "csr", "shared", "huffman", "onnx")


def models(table: Table) -> list[Case]:
    """The cases without the machine's own ceilings."""
    return [c for c in in_order(table) if not c.record["workload"].startswith("roofline:")]


def forms(cases: Sequence[Case]) -> list[str]:
    """The forms that at least one of some cases knows, in the order of the page."""
    there = {
        form
        for case in cases
        for form, count in case.record["size_bytes"].items()
        if count is not None
    } - {"baseline"}
    return [form for form in FORMS if form in there] + sorted(there - set(FORMS))


def reading(count: int) -> tuple[int, str]:
    """What is read of a number of bytes: the unit, and three digits; bytes are counted."""
    power = sum(count >= 1024**power for power in (1, 2, 3))
    return power, f"{count / 1024**power:.2e}" if power else str(count)


@cache
def sized(table: Table, workload: str) -> list[list[Case]]:
    """The batches of each variant of a workload that read the same, by the rule of the page."""
    found: list[list[Case]] = []
    for case in models(table):
        if case.record["workload"] == workload:
            same = next((batches for batches in found if _agree(batches, case)), None)
            if same is None:
                found.append([case])
            else:
                same.append(case)
    return found


def _agree(batches: Sequence[Case], case: Case) -> bool:
    """Whether it is a variant's, holds its quality like them, and reads the same where known."""
    first = batches[0]
    alike = [
        (each.record["technique"], each.record["level"], each.record["runtime"])
        for each in (first, case)
    ]
    return (
        alike[0] == alike[1]
        and first.breaks_quality() == case.breaks_quality()
        and all(
            reading(one) == reading(other)
            for form in forms([case])
            if (one := bytes_of(batches, form)) and (other := case.record["size_bytes"][form])
        )
    )


def bytes_of(batches: Sequence[Case], form: str) -> int | None:
    """The bytes of a form, by the smallest batch that knows it."""
    known = [case.record["size_bytes"].get(form) for case in batches]
    return next((count for count in known if count is not None), None)


def smallest(batches: Sequence[Case]) -> tuple[int, str] | None:
    """Fewest bytes of the forms that a device could be sent, and the form."""
    found = [(bytes_of(batches, form), form) for form in STORED]
    return min(((count, form) for count, form in found if count is not None), default=None)


@dataclass(frozen=True)
class Step:
    """A variant of a sweep: its series, its level, its bytes and what they are of the dense."""

    series: str
    level: str
    disk: int
    share: float
    quality: float
    change: Number


@dataclass(frozen=True)
class Sweep:
    """The steps of a workload, of which some were judged without being timed."""

    steps: list[Step]
    metric: str
    seeds: int
    is_share: bool


@cache
def sweep(table: Table, workload: str) -> Sweep | None:
    """The sweep of a workload; None where none was judged, or one step alone."""
    judged = [
        Case(table.told, record)
        for record in table.told.cases.values()
        if record["device"] == table.device and record["runtime"] == "judged"
    ]
    if workload not in {case.record["workload"] for case in judged}:
        return None
    found = {
        (case.record["technique"], level_of(case.record)): case
        for case in (*in_order(table), *judged)  # what was judged alone stands for what was timed
        if case.record["workload"] == workload
        and case.record["quality"]
        and case.record["size_bytes"].get("disk")
    }
    dense = max((count for case in found.values() if (count := _dense(case.record))), default=0)
    steps = [each for case in found.values() if (each := _step(case, dense))]
    if not dense or len(steps) < 2:
        return None
    quality = next(iter(found.values())).record["quality"]
    values = [case.record["quality"]["value"] for case in found.values()]
    return Sweep(
        steps,
        quality["metric"],
        len(quality.get("seeds", ())) or 1,
        all(0 <= value <= 1 for value in values),
    )


def level_of(record: Line) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(record["level"].items()))


def _dense(record: Line) -> int | None:
    """Bytes of the baseline's dense weights, as far as a case tells."""
    sizes = record["size_bytes"]
    shipped: int | None = sizes.get("baseline")
    return shipped or sizes.get("disk" if record["technique"] == "baseline" else "dense")


def _step(case: Case, dense: int) -> Step | None:
    record, change = case.record, case.quality_change()
    if record["technique"] == "baseline" or change is None:
        return None
    words = [
        f"{name}={value}"
        for name, value in sorted(record["level"].items())
        if not _is_number(value)
    ]
    disk = record["size_bytes"]["disk"]
    return Step(
        " ".join((record["technique"], *words)),
        level_of(record),
        disk,
        disk / dense,
        record["quality"]["value"],
        change,
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
