"""An alert says what changed, by how much, who may have done it, and what to do: on one screen."""

import json
import math
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import alert_example
import alert_nights
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import MACHINE, a_case, a_run, quality

from bench.cli import _parser
from bench.gate.alert import block, blocks, page, summary
from bench.gate.answer import ENERGY, TIME, Night, Pair, Word
from bench.gate.known import Known, Side, surroundings
from bench.gate.machine_answer import Outcome, answer, junit, outcome
from bench.gate.split import level, split
from bench.gate.suspects import Suspects
from bench.gate.wording import change, command, fence, minutes, quoted
from bench.report.text import MINUS
from bench.statistics import Interval

SCHEMA = json.loads((Path(__file__).parents[1] / "bench/schema/gate-1.json").read_text())
HOSTILE = (
    "<script>alert(1)</script> ](javascript:alert(1)) | `x` **b** @team #1 www.evil.com"
    " \x1b[31m\n\n# h"
)


def the_block(night: Night | None = None, known: Known | None = None) -> str:
    night = night or alert_nights.power_grew()
    return blocks(night, {alert_nights.CASE: known or alert_nights.sides()})[alert_nights.CASE]


def table_of(markdown: str) -> dict[str, list[str]]:
    """The cells of the rows of a block's table, by the first."""
    rows = [line.strip("|").split("|") for line in markdown.splitlines() if line.startswith("|")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


# -- the split ----------------------------------------------------------------------------------


def test_time_and_power_multiply_to_the_energy() -> None:
    energy, time, _ = alert_nights.power_grew().decisions

    found = split(energy, time)

    assert found is not None
    assert energy.ratio is not None
    assert found.time.value * found.power.value == pytest.approx(energy.ratio.value, rel=1e-12)
    assert found.power.low < found.power.value < found.power.high
    assert found.watts[0].value == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("energy", "time", "mostly"),
    [
        ((1.0, 1.121), (1.0, 1.031), "power"),
        ((1.0, 1.12), (1.0, 1.12), "time"),
        ((1.0, 1.21), (1.0, 1.10), "both"),
        ((1.0, 1.05), (1.0, 1.2), "time"),  # power fell
        ((1.0, 0.8), (1.0, 1.0), "power"),
    ],
)
def test_the_part_that_made_most_of_a_change_is_named(
    energy: tuple[float, float], time: tuple[float, float], mostly: str
) -> None:
    found = split(
        alert_nights.decision(values=energy), alert_nights.decision(quantity=TIME, values=time)
    )

    assert found is not None
    assert found.mostly == mostly


def test_pairs_of_other_processes_are_not_divided_by_each_other() -> None:
    energy = alert_nights.decision(fresh=12)

    assert split(energy, alert_nights.decision(quantity=TIME, fresh=0)) is None
    assert split(energy, alert_nights.silent(quantity=TIME)) is None
    mixed = alert_nights.decision(quantity=TIME, fresh=12)
    other = tuple(replace(pair, stage=1) for pair in mixed.series.pairs)
    assert split(energy, replace(mixed, series=replace(mixed.series, pairs=other))) is None


def test_a_power_that_no_float_holds_is_not_split() -> None:
    quick = alert_nights.decision(quantity=TIME, pairs=alert_nights.pairs(1e-300, 1e-300, fresh=12))
    large = alert_nights.decision(pairs=alert_nights.pairs(1e300, 1e300, fresh=12))

    assert split(large, quick) is None


def test_an_unchanged_energy_is_nobody_s_work() -> None:
    same = alert_nights.decision(
        values=(1.0, 1.0), pairs=alert_nights.pairs(1.0, 1.0, wobble=(0.0,) * 6)
    )

    found = split(same, alert_nights.decision(quantity=TIME, fresh=0))

    assert found is not None
    assert found.mostly == "both"


def test_one_value_has_no_spread() -> None:
    assert level([2.0]) == Interval(2.0, 2.0, 2.0, 1)


# -- the block ----------------------------------------------------------------------------------


def test_the_block_tells_energy_time_power_and_quality_of_both_sides() -> None:
    rows = table_of(the_block())

    assert rows["energy (measured, cpu-package)"][:2] == ["48.0 mJ/image", "53.81 ± 0.09 mJ/image"]
    assert rows["energy (measured, cpu-package)"][2].startswith("+12.11 % [+")
    assert rows["= time"][0] == "1.92 ms/image"
    assert rows["= time"][2].startswith("+3.1")
    assert rows["× power"][2].startswith("+8.7")
    assert rows["× power"][2].endswith("← mostly power")
    assert rows["test accuracy"] == ["0.9700", "0.9700", "same"]


def test_the_sides_are_named_by_commit_and_day() -> None:
    (header,) = (line for line in the_block().splitlines() if line.startswith("| | base"))

    assert "base <code>1a2b3c4d5</code> (2026-11-21)" in header
    assert "head <code>5d6e7f8a9</code> (2026-11-22)" in header
    dirty = the_block(known=alert_nights.sides(head=None, base=None))
    assert "+dirty" not in dirty
    known = alert_nights.sides()
    assert "+dirty" in the_block(known=replace(known, head=replace(known.head, dirty=True)))


def test_a_lower_quality_is_told_with_its_change() -> None:
    known = alert_nights.sides()
    worse = replace(known, head=replace(known.head, case=a_case(quality=quality(0.95))))

    assert table_of(the_block(known=worse))["test accuracy"] == [
        "0.9700",
        "0.9500",
        f"{MINUS}0.0200",
    ]


@pytest.mark.parametrize("found", [None, {"metric": "accuracy", "value": "0.9"}, {}])
def test_a_quality_that_nobody_judged_is_absent(found: Any) -> None:
    known = alert_nights.sides()
    unjudged = replace(known, head=replace(known.head, case=a_case(quality=found)))

    row = next(
        cells for cells in table_of(the_block(known=unjudged)).values() if "not judged" in cells
    )

    assert row[1:] == ["not judged", "—"]


def test_where_no_energy_was_measured_the_block_says_why_and_tells_time_alone() -> None:
    slower = alert_nights.decision(quantity=TIME, values=(0.002, 0.003))
    text = the_block(Night((alert_nights.silent(), slower)))

    assert "power" not in table_of(text)
    assert "energy: not measured (no instrument reads the energy), so the change is of time" in text
    assert "### ✖ regressed: " in text
    alone = the_block(Night((slower,)))
    assert "energy: not measured (no instrument was read)" in alone


def test_an_energy_without_time_of_the_same_processes_has_no_split() -> None:
    text = the_block(Night((alert_nights.decision(),)))

    assert "time × power: not known" in text
    assert "× power" not in table_of(text)


def test_the_commits_that_touch_the_code_are_listed_and_the_others_counted() -> None:
    text = the_block()

    assert "<code>1a2b3c4d5</code>..<code>5d6e7f8a9</code>: 1 touching its code, 3 others" in text
    assert "<code>9c8dc0ffe</code> <code>use 8 threads by default</code>, <code>Ada</code>" in text


def test_many_commits_are_cut_short_with_their_number() -> None:
    many = Suspects(tuple(alert_nights.commit(n, f"change {n}") for n in range(14)), 1, ())

    text = the_block(known=alert_nights.sides(suspects=many))

    assert "14 touching its code, 1 other\n" in text
    assert "and 4 more that touch it" in text
    assert "change 10<" not in text


def test_commits_that_are_not_known_are_said_to_be_so() -> None:
    assert "which touch its code is not known\n" in the_block(
        known=alert_nights.sides(suspects=None)
    )
    text = the_block(known=Known())
    assert "a side does not tell its commit" in text
    assert "bisect" not in text


def test_what_changed_around_the_code_stands_beside_what_did_not() -> None:
    head = a_run(
        packages={"torch": "2.10.0"}, machine={**MACHINE, "kernel": "Linux 6.9", "turbo": True}
    )

    text = the_block(known=alert_nights.sides(head=head))

    assert "also changed: kernel <code>Linux 6.8</code> → <code>Linux 6.9</code>" in text
    assert "package torch <code>2.9.0</code> → <code>2.10.0</code>" in text
    assert "turbo <code>off</code> → <code>on</code>" in text
    assert "same: Python <code>3.11.9</code>, governor <code>performance</code>" in text
    assert "also changed: nothing that is recorded" in the_block()
    assert "1 package\n" in the_block()


def test_what_only_one_side_tells_has_changed_and_no_journal_is_not_known() -> None:
    found = surroundings(a_run(packages={"a": "1"}), a_run(packages={}))

    assert found is not None
    assert [(each.name, each.before, each.after) for each in found.changed] == [
        ("package a", "1", None)
    ]
    assert surroundings(None, a_run()) is None
    known = alert_nights.sides()
    assert "also changed: not known" in the_block(
        known=replace(known, base=Side(alert_nights.GOOD))
    )


def test_a_graphics_card_and_a_list_are_told_in_words() -> None:
    gpu = [{"name": "NVIDIA L4", "uuid": "GPU-1"}]
    found = surroundings(a_run(machine={**MACHINE, "gpu": gpu}), a_run())

    assert found is not None
    assert [(each.before, each.after) for each in found.changed] == [("NVIDIA L4 GPU-1", None)]


def test_a_hundred_changes_are_cut_short() -> None:
    head = a_run(packages={f"p{n}": "2" for n in range(30)})

    assert "and 19 more" in the_block(known=alert_nights.sides(head=head))


def test_the_noise_of_the_night_and_of_the_case_stand_beside_each_other() -> None:
    text = the_block()

    assert "energy: A/A of this night 0.63 %, noise of this case 1.1 % over 20 nights" in text
    assert "time: A/A of this night 0.11 %, noise of this case not known yet" in text
    assert "A/A of this night none" in the_block(Night((alert_nights.decision(),)))


def test_margin_floor_pairs_and_p_value_are_told() -> None:
    found = alert_nights.decision(margin=0.05, floor=0.0003)

    text = the_block(Night((found,)))

    assert "then 12 more, p = 0.000002; margin 5.0 % and 300 µJ/image" in text
    assert "6 pairs of fresh processes, p < 0.000001" in the_block(
        Night((alert_nights.decision(fresh=0, p=1e-9),))
    )


def test_the_commands_can_be_pasted() -> None:
    text = the_block()
    code = text.rpartition("```sh\n")[2].partition("```")[0].splitlines()
    good, bad = alert_nights.GOOD[:12], alert_nights.BAD[:12]

    test = "--test tests/test_digits.py::test_model"
    case = alert_nights.CASE
    assert code[0] == f"joulebench rerun {case} --good {good} --bad {bad} {test}"
    assert code[1] == f"joulebench bisect {case} --good {good} --bad {bad} {test}"
    assert code[2] == f"joulebench accept {case} --at {bad} {test} --reason 'why it may be so'"
    assert "- a bisection takes about 8 min\n" in text


def test_the_commands_tell_test_margin_and_options_of_the_night_as_the_verbs_take_them() -> None:
    options = ("--joules-device", "cuda:0", "-o", "x=it's")
    known = alert_nights.sides(test="a b.py::test[$x]", options=options, margin=0.07)
    code = the_block(known=known).rpartition("```sh\n")[2].partition("```")[0].splitlines()

    for line in code[:2]:
        told = _parser().parse_args(shlex.split(line)[1:])
        assert (told.case, told.test, told.margin) == (alert_nights.CASE, known.test, "7%")
        assert tuple(shlex.split(told.pytest)) == options
    told = _parser().parse_args(shlex.split(code[2])[1:])
    assert (told.test, told.reason) == (known.test, "why it may be so")


def test_where_a_side_has_no_commit_the_journal_is_repeated_with_its_own_settings() -> None:
    known = alert_nights.sides(options=("-x",))
    unknown = replace(known, base=replace(known.base, commit=""))

    assert f"\njoulebench rerun {alert_nights.CASE}\n" in the_block(known=unknown)


def test_an_accepted_change_says_why_the_baseline_is_another() -> None:
    assert "held against abc: faster sums" in the_block(
        known=alert_nights.sides(accepted="held against abc: faster sums")
    )


def test_a_large_improvement_is_doubted() -> None:
    cheaper = alert_nights.decision(Word.IMPROVED, values=(0.05, 0.02))

    text = the_block(Night((cheaper,)))

    assert text.startswith("### ▲ improved: ")
    assert "often skipped work" in text
    slight = alert_nights.decision(Word.IMPROVED, values=(0.05, 0.04))
    assert "often skipped work" not in the_block(Night((slight,)))


def test_an_estimate_is_marked_wherever_it_is_named() -> None:
    guess = alert_nights.decision(kind="estimated", boundary="cpu-process")

    text = page(Night((guess,)), {})

    assert "energy (*estimated*)" in summary(Night((guess,)))
    assert text.count("estimated") >= 3


# -- the night ----------------------------------------------------------------------------------


def test_the_summary_counts_with_shapes_and_lists_what_is_not_ok() -> None:
    night = Night(
        (*alert_nights.power_grew().decisions, alert_nights.silent(Word.NOT_COMPARABLE, TIME, "no"))
    )

    text = summary(night)

    assert text.splitlines()[0] == (
        "**✖ 1 regressed · ● 1 ok · ◌ 1 inconclusive · ⊘ 1 not comparable**"
    )
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows[1:]] == [
        "✖ regressed", "◌ inconclusive", "⊘ not comparable",
    ]  # fmt: skip
    assert summary(Night(())) == "**nothing was gated**"


def test_an_untrusted_night_says_so_first_and_in_each_title() -> None:
    night = replace(
        alert_nights.power_grew(), untrusted="the canaries differ by 4 %", unpaired=True
    )

    text = page(night, {})

    assert "UNTRUSTED: the canaries differ by 4 %" in text.partition("###")[0]
    assert "*unpaired:" in text.partition("###")[0]
    assert "### ✖ regressed (UNTRUSTED night)" in text


def test_only_cases_with_an_alert_have_a_block_and_the_dearest_is_first() -> None:
    small = alert_nights.decision(values=(1.0, 1.1), case="a/small/eager/cpu/b1")
    large = alert_nights.decision(values=(1.0, 2.0), case="b/large/eager/cpu/b1")
    better = alert_nights.decision(Word.IMPROVED, values=(1.0, 0.5), case="c/x/eager/cpu/b1")
    fine = alert_nights.decision(Word.OK, case="d/fine/eager/cpu/b1")

    found = blocks(Night((small, better, large, fine)), {})

    assert [case[0] for case in found] == ["b", "a", "c"]


# -- nobody can write into it ---------------------------------------------------------------


class Tags(HTMLParser):
    """The tags of a page, which its source wants to be code only."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.add(tag)


def tags(markdown: str) -> set[str]:
    parser = Tags()
    parser.feed(markdown)
    return parser.found


def test_hostile_text_in_every_place_comes_out_harmless() -> None:
    evil = a_run(packages={HOSTILE: HOSTILE}, machine={**MACHINE, "kernel": HOSTILE, "id": HOSTILE})
    record = a_case(quality={"metric": HOSTILE, "value": 0.5})
    known = alert_nights.sides(
        head=evil,
        case=record,
        suspects=Suspects(
            (replace(alert_nights.commit(1, HOSTILE, HOSTILE), date=HOSTILE),), 0, ()
        ),
        accepted=HOSTILE,
        journals=(HOSTILE,),
    )
    known = replace(known, base=replace(known.base, commit=HOSTILE, date=HOSTILE))
    found = alert_nights.decision(
        case=HOSTILE, unit=HOSTILE, boundary=HOSTILE, reason=HOSTILE, floor=1.0
    )
    night = Night((found, alert_nights.silent(why=HOSTILE)), untrusted=HOSTILE)

    text = page(night, {HOSTILE: known})

    outside, fenced, code = text.partition("```")[0], *text.partition("````")[1:]
    assert tags(outside) <= {"code"}
    for bad in ("<script", "](", "**b**", "@team", "www.evil", "\x1b", "\n# h"):
        assert bad not in outside
    assert re.findall(r"(?<!&)#\d", outside) == []
    assert not fenced or code.rstrip().endswith("```")
    assert "\x1b" not in text
    for line in outside.splitlines():
        if line.startswith("|"):
            assert line.count("|") in {5, 6}


def test_a_fence_is_longer_than_any_run_of_ticks_in_it() -> None:
    assert fence(["a ```` b"]) == ["`````sh", "a ```` b", "`````"]


def test_a_command_is_quoted_for_the_shell() -> None:
    assert (
        command("joulebench", "rerun", "x'; rm -rf ~\n#")
        == "joulebench rerun 'x'\"'\"'; rm -rf ~ #'"
    )


@given(st.text())
def test_quoted_text_is_one_line_without_markup(text: str) -> None:
    inner = quoted(text).removeprefix("<code>").removesuffix("</code>")

    assert not set(inner) & set("<>|`*[]\\@_\n")
    assert "#" not in inner.replace("&#", "")


# -- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (Interval(1.5, 1.5, 1.5, 2), "+50.00 %"),
        (Interval(0.6, 0.4, 0.9, 6), f"{MINUS}40 % [{MINUS}60, {MINUS}10]"),
        (Interval(250.0, 200.0, 300.0, 6), "× 250"),
        (Interval(1e300, 1.0, math.inf, 6), "× a million or more"),
    ],
)
def test_a_change_has_as_many_digits_as_its_interval_allows(ratio: Interval, text: str) -> None:
    assert change(ratio) == text


def test_waiting_is_told_in_minutes_or_hours() -> None:
    assert [minutes(each) for each in (1, 61, 5400, 5500)] == ["1 min", "2 min", "90 min", "1.5 h"]


def test_values_of_any_size_can_be_told() -> None:
    huge = alert_nights.decision(pairs=alert_nights.pairs(1e300, 1e308))

    assert "| 1e+297 kJ/image | 1e+305 kJ/image | × a million or more |" in the_block(
        Night((huge,))
    )


# -- what programs read -------------------------------------------------------------------------


NO_NUMBERS = replace(
    alert_nights.silent(why="no number"),
    series=replace(alert_nights.silent().series, pairs=(Pair(math.nan, -math.inf),)),
)
ANY_NIGHT = [
    alert_nights.power_grew(),
    Night(()),
    Night((alert_nights.silent(), alert_nights.silent(Word.NOT_COMPARABLE, TIME))),
    replace(alert_nights.power_grew(), untrusted="the canaries differ", unpaired=True),
    Night(
        (
            alert_nights.decision(kind="estimated"),
            alert_nights.decision(Word.IMPROVED, TIME, (2.0, 1.0)),
        )
    ),
    Night((alert_nights.decision(case=HOSTILE, reason=HOSTILE, boundary=HOSTILE),)),
    Night(
        (replace(alert_nights.decision(), p=math.nan, ratio=Interval(math.inf, 0, math.inf, 2)),)
    ),
    Night(
        (
            alert_nights.decision(
                pairs=alert_nights.pairs(math.nan, math.inf), margin=math.inf, values=(1, 2)
            ),
        )
    )
    if False
    else Night((alert_nights.decision(margin=math.inf),)),
]


@pytest.mark.parametrize("night", ANY_NIGHT)
def test_the_json_answer_is_of_its_schema_and_holds_no_nan(night: Night) -> None:
    found = answer(night, {alert_nights.CASE: alert_nights.sides()})

    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(found, SCHEMA, jsonschema.Draft202012Validator)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert answer(night) | {} == json.loads(json.dumps(answer(night), allow_nan=False))


def test_the_json_answer_tells_word_numbers_and_suspects() -> None:
    found = answer(alert_nights.power_grew(), {alert_nights.CASE: alert_nights.sides()})

    first = found["decisions"][0]
    assert (found["outcome"], found["exit"]) == ("regression", 8)
    assert (first["word"], first["base"]["commit"], first["head"]["quality"]) == (
        "regressed", alert_nights.GOOD, 0.97,
    )  # fmt: skip
    assert first["ratio"]["value"] == pytest.approx(1.121, abs=0.001)
    assert [each["subject"] for each in first["touching"]] == ["use 8 threads by default"]
    assert found["counts"] == {
        "regressed": 1, "improved": 0, "ok": 1, "inconclusive": 1, "not comparable": 0,
        "not measured": 0,
    }  # fmt: skip
    guess = answer(Night((alert_nights.decision(kind="estimated"),)))["decisions"][0]
    assert guess["estimated"]


def test_a_night_has_one_outcome_and_its_exit_code() -> None:
    bad = alert_nights.power_grew()
    found = [
        outcome(each)
        for each in (
            bad,
            replace(bad, untrusted="x"),
            Night((alert_nights.decision(Word.OK), alert_nights.silent())),
            Night((alert_nights.silent(),)),
            Night(()),
        )
    ]

    assert found == [
        Outcome.REGRESSION,
        Outcome.UNTRUSTED,
        Outcome.OK,
        Outcome.CANNOT_MEASURE,
        Outcome.CANNOT_MEASURE,
    ]
    assert [each.exit_code for each in found] == [8, 9, 0, 10, 10]


SUITE = {"name", "tests", "failures", "errors", "skipped", "time"}


@pytest.mark.parametrize("night", ANY_NIGHT)
def test_the_junit_text_is_of_the_common_structure(night: Night) -> None:
    root = ET.fromstring(junit(night, {alert_nights.CASE: alert_nights.sides()}))

    assert root.tag == "testsuites"
    (suite,) = root
    assert (suite.tag, set(suite.attrib)) == ("testsuite", SUITE)
    assert suite[0].tag == "properties"
    assert {each.tag for each in suite[0]} == {"property"}
    cases = suite[1:]
    assert [each.tag for each in cases] == ["testcase"] * len(night.decisions)
    for case in cases:
        assert set(case.attrib) == {"classname", "name", "time"}
        *result, out = [each.tag for each in case]
        assert out == "system-out"
        assert result in ([], ["failure"], ["skipped"])
    counted = {
        "tests": len(cases),
        "failures": len(suite.findall("testcase/failure")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    assert {name: int(suite.attrib[name]) for name in counted} == counted


def test_a_regression_fails_and_what_is_not_decided_is_skipped() -> None:
    night = Night((*alert_nights.power_grew().decisions, alert_nights.silent()))
    root = ET.fromstring(junit(night, {alert_nights.CASE: alert_nights.sides()}))

    results = [next(each.tag for each in case) for case in root.iter("testcase")]
    failure = root.find(".//failure")

    assert results == ["failure", "skipped", "system-out", "skipped"]
    assert failure is not None
    assert failure.get("type") == "regression"
    assert "head/base: 1.12" in (root.findtext(".//system-out") or "")
    properties = {each.get("name"): each.get("value") for each in root.iter("property")}
    assert properties["base"] == alert_nights.GOOD
    assert properties["outcome"] == "regression"


def test_an_untrusted_night_fails_no_test() -> None:
    root = ET.fromstring(junit(replace(alert_nights.power_grew(), untrusted="too noisy")))

    assert root.find(".//failure") is None
    assert all("untrusted night (too noisy)" in str(e.get("message")) for e in root.iter("skipped"))


@given(st.text())
def test_any_text_becomes_xml_that_parses(text: str) -> None:
    night = Night((alert_nights.decision(case=text, reason=text),), untrusted="")

    ET.fromstring(junit(night))


def test_the_same_night_gives_the_same_bytes() -> None:
    night, known = alert_nights.power_grew(), {alert_nights.CASE: alert_nights.sides()}

    assert page(night, known) == page(night, known)
    assert junit(night, known) == junit(night, known)
    assert block(night, night.decisions[:2], alert_nights.sides()) in page(night, known)
    assert night.decisions[0].series.quantity == ENERGY


def test_the_example_of_the_documents_is_what_the_code_writes() -> None:
    assert alert_example.in_page() == f"\n{alert_example.the_page()}\n"
