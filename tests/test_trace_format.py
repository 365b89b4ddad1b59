"""What is read out of the lines of a trace: columns, units, times, and what cannot be meant."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from emulated_trace import iso, ptd

from bench.meter import MeterUnavailable, Status
from bench.meters._trace_format import recognise
from bench.meters._trace_numbers import BadLineError
from bench.meters._trace_time import interval_s, samples_per_value
from bench.meters._trace_wanted import CLOCKS, P_MAX_W, Wanted, wanted

T = 1_751_274_901.25  # 2025-06-30T09:15:01.250Z


@pytest.mark.parametrize(
    ("query", "header", "row", "value", "stamp", "clock"),
    [
        ("", "Time,Power (mW)", "2025-06-30T09:15:01.250Z,31400", 31.4, T, "utc"),
        ("", "Timestamp;Power [W]", "2025-06-30T11:15:01,250+02:00;31,4", 31.4, T, "utc"),
        ("clock=utc", "date\tpower_w", "2025-06-30 09:15:01.25\t31.4", 31.4, T, "utc"),
        ("", "time_ms,power_kW", "1751274901250,0.0314", 31.4, T, "unix"),
        ("", "timestamp,Watts", "1751274901.25,31.4", 31.4, T, "unix"),
        ("", "timestamp,Watts", "1751274901250,31.4", 31.4, T, "unix"),
        ("", "timestamp,Watts", "1751274901250000,31.4", 31.4, T, "unix"),
        ("", "Time (s),Voltage (V),Current (mA)", "2.5,5.0,200", 1.0, 2.5, "device"),
        (
            "amps=Current(uA)&volts=3.3",
            "Timestamp(ms),Current(uA)",
            "250,1000",
            0.0033,
            0.25,
            "device",
        ),
        ("clock=monotonic", "time (us),power (W)", "250000,31.4", 31.4, 0.25, "monotonic"),
        ("watts=P&unit=mW", "time,P,Q", "2.5,31400,7", 31.4, 2.5, "device"),
        ("watts=P&scale=1e-3", "time,P", "2.5,31400", 31.4, 2.5, "device"),
        ("watts=Power (mW)&scale=1e-3", "time,Power (mW)", "2.5,31400", 31.4, 2.5, "device"),
        ("watts=power (mw)", "time,Power (mW)", "2.5,31400", 31.4, 2.5, "device"),
        ("watts=P", "time,P", "2.5,31.4", 31.4, 2.5, "device"),
        ("watts=B&time=t2", "t1,t2,A,B", "1,2.5,7,31.4", 31.4, 2.5, "device"),
        ("", "time,Power (W),Max Power (W)", "2.5,31.4,99", 31.4, 2.5, "device"),
        ("unit=W", "time,power", "2.5,31.4", 31.4, 2.5, "device"),
        ("clock=device", "time,power (W)", "09:15:01.25,31.4", 31.4, 33301.25, "device"),
        ("", '\ufeff"time","power (W)"', '"2.5","31.4"', 31.4, 2.5, "device"),
    ],
)
def test_a_table_says_what_its_columns_are(  # noqa: PLR0917 - a table
    query: str, header: str, row: str, value: float, stamp: float, clock: str
) -> None:
    form = recognise([header, row, row, row], wanted(f"x?{query}" if query else "x"))

    assert form is not None
    sample = form.parse(row)
    assert sample is not None
    assert sample.value == pytest.approx(value, rel=1e-12)
    assert sample.stamp == pytest.approx(stamp, rel=1e-15)
    assert (form.clock, form.is_energy) == (clock, False)
    assert form.parse(header) is None


@pytest.mark.parametrize(
    ("query", "header", "shown", "true_j"),
    [
        ("", "time,energy (J)", "5", 5.0),
        ("", "time,energy (mJ)", "5", 0.005),
        ("", "time,Energy [Wh]", "5", 18_000.0),
        ("", "time,energy_kWh", "0.5", 1.8e6),
        ("", "time,Energy (mWh)", "5", 18.0),
        ("joules=total&unit=Wh", "time,total", "5", 18_000.0),
        ("joules=E", "time,E", "5", 5.0),
        ("joules=energy (J)", "time,power (W),energy (J)", "5", 5.0),
        ("unit=kWh", "time,energy", "2", 7.2e6),
    ],
)
def test_a_total_is_converted_to_joules_once(
    query: str, header: str, shown: str, true_j: float
) -> None:
    row = ",".join(["2.5", *["7"] * (header.count(",") - 1), shown])
    form = recognise([header, row, row, row], wanted(f"x?{query}" if query else "x"))

    assert form is not None
    assert form.is_energy
    sample = form.parse(row)
    assert sample is not None
    assert sample.value == pytest.approx(true_j, rel=1e-12)


def test_power_goes_before_energy_where_a_table_has_both() -> None:
    row = "2.5,31.4,5"
    form = recognise(["time,power (W),energy (J)", row, row, row], wanted("x"))

    assert form is not None
    assert not form.is_energy


@pytest.mark.parametrize(
    ("query", "header", "words"),
    [
        ("", "time,current,voltage,power,charge,energy", "the unit of 'power' is not said"),
        ("", "time,P1 power (W),P2 power (W)", "several columns may be the power"),
        ("", "time,A,B", "no column is obviously power or energy"),
        ("", "date,time,power (W)", "several columns may be the time: 'date', 'time'"),
        ("watts=Q", "time,P", "there is no single column 'Q'"),
        ("", "time,Power (MW)", "the unit of 'Power (MW)' is not said"),
        ("watts=Power (MW)", "time,Power (MW)", "the unit of 'Power (MW)' is not said"),
        ("", "Timestamp(ms),Current(uA)", "no column is obviously power or energy"),
        ("volts=V&amps=I", "time,U,I", "there is no single column 'V'"),
    ],
)
def test_what_is_not_obvious_is_refused_with_the_columns_and_the_mapping_to_give(
    query: str, header: str, words: str
) -> None:
    row = ",".join("1" for _ in header.split(","))

    with pytest.raises(MeterUnavailable) as caught:
        recognise([header, row, row, row], wanted(f"x?{query}" if query else "x"))

    assert words in caught.value.absent.reason
    assert all(f"'{name}'" in caught.value.absent.reason for name in header.split(","))
    assert "?time=NAME&watts=NAME&unit=W" in caught.value.absent.fix


def test_a_date_without_a_zone_is_not_taken_for_utc() -> None:
    row = "2025-06-30 09:15:01,31.4"

    with pytest.raises(MeterUnavailable, match="dates without a zone; give clock=utc"):
        recognise(["time,power (W)", row, row, row], wanted("x"))


@pytest.mark.parametrize(
    ("lines", "value", "stamp"),
    [
        (["31.5"] * 3, 31.5, None),
        (["1.234 31.5"] * 3, 31.5, 1.234),
        (["1.234,31.5"] * 3, 31.5, 1.234),
        (["1.234\t31.5"] * 3, 31.5, 1.234),
        (["2025-06-30T09:15:01.250Z 31.5"] * 3, 31.5, T),
        (["0.", "1.234 31.5", "1.234 31.5"], 31.5, 1.234),
        (["# a comment", "1.234 31.5", "2.0 31.6", "3.0 31.7"], 31.5, 1.234),
    ],
)
def test_lines_of_bare_numbers_are_watts_after_an_optional_time(
    lines: list[str], value: float, stamp: float | None
) -> None:
    form = recognise(lines, wanted("x"))

    assert form is not None
    sample = form.parse(lines[1])
    assert sample is not None
    assert (sample.value, sample.stamp) == (value, stamp)


def test_a_bare_number_has_the_unit_that_is_given() -> None:
    form = recognise(["31500"] * 3, wanted("x?unit=mW"))

    assert form is not None
    sample = form.parse("31500")
    assert sample is not None
    assert sample.value == 31.5


def test_a_comma_between_two_whole_numbers_may_be_a_decimal_one_and_is_refused() -> None:
    with pytest.raises(MeterUnavailable, match="'31,5' is one number or two"):
        recognise(["31,5"] * 3, wanted("x"))


def test_a_comma_in_a_table_of_commas_is_no_decimal_one() -> None:
    form = recognise(["time,power (W)", *['1,"2,345"'] * 3], wanted("x"))

    assert form is not None
    with pytest.raises(BadLineError, match="'2,345' is no number"):
        form.parse('1,"2,345"')


def test_one_named_column_is_a_table_and_keeps_its_unit() -> None:
    form = recognise(["power_mW", "31500", "31500", "31500"], wanted("x"))

    assert form is not None
    sample = form.parse("31500")
    assert sample is not None
    assert sample.value == 31.5


def test_too_few_lines_show_no_form_unless_they_must() -> None:
    assert recognise([], wanted("x"), must=True) is None
    assert recognise(["1.0 31.5", "2.0 31.5"], wanted("x")) is None
    assert recognise(["1.0 31.5"], wanted("x"), must=True) is not None
    assert recognise(["time,power (W)"], wanted("x"), must=True) is None


def test_ptdaemons_line_is_its_watts_and_its_time_in_utc() -> None:
    line = (
        "Time,06-30-2025 09:15:01.250,Watts,31.400000,Volts,229.800000,Amps,0.152000,PF,0.900000"
        ",Mark,run,Ch1,Watts,11.4,Volts,230,Amps,1,PF,1,Ch2,Watts,20.0,Volts,230,Amps,1,PF,1"
    )
    whole, second = recognise([line], wanted("x")), recognise([line], wanted("x?watts=Ch2"))

    assert whole is not None
    assert second is not None
    assert whole.clock == "utc"
    assert whole.parse(line) == (T, 31.4, 0.1, 0.001)
    sample = second.parse(line)
    assert sample is not None
    assert sample.value == 20.0
    assert whole.parse("06-30-2025 09:15:01 Notice: ranging") is None


def test_the_emulated_line_is_the_one_of_the_protocol() -> None:
    assert ptd(T, 31.4, "run").startswith("Time,06-30-2025 09:15:01.250,Watts,31.400000,Volts,")
    assert iso(T) == "2025-06-30T09:15:01.250+00:00"


@pytest.mark.failure_mode(27, "trace")
@pytest.mark.parametrize("shown", ["-1.000000", "-1", "NaN", "nan", "INF", "-inf", "9.91E+37"])
def test_what_a_meter_marks_invalid_is_no_value(shown: str) -> None:
    line = ptd(T, 31.4).replace("31.400000", shown, 1)
    form = recognise([ptd(T, 31.4), line], wanted("x"))

    assert form is not None
    with pytest.raises(BadLineError, match="marks it invalid"):
        form.parse(line)


@pytest.mark.failure_mode(7, "trace")
@pytest.mark.parametrize(
    "row",
    [
        *("1.0", "1.0,", "1.0,N/A", "1.0,32760 ma", "x,31.4", ",31.4", "\0"),
        *("1.0,12_5", "1_0,31.4", "1.0,\u0663\u0661", "1.0,3\r1.4"),
    ],
)
def test_a_garbled_row_is_no_value(row: str) -> None:
    form = recognise(["time,power (W)", "1,2", "2,3", "3,4"], wanted("x"))

    assert form is not None
    with pytest.raises(BadLineError):
        form.parse(row)


def test_a_garbled_line_among_the_first_does_not_hide_the_form() -> None:
    lines = ["1,\r2", "time,power (W)", "1,2", "2,\r3", "3,4", "4,5"]
    form = recognise(lines, wanted("x"))

    assert form is not None
    sample = form.parse("5,6")
    assert sample is not None
    assert (sample.stamp, sample.value) == (5.0, 6.0)


def test_resolution_is_the_step_in_which_numbers_are_written() -> None:
    form = recognise(["time,power (mW)", "1,31400", "2,31500", "3,31450"], wanted("x"))

    assert form is not None
    sample = form.parse("3.25,31450")
    assert sample is not None
    assert sample.step == pytest.approx(1e-3)
    assert sample.stamp_step == pytest.approx(0.01)


def test_the_step_of_a_product_holds_the_rounding_of_both() -> None:
    form = recognise(["t (s),U (V),I (A)", *["1,5.1,0.20"] * 3], wanted("x?volts=U (V)&amps=I (A)"))

    assert form is not None
    sample = form.parse("1,5.1,0.23")
    assert sample is not None
    assert sample.step >= 5.15 * 0.235 - 5.1 * 0.23
    assert sample.step >= 5.1 * 0.23 - 5.05 * 0.225


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no trace is named"),
        ("x?foo=1", "'foo' is no key; choose from time, watts"),
        ("x?watts", "is no key=value"),
        ("x?watts=a&watts=b", "watts is given twice"),
        ("x?watts=a&joules=b", "watts and joules are both given"),
        ("x?volts=a", "volts and amps are given together"),
        ("x?watts=a&unit=Wh", "unit=Wh is no unit of watts"),
        ("x?joules=a&unit=mW", "unit=mW is no unit of joules"),
        ("x?unit=hp", "found unit=hp"),
        ("x?clock=local", "found clock=local"),
        ("x?scale=0", "found scale=0, wanted a number above 0"),
        ("x?clock_s=-1", "found clock_s=-1, wanted a number of 0 or more"),
        ("x?p_max_w=nan", "found p_max_w=nan"),
        ("x?channel=", "channel is empty"),
        ("x?channel=wall//0", "found channel=wall//0"),
        ("x?volts=a&amps=b&unit=W", "a unit of volts × amps"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(text: str, words: str) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        wanted(text)

    assert words in caught.value.absent.reason
    assert "trace:log.csv?time=Timestamp" in caught.value.absent.fix
    assert caught.value.status is Status.UNAVAILABLE


def test_a_columns_name_may_be_percent_encoded() -> None:
    assert wanted("log.csv?watts=P%2C%20all%2BN&time=T s").watts == "P, all+N"


def test_the_interval_is_the_longest_usual_gap() -> None:
    assert interval_s([0, 1, 2.1, 3, 4]) == 1.1
    assert interval_s([0, 1, 2, 4, 5, 600, 601]) == 1  # a lost line, a pause
    assert interval_s([5]) is None


@pytest.mark.failure_mode(12, "trace")
def test_a_value_that_is_held_is_told_from_a_power_that_does_not_change() -> None:
    held = [value for value in (1, 2, 2, 3, 4, 5, 6) for _ in range(5)]

    assert samples_per_value(held) == 10
    assert samples_per_value([1, 1, 1, 2, 1, 1, 2, 2, 3, 1, 1]) == 1
    assert samples_per_value([1, 1, 1, 1, 1, 1]) is None


def test_every_key_and_every_clock_stands_in_the_document() -> None:
    page = (Path(__file__).parents[1] / "docs" / "traces.md").read_text(encoding="utf-8")

    keys = {field.name for field in fields(Wanted)} - {"source"}
    assert {key for key in {*keys, *CLOCKS} if f"`{key}`" not in page} == set()
    assert f"{P_MAX_W:g} (16 A at 230 V)" in page


def test_the_example_of_the_document_can_be_asked() -> None:
    page = (Path(__file__).parents[1] / "docs" / "traces.md").read_text(encoding="utf-8")
    asked = re.findall(r"trace:([^\s`\"|]+\?(?:[^`\"|])+)[`\"]", page)

    assert len(asked) >= 4
    assert all(wanted(text).source for text in asked)
