"""Damage to a journal: refused with file, line and what was wanted, or reported; no crash."""

import json
import math
import re
from pathlib import Path

import jsonschema
import pytest
from foreign import HOSTILE, SCHEMA, Line, Path_, changed, leaves, save_lines
from foreign_edits import (
    LINES,
    case,
    channel,
    energy,
    read_or_error,
    run,
    said_of,
    window,
)
from harmless import unprintable
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cli import main
from bench.compare import compare
from bench.record import TYPES, JournalError
from bench.records import read
from bench.soundness import fault_of

VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
LEAVES = [(number, path) for number, line in enumerate(LINES) for path, _ in leaves(line)]
BAD_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e308", "1e308", "1e-320", "9" * 5000]


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=lambda text: text[:10])
@pytest.mark.parametrize("field", ["joules", "p50", "margin", "resolution", "value"])
def test_a_number_that_no_machine_gives_is_refused_with_its_line(
    number: str, field: str, tmp_path: Path
) -> None:
    at = next(n for n, line in enumerate(LINES) if f'"{field}": ' in json.dumps(line))
    texts = [json.dumps(line) for line in LINES]
    texts[at] = re.sub(rf'"{field}": [-0-9.e]+', f'"{field}": {number}', texts[at], count=1)
    path = tmp_path / "absurd.jsonl"
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")

    with pytest.raises(JournalError, match=rf"absurd\.jsonl, line {at + 1}: found") as error:
        read(path)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (window(t0_ns=-5), "found -5 in t0_ns, wanted at least 0"),
        (window(t0_ns=7, t1_ns=7), "found a window without length or without samples"),
        (window(t0_ns=9, t1_ns=7), "found a window without length or without samples"),
        (window(samples=-1), "found -1 in samples, wanted at least 0"),
        (window(samples=0), "found a window without length or without samples"),
        (window(calls=2.5), "found 2.5 in calls, wanted a whole number"),
        (window(calls=10**19), "found the number 1000.*, wanted one of 64 bits"),
        (window(calls=True), "found true in calls, wanted a whole number"),
        (window(role="winner"), "found 'winner' in role, wanted one of baseline"),
        (window(latency_s={"n": 1}), "found no field p50 in latency_s, wanted one"),
        (window(flags="hot"), "found 'hot' in flags, wanted a list"),
        (window(extra=1), "found the unknown field 'extra', wanted none"),
        (window(case=None), "found null in case, wanted a text"),
        (energy(joules=-3.0), "found -3.0 in energy/0/joules, wanted at least 0"),
        (energy(joules=None), "found .* in energy/0/low, wanted null"),
        (energy(joules=99.0), "found 99 J of 'cpu/0/package', wanted 10 to 10"),
        (energy(kind="guessed"), "found 'guessed' in energy/0/kind, wanted one of measured"),
        (energy(kind="estimated"), "found estimated energy .*, wanted measured of 'cpu-package'"),
        (energy(boundary="wall"), "found measured energy of 'wall', wanted measured of"),
        (energy(channel="cpu/0/dram"), "found the channel 'cpu/0/dram' 2 times, wanted it once"),
        (channel(range=[2.0, 1.0]), "found the range of 'cpu/0/package' turned round"),
        (channel(range=[1.0]), "found .* in channels/0/range, wanted a length of 2"),
        (channel(wrap=0), "found 0 in channels/0/wrap, wanted more than 0"),
        (channel(unit="kWh"), "found 'kWh' in channels/0/unit, wanted J or W"),
        (run(channels=LINES[0]["channels"][:1] * 2), "found the channel 'cpu/0/package' 2 times"),
        (run(settings={"margin": "wide"}), "found 'wide' in settings/margin, wanted a number"),
        (run(started="yesterday"), "found 'yesterday' in started, wanted a text like"),
        (run(schema=2), r"has schema 2, this joulebench reads up to 1; install a newer one"),
        (run(schema="1\x1b[31m"), r"has schema '1 \[31m', this joulebench reads up to 1"),
        (case(batch=0), "found 0 in batch, wanted at least 1"),
        (case(quality={"metric": "m"}), "found no field value in quality, wanted one"),
        (case(level={"bits": 4}), "found 4 in level/bits, wanted a text"),
        (case(note="half \ud800 a pair"), "found half of a surrogate pair in a text"),
        (case(note="x" * (2**20 + 1)), "found a text of 1048577 characters, wanted at most"),
        ([*LINES, LINES[0]], "found a second run record, wanted one run a file"),
        ([*LINES, {"record": "riddle"}], "found the record type 'riddle', wanted one of run"),
        ([*LINES, {"record": ["run"]}], r"found the record type \[\"run\"\], wanted one of run"),
        ([*LINES, {}], "found the record type null, wanted one of run"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_file_line_and_what_was_wanted(
    lines: list[Line], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_lines(lines, tmp_path / "foreign.jsonl")

    assert main(["report", str(path), "-o", str(tmp_path / "page.md")]) == 2
    error = capsys.readouterr().err
    assert re.search(rf"foreign\.jsonl, line \d+: .*{message}", error)
    assert error.count("\n") == 1
    assert unprintable(error) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[" * 100_000, "found lists within lists without end"),
        ('{"record":"note","case":"","text":"a","text":"b"}', "found the field 'text' twice"),
        ('{"record":"note","case":"","text":"a"', "is damaged .JSONDecodeError"),
        ('"run"', "found the record type null"),
    ],
)
def test_a_line_that_is_no_record_is_refused(line: str, message: str, tmp_path: Path) -> None:
    path = save_lines(LINES, tmp_path / "odd.jsonl")
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")

    with pytest.raises(JournalError, match=f"line {len(LINES) + 1}.*{message}"):
        read(path)


def test_minus_zero_joules_are_zero_and_give_no_ratio(tmp_path: Path) -> None:
    nothing = {"joules": -0.0, "low": -0.0, "high": 0.0}
    first = next(line for line in LINES if line.get("role") == "baseline")["energy"]
    lines = window(energy=[{**each, **nothing} for each in first])
    found = read(save_lines(lines, tmp_path / "zero.jsonl"))

    (table,) = compare([found])
    assert table.rows[0].energy_ratio is None
    assert "-0" not in said_of(found)


def test_pairs_that_differ_beyond_all_measure_are_shown_as_bounds(tmp_path: Path) -> None:
    lines, seen = [], 0
    for each in LINES:
        line = each
        if line["record"] == "window" and line["role"] == "variant":
            seen += 1
            joules = 1e25 if seen % 2 else 1e-25
            ends = {"joules": joules, "low": joules, "high": joules}
            line = {**line, "energy": [{**e, **ends} for e in line["energy"]]}
        lines.append(line)

    said = said_of(read(save_lines(lines, tmp_path / "wild.jsonl")))

    assert "[&lt; 0.000001" not in said
    assert "[< 0.000001, > 1\u202f000\u202f000]" in said
    assert "unresolved" in said


def test_a_case_that_is_recorded_twice_counts_once_and_is_told(tmp_path: Path) -> None:
    body = [line for line in LINES if line["record"] in {"window", "case"}]
    path = save_lines([LINES[0], *body, *body], tmp_path / "twice.jsonl")

    found = read(path)

    once = read(save_lines([LINES[0], *body], tmp_path / "once.jsonl"))
    cases = {case.case for case in once.cases}
    kept = [w for w in found.windows if w.case in cases]
    assert len(kept) == len([w for w in once.windows if w.case in cases])
    assert "it was recorded twice" in said_of(found)


def test_of_a_case_that_is_recorded_twice_only_the_later_discards_count(tmp_path: Path) -> None:
    body = [line for line in LINES if line["record"] in {"window", "case"}]
    name = next(line["case"] for line in body if line["record"] == "case")
    first, later = (
        {"record": "discard", "case": name, "pair": 0, "reason": reason} for reason in ("a", "b")
    )
    path = save_lines([LINES[0], first, *body, later, *body], tmp_path / "twice.jsonl")

    assert [discard.reason for discard in read(path).discards] == ["b"]


def test_baselines_in_a_ring_are_told_and_do_no_harm(tmp_path: Path) -> None:
    one, other, *_ = [line["case"] for line in LINES if line["record"] == "case"]
    ring = {one: other, other: one}
    lines = [
        {**line, "baseline": ring.get(line["case"], line["baseline"])}
        if line["record"] == "case"
        else line
        for line in LINES
    ]

    said = said_of(read(save_lines(lines, tmp_path / "ring.jsonl")))

    assert said.count("has a baseline of its own") == 2


DAMAGE = st.one_of(
    st.sampled_from(
        [None, True, False, "", -1, 0, 1, -0.0, 1e30, -1e30, 1e-100, 2**62, -(2**62), [], {}, "x"]
    ),
    st.sampled_from([[1], {"a": 1}, [[]], {"joules": -1}, HOSTILE, "baseline", "idle", "cpu"]),
    st.sampled_from([1e20, 1e9, 1e-9, 1e-20, 10**15, 2**63 - 1]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**70), 2**70),
    st.text(max_size=5),
)


@settings(max_examples=250, deadline=None)
@given(place=st.sampled_from(LEAVES), value=DAMAGE)
def test_any_damage_to_one_field_is_an_error_or_a_report_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory,
    place: tuple[int, tuple[str | int, ...]],
    value: object,
) -> None:
    number, path = place
    lines = [*LINES[:number], changed(LINES[number], path, value), *LINES[number + 1 :]]
    file = save_lines(lines, tmp_path_factory.mktemp("damage") / "damaged.jsonl")
    found = read_or_error(file)
    if isinstance(found, str):
        assert re.search(r"damaged\.jsonl, line \d+|is it a joulebench journal", found)
    else:
        assert unprintable(said_of(found)) == []


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from(LEAVES), value=DAMAGE)
def test_the_reader_refuses_just_what_the_schema_refuses(
    place: tuple[int, Path_], value: object
) -> None:
    number, path = place
    line = changed(LINES[number], path, value)
    if isinstance(value, float) and value == value // 1:
        return  # the schema takes 1.0 for a whole number, and the reader does not
    if isinstance(value, float) and not math.isfinite(value):
        return  # no JSON: a schema knows no NaN, and the reader refuses the line as it is read

    name = line["record"]
    known = isinstance(name, str) and name in TYPES
    ours = fault_of(name, line) if known else "no record"
    assert (ours is None) == VALIDATOR.is_valid(line)


@settings(max_examples=60, deadline=None)
@given(number=st.integers(1, len(LINES) - 1), data=st.data())
def test_lines_that_are_lost_moved_or_repeated_are_an_error_or_a_report(
    tmp_path_factory: pytest.TempPathFactory, number: int, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(["lost", "repeated", "moved"]))
    lines = [*LINES[:number], *LINES[number + 1 :]]
    if kind != "lost":
        place = number if kind == "repeated" else data.draw(st.integers(1, len(lines)))
        lines = LINES[:] if kind == "repeated" else lines
        lines.insert(place, LINES[number])

    said_of(read(save_lines(lines, tmp_path_factory.mktemp("lines") / "lines.jsonl")))
