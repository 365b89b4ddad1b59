"""A meter of somebody else that gives what is no meter's is told so, and gives no number."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from bench.command import measure_command
from bench.instruments import Instruments
from bench.meter import Channel, Reading, Status, Unusable
from bench.protocol import require_meter, require_reading
from bench.quantities import Absent, Kind

COUNTER = Channel("wall/0", "wall", Kind.EXTERNAL, "wall", 1e-6, 1e-6, None, 99.0, "a plug-in")
TRUE = [sys.executable, "-I", "-S", "-c", "pass"]


@dataclass
class Theirs:
    """A meter of somebody else; *reads* gives its one reading."""

    reads: Callable[[], Any]
    channels: tuple[Channel, ...] = (COUNTER,)
    name: str = "theirs"
    unusable: tuple[Unusable, ...] = ()

    def read(self) -> tuple[Reading, ...]:
        return (self.reads(),)

    def close(self) -> None:
        """Nothing is held."""


def reading(joules: Any, **fields: Any) -> Reading:
    now = time.monotonic_ns()
    return Reading(COUNTER.id, now, now, joules)._replace(**fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", None),
        ("boundary", None),
        ("kind", "measured"),
        ("unit", "mJ"),
        ("p_max_w", 0.0),
        ("p_max_w", math.nan),
        ("p_max_w", math.inf),
        ("resolution", math.nan),
        ("resolution", None),
        ("update_interval_s", -1.0),
        ("update_interval_s", math.inf),
        ("averaging_window_s", math.nan),
        ("clock_s", -0.1),
        ("wrap", 0.0),
        ("wrap", math.nan),
        ("poll_s", "often"),
        ("range", (2.0, 0.5)),
        ("range", (math.nan, 1.0)),
        ("range", (1.1, 1.2)),
        ("range", 1.0),
    ],
)
def test_a_channel_with_a_field_that_cannot_be_is_refused_with_its_name(
    field: str, value: Any
) -> None:
    wrong = replace(COUNTER, **{field: value})

    with pytest.raises(
        ValueError, match=rf"found .* as {field} of the channel .*, wanted "
    ) as told:
        require_meter(Theirs(lambda: reading(1.0), (wrong,)))

    assert repr(value) in str(told.value)


def test_what_a_meter_leaves_out_is_given_back() -> None:
    left_out = (Unusable("wall/1", Status.LOST, "it left"),)

    assert require_meter(Theirs(lambda: reading(1.0), unusable=left_out)) == left_out


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"value": "5"}, "found '5' as value, wanted a number"),
        ({"value": Decimal(5)}, r"found Decimal\('5'\) as value"),
        ({"value": None}, "the value None with the status ok, wanted a value if it is ok"),
        ({"status": Status.LOST}, r"the value 5\.0 with the status lost"),
        ({"t0_ns": 1.5}, r"found the times 1\.5 to .*time\.monotonic_ns\(\)"),
        ({"t1_ns": None}, "found the times .* to None"),
        ({"t0_ns": 2**62}, "in order"),
        ({"t_device": math.nan}, "found nan as t_device"),
        ({"t_device": "noon"}, "found 'noon' as t_device"),
    ],
)
def test_a_reading_that_is_none_gives_an_error_that_says_what_it_was_and_no_number(
    fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        require_reading(reading(5.0, **fields))

    found = measure_command(TRUE, Instruments((Theirs(lambda: reading(5.0, **fields)),)))

    (energy,) = found.energy
    assert (energy.joules, energy.low, energy.high) == (None, None, None)
    assert energy.status is Status.ERROR
    assert energy.reason.startswith("reading theirs failed with ValueError: found ")
    assert "the other meters go on" in energy.reason
    assert isinstance(found.total, Absent)


@pytest.mark.parametrize("value", [7, True, 7.0])
def test_a_number_of_another_type_becomes_a_float(value: Any) -> None:
    assert type(require_reading(reading(value)).value) is float


def test_a_number_that_no_float_can_hold_is_an_error() -> None:
    found = measure_command(TRUE, Instruments((Theirs(lambda: reading(10**400)),)))

    assert (found.energy[0].joules, found.energy[0].status) == (None, Status.ERROR)


@pytest.mark.parametrize("prompt", [False, True])
def test_a_meter_that_ends_the_program_when_it_is_read_ends_its_own_numbers_only(
    *, prompt: bool
) -> None:
    theirs = Theirs(lambda: sys.exit(3))
    theirs.prompt = prompt  # type: ignore[attr-defined]

    found = measure_command(TRUE, Instruments((theirs,)))

    assert found.exit_code == 0
    assert (found.energy[0].joules, found.energy[0].status) == (None, Status.ERROR)
    assert "SystemExit: 3" in found.energy[0].reason


def test_flags_that_are_no_texts_in_a_row_are_told_and_end_nothing() -> None:
    theirs = Theirs(lambda: reading(time.monotonic()))
    theirs.flags = lambda: None  # type: ignore[attr-defined]

    found = measure_command(TRUE, Instruments((theirs,)))

    assert "theirs cannot tell what spoils a window" in found.flags[0]
