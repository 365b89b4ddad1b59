"""Quality over seeds: each judged once, kept between sessions, shown with its interval."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from journals import a_case, a_journal, package

from bench.compare import compare
from bench.judge import Judge
from bench.records import journals, read
from bench.report.markdown import Report, page
from bench.statistics import seed_interval
from bench.workload import Quality, Variant, Workload

ACCURACIES = {0: 0.90, 1: 0.92, 2: 0.94}


class Maker:
    """Makes variants whose quality is that of their seed, and counts what it makes."""

    def __init__(self, technique: str = "mine", name: str = "work") -> None:
        self.technique, self.name, self.made = technique, name, 0

    def __call__(self, seed: int) -> Variant:
        self.made += 1

        def judged(_model: object) -> Quality:
            return Quality("accuracy", ACCURACIES[seed], 100, 0.8 + seed / 100)

        workload = Workload(self.name, lambda: seed, lambda batch: batch, judged)
        return Variant(workload, self.technique, (), lambda: -seed, again=self)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOULES_CACHE", str(tmp_path))
    return tmp_path / "quality"


def test_quality_is_the_mean_over_seeds_beside_each_seeds_own(cache: Path) -> None:
    quality = Judge(seed=0, seeds=3)(Maker()(0))
    assert quality is not None
    assert quality.value == pytest.approx(0.92)
    assert quality.target == pytest.approx(0.81)
    assert quality.values == (0.90, 0.92, 0.94)
    assert quality.seeds == (0, 1, 2)
    assert quality.n == 100


def test_what_has_one_seed_only_is_judged_once(cache: Path) -> None:
    maker = Maker()
    alone = Judge(seed=0, seeds=1)(maker(0))
    assert alone == Quality("accuracy", 0.90, 100, 0.8)
    assert maker.made == 1


def test_a_variant_is_judged_once_in_a_session_whatever_its_batch(cache: Path) -> None:
    maker, judge = Maker(), Judge(seed=0, seeds=3)
    variant = maker(0)
    assert judge(variant) is judge(variant)
    assert maker.made == 3


def test_qualities_of_shipped_techniques_are_kept_between_sessions(cache: Path) -> None:
    maker = Maker("magnitude_pruning", "digits-mlp")
    first = Judge(seed=0, seeds=3)(maker(0))
    assert maker.made == 3
    assert Judge(seed=0, seeds=3)(maker(0)) == first
    assert maker.made == 4  # the session's own; the other two came from the cache
    assert len(list(cache.glob("*.json"))) == 2


def test_qualities_of_others_code_are_not_kept_as_it_may_change(cache: Path) -> None:
    for maker in (Maker("mine", "digits-mlp"), Maker("magnitude_pruning", "mine")):
        Judge(seed=0, seeds=2)(maker(0))
    assert not cache.exists()


@pytest.mark.parametrize("content", ["", "{}", '{"metric": 1, "what": 2}', "\x00"])
def test_a_damaged_cache_is_judged_anew(cache: Path, content: str) -> None:
    maker = Maker("magnitude_pruning", "digits-mlp")
    first = Judge(seed=0, seeds=2)(maker(0))
    for path in cache.glob("*.json"):
        path.write_text(content)
    assert Judge(seed=0, seeds=2)(maker(0)) == first
    assert [json.loads(path.read_text())["value"] for path in cache.glob("*.json")] == [0.92]


def test_progress_names_the_seed(cache: Path) -> None:
    said: list[str] = []
    Judge(seed=0, seeds=2)(Maker()(0), said.append)
    assert said == ["work/mine  quality of 2 seeds"]


def test_a_workload_without_quality_is_not_judged() -> None:
    assert Judge()(Variant(Workload("w", print, print), "t", (), print)) is None


def test_interval_over_five_seeds_is_that_of_student() -> None:
    interval = seed_interval([0.96, 0.97, 0.98, 0.99, 1.0])
    assert interval is not None
    # s = 0.015811, s / √5 = 0.0070711, t(0.975, 4) = 2.7764
    assert (interval.value, interval.high - interval.value) == pytest.approx((0.98, 0.019633), 1e-4)
    assert seed_interval([0.9]) is None


def over(values: Mapping[int, float]) -> dict[str, Any]:
    return {
        "metric": "test accuracy",
        "value": sum(values.values()) / len(values),
        "target": 0.95,
        "n": 400,
        "values": list(values.values()),
        "seeds": list(values),
    }


def test_a_row_shows_quality_and_its_paired_change_with_intervals() -> None:
    before = {0: 0.97, 1: 0.98, 2: 0.99}
    after = {seed: value - 0.01 for seed, value in before.items()}
    qualities = {"quality": over(after), "baseline_quality": over(before)}
    case = a_case("pruned", **qualities)
    baseline = a_case(quality=over(before), baseline_quality=over(before))
    pairs = [(package(2.0), package(1.0))] * 6
    tables = compare([a_journal([(baseline, pairs), (case, pairs)])])

    row = tables[0].rows[1]
    assert row.quality is not None
    assert row.quality.value == pytest.approx(0.97)
    assert row.quality_change_interval is not None
    # all seeds lose the same point: the change is known better than either accuracy
    assert row.quality_change_interval.low == pytest.approx(-0.01)
    assert row.quality_change_interval.high == pytest.approx(-0.01)
    text = page(Report(tables))
    assert "97.0 ± 2.5 (−1.0 ± 0.0)" in text
    assert "mean of 3 seeds" in text
    assert "as the mean of models from 3 seeds; the timed one is that of the first" in text


SWEEP = """
    import pytest
    from bench.workload import Quality, Variant, Workload

    ACCURACY = {"small": 0.90, "large": 0.95}

    def variant(level):
        workload = Workload(
            "mine", max, lambda batch: ([1, 2],), lambda _: Quality("accuracy", ACCURACY[level], 9)
        )
        return Variant(workload, "shrunk", (("to", level),), lambda x: x, size_disk=len(level))

    @pytest.mark.parametrize("level", ["small", "large"])
    def test_sweep(joules, level):
        quality = joules.judge(variant(level))
        assert quality is None or quality.value == ACCURACY[level]
"""


def test_a_sweep_is_judged_and_not_timed(project: pytest.Pytester) -> None:
    project.makepyfile(test_sweep=SWEEP)
    outcome = project.runpytest_inprocess("--benchmark", "-p", "no:cacheprovider")
    outcome.assert_outcomes(passed=2)
    journal = read(journals(project.path / "results")[0])
    (table,) = compare([journal])
    assert table.rows == ()
    assert [(case.label, case.size_bytes["disk"]) for case in table.judged] == [
        ("shrunk@to=large", 5),
        ("shrunk@to=small", 5),
    ]
    assert not [window for window in journal.windows if window.role != "idle"]


def test_a_sweep_runs_once_where_nothing_is_measured(project: pytest.Pytester) -> None:
    project.makepyfile(test_sweep=SWEEP)
    project.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
    assert not (project.path / "results").exists()


def test_a_resumed_sweep_takes_what_was_judged_from_the_journal(project: pytest.Pytester) -> None:
    project.makepyfile(test_sweep=SWEEP + "        assert level != 'large'\n")
    first = project.runpytest_inprocess("--benchmark", "-p", "no:cacheprovider")
    first.assert_outcomes(passed=1, failed=1)
    project.makepyfile(test_sweep=SWEEP)
    again = project.runpytest_inprocess("--benchmark", "--joules-resume", "-p", "no:cacheprovider")
    again.assert_outcomes(passed=2)
    (path,) = journals(project.path / "results")
    assert len(read(path).cases) == 2


def test_one_variant_is_judged_once_in_a_session(project: pytest.Pytester) -> None:
    project.makepyfile(test_sweep=SWEEP + "        joules.judge(variant(level))\n")
    outcome = project.runpytest_inprocess("--benchmark", "-p", "no:cacheprovider")
    outcome.assert_outcomes(failed=2)
    outcome.stdout.fnmatch_lines(["*mine/shrunk@to=small/judged/cpu/b1 was already judged*"])


def test_what_was_judged_is_not_kept_in_memory() -> None:
    import gc
    import weakref

    class Model:
        def __call__(self, value: object) -> object:
            return value

    model = Model()
    seen = weakref.ref(model)
    workload = Workload("w", Model(), lambda _: 0, lambda _: Quality("m", 1.0, 1))
    judge = Judge()
    judge(Variant(workload, "t", (), model))
    del model
    gc.collect()
    assert seen() is None
    assert judge(Variant(workload, "t", (), Model())) == Quality("m", 1.0, 1)
