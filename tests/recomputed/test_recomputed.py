"""Every number of the sheet can be made again from the journal, by code that shares none."""

import math

import pytest
from recompute import Number
from recompute_table import QUANTITIES
from recomputed_journals import JOURNALS, again, sheet, tables

TEXTS = {
    "run", "machine", "device", "case", "baseline", "workload", "technique", "level", "runtime",
    "batch", "sample", "unit", "kind", "boundary", "reason", "quantity",
}  # fmt: skip
NUMBERS = {"value", "low", "high", "n"}
VERDICTS = {"energy_verdict": True, "time_verdict": False}


def close(shown: str, wanted: float | None) -> bool:
    """Whether a cell holds a number, to all digits that both of them can be trusted in."""
    if wanted is None or shown == "":
        return wanted is None and shown == ""
    return math.isclose(float(shown), wanted, rel_tol=1e-8, abs_tol=1e-14)


@pytest.mark.parametrize("name", JOURNALS)
def test_every_number_of_the_sheet_can_be_made_again(name: str) -> None:
    lines = sheet(name)

    assert set(lines[0]) == TEXTS | NUMBERS | set(VERDICTS), "a new column needs a recomputation"
    assert {line["quantity"] for line in lines} <= set(QUANTITIES)
    wrong = []
    for line in lines:
        found = again(name, line["device"], line["case"], line["quantity"])
        wanted = found or Number(math.nan)
        ends = {"value": wanted.value, "low": wanted.low, "high": wanted.high, "n": wanted.n}
        if found is None:
            ends = dict.fromkeys(ends)
        if not all(close(line[column], end) for column, end in ends.items()):
            wrong.append((line["case"], line["quantity"], line, ends))
    assert wrong == []


@pytest.mark.parametrize("name", JOURNALS)
def test_no_row_of_the_sheet_is_missing_or_invented(name: str) -> None:
    shown = {(line["device"], line["case"]) for line in sheet(name)}

    assert shown == {(d, case) for d, table in tables(name).items() for case in table.cases}
    counted = [(line["case"], line["quantity"]) for line in sheet(name)]
    assert len(counted) == len(set(counted))


@pytest.mark.parametrize("name", JOURNALS)
def test_every_verdict_can_be_made_again(name: str) -> None:
    shown = {(line["device"], line["case"]): line for line in sheet(name)}

    for (device, case), line in shown.items():
        table = tables(name)[device]
        for column, energy in VERDICTS.items():
            assert line[column] == table.verdict(table.cases[case], energy=energy), (case, column)


def test_measured_energies_are_among_what_is_made_again() -> None:
    """The committed journals hold none: without these, half of the test would test nothing."""
    for name in ("simulated counter", "simulated gauge", "several processes"):
        values = {line["quantity"] for line in sheet(name) if line["value"]}
        assert {"energy", "energy_net", "power", "energy_ratio"} <= values
