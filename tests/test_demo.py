"""`joulebench demo`: each answer beside the truth, repeatable, and no real number among them."""

import itertools
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.cli import _parser, main
from bench.demo import Demo, Line, _lesson, demo
from bench.demo_cases import COUNTERS, FORMS, NOISES, Form
from bench.quantities import Absent
from bench.records import journals
from bench.report import findings
from bench.simulated import DeviceModel, SimulatedDevice
from bench.statistics import Verdict

DEFAULTS = _parser().parse_args(["demo"])


@cache
def ran(counter: str = "rapl", noise: str = "shared-host", seed: int = DEFAULTS.seed) -> Demo:
    with TemporaryDirectory() as folder:
        return demo(Path(folder), counter, noise, seed)


def by_name(found: Demo) -> dict[str, Line]:
    return {line.row.case.technique: line for line in found.rows}


def told(counter: str = "rapl") -> str:
    return "\n".join(ran(counter).lines())


def test_each_answer_that_the_tool_can_give_is_there() -> None:
    said = {name: findings.words(line.row) for name, line in by_name(ran()).items()}

    assert said == {
        "baseline": "baseline",
        "distilled": "saves",
        "masked": "no gain",
        "int8": "costs",
        "pruned": "unresolved",
        "tiny": "breaks quality",
        "parallel": "no gain",
    }


def test_the_truth_is_that_of_the_energy_or_without_a_meter_that_of_the_time() -> None:
    energy = {name: line.truth for name, line in by_name(ran()).items()}
    time = {name: line.truth for name, line in by_name(ran("none")).items()}

    assert energy["distilled"] == time["distilled"] == 0.80
    assert (energy["parallel"], time["parallel"]) == (1.00, 0.70)


def test_a_baseline_call_takes_4_ms_at_40_w_with_what_the_waiting_device_draws() -> None:
    work = FORMS[0].work()

    assert (work.seconds, work.watts) == pytest.approx((0.004, 30))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_truly_takes_the_time_and_the_energy_that_it_says(form: Form) -> None:
    device = SimulatedDevice(DeviceModel())
    began = device.now_ns

    (seconds,) = device.loop(form.work())(1)

    assert seconds == pytest.approx(0.004 * form.seconds)
    joules = device.energy("cpu/0/package", began / 1e9, device.now_ns / 1e9)
    assert joules == pytest.approx(0.160 * form.joules)


def test_whether_an_interval_holds_the_truth_is_told_row_by_row() -> None:
    for line in ran().rows:
        assert line.ratio is not None
        assert line.holds == (line.ratio.low <= line.truth <= line.ratio.high)
        name = line.row.case.technique
        (printed,) = re.findall(rf"^{name}\b.*$", told().partition("Intervals:")[0], re.MULTILINE)
        assert f"  {line.truth:.3f}  " in printed
        assert ("yes" in printed) == line.holds
        assert str(line.ratio.n) in printed.split()


def wrong(line: Line, truth: float) -> Line:
    return Line(line.row, truth, line.measured)


def test_a_wrong_verdict_would_be_called_wrong() -> None:
    rows = by_name(ran())

    assert all(line.is_right for line in rows.values())
    assert not wrong(rows["distilled"], 1.0).is_right
    assert not wrong(rows["int8"], 1.0).is_right
    assert not wrong(rows["masked"], 0.8).is_right
    assert not wrong(rows["masked"], 1.2).is_right
    assert wrong(rows["pruned"], 0.5).is_right  # who decides nothing is not wrong


OTHERS = [
    (counter, noise, seed)
    for seed, (counter, noise) in enumerate(itertools.product(COUNTERS, NOISES), start=11)
]
"""Every counter in every noise, each with a seed of its own."""


@pytest.mark.no_cover  # other tests cover it: tracing doubles twelve sessions
@pytest.mark.parametrize(("counter", "noise", "seed"), OTHERS)
def test_no_verdict_is_wrong_and_what_is_clear_is_found(
    counter: str, noise: str, seed: int
) -> None:
    rows = by_name(ran(counter, noise, seed))

    assert [name for name, line in rows.items() if not line.is_right] == []
    clear = {"distilled": Verdict.SAVES, "int8": Verdict.COSTS, "tiny": Verdict.BREAKS_QUALITY}
    assert {name: rows[name].verdict for name in clear} == clear


def test_the_intervals_hold_the_truth_about_as_often_as_they_claim() -> None:
    held = [line.holds for one in OTHERS for line in ran(*one).rows if line.holds is not None]

    assert len(held) > 75
    assert sum(held) >= 0.88 * len(held)  # of 95 %: three standard errors below


def test_the_table_says_loudly_that_nothing_is_real_and_fits_a_terminal() -> None:
    for one in OTHERS:
        lines = ran(*one).lines()
        assert lines[0] == "SIMULATED DEVICE: no machine's power, no real model's energy."
        assert max(map(len, lines)) <= 100
        assert all(line.isprintable() for line in lines)


def test_every_lesson_is_drawn_from_the_run() -> None:
    rows, text = by_name(ran()), told()

    assert re.search(
        r"^pruned: about \d+ pairs would be needed to decide; 24 were", text, re.MULTILINE
    )
    assert "tiny: its accuracy is 95.0 %, below the target of 98.0 %" in text
    assert "parallel: 0.70 of the time, and no gain in energy: why joules are measured" in text
    again = sum(line.row.discards for line in rows.values())
    assert again > 0
    assert f" {again} run again (foreign load {again})" in text
    assert "Without an instrument, parallel would be: not measured; time: saves" in text


def test_a_row_that_has_no_energy_says_why() -> None:
    line = by_name(ran())["parallel"]
    budgets = replace(line.row.budgets, energy=None, energy_ratio=None)
    absent = replace(line.row, energy=Absent("its blocks were too short"), budgets=budgets)

    assert _lesson(replace(line, row=absent)) == ["parallel: its blocks were too short"]
    assert replace(line, row=absent).holds is None


def test_without_a_counter_no_joule_is_printed() -> None:
    text = told("none")

    assert "no instrument at all" in text
    assert "time ÷ baseline" in text
    assert "not measured; time: saves" in text
    assert not re.search(r"\d\s*[mµn]?J\b", text)
    assert "energy ÷" not in text


@pytest.mark.no_cover  # other tests cover it: tracing doubles eight sessions
@pytest.mark.parametrize("counter", COUNTERS)
def test_the_same_seed_gives_the_same_table_and_the_same_windows(
    counter: str, tmp_path: Path
) -> None:
    one, other = (demo(tmp_path / name, counter, seed=5) for name in ("one", "other"))

    assert one.lines() == other.lines()
    first, *rest = (found.journal.path.read_text().splitlines() for found in (one, other))
    assert first[1:-1] == rest[0][1:-1]  # all but the run's and the end's own times
    assert len(first) > 50


def test_another_seed_is_another_draw() -> None:
    assert ran(seed=1).lines() != ran().lines()


def test_the_command_prints_the_table_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)

    assert main(["demo"]) == 0
    assert capsys.readouterr().out == told() + "\n"
    assert list((tmp_path / "temporary").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_with_a_folder_it_keeps_the_journal_and_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["demo", "-o", "kept", "--noise", "quiet", "--seed", "8"]) == 0
    (journal,) = journals(Path("kept"))
    kinds = {path.suffix for path in Path("kept").iterdir()}
    assert kinds == {".jsonl", ".md", ".csv", ".svg"}
    assert f"wrote kept/{journal.stem}.md" in capsys.readouterr().out
    run = json.loads(journal.read_text().partition("\n")[0])
    assert run["command"] == "joulebench demo --counter rapl --noise quiet --seed 8"
    assert [channel["origin"] for channel in run["channels"]] == ["simulated:cpu/0/package"]


@pytest.mark.parametrize("counter", ["rapl", "none"])
def test_the_page_says_wherever_a_reader_looks_that_the_device_is_simulated(
    counter: str, tmp_path: Path
) -> None:
    assert main(["demo", "-o", str(tmp_path), "--counter", counter]) == 0
    (page,) = tmp_path.glob("*.md")
    title, _, rest = page.read_text().partition("> ")
    loud = "⚠️ **SIMULATED DEVICE: no machine's power, no real model's energy.**"

    assert loud in title
    assert "\nsimulated device · " in title
    assert "**A simulated device was measured, not this machine.**" in rest.partition("**Trust")[0]
    assert f"- {loud}" in rest
    assert "## simulated cpu: a power model" in rest
    assert "The device and its models are simulated: the results hold for no machine" in rest
    assert "The results hold for this machine only" not in rest
    assert "The device is simulated. Energy was" in rest
    assert "| device | simulated; the machine named here did nothing but simulate it |" in rest
    (figure,) = tmp_path.glob("*.svg")
    assert "simulated cpu" in figure.read_text()


def test_a_folder_that_cannot_be_made_is_a_wrong_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    assert main(["demo", "-o", str(tmp_path / "file")]) == 2
    assert "file" in capsys.readouterr().err


def test_the_choices_of_the_command_are_those_that_there_are() -> None:
    help_text = {
        tuple(action.choices)
        for parser in _parser()._subparsers._group_actions[0].choices.values()  # type: ignore[union-attr]
        for action in parser._actions
        if action.choices
    }

    assert tuple(COUNTERS) in help_text
    assert tuple(NOISES) in help_text
    assert (DEFAULTS.counter, DEFAULTS.noise) == ("rapl", "shared-host")


def test_the_doctor_never_lists_it_as_a_meter() -> None:
    from bench.discover import plugins

    found, broken = plugins("bench.meters", "open_meter")

    assert "simulated" not in {*found, *(each.name for each in broken)}
