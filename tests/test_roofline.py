"""The roofline: what its workloads do, what floors follow from them, and what the page says."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import MACHINE, Cost, Pairs, a_case, a_journal, a_run, package

from bench import catalogue
from bench.compare import compare
from bench.machine import last_level_cache
from bench.model_facts import bytes_moved, dense_bytes, facts
from bench.quantities import Absent
from bench.record import CaseRecord
from bench.records import Journal, journals, read
from bench.report import findings
from bench.report.pareto import panels
from bench.report.sections.roofline import section
from bench.report.sections.verdict import section as verdict
from bench.roofline import Ceiling, Floor, Limb, ceilings, floor_of, multiple, scaled
from bench.statistics import Interval
from bench.workloads import roofline
from reports import HALF, SAME, grid_of, report_of

SUITE = Path(__file__).parents[1] / "suites" / "roofline.py"

# -- the workloads --------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small buffers and matrices, which no other test meets."""
    monkeypatch.setattr(roofline, "SIDES", dict.fromkeys(roofline.SIDES, 64))
    monkeypatch.setattr(roofline, "DRAM_BYTES", 2**16)
    monkeypatch.setattr(roofline, "PART_BYTES", 2**14)
    monkeypatch.setattr(roofline, "last_level_cache", lambda: None)
    catalogue._workloads.clear()
    yield
    catalogue._workloads.clear()


def test_a_copy_within_the_cache_moves_twice_its_buffer_and_multiplies_nothing() -> None:
    import torch

    workload = roofline.load(which="copy-cache")
    source, target = workload.inputs(1)
    workload.model(source, target)

    assert torch.equal(source, target)
    assert source.nbytes == roofline.CACHE_BYTES
    assert bytes_moved(workload.model, (source, target)) == 2 * source.nbytes
    assert facts(workload.model, (source, target)).macs == 0
    assert workload.inputs(1)[0] is not source  # no case keeps the memory of another


def test_a_copy_of_memory_goes_through_it_part_by_part_and_begins_anew(small: None) -> None:
    workload = roofline.load(which="copy-dram")
    source, target = workload.inputs(1)

    filled = []
    for _ in range(4):
        workload.model(source, target)
        filled.append(int(target.sum()))
    target.zero_()
    workload.model(source, target)

    part = 2**14 // 4
    assert filled == [part, 2 * part, 3 * part, 4 * part]
    assert float(target[:part].sum()) == part
    assert float(target[part:].sum()) == 0
    assert bytes_moved(workload.model, (source, target)) == 2 * 2**14


@pytest.mark.parametrize(
    ("which", "dtype", "weight", "result"),
    [("gemm-fp32", "float32", 4, 4), ("gemm-bf16", "bfloat16", 2, 2), ("gemm-int8", "int8", 1, 1)],
)
def test_a_product_multiplies_the_cube_of_its_side_at_its_own_type(
    small: None, which: str, dtype: str, weight: int, result: int
) -> None:
    workload = roofline.load(which=which)
    known = facts(workload.model, workload.inputs(1))

    assert known.macs == 64**3
    assert known.dtype == dtype
    assert workload.threads == 1
    moved = bytes_moved(workload.model, workload.inputs(1))
    assert moved == 64 * 64 * (2 * weight + result)


def test_an_int8_product_is_the_product_held_between_0_and_255(small: None) -> None:
    import torch

    model: Any = roofline.load(which="gemm-int8").model
    left = torch.eye(64, dtype=torch.uint8)

    assert torch.equal(model(left), model.weight.T.clamp(min=0).to(torch.uint8))


def test_a_torch_without_int8_kernels_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.ops, "onednn", object())
    with pytest.raises(RuntimeError, match=r"has no operator onednn::qlinear_pointwise, wanted"):
        roofline.load(which="gemm-int8")


def test_the_name_says_how_many_threads_run() -> None:
    import os

    cpus = len(os.sched_getaffinity(0))

    assert roofline.load(which=f"copy-cache-{cpus}t").threads == cpus
    with pytest.raises(ValueError, match=rf"{cpus + 1} threads, wanted 1 to {cpus}, the CPUs"):
        roofline.load(which=f"copy-cache-{cpus + 1}t")


def test_a_name_that_is_none_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"found roofline:gemm-fp64, wanted .*copy-dram, copy"):
        roofline.load(which="gemm-fp64")


@pytest.mark.parametrize("which", ["copy-cache", "gemm-fp32"])
def test_a_ceiling_has_no_batch(small: None, which: str) -> None:
    with pytest.raises(ValueError, match=rf"found batch 4 for roofline:{which}, wanted 1"):
        roofline.load(which=which).inputs(4)


def test_memory_that_does_not_suffice_is_said_before_it_is_taken() -> None:
    roofline.require_memory(2**30, None)
    roofline.require_memory(2**30, 2**32)
    with pytest.raises(ValueError, match=r"found 2.0 GiB of free memory, wanted 2.2 GiB"):
        roofline.require_memory(2**30, 2**31)


def test_a_cache_that_would_hold_half_of_the_buffers_is_no_memory() -> None:
    roofline.require_beyond(2**30, None)
    roofline.require_beyond(2**30, 2**28)
    with pytest.raises(ValueError, match=r"found a last-level cache of 2048 MiB, wanted at most"):
        roofline.require_beyond(2**30, 2**31)


def test_free_memory_is_what_linux_says_is_available(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 99 kB\nMemAvailable:  12 kB\n")

    assert roofline.available_memory(tmp_path / "meminfo") == 12 * 1024
    assert roofline.available_memory(tmp_path / "none") is None


def test_the_last_level_cache_is_the_largest_that_the_kernel_names(tmp_path: Path) -> None:
    assert last_level_cache(tmp_path) is None
    for index, size in enumerate(["32K", "1024K", "262144K", "odd"]):
        folder = tmp_path / f"sys/devices/system/cpu/cpu0/cache/index{index}"
        folder.mkdir(parents=True)
        (folder / "size").write_text(f"{size}\n")

    assert last_level_cache(tmp_path) == 2**28


# -- the bytes of a call --------------------------------------------------------------------------


def test_a_linear_layer_moves_weights_bias_inputs_and_outputs_once() -> None:
    import torch

    layer = torch.nn.Linear(8, 4)

    assert bytes_moved(layer, torch.rand(2, 8)) == 4 * (8 * 4 + 4 + 2 * 8 + 2 * 4)
    assert bytes_moved(layer, {"input": torch.rand(2, 8)}) == 4 * (8 * 4 + 4 + 2 * 8 + 2 * 4)
    assert dense_bytes(layer) == 4 * (8 * 4 + 4)


def test_places_that_are_input_and_output_at_once_move_once() -> None:
    import torch

    class Both(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return {"same": x, "more": [x, x + 1], "text": "none"}

    assert bytes_moved(Both(), torch.rand(5)) == 4 * (5 + 5)
    assert dense_bytes(Both()) is None


def test_a_sparse_layer_moves_what_it_stores_and_stands_for_what_it_replaces() -> None:
    import torch

    from bench.techniques._csr_modules import SparseLinear

    dense = torch.nn.Linear(8, 4)
    dense.weight.data[:, 1:] = 0  # one of each row is left
    layer = SparseLinear(dense)

    assert bytes_moved(layer, torch.rand(1, 8)) == 4 * ((4 + 4 + 5) + 4 + 8 + 4)
    assert dense_bytes(layer) == dense_bytes(dense)


def test_a_layer_that_says_how_it_stores_its_weight_is_believed() -> None:
    import torch

    from bench.weight_form import WeightForm

    class Shared(torch.nn.Module):
        weight_form = WeightForm(dense=32, stored=16, nonzero=16, bits=32, bytes=20)

        def __init__(self) -> None:
            super().__init__()
            self.codebook = torch.nn.Parameter(torch.rand(4))
            self.bias = torch.nn.Parameter(torch.rand(4))

        def forward(self, x: Any) -> Any:
            return x[:, :4] + self.bias

    model = torch.nn.Sequential(Shared(), torch.nn.Linear(4, 1, bias=False))

    assert bytes_moved(model, torch.rand(1, 8)) == 20 + 4 * (4 + 4 + 8 + 1)
    assert dense_bytes(model) == 4 * (32 + 4 + 4)


def test_what_cannot_be_counted_is_none() -> None:
    import torch

    assert bytes_moved(len, ()) is None
    assert dense_bytes(len) is None
    assert bytes_moved(torch.nn.Linear(2, 2), torch.rand(3)) is None  # it does not run
    packed = torch.nn.Identity()
    packed._packed_params = 1  # type: ignore[assignment]
    assert bytes_moved(packed, torch.rand(1)) is None


# -- floors ---------------------------------------------------------------------------------------


def exactly(value: float) -> Interval:
    return Interval(value, value, value, 6)


COPY = Ceiling("copy-cache", 1, Limb.MEMORY, None, 1000, exactly(1e-9), exactly(2e-9))
DRAM = Ceiling("copy-dram", 1, Limb.MEMORY, None, 1000, exactly(1e-8), exactly(2e-8))
GEMM = Ceiling("gemm-fp32", 1, Limb.ARITHMETIC, "float32", 1000, exactly(1e-9), None)
INT8 = Ceiling("gemm-int8", 1, Limb.ARITHMETIC, "int8", 1000, exactly(2.5e-10), None)


def least(case: CaseRecord, cache: int | None = None, **how: bool) -> Floor:
    found = floor_of(case, [COPY, DRAM, GEMM, INT8], cache, **how)
    assert isinstance(found, Floor)
    return found


def test_the_longer_limb_binds() -> None:
    case = a_case(macs=5000, bytes_moved=20_000)

    assert least(case) == Floor(Limb.MEMORY, "copy-cache", exactly(2e-5))
    assert least(replace(case, macs=50_000)).limb is Limb.ARITHMETIC
    assert least(replace(case, macs=50_000)).least.value == pytest.approx(5e-5)


def test_int8_is_held_against_the_rate_of_int8() -> None:
    case = a_case(macs=100_000, bytes_moved=10, dtype="int8")

    assert least(case).ceiling == "gemm-int8"
    assert least(case).least.value == pytest.approx(2.5e-5)


def test_what_the_last_level_cache_cannot_hold_comes_from_memory() -> None:
    case = a_case(macs=5000, bytes_moved=20_000, batch=2)

    assert least(case, 40_000).ceiling == "copy-cache"
    assert least(case, 39_999).ceiling == "copy-dram"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"threads": 2}, "no roofline of copy-cache on 2 threads"),
        ({"dtype": "float16"}, "no roofline of gemm of float16 on 1 thread"),
        ({"macs": None}, "cannot be counted"),
        ({"bytes_moved": None}, "cannot be counted"),
    ],
)
def test_without_both_limbs_there_is_no_floor(changes: dict[str, Any], reason: str) -> None:
    case = a_case(**{"macs": 5000, "bytes_moved": 20_000, **changes})
    found = floor_of(case, [COPY, DRAM, GEMM, INT8], None)

    assert isinstance(found, Absent)
    assert reason in str(found)


def test_joules_have_a_floor_only_where_both_ceilings_were_measured() -> None:
    case = a_case(macs=5000, bytes_moved=20_000)
    measured = [COPY, replace(GEMM, joules=exactly(3e-9))]

    assert isinstance(floor_of(case, [COPY, GEMM], None, energy=True), Absent)
    found = floor_of(case, measured, None, energy=True)
    assert found == Floor(Limb.MEMORY, "copy-cache", exactly(20_000 * 2e-9))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(1e-12, 1e-6), st.floats(1e-12, 1e-6))
def test_a_floor_is_never_below_either_limb_and_equals_one_of_them(
    macs: int, moved: int, per_byte: float, per_mac: float
) -> None:
    found = floor_of(
        a_case(macs=macs, bytes_moved=moved),
        [replace(COPY, seconds=exactly(per_byte)), replace(GEMM, seconds=exactly(per_mac))],
        None,
    )

    assert isinstance(found, Floor)
    limbs = {Limb.MEMORY: moved * per_byte, Limb.ARITHMETIC: macs * per_mac}
    assert found.least.value == max(limbs.values()) == limbs[found.limb]


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-9, 1e3), st.floats(1e-9, 1e3), st.floats(0, 0.5), st.data())
def test_a_multiple_holds_whatever_both_truly_are(
    cost: float, floor: float, share: float, data: st.DataObject
) -> None:
    one, other = (Interval(v, v * (1 - share), v * (1 + share), 6) for v in (cost, floor))
    place = st.floats(0, 1)
    truths = [i.low + data.draw(place) * (i.high - i.low) for i in (one, other)]

    found = multiple(one, other)

    assert found.low <= found.value <= found.high
    assert found.low * (1 - 1e-9) <= truths[0] / truths[1] <= found.high * (1 + 1e-9)
    assert scaled(one, 2).value == 2 * one.value


# -- the page -------------------------------------------------------------------------------------


def ceiling(name: str, **facts: Any) -> CaseRecord:
    nothing = {"quality": None, "baseline_quality": None, "macs": 0, "bytes_moved": 0}
    return a_case(**{**nothing, "workload": f"roofline:{name}", "unit": "call", **facts})


def roofed(cache: int | None = None, *, measured: bool = True) -> Journal:
    """Copies at 1 GB/s and 0.1 GB/s, a product at 1 GMAC/s, and one model that takes 1 ms."""

    def cost(seconds: float) -> Cost:
        return package(seconds * 10, seconds) if measured else Cost({}, seconds)

    def twice(seconds: float) -> Pairs:
        return [(cost(seconds), cost(seconds))] * 3

    cases: list[tuple[CaseRecord, Pairs]] = [
        (ceiling("copy-cache", dtype=None, bytes_moved=10**6), twice(0.001)),
        (ceiling("copy-dram", dtype=None, bytes_moved=10**6), twice(0.01)),
        (ceiling("gemm-fp32", macs=10**6), twice(0.001)),
        (a_case(macs=5000, bytes_moved=20_000), twice(0.001)),
        (a_case("int8", dtype="int8", macs=5000, bytes_moved=8000), twice(0.001)),
    ]
    run = a_run(machine={**MACHINE, "last_level_cache_bytes": cache})
    return a_journal(cases, run=run if measured else replace(run, channels=()))


def test_the_rates_stand_with_their_intervals() -> None:
    rows = {row["ceiling"]: row for row in grid_of(section(report_of(roofed())))}

    assert rows["copy-cache"]["rate"].partition(" ")[0].startswith("1.0")
    assert rows["copy-cache"]["rate"].endswith("GB/s")
    assert rows["copy-dram"]["work of a call"] == "977 KiB"
    assert rows["gemm-fp32"]["rate"].endswith("GMAC/s")
    assert rows["gemm-fp32"]["time for one"].startswith("1\u202f000")
    assert rows["gemm-fp32"]["time for one"].endswith(" ps")
    assert rows["gemm-fp32"]["energy for one"].startswith("10\u202f000")
    assert rows["gemm-fp32"]["energy for one"].endswith(" pJ")


def test_each_other_case_is_a_multiple_of_its_floor() -> None:
    page = section(report_of(roofed()))
    grid = "| workload" + page.partition("\n\n| workload")[2]
    rows = {row["variant"]: row for row in grid_of(grid)}

    assert rows["baseline"]["time ÷ floor"].startswith("50")
    assert rows["baseline"]["bytes moved"] == "19.5 KiB"
    assert rows["baseline"]["bytes per s ÷ copy-dram"].startswith("0.2")
    assert "memory (copy-cache)" in rows["baseline"].values()
    assert rows["int8"]["time ÷ floor"] == "—¹"
    assert "no roofline of gemm of int8 on 1 thread" in page


def test_a_model_beyond_the_cache_is_held_against_memory() -> None:
    page = section(report_of(roofed(cache=10_000)))

    assert "| 5.0" in page
    assert "memory (copy-dram)" in page
    assert "(9.77 KiB)" in page


def test_without_a_meter_no_floor_is_of_joules() -> None:
    page = section(report_of(roofed(measured=False)))

    assert "energy" not in page.partition("| ceiling")[2]


def test_a_case_with_one_window_has_no_multiple() -> None:
    journal = roofed()
    case = a_case("once", macs=5000, bytes_moved=20_000)
    one = a_journal([(case, [(None, package(0.01))])])
    journal = replace(
        journal, cases=(*journal.cases, case), windows=(*journal.windows, *one.windows)
    )

    lines = [line for line in section(report_of(journal)).splitlines() if "| once" in line]
    assert lines[0].startswith("| digits | once | 1 | 19.5 KiB | — | — | memory")


def test_a_journal_without_roofline_has_no_word_of_it() -> None:
    assert section(report_of(a_journal([(a_case(), SAME), (a_case("half"), HALF)]))) == ""


def test_no_ceiling_is_a_winner_a_point_or_named_in_the_verdict() -> None:
    report = report_of(roofed())
    (table,) = report.tables

    assert all(
        findings.best(rows) is None
        for (name, _), rows in findings.settings(table.rows)
        if name.startswith("roofline:")
    )
    assert "roofline" not in verdict(report)
    assert all("roofline" not in panel.title for panel in panels(report.tables))
    alone = roofed()
    alone = replace(alone, cases=alone.cases[:3])
    assert "nothing was compared: no variant was timed" in verdict(report_of(alone))


def test_ceilings_of_several_threads_keep_their_name() -> None:
    case = ceiling("gemm-fp32-2t", macs=10**6, threads=2)
    (table,) = compare([a_journal([(case, SAME)])])

    (found,) = ceilings(table)
    assert (found.name, found.threads) == ("gemm-fp32", 2)
    assert found.rate.value == pytest.approx(1e9)
    assert math.isclose(found.rate.low * found.seconds.high, 1)


def test_the_suite_measures_ceilings_whose_work_stands_in_the_journal(
    project: pytest.Pytester, small: None
) -> None:
    outcome = project.runpytest_inprocess(
        "-p", "no:cacheprovider", "--benchmark", str(SUITE), "-k", "cache"
    )

    outcome.assert_outcomes(passed=1, deselected=4)
    journal = read(journals(project.path / "results")[0])
    works = {case.workload: (case.bytes_moved, case.macs) for case in journal.cases}
    assert works == {"roofline:copy-cache": (2**19, 0)}
    page = next((project.path / "reports").glob("*.md")).read_text()
    assert "GB/s" in page
