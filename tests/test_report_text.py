"""Numbers and names as text."""

import doctest
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quantities import Kind, Quantity
from bench.report import blocks, text
from bench.statistics import Interval

HOSTILE = "<script>alert(1)</script>|x\n# y"
MILLI = text.Prefix("m", 1e-3)


def q(value: float, low: float, high: float) -> Quantity:
    return Quantity(value, low, high, "J/sample", Kind.ESTIMATED, "cpu-process")


def number(shown: str) -> float:
    return float(shown.replace(text.THIN, "").replace(text.MINUS, "-"))


@pytest.mark.parametrize("module", [text, blocks])
def test_examples_in_the_docstrings_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "half", "expected"),
    [
        (12.40, 0.15, "12.40 ± 0.15"),
        (48.03, 0.91, "48.0 ± 0.9"),
        (91.2, 1.4, "91.2 ± 1.4"),
        (0.00123, 0.00004, "0.00123 ± 0.00004"),
        (1234.0, 250.0, "1\u202f230 ± 250"),
        (5.0, 0.0, "5.00"),
        (-2.0, 0.5, "−2.0 ± 0.5"),
        (0.0001, 3.0, "< 3.0"),
        (0.4, 9.0, "< 9"),
    ],
)
def test_a_value_ends_at_the_digit_where_its_uncertainty_ends(
    value: float, half: float, expected: str
) -> None:
    assert text.plus_minus(value, half) == expected


@given(st.floats(1e-9, 1e9), st.floats(1e-6, 3.0))
def test_no_value_shows_more_than_two_digits_of_uncertainty_nor_a_false_zero(
    value: float, relative: float
) -> None:
    shown = text.plus_minus(value, value * relative)
    left, _, right = shown.partition(" ± ")

    assert number(left.removeprefix("< ")) > 0
    if right:
        assert len(re.sub(r"[^0-9]", "", right).strip("0")) <= 2
        assert number(right) == pytest.approx(value * relative, rel=0.15)


@given(st.floats(1e-12, 1e12))
def test_three_significant_digits_are_within_half_a_percent(value: float) -> None:
    assert number(text.significant(value)) == pytest.approx(value, rel=0.0051)


@given(st.floats(1e-6, 1e6), st.floats(1.0, 50.0), st.floats(1.0, 50.0))
def test_the_range_of_an_estimate_is_rounded_outward_only(
    value: float, down: float, up: float
) -> None:
    shown = text.estimate(q(value, value / down, value * up), text.Prefix("", 1.0))
    match = re.fullmatch("≈ (.+)–(.+) est\\.", shown)

    assert match
    assert number(match[1]) <= value / down * (1 + 1e-8)
    assert number(match[2]) >= value * up * (1 - 1e-8)


def test_an_estimate_is_shown_as_a_range_with_its_mark() -> None:
    assert text.estimate(q(1e-3, 0.4e-3, 2.1e-3), MILLI, "J") == "≈ 0.40–2.1 mJ est."
    assert text.estimate(q(1e-3, 0.0, 2.1e-3), MILLI) == "< 2.1 est."


def test_a_quantity_shows_the_longer_side_of_its_interval() -> None:
    assert text.quantity(q(10e-3, 9.9e-3, 10.4e-3), MILLI) == "10.0 ± 0.4"
    assert text.interval(Interval(10.0, 9.6, 10.4, 3)) == "10.0 ± 0.4"


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.526, 0.511, 0.541, "0.53 [0.51, 0.54]"),
        (1.0012, 0.9991, 1.0033, "1.001 [0.999, 1.003]"),
        (0.0004, 0.00035, 0.00045, "0.00040 [0.00035, 0.00045]"),
        (12.0, 4.0, 36.0, "12 [4, 36]"),
        (0.5, 0.5, 0.5, "0.500 [0.500, 0.500]"),
    ],
)
def test_a_ratio_keeps_two_or_three_decimals_and_is_never_zero(
    value: float, low: float, high: float, expected: str
) -> None:
    assert text.ratio(Interval(value, low, high, 6)) == expected


@pytest.mark.parametrize(
    ("values", "symbol"),
    [([5e3], "k"), ([5.0], ""), ([0.012, 3e-3], "m"), ([4e-6], "µ"), ([1e-12], "n"), ([], "")],
)
def test_prefix_of_a_column_brings_its_median_between_1_and_1000(
    values: list[float], symbol: str
) -> None:
    assert text.prefix(values).symbol == symbol


def test_bytes_are_shown_in_binary_units_or_a_dash() -> None:
    assert [text.size(n) for n in (900, 2048, 3 * 2**20, 2**31, None)] == [
        "900 B",
        "2.00 KiB",
        "3.00 MiB",
        "2.00 GiB",
        "—",
    ]
    assert text.count(None) == "—"


def test_hostile_names_lose_every_character_that_has_a_meaning() -> None:
    shown = text.escape(HOSTILE + "`a` *b* [c](http://d) ~~e~~ $f$ \\| &lt; ![g]")

    assert not set(shown) & set("<>|`*[]~\\$!\n")
    assert "://" not in shown
    assert text.code(HOSTILE).count("<") == 2
    assert "|" not in text.code(HOSTILE)


def test_a_terminal_is_never_sent_a_control_character() -> None:
    assert text.plain("a\x1b[2Jb\r\nc\u202ed") == "a [2Jb c d"


def test_a_sentence_counts_the_names_that_it_leaves_out() -> None:
    assert blocks.sentence_list(["a"]) == "a"
    assert blocks.sentence_list(["a", "b", "c"]) == "a, b and c"
    assert blocks.sentence_list(list("abcdef")) == "a, b, c, d and 2 more"


def test_thin_spaces_part_the_thousands_and_a_real_minus_stands_before() -> None:
    assert text.fixed(-1234567.0, 0) == "−1\u202f234\u202f567"
    assert math.isclose(number(text.fixed(-1234567.0, 0)), -1234567.0)
