"""The folded parts about models, where energy was measured: every number can be made again.

The committed journals have these parts without an instrument's energy; see `models_journal`.
"""

import re
from functools import partial

import pytest
import shown_limits
import shown_modelled
import shown_models
import shown_paper
import shown_payback
import shown_roofline
from models_journal import page, source
from page_pieces import LineCheck, Piece, RowCheck, altered, has_number, is_known, is_right, pieces
from recompute_parts import in_order
from recompute_payback import trainings
from recompute_roofline import ceilings
from shown_modelled import chosen
from shown_roofline import limited

RULES = (
    shown_limits, shown_modelled, shown_models, shown_paper, shown_payback, shown_roofline,
)  # fmt: skip
ROWS: dict[str, RowCheck] = {p: c for each in RULES for p, c in getattr(each, "ROWS", {}).items()}
LINES: dict[str, LineCheck] = {
    p: c for each in RULES for p, c in getattr(each, "LINES", {}).items()
}
FOLDS = (
    "Where the energy goes, modelled",
    "The paper beside here",
    "Payback of the training",
    "Published figures of the same models",
    "What was asked for, and what limits it",
    "What limits each model",
    "Roofline of this machine",
)


def numbers(fold: str) -> list[Piece]:
    """The pieces of a fold that hold a number."""
    found = pieces(page(), source())
    return [piece for piece in found if piece.place.fold == fold and has_number(piece)]


@pytest.mark.parametrize("fold", FOLDS)
def test_every_number_of_a_fold_can_be_made_again(fold: str) -> None:
    found = numbers(fold)

    assert len(found) > 5
    assert [each.text for each in found if not is_known(each, ROWS, LINES)] == []
    assert [each.text for each in found if not is_right(each, ROWS, LINES)] == []


def _from_the_end(place: int, whole: int) -> int:
    return whole - 1 - place


@pytest.mark.parametrize("fold", FOLDS)
def test_every_digit_of_a_fold_that_is_altered_is_found(fold: str) -> None:
    missed = []
    for each in numbers(fold)[::3]:
        for place in range(len(re.findall(r"[0-9]", each.text))):
            other = altered(each, partial(_from_the_end, place))
            if is_right(other, ROWS, LINES):
                missed.append((each.text, other.text))

    assert missed == []


def test_energy_decides_where_an_instrument_gave_it() -> None:
    headers = {" | ".join(each.place.header) for fold in FOLDS for each in numbers(fold)}

    for part in ("energy for one", "energy ÷ floor", "energy ÷ dense", "by energy"):
        assert any(part in header for header in headers), part


def test_no_row_of_a_fold_is_missing_or_twice() -> None:
    table = source().tables["cpu"]
    cases = in_order(table)
    workloads = {case.record["workload"] for case in cases}
    wanted = {
        "*modelled, ": sum(bool(case.record.get("layers")) for case in cases),
        "of two nonzeros, %": sum(
            len(case.record["layers"]) for name in workloads for case in chosen(table, name)
        ),
        "training, s": sum(bool(trainings(case)) for case in cases),
        "MACs per sample": len(limited(table)),
        "time for one": len(ceilings(table)),
        "bytes moved": len(cases) - len(ceilings(table)),
    }
    rows = [each for each in pieces(page(), source()) if each.cells and each.place.fold in FOLDS]

    for part, count in wanted.items():
        found = [each for each in rows if part in " | ".join(each.place.header)]
        assert len({(each.place.bold, each.text) for each in found}) == len(found) == count, part
