"""The journal: what is written is what is read, and nothing already measured is ever lost."""

import dataclasses
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.instruments import Instruments
from bench.journal_line import short
from bench.journal_writer import JournalWriter
from bench.meter import Channel, Status, Unusable
from bench.quantities import Kind
from bench.record import (
    CaseRecord,
    Discard,
    End,
    JournalError,
    Latency,
    Note,
    Record,
    Run,
    Window,
    from_json,
    to_json,
)
from bench.records import frame, journals, read
from bench.run import Settings, new_run
from bench.schedule import PROFILES
from bench.window import ChannelEnergy

SCHEMA = json.loads((files("bench") / "schema/journal-1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

CHANNEL = Channel(
    "cpu/0/package", "package", Kind.MEASURED, "cpu-package", 6e-5, 1e-3, 262144.0, 300, "powercap"
)
RUN = Run(
    run_id="abc123",
    started="2026-11-23T10:12:00Z",
    command="pytest --benchmark suites",
    settings={"profile": "quick", "pairs": 6, "margin": 0.03},
    seed=0,
    git={"commit": "1a2b3c4", "dirty": False},
    machine={
        "id": "m1",
        "cpu": "a CPU",
        "vendor": "GenuineIntel",
        "cpus": 2,
        "memory_bytes": None,
        "gpu": [],
        "kernel": "Linux 6",
        "virtualised": None,
        "governor": None,
        "turbo": None,
        "python": "3.11.7",
    },
    packages={"torch": "2.13.0"},
    channels=(CHANNEL,),
    unusable=(Unusable("nvml", Status.UNAVAILABLE, "no library", "install the driver"),),
)
CASE = CaseRecord(
    case="w/prune@density=0.1/eager/cpu/b1",
    workload="w",
    technique="prune",
    level={"density": "0.1"},
    runtime="eager",
    device="cpu",
    batch=1,
    threads=1,
    dtype="float32",
    baseline="w/baseline/eager/cpu/b1",
    quality={"metric": "test accuracy", "value": 0.98, "n": 540, "target": 0.97},
    baseline_quality=None,
    size_bytes={"disk": 1000, "nominal": None},
    parameters=10,
    nonzero=1,
    macs=None,
    workload_version="v1",
    unit="image",
)


def window(case: str = CASE.case, pair: int = 0, joules: float | None = 25.0) -> Window:
    known = joules is not None
    energy = ChannelEnergy(
        CHANNEL.id,
        joules,
        joules * 0.9 if joules is not None else None,
        joules * 1.1 if joules is not None else None,
        Kind.MEASURED,
        "cpu-package",
        Status.OK if known else Status.STALE,
        "" if known else "it stood still",
    )
    latency = Latency(5, 0.1, 0.1, 0.1, 0.1)
    return Window(case, "variant", pair, pair, 0, 500_000_000, 5, 5, (energy,), latency)


RECORDS: list[Record] = [
    RUN,
    CASE,
    window(),
    window(joules=None),
    dataclasses.replace(window(), role="idle", latency_s=None, flags=("foreign load 0.30 CPU",)),
    Discard("w", 1, "too short"),
    Note("w", "skipped"),
    End("2026-11-23T10:13:00Z", 0, {"window": 3}),
]


@pytest.mark.parametrize(
    "record", RECORDS, ids=str.split("run case window absent idle discard note end")
)
def test_a_record_is_written_as_the_schema_says_and_read_back_equal(record: Record) -> None:
    line = to_json(record)

    VALIDATOR.validate(json.loads(line))
    assert "\n" not in line
    assert from_json(line) == record


@settings(max_examples=200)
@given(
    joules=st.floats(1e-9, 1e9) | st.none(),
    flags=st.lists(st.text(), max_size=3),
    t1=st.integers(1, 2**62),
    case=st.text(),
)
def test_any_window_survives_the_journal_to_the_last_bit(
    joules: float | None, flags: list[str], t1: int, case: str
) -> None:
    record = dataclasses.replace(window(joules=joules), flags=tuple(flags), t1_ns=t1, case=case)

    assert from_json(to_json(record)) == record
    VALIDATOR.validate(json.loads(to_json(record)))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_never_written(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(dataclasses.replace(window(), latency_s=Latency(1, number, 1, 1, 1)))


def broken(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(to_json(window()))
    change(fields)
    return fields


@pytest.mark.parametrize(
    "fields",
    [
        broken(lambda f: f.update(role="winner")),
        broken(lambda f: f["energy"][0].update(joules=None)),
        broken(lambda f: f["energy"][0].update(kind="guessed")),
        broken(lambda f: f["energy"][0].update(joules=-1)),
        broken(lambda f: f.pop("samples")),
        broken(lambda f: f.update(extra=1)),
    ],
    ids=["role", "joules without reason", "kind", "negative", "missing", "unknown"],
)
def test_the_schema_refuses_what_a_window_must_not_be(fields: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(fields)


def journal(folder: Path, *records: Record) -> Path:
    with JournalWriter.create(folder, RUN) as writer:
        for record in records:
            writer.append(record)
    return writer.path


def test_the_name_of_a_journal_tells_time_machine_and_run(tmp_path: Path) -> None:
    path = journal(tmp_path / "results")

    assert path.name == "20261123T101200Z-m1-abc123.jsonl"
    assert journals(tmp_path / "results") == [path]


def test_a_case_counts_with_its_windows_once_its_record_follows_them(tmp_path: Path) -> None:
    path = journal(tmp_path, window(), window(pair=1), CASE, End("t", 0, {}))

    found = read(path)

    assert found.run == RUN
    assert found.cases == (CASE,)
    assert [w.pair for w in found.windows_of(CASE.case)] == [0, 1]
    assert found.end == End("t", 0, {})


def test_windows_of_an_unfinished_case_are_left_out_with_a_note(tmp_path: Path) -> None:
    path = journal(tmp_path, window(), CASE, window("other"), window("other", 1))

    found = read(path)

    assert len(found.windows) == 1
    assert found.notes == (Note("other", "2 blocks of a case that was not finished are left out"),)


def test_idle_windows_count_although_they_belong_to_no_case(tmp_path: Path) -> None:
    path = journal(tmp_path, dataclasses.replace(window(""), role="idle"))

    assert [w.role for w in read(path).windows] == ["idle"]
    assert read(path).notes == ()


@pytest.mark.parametrize("torn", ['{"record":"win', "{", "\x00\x00\x00"])
def test_a_torn_last_line_is_dropped_with_a_note(tmp_path: Path, torn: str) -> None:
    path = journal(tmp_path, window(), CASE)
    with path.open("a") as file:
        file.write(torn)

    found = read(path)

    assert found.cases == (CASE,)
    assert f"torn off after {len(torn)} bytes" in found.notes[0].text


def test_a_resumed_journal_loses_its_torn_line_and_nothing_else(tmp_path: Path) -> None:
    path = journal(tmp_path, window(), CASE)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"record":"window","ca')

    with JournalWriter.resume(path) as writer:
        writer.append(window("second"))

    assert path.read_bytes().startswith(whole)
    assert read(path).cases == (CASE,)
    assert "torn" not in "".join(note.text for note in read(path).notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"record":"window"}', "line 2: found no field case, wanted one; restore the file"),
        ("nonsense", r"line 2 is damaged \(JSONDecodeError"),
        ('{"record":"riddle"}', r"line 2: found the record type 'riddle', wanted one of run"),
        ("[]", "line 2: found the record type null"),
        ('{"record":"note","case":1,"text":"","x":1}', "line 2: found 1 in case, wanted a text"),
    ],
)
def test_damage_within_a_journal_is_an_error_that_names_the_line(
    tmp_path: Path, line: str, message: str
) -> None:
    path = journal(tmp_path)
    path.write_text(path.read_text() + line + "\n" + to_json(CASE) + "\n")

    with pytest.raises(JournalError, match=message):
        read(path)


@pytest.mark.parametrize("schema", [2, "1", None], ids=json.dumps)
def test_a_newer_or_unknown_schema_is_refused_with_what_to_do(
    tmp_path: Path, schema: object
) -> None:
    fields = {**json.loads(to_json(RUN)), "schema": schema}
    path = tmp_path / "new.jsonl"
    path.write_text(json.dumps(fields) + "\n")

    said = f"has schema {short(schema)}, .* reads up to 1; install"
    with pytest.raises(JournalError, match=said):
        read(path)


def test_what_is_no_journal_is_refused_by_name(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    headless = tmp_path / "headless.jsonl"
    headless.write_text(to_json(CASE) + "\n")
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\n")

    for path in (empty, headless):
        with pytest.raises(JournalError, match="does not begin with a run record"):
            read(path)
    for path in (binary, tmp_path / "missing.jsonl"):
        with pytest.raises(JournalError, match="cannot read"):
            read(path)


def test_a_folder_that_cannot_be_written_is_said_before_measuring(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(JournalError, match="give another folder with --joules-results"):
        JournalWriter.create(tmp_path / "file" / "results", RUN)


def test_a_journal_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    first = journal(tmp_path, CASE)
    before = first.read_bytes()

    with pytest.raises(JournalError, match="File exists"):
        JournalWriter.create(tmp_path, RUN)
    assert first.read_bytes() == before


def test_each_window_is_in_the_file_before_the_next_one_begins(tmp_path: Path) -> None:
    with JournalWriter.create(tmp_path, RUN) as writer:
        writer.append(window())

        lines = writer.path.read_text().splitlines()

    assert from_json(lines[-1]) == window()
    assert writer.counts == {"run": 1, "window": 1}


def test_the_frame_has_one_row_for_each_window_and_channel(tmp_path: Path) -> None:
    bare = dataclasses.replace(window(pair=1), energy=())
    table = frame(read(journal(tmp_path, window(), bare, CASE)))

    assert list(table["pair"]) == [0, 1]
    assert table["joules"].iloc[0] == 25
    assert table["joules"].isna().iloc[1]


def test_blocks_of_a_dead_attempt_do_not_count_after_a_resume(tmp_path: Path) -> None:
    path = journal(tmp_path, window(), window(pair=1), Discard(CASE.case, 2, "short"))

    with JournalWriter.resume(path) as writer:
        writer.append(window(joules=5.0))
        writer.append(CASE)

    found = read(path)
    assert [w.energy[0].joules for w in found.windows_of(CASE.case)] == [5.0]
    assert found.discards == ()
    assert "3 blocks of a case that was not finished are left out" in found.notes[-1].text
    assert writer.counts == {"run": 1, "window": 3, "discard": 1, "note": 1, "case": 1}


def test_a_session_that_was_resumed_and_killed_again_has_no_end(tmp_path: Path) -> None:
    path = journal(tmp_path, End("t", 2, {}))

    with JournalWriter.resume(path) as writer:
        writer.append(window())

    assert read(path).end is None


@pytest.mark.parametrize("change", [{"samples": 0}, {"t1_ns": 0}])
def test_a_window_that_nothing_can_be_divided_by_is_refused(
    tmp_path: Path, change: dict[str, int]
) -> None:
    path = journal(tmp_path, dataclasses.replace(window(), **change), CASE)  # type: ignore[arg-type]

    with pytest.raises(JournalError, match="line 2: found a window without length or without"):
        read(path)


def test_a_password_in_an_address_is_not_written_into_a_journal() -> None:
    address = "plug:http://me:s3cret@10.0.0.7"
    settings = Settings(
        "quick", PROFILES["quick"], meters=(address,), command=f"pytest --joules-meters={address}"
    )

    line = to_json(new_run(settings, Instruments()))

    assert "s3cret" not in line
    assert "http://10.0.0.7" in line
