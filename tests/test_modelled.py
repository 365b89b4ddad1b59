"""The modelled energy: counts times published costs, and never mixed with what was measured."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.layer_counts import LayerCount
from bench.modelled import (
    EYERISS,
    HOROWITZ,
    Level,
    Model,
    eyeriss,
    horowitz,
    layer_energy,
    operation_pj,
    relative_costs,
    total,
)
from bench.quantities import Kind, MixedError, Quantity
from bench.reference.alexnet import alexnet
from bench.workloads._digits_models import LeNet300100

ONE = LayerCount("fc", "Linear", 1, 1, 1, 32, 32, 4, 1, 1, 1.0, 1.0)
"""One weight, one input, one output."""

MODELS = pytest.mark.parametrize("model", [horowitz, eyeriss])


def energy(model: Model, counts: tuple[LayerCount, ...]) -> float:
    return total(layer.total for layer in model(counts)).value


def layer(density: float, bits: int, batch: int) -> LayerCount:
    """A linear layer of 1000 times 100 in a kernel that skips its zeros, without indices."""
    kept = round(density * 100_000)
    return LayerCount(
        "fc", "Linear", batch * kept, batch * kept, 100_000, bits, bits, kept * bits // 8,
        batch * 1000, batch * 100, 1.0, kept / 100_000,
    )  # fmt: skip


def test_one_multiply_accumulate_costs_what_the_table_of_horowitz_says() -> None:
    (modelled,) = horowitz([ONE])

    assert modelled.at(Level.ARITHMETIC).value == pytest.approx(4.6e-12)
    assert modelled.at(Level.SRAM).value == pytest.approx(2 * 5e-12)
    assert modelled.at(Level.DRAM).value == pytest.approx(3 * 640e-12)
    assert modelled.at(Level.DRAM).high == pytest.approx(3 * 1300e-12)


@pytest.mark.parametrize(("bits", "pj"), [(32, 4.6), (16, 2.0), (8, 0.3), (2, 0.3)])
def test_a_narrower_weight_is_multiplied_for_less(bits: int, pj: float) -> None:
    assert operation_pj(bits) == pytest.approx(pj)


def test_one_multiply_accumulate_of_eyeriss_pays_1_2_6_and_200_for_its_accesses() -> None:
    half = dataclasses.replace(ONE, weight_bits=16, activation_bits=16, weight_bytes=2)
    (modelled,) = eyeriss([half])
    accesses = {
        Level.ARITHMETIC: 1, Level.REGISTERS: 4, Level.NETWORK: 3, Level.SRAM: 4, Level.DRAM: 3,
    }  # fmt: skip

    assert list(relative_costs().values()) == [1, 2, 6, 200]
    for level, count in accesses.items():
        cost = relative_costs().get(level, 1)
        assert modelled.at(level).value == pytest.approx(count * cost)


def test_eyeriss_skips_zeros_and_horowitz_pays_for_those_that_run() -> None:
    half = dataclasses.replace(ONE, macs_nonzero=0, activation_density=0.0)

    assert horowitz([half]) == horowitz([ONE])
    assert eyeriss([half])[0].at(Level.REGISTERS).value == 0
    assert eyeriss([half])[0].at(Level.DRAM).value < eyeriss([ONE])[0].at(Level.DRAM).value


def test_weights_travel_to_eyeriss_without_their_zeros_or_as_tightly_as_they_are_stored() -> None:
    dense = dataclasses.replace(layer(1.0, 32, 1), weight_density=0.1)
    csr = dataclasses.replace(layer(0.1, 32, 1), weight_bytes=2 * 40_000)
    shared = dataclasses.replace(layer(0.1, 32, 1), weight_bytes=10_000)
    found = [eyeriss([each])[0].at(Level.DRAM).value for each in (dense, csr, shared)]

    assert found[0] == found[1] > found[2]


@MODELS
@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    st.sampled_from([8, 16, 32]),
    st.integers(1, 100),
)
def test_energy_grows_with_density(
    model: Model, densities: tuple[float, float], bits: int, batch: int
) -> None:
    low, high = sorted(densities)

    assert energy(model, (layer(low, bits, batch),)) <= energy(model, (layer(high, bits, batch),))


@MODELS
@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 1), st.integers(1, 100))
def test_energy_grows_with_bits(model: Model, density: float, batch: int) -> None:
    found = [energy(model, (layer(density, bits, batch),)) for bits in (8, 16, 32)]

    assert found == sorted(set(found))


@MODELS
@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 1), st.sampled_from([8, 16, 32]), st.integers(1, 100))
def test_a_larger_batch_costs_more_a_call_and_less_an_image(
    model: Model, density: float, bits: int, batch: int
) -> None:
    one, more = (energy(model, (layer(density, bits, n),)) for n in (batch, batch + 1))

    assert one < more
    assert more / (batch + 1) < one / batch


@MODELS
def test_dram_takes_most_of_a_fully_connected_layer_at_batch_1_and_not_of_a_convolution(
    model: Model,
) -> None:
    for each in model(alexnet(pruned=False)):
        share = each.at(Level.DRAM).over(each.total)
        assert (share > 0.9) == each.name.startswith("fc")


@MODELS
@pytest.mark.parametrize("batch", [1, 48])
def test_pruned_alexnet_costs_less_but_not_in_proportion_to_its_weights(
    model: Model, batch: int
) -> None:
    dense, pruned = (
        energy(model, alexnet(pruned=kept, batch=batch, bits=16)) for kept in (False, True)
    )

    assert 1 < dense / pruned < 9


def test_pruned_alexnet_lies_where_the_published_ratios_put_magnitude_pruning() -> None:
    # 3.7 times is energy-aware pruning; it is 1.7 times better than magnitude pruning (secondary)
    dense, pruned = (
        energy(eyeriss, alexnet(pruned=kept, batch=48, bits=16)) for kept in (False, True)
    )

    assert dense / pruned < 3.7
    assert dense / pruned == pytest.approx(3.7 / 1.7, rel=0.1)


def test_what_is_modelled_is_never_added_to_or_compared_with_what_was_measured() -> None:
    modelled = horowitz([ONE])[0].total
    measured = Quantity(1.0, 1.0, 1.0, "J", Kind.MEASURED, "cpu-package", ("cpu/0/package",))

    assert (modelled.kind, modelled.boundary) == (Kind.MODELLED, HOROWITZ)
    assert not modelled.kind.is_reading
    with pytest.raises(MixedError):
        _ = modelled + measured
    with pytest.raises(MixedError):
        modelled.over(measured)
    with pytest.raises(MixedError):
        _ = modelled < eyeriss([ONE])[0].total
    assert eyeriss([ONE])[0].total.boundary == EYERISS


def test_a_level_that_a_model_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="found no level register file, wanted one of arithmetic"):
        horowitz([ONE])[0].at(Level.REGISTERS)


def test_the_layer_with_most_weights_costs_most_at_batch_1() -> None:
    found = layer_energy(LeNet300100(), torch.rand(1, 64))

    assert list(found) == ["0", "2", "4"]
    assert max(found, key=found.__getitem__) == "2"
    assert layer_energy(nn.ReLU(), torch.rand(1, 64)) == {}
