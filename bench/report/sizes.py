"""How many bytes each form of a model takes: pure functions of rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.compare import Row
from bench.report import findings, text
from bench.roofline import is_ceiling

FORMS = ("disk", "nominal", "dense", "csr", "shared", "huffman", "onnx")
"""Those that are known, in the order in which they are shown; others follow them."""

STORED = ("disk", "dense", "csr", "shared", "huffman", "onnx")
"""Forms that a device could be sent: ``nominal`` leaves out where the weights stand."""

BASELINE = "baseline"
"""The dense float32 weights of the workload as shipped stand in each record: no form of its own."""

_OLD = frozenset({"disk", "nominal"})
_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*(|k|M|G|Ki|Mi|Gi)B?")


@dataclass(frozen=True, slots=True)
class Size:
    """The forms of one variant.

    Args:
        label: As tables name it; not escaped.
        batches: Those at which it has these forms.
        forms: Bytes by form, those that are known.
        dense: Bytes of the baseline's dense float32 weights, or None.
        holds: Whether it reaches its quality target, or has none.
    """

    label: str
    batches: tuple[int, ...]
    forms: dict[str, int]
    dense: int | None
    holds: bool

    def ratio(self, form: str) -> float | None:
        """How many times smaller than the dense baseline a form is; None if either is unknown."""
        count = self.forms.get(form)
        return self.dense / count if self.dense and count else None

    @property
    def smallest(self) -> tuple[str, int] | None:
        """The form with the fewest bytes of those that can be stored, and its bytes."""
        forms = [(self.forms[form], form) for form in self.forms if form in STORED]
        return (min(forms)[1], min(forms)[0]) if forms else None


def parse_bytes(said: str) -> int:
    """The bytes that ``100kB``, ``2MiB`` or ``4096`` stand for; k is 1000, Ki is 1024.

    >>> parse_bytes("100kB"), parse_bytes("2MiB"), parse_bytes("4096")
    (100000, 2097152, 4096)

    Raises:
        ValueError: It is no number of bytes above 0.
    """
    match = _BYTES.fullmatch(said.strip())
    count = int(float(match[1]) * _FACTORS[match[2]]) if match else 0
    if count < 1:
        raise ValueError(f"found the size {said!r}, wanted bytes above 0 such as 100kB or 2MiB")
    return count


def sizes(rows: Sequence[Row], among: Sequence[Row]) -> list[Size]:
    """Each variant of one workload, over the batches at which it reads the same.

    A runtime may make another file for another batch: that is a variant's second size.

    Args:
        rows: Those of the workload.
        among: All rows of the table, from which the labels tell them.
    """
    found: list[Size] = []
    for row in rows:
        known = {form: count for form, count in row.case.size_bytes.items() if count is not None}
        dense, label = known.pop(BASELINE, None), findings.label(row, among)
        size = Size(label, (row.case.batch,), known, dense, findings.holds(row))
        same = next((place for place, each in enumerate(found) if _agree(each, size)), None)
        if same is None:
            found.append(size)
        else:
            batches, forms = found[same].batches + size.batches, known | found[same].forms
            found[same] = replace(found[same], batches=batches, forms=forms)
    return found


def _agree(one: Size, other: Size) -> bool:
    """Whether two batches of a variant read the same in every form that both know."""
    both = set(one.forms) & set(other.forms)
    return (one.label, one.holds) == (other.label, other.holds) and all(
        text.size(one.forms[form]) == text.size(other.forms[form]) for form in both
    )


def forms_of(found: Sequence[Size]) -> list[str]:
    """The forms that at least one variant has, known ones first."""
    there = {form for size in found for form in size.forms}
    return [form for form in FORMS if form in there] + sorted(there - set(FORMS))


def says_more(rows: Sequence[Row]) -> bool:
    """Whether any row knows another form than journals of before did."""
    return any(set(row.case.size_bytes) - _OLD for row in rows if not is_ceiling(row.case))
