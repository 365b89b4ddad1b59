"""Opening meters: each on its own, in its order, within its time."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench.meters
from bench.instruments import open_instruments
from bench.meter import MeterUnavailable, Status
from bench.recording import Recording

PLAIN = """
import time
from bench import Channel, Kind, Reading

class Plain:
    unusable = ()
    def __init__(self, name, channel):
        self.name, self.channels = name, (channel,)
    def read(self):
        now = time.monotonic_ns()
        return (Reading(self.channels[0].id, now, now, now / 1e9),)
    def close(self):
        pass

def meter(name, id_="wall/0"):
    return Plain(name, Channel(id_, "wall", Kind.EXTERNAL, "wall", 1e-6, 1e-6, None, 99.0, name))
"""
BARE = """
from bench import MeterUnavailable
class Mine(MeterUnavailable):
    def __init__(self):
        pass
def open_meter(_):
    raise Mine
"""
EMPTY = {"PATH": os.environ["PATH"]}


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder of meters while the test runs."""
    monkeypatch.setattr(bench.meters, "__path__", [str(tmp_path)])
    before = set(sys.modules)
    (tmp_path / "_plain.py").write_text(PLAIN)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("bench.meters."):
            del sys.modules[name]
            if hasattr(bench.meters, name.rpartition(".")[2]):
                delattr(bench.meters, name.rpartition(".")[2])


def add(room: Path, name: str, text: str) -> None:
    (room / f"{name}.py").write_text(f"from bench.meters._plain import meter\n{text}\n")


@pytest.mark.failure_mode(1, "any")
@pytest.mark.usefixtures("room")
def test_an_empty_folder_of_meters_measures_nothing_and_says_so() -> None:
    instruments = open_instruments(None, EMPTY)

    assert instruments.channels == ()
    assert "energy cannot be measured here (no meter was opened)" in instruments.why_not_measured()


@pytest.mark.failure_mode(22, "any")
def test_a_meter_that_never_opens_is_told_with_its_time_and_the_others_go_on(room: Path) -> None:
    add(room, "hangs", "import threading\nopen_meter = lambda _: threading.Event().wait()")
    add(room, "sound", "open_meter = lambda _: meter('sound')")

    instruments = open_instruments(None, EMPTY, deadline_s=0.2)

    (unusable,) = instruments.unusable
    assert (unusable.what, unusable.status) == ("hangs", Status.TIMEOUT)
    assert "the meter hangs did not open within 0.2 s" in unusable.reason
    assert "is its device there" in unusable.fix
    assert [channel.id for channel in instruments.channels] == ["wall/0"]
    assert instruments.read()["wall/0"].value is not None
    instruments.close()


@pytest.mark.failure_mode(22, "any")
def test_a_meter_that_was_named_and_never_opens_ends_the_wait_with_a_reason(room: Path) -> None:
    add(room, "hangs", "import threading\nopen_meter = lambda _: threading.Event().wait()")

    with pytest.raises(MeterUnavailable, match=r"hangs did not open within 0\.2 s") as raised:
        open_instruments(["hangs"], EMPTY, deadline_s=0.2)

    assert raised.value.status is Status.TIMEOUT


def test_a_meter_that_raises_while_it_opens_is_told_and_the_others_go_on(room: Path) -> None:
    add(room, "breaks", "open_meter = lambda _: 1 / 0")
    add(room, "rusty", "raise ImportError('no rust')")
    add(room, "sound", "open_meter = lambda _: meter('sound')")

    instruments = open_instruments(None, EMPTY)

    reasons = {unusable.what: unusable.reason for unusable in instruments.unusable}
    assert "ZeroDivisionError" in reasons["breaks"]
    assert "no rust" in reasons["rusty"]
    assert [channel.id for channel in instruments.channels] == ["wall/0"]
    instruments.close()


def test_meters_are_opened_in_the_order_of_their_precedence(room: Path) -> None:
    add(room, "aardvark", "open_meter = lambda _: meter('aardvark')")
    add(room, "zebra", "PRECEDENCE = 10\nopen_meter = lambda _: meter('zebra')")
    add(room, "yak", "PRECEDENCE = 90\nopen_meter = lambda _: meter('yak')")

    instruments = open_instruments(None, EMPTY)

    assert [channel.id for channel in instruments.channels] == [
        "wall/0",
        "wall/0#aardvark",
        "wall/0#yak",
    ]
    assert instruments.channels[0].origin == "zebra"
    assert [channel.origin for channel in instruments.summed] == ["zebra"]
    instruments.close()


def test_what_follows_the_name_of_a_meter_reaches_it_as_its_variable(room: Path) -> None:
    add(room, "dial", "open_meter = lambda e: meter('dial', e['JOULES_DIAL'])")

    instruments = open_instruments(["dial:wall/7"], EMPTY)

    assert [channel.id for channel in instruments.channels] == ["wall/7"]
    instruments.close()


def test_a_meter_that_opened_is_closed_if_another_one_that_was_named_does_not(room: Path) -> None:
    closes = "found = meter('first'); found.close = lambda: closed.append(1); return found"
    add(room, "first", f"closed = []\ndef open_meter(_): {closes}")
    raises = "raise MeterUnavailable('it is not there')"
    add(room, "second", f"from bench import MeterUnavailable\ndef open_meter(_): {raises}")

    with pytest.raises(MeterUnavailable, match="it is not there"):
        open_instruments(["first", "second"], EMPTY)

    assert sys.modules["bench.meters.first"].closed == [1]


@pytest.mark.failure_mode(22, "powercap")
def test_a_counter_that_is_a_pipe_nobody_writes_to_costs_its_own_meter_only(
    tmp_path: Path,
) -> None:
    zone = tmp_path / "devices/virtual/powercap/intel-rapl/intel-rapl:0"
    zone.mkdir(parents=True)
    (tmp_path / "class/powercap").mkdir(parents=True)
    (tmp_path / "class/powercap/intel-rapl:0").symlink_to(zone)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    os.mkfifo(zone / "energy_uj")

    open_instruments(["codecarbon"], EMPTY).close()  # its library is slow to load the first time

    instruments = open_instruments(
        None, {**EMPTY, "JOULES_SYSFS_ROOT": str(tmp_path)}, deadline_s=5.0
    )

    stuck = next(each for each in instruments.unusable if each.what == "powercap")
    assert stuck.status is Status.TIMEOUT
    assert "did not open within 5 s" in stuck.reason
    assert any(channel.domain == "process" for channel in instruments.channels)
    instruments.close()


def test_without_meters_a_recording_has_no_readings() -> None:
    recording = Recording((), (), lambda: 0)

    recording.open()
    recording.close()

    assert recording.of("cpu/0/package") == []


def test_a_meter_that_is_named_twice_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"replay is named twice; give it several sources with ;"):
        open_instruments(["replay:a.json", "replay:b.json"], EMPTY)


def test_a_meter_that_opens_too_late_is_closed_again(room: Path) -> None:
    add(room, "late", "import threading\ngo, closed = threading.Event(), threading.Event()\n"
        "def open_meter(_):\n    go.wait(); found = meter('late'); found.close = closed.set\n"
        "    return found")  # fmt: skip

    instruments = open_instruments(None, EMPTY, deadline_s=0.1)
    assert instruments.unusable[0].status is Status.TIMEOUT
    module = sys.modules["bench.meters.late"]
    module.go.set()

    assert module.closed.wait(60)


def test_a_meter_with_two_channels_of_one_id_is_refused(room: Path) -> None:
    twice = "found = meter('twin'); found.channels *= 2; return found"
    add(room, "twin", f"def open_meter(_): {twice}")

    (unusable,) = open_instruments(None, EMPTY).unusable

    assert "its channels are wall/0, wall/0, and each id must be there once" in unusable.reason


def test_a_meter_that_was_named_and_cannot_be_loaded_is_told_with_why(room: Path) -> None:
    add(room, "rusty", "raise ImportError('no rust')")

    with pytest.raises(MeterUnavailable, match="no rust"):
        open_instruments(["rusty"], EMPTY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("open_meter = lambda _: None", "has no attribute 'name'"),
        ("def open_meter(_): found = meter('b'); found.name = None; return found", "None as name"),
        (
            "def open_meter(_): found = meter('b'); found.unusable = None; return found",
            "found None as unusable, wanted a tuple",
        ),
        (
            "def open_meter(_): found = meter('b'); found.channels = ('wall/0',); return found",
            "found 'wall/0' as channels, wanted a tuple of Channel",
        ),
        (
            "def open_meter(_): found = meter('b'); found.unusable = ('x',); return found",
            "found 'x' as unusable, wanted a tuple of Unusable",
        ),
        (
            "def open_meter(_): found = meter('b'); found.children_cpu_s = 'long'; return found",
            "found 'long' as children_cpu_s",
        ),
        ("import sys\nopen_meter = lambda _: sys.exit(3)", "it ended with SystemExit: 3"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("PRECEDENCE = 'first'\nopen_meter = print", "its PRECEDENCE is 'first'"),
        (BARE, "Mine: "),
    ],
)
def test_a_plug_in_that_is_no_meter_is_told_with_what_is_wrong_and_the_others_go_on(
    room: Path, text: str, words: str
) -> None:
    add(room, "broken", text)
    add(room, "sound", "open_meter = lambda _: meter('sound')")

    instruments = open_instruments(None, EMPTY)

    (unusable,) = instruments.unusable
    assert (unusable.what, unusable.status) == ("broken", Status.ERROR)
    assert "the meter broken cannot be used: " in unusable.reason
    assert words in unusable.reason
    assert unusable.fix == "mend or remove that plug-in; the other meters go on"
    assert [channel.origin for channel in instruments.channels] == ["sound"]
    instruments.close()


def test_a_channel_without_a_largest_power_is_refused_before_it_gives_a_zero(room: Path) -> None:
    nan = "found.channels = (replace(found.channels[0], p_max_w=float('nan')),); return found"
    add(room, "endless", f"from dataclasses import replace\ndef open_meter(_): "
        f"found = meter('endless'); {nan}")  # fmt: skip

    (unusable,) = open_instruments(None, EMPTY).unusable

    assert "found nan as p_max_w of the channel wall/0, wanted a finite" in unusable.reason
