"""JUnit XML: each case a test with its numbers as properties, for the pages of a CI.

Properties stand in the test itself, where pytest's ``record_property`` puts them; the strict schema
of Jenkins' xUnit plug-in knows them for suites only. It judges nothing: that is the gate's. A case
whose energy was not measured has the reason as a property, and its time.
"""

import math
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from bench.compare import Row, Table
from bench.export_format import FileFormat, Rendered, xml_text
from bench.exports._rows import absence, facts, own, seconds
from bench.quantities import Absent

_MILLI = 1e-3
_TOLD = (
    "energy_verdict",
    "time_verdict",
    "quality_metric",
    "quality",
    "quality_target",
    "size_disk_bytes",
    "windows",
    "workload_version",
    "not_of_this_machine",
)
"""What stands there as in every other export: words, counts and SI."""


def _render(tables: Sequence[Table]) -> Rendered:
    suites = [table for table in tables if table.rows]
    if not suites:
        return Rendered({})
    root = ET.Element("testsuites", name="joulebench")
    for table in suites:
        _suite(root, table)
    ET.indent(root, " ")
    body = ET.tostring(root, encoding="unicode", xml_declaration=False)
    return Rendered({"": f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'})


def _suite(root: ET.Element, table: Table) -> None:
    run = table.journal.run
    times = [math.fsum(window.seconds for window in own(table, row)) for row in table.rows]
    suite = ET.SubElement(
        root,
        "testsuite",
        name=xml_text(f"joulebench {table.device}"),
        tests=str(len(table.rows)),
        failures="0",
        errors="0",
        skipped="0",
        time=_seconds(math.fsum(times)),
        timestamp=xml_text(run.started.removesuffix("Z")),
        hostname=xml_text(run.machine.get("id", "unknown")),
    )
    commit = (run.git or {}).get("commit", "none")
    _properties(suite, {"run_id": run.run_id, "commit": commit}.items())
    for row, time in zip(table.rows, times, strict=True):
        case = row.case
        test = ET.SubElement(
            suite,
            "testcase",
            classname=xml_text(f"{case.workload}.b{case.batch}.{case.device}"),
            name=xml_text(f"{case.label} {case.runtime}"),
            time=_seconds(time),
        )
        _properties(test, _told(table, row))


def _told(table: Table, row: Row) -> Iterable[tuple[str, object]]:
    yield "case", row.case.case
    yield "sample", row.case.unit
    energy, time = row.energy, seconds(row)
    if isinstance(energy, Absent):
        yield "energy_reason", absence(table, row)
    else:
        yield "energy_mj_per_sample", energy.value / _MILLI
        yield "energy_mj_per_sample_low", energy.low / _MILLI
        yield "energy_mj_per_sample_high", energy.high / _MILLI
        yield "kind", energy.kind
        yield "unit", f"mJ/{row.case.unit}"
        yield "boundary", energy.boundary
    if row.estimate:
        yield "estimate_mj_per_sample_low", row.estimate.low / _MILLI
        yield "estimate_mj_per_sample_high", row.estimate.high / _MILLI
        yield "estimate_kind", row.estimate.kind
    if time:
        yield "time_ms_per_sample", time.value / _MILLI
    told = facts(table, row)
    yield from ((name, told[name]) for name in _TOLD)


def _properties(parent: ET.Element, items: Iterable[tuple[str, object]]) -> None:
    """Name and value of what is known; a number that is not finite is not."""
    whole = ET.SubElement(parent, "properties")
    for name, value in items:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            continue
        text = _number(value) if isinstance(value, float) else xml_text(value)
        ET.SubElement(whole, "property", name=name, value=text)


def _seconds(value: float) -> str:
    """To the millisecond: the strict schemas take no more digits."""
    return f"{value:.3f}"


def _number(value: float) -> str:
    return repr(float(value))


export = FileFormat(
    "JUnit XML: each case a test, its numbers as properties; for the pages of a CI",
    ".junit.xml",
    _render,
)
