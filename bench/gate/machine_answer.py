"""What a gate says to programs: one JSON object, and JUnit XML that any CI shows.

The JSON's shape is that of ``bench/schema/gate-1.json`` (draft 2020-12) and stays as it is; what
is added later has names of its own. SI units. A number that is not finite is null, as is what was
not measured.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree as ET

from bench.exit_codes import EXIT_CANNOT_MEASURE, EXIT_REGRESSION, EXIT_UNTRUSTED
from bench.gate.answer import Decision, Night, Word
from bench.gate.known import Known, Side
from bench.gate.repository import Commit
from bench.gate.wording import pairs_text
from bench.quantities import Kind
from bench.report.text import plain
from bench.statistics import Interval

SCHEMA = 1
GATE = "joulebench gate"
ANSWER = "answer.json"
"""What the answer of a night is called in its folder."""


class Outcome(StrEnum):
    """What a whole night says."""

    OK = "ok"
    REGRESSION = "regression"
    UNTRUSTED = "untrusted"
    CANNOT_MEASURE = "cannot measure"

    @property
    def exit_code(self) -> int:
        """What the gate exits with."""
        return {
            "ok": 0,
            "regression": EXIT_REGRESSION,
            "untrusted": EXIT_UNTRUSTED,
            "cannot measure": EXIT_CANNOT_MEASURE,
        }[self]


def outcome(night: Night) -> Outcome:
    """What a night says: its controls come before a regression.

    A night in which every case is without a number says nothing of any, trusted or not.
    """
    if not any(each.ratio for each in night.decisions):
        return Outcome.CANNOT_MEASURE
    if night.untrusted:
        return Outcome.UNTRUSTED
    return Outcome.REGRESSION if night.having(Word.REGRESSED) else Outcome.OK


# -- JSON -------------------------------------------------------------------------------------


def answer(night: Night, known: Mapping[str, Known] | None = None) -> dict[str, Any]:
    """The night as a value for `json.dumps`, of the shape of ``gate-1.json``.

    Args:
        night: What was decided.
        known: By case, what is known of both sides.
    """
    known = known or {}
    said = outcome(night)
    return {
        "format": GATE,
        "schema": SCHEMA,
        "outcome": str(said),
        "exit": said.exit_code,
        "untrusted": night.untrusted or None,
        "unpaired": night.unpaired,
        "counts": {str(word): len(night.having(word)) for word in Word},
        "decisions": [_decision(each, known) for each in night.decisions],
        "canaries": [_decision(each, known) for each in night.canaries],
    }


def _decision(decision: Decision, known: Mapping[str, Known]) -> dict[str, Any]:
    series = decision.series
    sides = known.get(series.case, Known())
    return {
        "case": series.case,
        "quantity": series.quantity,
        "unit": series.unit,
        "kind": series.kind or None,
        "boundary": series.boundary or None,
        "estimated": is_estimate(decision),
        "word": str(decision.word),
        "reason": decision.reason,
        "ratio": _ratio(decision.ratio),
        "p": finite(decision.p),
        "p_improved": finite(decision.p_improved),
        "margin": finite(series.margin),
        "floor": finite(series.floor),
        "pairs": [
            {"stage": pair.stage, "base": finite(pair.base), "head": finite(pair.head)}
            for pair in series.pairs
        ],
        "pairs_needed": decision.pairs_needed,
        "base": _side(sides.base),
        "head": _side(sides.head),
        "touching": _commits(sides.suspects.touching if sides.suspects else ()),
        "guilty": _commits(sides.bisected.guilty if sides.bisected else ()),
        "test": sides.argument or None,
        "options": list(sides.options),
        "asked_margin": finite(sides.margin),
    }


def _commits(some: Iterable[Commit]) -> list[dict[str, str]]:
    return [dataclasses.asdict(commit) for commit in some]


def is_estimate(decision: Decision) -> bool:
    """Whether no instrument read it."""
    return decision.series.kind in {Kind.ESTIMATED, Kind.MODELLED}


def finite(value: float | None) -> float | None:
    """A number as JSON can hold it; None for what is no number."""
    return value if value is not None and math.isfinite(value) else None


def _ratio(ratio: Interval | None) -> dict[str, Any] | None:
    if ratio is None or not math.isfinite(ratio.value):
        return None
    ends = {"low": finite(ratio.low), "high": finite(ratio.high)}
    return {"value": ratio.value, **ends, "pairs": ratio.n}


def _side(side: Side) -> dict[str, Any]:
    quality = (side.case.quality if side.case else None) or {}
    value = quality.get("value")
    return {
        "commit": side.commit or None,
        "dirty": side.dirty,
        "machine": str(side.run.machine.get("id")) if side.run else None,
        "quality": finite(float(value)) if isinstance(value, int | float) else None,
    }


# -- JUnit ------------------------------------------------------------------------------------


def junit(night: Night, known: Mapping[str, Known] | None = None) -> str:
    """The night as JUnit XML: one test case for each case and quantity.

    A regression is a failure; what is not decided, not measured or of an untrusted night is
    skipped. No clock is read: the same night gives the same text.

    Args:
        night: What was decided.
        known: By case, what is known of both sides.
    """
    known = known or {}
    failed = 0 if night.untrusted else len(night.having(Word.REGRESSED))
    skipped = sum(_skips(night, each) for each in night.decisions)
    total = {
        "tests": str(len(night.decisions)),
        "failures": str(failed),
        "errors": "0",
        "skipped": str(skipped),
        "time": "0",
    }
    root = ET.Element("testsuites", {"name": GATE, **_but(total, "skipped")})
    suite = ET.SubElement(root, "testsuite", {"name": GATE, **total})
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(night, known):
        ET.SubElement(properties, "property", {"name": name, "value": plain(value)})
    for each in night.decisions:
        suite.append(_test_case(night, each))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _but(values: Mapping[str, str], name: str) -> dict[str, str]:
    """The root has no count of the skipped in the schemas that people check with."""
    return {key: value for key, value in values.items() if key != name}


def _skips(night: Night, decision: Decision) -> bool:
    return bool(night.untrusted) or decision.word not in {Word.OK, Word.IMPROVED, Word.REGRESSED}


def _properties(night: Night, known: Mapping[str, Known]) -> list[tuple[str, str]]:
    sides = list(known.values())
    bases = sorted({each.base.commit for each in sides if each.base.commit})
    heads = sorted({each.head.commit for each in sides if each.head.commit})
    return [
        ("outcome", str(outcome(night))),
        ("untrusted", night.untrusted or "no"),
        ("unpaired", "yes" if night.unpaired else "no"),
        ("base", ", ".join(bases) or "unknown"),
        ("head", ", ".join(heads) or "unknown"),
    ]


def _test_case(night: Night, decision: Decision) -> ET.Element:
    series = decision.series
    name = f"{series.quantity} (estimated)" if is_estimate(decision) else series.quantity
    element = ET.Element("testcase", {"classname": plain(series.case), "name": name, "time": "0"})
    message = plain(f"{decision.word}: {decision.reason}")
    if _skips(night, decision):
        why = f"untrusted night ({night.untrusted}): " if night.untrusted else ""
        ET.SubElement(element, "skipped", {"message": plain(f"{why}{message}")})
    elif decision.word is Word.REGRESSED:
        failure = ET.SubElement(element, "failure", {"message": message, "type": "regression"})
        failure.text = message
    ET.SubElement(element, "system-out").text = "\n".join(_numbers(decision))
    return element


def _numbers(decision: Decision) -> list[str]:
    """All numbers of a decision in SI, a line each."""
    series, ratio = decision.series, decision.ratio
    kind = f" ({series.kind}, {series.boundary})" if series.kind else ""
    lines = [f"word: {decision.word}", f"unit: {series.unit}{kind}"]
    lines.append(f"pairs: {pairs_text(decision)}")
    if ratio:
        lines.append(f"head/base: {ratio.value:.6g} [{ratio.low:.6g}, {ratio.high:.6g}]")
    lines += [f"margin: {series.margin:.6g}", f"floor: {series.floor:.6g} {series.unit}"]
    lines += [f"p: {decision.p:.3g}"] if decision.p is not None else []
    lines += [
        f"pair {number}, stage {pair.stage}: {_shown(pair.base)} {_shown(pair.head)}"
        for number, pair in enumerate(series.pairs)
    ]
    return [plain(line) for line in lines]


def _shown(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "no number"
