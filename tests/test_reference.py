"""The published tables: each row is checked, and what follows from them is what they say."""

import math
import statistics
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cli import main
from bench.exit_codes import EXIT_USAGE
from bench.reference.alexnet import ALEXNET, alexnet
from bench.reference.directions import directions
from bench.reference.layers import geomean, layer_density, layer_ratios, least_sure
from bench.reference.listing import lines, papers, select
from bench.reference.published import (
    HEADER,
    Confidence,
    Published,
    ReferenceFileError,
    Unit,
    everything,
    load,
    names,
    read,
)
from bench.reference.sizes import shared_share

HEAD = ",".join(HEADER)
ROW = "Paper,Table 1,net,fc,time,cpu,1,2.5,us,page 3,verbatim"
FC = [f"layer:{net}-fc{number}" for net in ("alexnet", "vgg16") for number in (6, 7, 8)]


def table(tmp_path: Path, *rows: str) -> list[Published]:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return list(read(path))


def test_every_row_that_ships_is_read_and_says_where_it_is_from() -> None:
    rows = everything()

    assert len(names()) == 31
    assert len(rows) > 5600
    assert all(row.paper and row.metric and row.source for row in rows)
    assert {row.confidence for row in rows} == set(Confidence)


def test_a_row_without_a_number_is_a_text_or_was_not_found() -> None:
    texts = [row for row in everything() if row.value is None]

    assert {row.metric for row in texts} == {
        "device_note", "final_measured_energy_gain", "saliency_formula", "shape",
    }  # fmt: skip
    assert any(row.text == "9216x4096" for row in texts)


def test_a_good_row_has_its_types(tmp_path: Path) -> None:
    (row,) = table(tmp_path, HEAD, ROW)

    assert (row.batch, row.value, row.unit) == (1, 2.5, Unit.MICROSECOND)
    assert row.confidence.is_read


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",us,", ",usec,", r"line 2: found the unit 'usec', wanted one of '', 'in x out', 'x'"),
        ("verbatim", "sure", r"line 2: found the confidence 'sure', wanted one of 'verbatim'"),
        ("2.5", "two", r"line 2: found the value 'two', wanted a finite number"),
        ("2.5", "inf", r"line 2: found the value 'inf', wanted a finite number"),
        ("2.5", "", r"line 2: found the value '', wanted a finite number"),
        (
            ",1,",
            ",0,",
            r"line 2: found the batch '0', wanted a count from 1, or one of MultiStream",
        ),
        (",1,", ",many,", r"line 2: found the batch 'many'"),
        (",page 3", "", r"line 2: found 10 cells, wanted 11; quote what has a comma"),
    ],
)
def test_a_damaged_row_is_refused_with_its_file_and_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(ReferenceFileError, match=rf"t\.csv, {said}"):
        table(tmp_path, HEAD, ROW.replace(old, new))


def test_another_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReferenceFileError, match=r"line 1: wanted the header paper,table"):
        table(tmp_path, "paper,value", "x,1")


def test_a_scenario_may_stand_for_a_batch(tmp_path: Path) -> None:
    (row,) = table(tmp_path, HEAD, ROW.replace(",1,", ",SingleStream,"))

    assert row.batch == "SingleStream"


def test_a_table_that_is_not_there_is_named_among_those_that_are() -> None:
    with pytest.raises(
        ValueError, match=r"found no table 'nature', wanted one of compression_notes, deep"
    ):
        load("nature")


# Deep Compression, Tables 2-5: the closed size formula


def published_sizes() -> dict[tuple[str, str], dict[str, float]]:
    layers: dict[tuple[str, str], dict[str, float]] = {}
    for row in load("deepcompression_tables2-5_layers"):
        if row.value is not None and row.layer.lower() != "total":
            layers.setdefault((row.network, row.layer), {})[row.metric] = row.value
    return layers


def test_the_closed_size_formula_gives_the_31_published_layer_sizes() -> None:
    errors = {}
    for layer, known in published_sizes().items():
        share = shared_share(
            known["weight_density"] / 100,
            known["weight_bits.PQ"],
            known["index_bits.PQ"],
            round(known["weights"]),
        )
        errors[layer] = abs(100 * share / known["compressed_size.PQ"] - 1)

    assert len(errors) == 31
    assert statistics.median(errors.values()) < 0.012
    assert max(errors, key=errors.__getitem__) == ("VGG-16", "fc7")
    assert 0.13 < max(errors.values()) < 0.15


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 1), st.integers(1, 8), st.integers(1, 8))
def test_a_layer_is_never_smaller_than_what_stays_of_it(
    density: float, weight_bits: int, index_bits: int
) -> None:
    least = density * (weight_bits + index_bits) / 32

    assert shared_share(density, weight_bits, index_bits, 10**6) >= least
    assert shared_share(density, weight_bits, 20, 10**9) == pytest.approx(
        density * (weight_bits + 20) / 32, rel=1e-3
    )  # long distances need no filler


@pytest.mark.parametrize(("density", "weights"), [(0.0, 10), (1.1, 10), (0.5, 0)])
def test_a_size_of_nothing_is_refused(density: float, weights: int) -> None:
    with pytest.raises(ValueError, match="wanted 0 < density <= 1 of at least 1"):
        shared_share(density, 5, 4, weights)


# Deep Compression, Tables 8 and 9: ratios and their means


@pytest.mark.parametrize(
    ("device", "batch", "speed", "energy"),
    [
        ("i7-5930K", 1, 3.33, 6.68),
        ("i7-5930K", 64, 0.27, 0.63),
        ("Titan X", 1, 3.54, 3.27),
        ("Titan X", 64, 0.27, 0.29),
        ("Tegra K1", 1, 4.75, 4.23),
        ("Tegra K1", 64, 0.78, 0.93),
    ],
)
def test_the_published_means_of_speed_and_energy_follow_from_tables_8_and_9(
    device: str, batch: int, speed: float, energy: float
) -> None:
    ratios = [
        ratio for layer in FC for ratio in layer_ratios(layer, batch) if ratio.device == device
    ]

    assert len(ratios) == 6
    assert round(1 / geomean(ratio.time for ratio in ratios), 2) == speed
    assert round(1 / geomean(ratio.energy or math.nan for ratio in ratios), 2) == energy


def test_each_recomputed_ratio_is_the_one_of_the_derived_table() -> None:
    names = {"NVIDIA GeForce GTX Titan X": "Titan X", "Intel Core i7-5930K": "i7-5930K"}
    checked = 0
    for row in load("deepcompression_derived_energy"):
        network = {"AlexNet": "alexnet", "VGG-16": "vgg16"}.get(row.network)
        if not network or row.device not in names or not isinstance(row.batch, int):
            continue
        ratios = layer_ratios(f"layer:{network}-{row.layer.lower()}", row.batch)
        own = next(ratio for ratio in ratios if ratio.device == names[row.device])
        if row.metric == "speedup.sparse_over_dense":
            assert 1 / own.time == pytest.approx(row.value, abs=6e-4)
            checked += 1
        if row.metric == "energy_reduction.sparse_over_dense":
            assert own.energy is not None
            assert 1 / own.energy == pytest.approx(row.value, abs=6e-4)
            checked += 1

    assert checked == 6 * 2 * 2 * 2


def test_layers_of_neuraltalk_have_times_of_eie_and_no_energy() -> None:
    ratios = layer_ratios("layer:neuraltalk-lstm", 64)

    assert [ratio.energy for ratio in ratios] == [None] * 3
    assert ratios[0].time == pytest.approx(107.4 / 28.8)
    assert ratios[0].table == "Han2016 EIE ISCA, Table IV"
    assert ratios[0].confidence is Confidence.EXTRACT


@pytest.mark.parametrize(
    "workload", ["digits-mlp", "layer:lenet-fc6", "layer:alexnet-fc9", "layer:"]
)
def test_what_no_paper_timed_has_no_ratio(workload: str) -> None:
    assert layer_ratios(workload, 1) == ()
    assert layer_density(workload) is None


def test_a_batch_that_no_paper_timed_has_no_ratio() -> None:
    assert layer_ratios("layer:alexnet-fc6", 8) == ()


def test_a_published_density_says_how_sure_it_is() -> None:
    known, remembered = (layer_density(f"layer:{name}") for name in ("vgg-fc6", "neuraltalk-wd"))

    assert known
    assert remembered
    assert (known.value, known.confidence.is_read) == (4.0, True)
    assert (remembered.value, remembered.confidence.is_read) == (11.0, False)


def test_a_mean_of_no_ratio_is_refused() -> None:
    with pytest.raises(ValueError, match="found no ratio"):
        geomean([])


def test_what_follows_from_several_rows_is_as_sure_as_the_least_sure_of_them() -> None:
    rows = {row.confidence: row for row in everything()}

    assert least_sure(rows.values()) is Confidence.NOT_FOUND
    assert least_sure([rows[Confidence.ABSTRACT], rows[Confidence.EXTRACT]]) is Confidence.ABSTRACT


# Directions


def test_directions_of_pruning_are_those_of_the_network_that_the_workload_resembles() -> None:
    (mlp,) = directions("magnitude_pruning", "digits28-mlp")
    (cnn,) = directions("deep_compression", "digits-cnn")

    assert (mlp.network, mlp.what, mlp.rate) == ("LeNet-300-100, MNIST", "connections", 12)
    assert mlp.accuracy_change == pytest.approx(0.05)
    assert (cnn.network, cnn.what, cnn.rate) == ("LeNet-5, MNIST", "size", 39)


def test_errors_of_ten_thousand_become_points() -> None:
    alone, distilled = directions("distillation", "digits-mlp")

    assert alone.accuracy_change == pytest.approx(-0.79)
    assert distilled.accuracy_change == pytest.approx(-0.07)


def test_a_direction_from_memory_says_so() -> None:
    damage, _ = directions("optimal_brain_damage", "digits-mlp")
    unsure = [each for each in directions("ternary", "digits-mlp") if not each.confidence.is_read]

    assert damage.confidence is Confidence.MEMORY
    assert [each.network for each in unsure] == ["ResNet-18, ImageNet"]
    assert directions("energy_aware_pruning", "digits-cnn")[0].rate == 3.7


@pytest.mark.parametrize(
    ("technique", "workload"), [("int8_static", "digits-mlp"), ("ternary", "layer:alexnet-fc6")]
)
def test_what_no_paper_speaks_of_has_no_direction(technique: str, workload: str) -> None:
    assert directions(technique, workload) == ()


# AlexNet from its shapes


def test_alexnet_has_724_million_operations_and_61_million_weights() -> None:
    assert round(sum(shape.macs for shape in ALEXNET) / 1e6) == 724
    assert round(sum(shape.weights for shape in ALEXNET) / 1e6) == 61
    assert sum(layer.macs for layer in alexnet(pruned=False)) == sum(s.macs for s in ALEXNET)


def test_the_shapes_give_the_published_operations_of_each_layer_twice() -> None:
    flop = published("flop")
    for shape in ALEXNET:
        assert 2 * shape.macs == pytest.approx(
            flop[shape.name], rel=0.03
        )  # the paper rounds fc3 to 8M


def test_pruned_alexnet_has_the_operations_that_the_paper_says_remain() -> None:
    remaining = published("flop_remaining")
    dense = {layer.name: layer for layer in alexnet(pruned=False)}
    for layer in alexnet(pruned=True):
        share = 100 * layer.macs_nonzero / dense[layer.name].macs
        assert share == pytest.approx(remaining[layer.name], abs=1.3)


def published(metric: str) -> dict[str, float]:
    rows: Iterable[Published] = load("han2015_tables2-5_layers")
    return {
        row.layer: row.value
        for row in rows
        if row.network == "AlexNet" and row.metric == metric and row.value is not None
    }


# joulebench reference


def test_without_a_paper_the_papers_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference"]) == 0

    out = capsys.readouterr().out
    assert all(paper in out for paper, _ in papers())
    assert f"{len(everything())} published numbers" in out


def test_a_paper_is_found_by_a_word_of_its_name_and_its_rows_have_source_and_confidence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["reference", "TTQ", "--table", "table 3"]) == 0

    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if "top1_error.ttq" in line]
    assert line.split() == [
        "Table", "3", "ResNet-18", "top1_error.ttq", "ImageNet", "33.4", "percent", "[1]",
        "memory-unverified",
    ]  # fmt: skip
    assert "[1] from memory; no copy of the table opened" in out
    assert "\x1b" not in out
    assert "Table 1" not in out


def test_columns_are_aligned() -> None:
    text = list(lines(select("yang2017"), grey=False))
    places = {line.index("Table 2") for line in text if line.startswith("Table 2")}
    units = {line.index("million") for line in text if " million " in line}

    assert (places, len(units)) == ({0}, 1)


def test_what_is_from_memory_is_dim_on_a_terminal_and_keeps_its_word() -> None:
    text = list(lines(select("ttq"), grey=True))
    dim = [line for line in text if line.startswith("\x1b[2m")]

    assert len(dim) == 12
    assert all(line.endswith("memory-unverified\x1b[0m") for line in dim)
    assert not any("memory-unverified" in line for line in text if line not in dim)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["einstein"], "found no paper with 'einstein' in its name"),
        (["ttq", "--table", "99"], "found no table with '99' in its name, wanted one of Table 1"),
        (["--table", "8"], "--table 8: of which paper?"),
    ],
)
def test_a_paper_or_table_that_is_not_there_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reference", *words]) == EXIT_USAGE
    assert said in capsys.readouterr().err
