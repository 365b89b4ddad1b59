"""A value knows its kind and boundary, and refuses what may not be done with it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quantities import (
    Absent,
    Kind,
    MixedError,
    OverlapError,
    Quantity,
    contains,
    mixed_total,
    overlap,
)


def joules(value: float, channel: str = "cpu/0/package", kind: Kind = Kind.MEASURED) -> Quantity:
    boundary = {"package": "cpu-package", "dram": "dram"}.get(channel.rpartition("/")[2], "other")
    return Quantity(value, value - 1, value + 1, "J", kind, boundary, (channel,))


def test_a_sum_adds_the_intervals_and_joins_the_boundaries() -> None:
    both = joules(10) + joules(2, "cpu/0/dram")

    assert (both.value, both.low, both.high) == (12, 10, 14)
    assert both.boundary == "cpu-package+dram"
    assert both.channels == ("cpu/0/package", "cpu/0/dram")


def test_two_sockets_share_one_boundary_name_in_their_sum() -> None:
    assert (joules(10) + joules(20, "cpu/1/package")).boundary == "cpu-package"


@pytest.mark.parametrize("channel", ["cpu/0/core", "board/psys", "wall/0", "cpu/0/package#pyrapl"])
def test_a_sum_of_nested_channels_is_refused_as_double_counting(channel: str) -> None:
    with pytest.raises(OverlapError, match="counts energy twice"):
        joules(10) + joules(3, channel)


def test_a_sum_across_kinds_is_refused_and_names_the_way_out() -> None:
    with pytest.raises(MixedError, match="use mixed_total"):
        joules(10) + joules(3, "cpu/0/dram", Kind.ESTIMATED)


def test_a_total_of_several_kinds_says_the_share_of_each() -> None:
    total = mixed_total([joules(83), joules(17, "gpu/1/board", Kind.ESTIMATED)])

    assert str(total) == "total 100 J, 83% measured, 17% estimated"


def test_a_mixed_total_refuses_overlap_other_units_and_nothing() -> None:
    with pytest.raises(OverlapError):
        mixed_total([joules(1), joules(1, kind=Kind.SAMPLED)])
    with pytest.raises(MixedError):
        mixed_total([joules(1), joules(1, "cpu/0/dram").scaled(1, "W")])
    with pytest.raises(ValueError, match="at least one"):
        mixed_total([])


def test_a_comparison_across_kinds_or_boundaries_is_refused() -> None:
    with pytest.raises(MixedError):
        _ = joules(1) < joules(2, kind=Kind.ESTIMATED)
    with pytest.raises(MixedError):
        joules(1).over(joules(2, "cpu/0/dram"))


def test_alike_quantities_compare_and_divide_as_numbers_do() -> None:
    assert joules(1) < joules(2)
    assert joules(3).over(joules(2)) == 1.5


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [(math.nan, 0, 1), (1, -math.inf, 2), (3, 0, 2), (1, 2, 0)],
)
def test_a_value_outside_its_interval_or_not_finite_is_refused(
    value: float, low: float, high: float
) -> None:
    with pytest.raises(ValueError, match=r"finite|outside"):
        Quantity(value, low, high, "J", Kind.MEASURED, "cpu-package")


def test_scaling_turns_joules_into_joules_per_sample() -> None:
    each = joules(10).scaled(0.1, "J/sample")

    assert each.half_width == pytest.approx(0.1)
    assert (each.value, each.unit) == (1, "J/sample")


def test_what_is_absent_is_false_and_tells_reason_and_fix() -> None:
    nothing = Absent("no counter", "use another machine")

    assert not nothing
    assert str(nothing) == "no counter; use another machine"
    assert str(Absent("no counter")) == "no counter"


def test_only_readings_of_an_instrument_count_as_readings() -> None:
    assert [kind.value for kind in Kind if kind.is_reading] == ["measured", "sampled", "external"]


IDS = [
    "wall/0",
    "board/psys",
    "battery/0",
    "cpu/0/package",
    "cpu/0/core",
    "cpu/0/dram",
    "cpu/1/package",
    "gpu/GPU-1/board",
    "gpu/GPU-1/memory",
    "gpu/GPU-2/board",
    "process/cpu",
]


@given(st.sampled_from(IDS), st.sampled_from(IDS), st.sampled_from(IDS))
def test_containment_is_an_order(a: str, b: str, c: str) -> None:
    assert contains(a, a)
    if contains(a, b) and contains(b, c):
        assert contains(a, c)
    if a != b:
        assert not (contains(a, b) and contains(b, a))


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("cpu/0/package", "cpu/0/dram", False),
        ("cpu/0/package", "cpu/1/core", False),
        ("cpu/0/package", "cpu/0/uncore", True),
        ("gpu/GPU-1/board", "gpu/GPU-1/memory", True),
        ("gpu/GPU-1/board", "gpu/GPU-2/memory", False),
        ("cpu/0/package", "process/cpu", True),
        ("process/cpu", "cpu/0/package", False),
        ("wall/0", "wall/1", False),
    ],
)
def test_containment_follows_the_hardware_not_the_file_tree(
    outer: str, inner: str, *, expected: bool
) -> None:
    assert contains(outer, inner) is expected


def test_overlap_names_the_outer_channel_first() -> None:
    assert overlap(["cpu/0/core"], ["gpu/1/board", "wall/0"]) == ("wall/0", "cpu/0/core")
    assert overlap(["cpu/0/package"], ["cpu/0/dram"]) is None
