"""The paper beside here: published ratios next to ours, never microseconds of another machine."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from journals import LOCKED, PROCESS, Cost, Pairs, a_case, a_journal, a_run, package, quality

from bench.layer_counts import LayerCount
from bench.record import CaseRecord
from bench.records import Journal
from bench.reference.published import Confidence
from bench.report.markdown import page
from bench.report.sections.paper import grey, section
from reports import SAME, grid_of, measured, report_of

LAYER = LayerCount("0", "Linear", 1000, 1000, 1000, 32, 32, 4000, 100, 10, 1.0, 1.0)
CSR: Mapping[str, str] = {"density": "0.09", "form": "csr"}
FASTER = [(package(0.010, 0.001), package(0.004, 0.0005))] * 3
SLOWER = [(package(0.004, 0.0005), package(0.010, 0.001))] * 3


def layers(*cases: tuple[str, str, int, Mapping[str, str], Pairs], **others: Any) -> Journal:
    """Cases of layers: technique, layer, batch, level, pairs."""
    made = [
        (
            a_case(
                technique, workload=f"layer:{layer}", batch=batch, level=level, quality=None,
                baseline_quality=None,
            ),
            pairs,
        )
        for technique, layer, batch, level, pairs in cases
    ]  # fmt: skip
    return a_journal(made, **others)


def test_a_sparse_layer_stands_beside_the_ratios_of_the_three_devices() -> None:
    journal = layers(
        ("magnitude_pruning", "alexnet-fc6", 1, CSR, FASTER),
        ("magnitude_pruning", "alexnet-fc6", 64, CSR, FASTER),
    )
    one, many = grid_of(section(report_of(journal)))

    assert one["layer"] == "alexnet-fc6"
    assert one["i7-5930K"] == "0.41, sign agrees"
    assert one["Titan X"] == "0.25, sign agrees"
    assert one["Tegra K1"] == "0.23, sign agrees"
    assert one["time ÷ dense, here [95 %]"].startswith("0.500 [")
    assert one["published in"] == "Han2016 Deep Compression ICLR, Table 8"
    assert one["density here / paper, %"] == "9.0 / 9.0"
    assert many["i7-5930K"] == "4.5, sign differs"


def test_what_costs_here_and_there_agrees_too() -> None:
    (row,) = grid_of(
        section(report_of(layers(("shared_sparse", "vgg16-fc6", 64, {"density": "0.04"}, SLOWER))))
    )

    assert row["Titan X"] == "2.3, sign agrees"


def test_energy_ratios_stand_in_a_table_of_their_own_where_energy_was_measured() -> None:
    text = section(report_of(layers(("magnitude_pruning", "alexnet-fc7", 1, CSR, FASTER))))
    (row,) = grid_of(text.split("\n\n")[-2])

    assert row["energy ÷ dense, here [95 %]"].startswith("0.40")
    assert row["i7-5930K"] == "0.11, sign agrees"  # 47.95 of 450.4 mJ


def test_energy_that_was_not_measured_is_not_compared_and_says_why() -> None:
    guess = [(Cost({PROCESS.id: 0.001}, 0.001), Cost({PROCESS.id: 0.001}, 0.0005))] * 3
    journal = layers(
        ("magnitude_pruning", "alexnet-fc6", 1, CSR, guess),
        run=a_run(channels=(PROCESS,), unusable=(LOCKED,)),
    )
    text = section(report_of(journal))

    assert "Energy ratios are not compared: RAPL exists and this user may not read it." in text
    assert "energy ÷ dense" not in text


def test_layers_of_neuraltalk_have_no_published_energy_and_a_density_from_memory() -> None:
    text = section(report_of(layers(("block_sparse", "neuraltalk-we", 1, CSR, FASTER))))
    (row,) = grid_of(text)

    assert row["density here / paper, %"] == "9.0 / <sub>*10 (memory-unverified)*</sub>"
    assert row["published in"] == "Han2016 EIE ISCA, Table IV"
    assert "| — | — | — |" in text[text.index("energy ÷ dense") :]


def test_a_ratio_that_holds_1_has_no_sign_here_and_one_at_1_has_none_there() -> None:
    near = [(package(1, 0.001), package(1, 0.001 * (1 + each))) for each in (-0.1, 0.0, 0.1)]
    unresolved = section(report_of(layers(("block_sparse", "vgg16-fc7", 1, CSR, near))))
    even = section(report_of(layers(("block_sparse", "vgg16-fc8", 1, CSR, FASTER))))

    assert "0.10, ours unresolved" in unresolved
    assert "1.0, theirs even" in even


def test_a_case_with_too_few_pairs_has_no_sign() -> None:
    text = section(report_of(layers(("block_sparse", "vgg16-fc7", 1, {}, FASTER[:1]))))
    (row,) = grid_of(text)

    assert row["time ÷ dense, here [95 %]"] == "—"
    assert "Energy ratios are not compared: a ratio needs two pairs." in text
    assert row["i7-5930K"] == "0.10, ours unresolved"
    assert row["density here / paper, %"] == "100 / 4.0"  # all of the case's weights are there


@pytest.mark.parametrize(
    "case",
    [
        a_case("int8_static", workload="layer:alexnet-fc6"),
        a_case("magnitude_pruning", workload="layer:alexnet-fc6", level={"form": "mask"}),
        a_case("magnitude_pruning", workload="layer:alexnet-fc6", level=CSR, batch=8),
        a_case("magnitude_pruning", workload="resnet18", level=CSR),
        a_case("int8_static", workload="digits-mlp"),
    ],
    ids=["another form", "a mask", "another batch", "another network", "no paper"],
)
def test_a_case_of_which_no_paper_speaks_leaves_no_trace(case: CaseRecord) -> None:
    journal = a_journal([(case, SAME)])

    assert section(report_of(journal)) == ""
    assert "paper beside here" not in page(report_of(journal))


def test_digits_show_the_direction_of_a_paper_and_say_that_it_is_no_more() -> None:
    def digits(technique: str, density: float, **changes: Any) -> tuple[CaseRecord, Pairs]:
        layer = dataclasses.asdict(dataclasses.replace(LAYER, weight_density=density))
        changed = {"workload": "digits-mlp", "quality": quality(0.965), "layers": (layer,)}
        return a_case(technique, **{**changed, **changes}), SAME

    journal = a_journal(
        [
            digits("baseline", 1.0, size_bytes={"disk": 8000, "nominal": 1}),
            digits("magnitude_pruning", 0.1, level=CSR, size_bytes={"disk": 2000}),
            digits("magnitude_pruning", 0.1, level=CSR, batch=64),
            digits("optimal_brain_damage", 0.0, quality=None, size_bytes={}),
            digits("ternary", 0.5, layers=()),
        ]
    )
    text = section(report_of(journal))
    pruned, damaged = grid_of(text)

    assert "**MNIST there, digits here: direction only.**" in text
    assert pruned == {
        "workload": "digits-mlp",
        "variant": "magnitude_pruning@density=0.09,form=csr",
        "connections ÷": "10×",
        "size ÷": "4.0×",
        "accuracy, points": "−0.5",
        "published": "LeNet-300-100, MNIST: 12× connections, +0.05 points (Han2015 NIPS, Table 1)",
    }
    assert (damaged["connections ÷"], damaged["size ÷"], damaged["accuracy, points"]) == ("—",) * 3
    assert damaged["published"].startswith("<sub>*handwritten digit net: 4.0× connections")
    assert "(memory-unverified)*</sub><br>LeNet-300-100" in damaged["published"]


def test_only_what_nobody_has_read_is_grey() -> None:
    assert grey("4", Confidence.EXTRACT) == "4"
    assert grey("4", Confidence.MEMORY) == "<sub>*4 (memory-unverified)*</sub>"


def test_each_device_has_a_part_of_its_own() -> None:
    layers = (dataclasses.asdict(LAYER),)
    case = a_case("magnitude_pruning", workload="digits-mlp", layers=layers)
    other = dataclasses.replace(case, device="cuda:0")
    text = section(report_of(a_journal([(case, SAME), (other, SAME)])))

    assert "The paper beside here · cpu</summary>" in text
    assert "The paper beside here · cuda:0</summary>" in text


def test_a_journal_of_other_things_has_no_such_part() -> None:
    assert section(report_of(measured())) == ""
