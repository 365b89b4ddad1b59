"""What each layer multiplies and reads is what really ran."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import a_case
from torch import Tensor, nn
from torch.nn import functional

import bench
from bench.description import describe
from bench.judge import Judge
from bench.layer_counts import LayerCount, layer_counts, recorded
from bench.model_facts import facts
from bench.record import CaseRecord, from_json, to_json
from bench.techniques._csr_modules import SparseConv2d, SparseLinear, to_csr
from bench.techniques._int8_modules import to_int8
from bench.weight_form import WeightForm
from bench.workload import Case, Workload, baseline_of
from bench.workloads._digits_models import LeNet5, LeNet300100


def sparse(model: nn.Module, density: float, seed: int = 0) -> nn.Module:
    draw = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data[torch.rand(parameter.shape, generator=draw) > density] = 0
    return model


def images(*shape: int, density: float = 1.0, seed: int = 1) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    values = torch.rand(shape, generator=draw) + 0.1
    values[torch.rand(shape, generator=draw) > density] = 0
    return values


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.floats(0, 1), st.floats(0, 1))
def test_products_of_two_nonzeros_are_counted_exactly_in_a_linear_layer(
    into: int, out: int, batch: int, weights: float, inputs: float
) -> None:
    layer = sparse(nn.Linear(into, out), weights)
    given_in = images(batch, into, density=inputs)
    (count,) = layer_counts(layer, given_in)
    products = given_in[:, None, :] * layer.weight[None]  # type: ignore[index]

    assert count.macs == batch * into * out
    assert count.macs_nonzero == int(products.count_nonzero())
    assert count.activation_density == pytest.approx(int(given_in.count_nonzero()) / (batch * into))
    assert (count.inputs, count.outputs) == (batch * into, batch * out)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("padding", [0, 2])
def test_products_of_two_nonzeros_are_counted_exactly_in_a_convolution(
    groups: int, padding: int
) -> None:
    layer = nn.Conv2d(4, 6, 3, stride=2, padding=padding, groups=groups)
    sparse(layer, 0.4)
    given_in = images(2, 4, 7, 7, density=0.5)
    (count,) = layer_counts(layer, given_in)
    products = 0
    for part, weight in zip(given_in.chunk(groups, 1), layer.weight.chunk(groups), strict=True):
        patches = functional.unfold(part, 3, padding=padding, stride=2)  # (n, in * 9, places)
        products += int((patches[:, None] * weight.flatten(1)[None, :, :, None]).count_nonzero())

    assert count.macs_nonzero == products
    assert count.macs == facts(layer, given_in).macs


@pytest.mark.parametrize("batch", [1, 64])
def test_the_layers_together_multiply_what_the_model_does(batch: int) -> None:
    for model, given_in in (
        (LeNet5(), images(batch, 1, 8, 8)),
        (LeNet300100(), images(batch, 64)),
        (to_csr(sparse(LeNet5(), 0.1))[0], images(batch, 1, 8, 8)),
        (to_csr(sparse(LeNet300100(), 0.1))[0], images(batch, 64)),
    ):
        assert sum(layer.macs for layer in layer_counts(model, given_in)) == (
            facts(model, given_in).macs
        )


def test_a_layer_is_described_in_the_order_in_which_it_runs() -> None:
    counts = layer_counts(LeNet5(), images(2, 1, 8, 8))

    assert [count.name for count in counts] == ["0", "3", "6", "8"]
    assert [count.kind for count in counts] == ["Conv2d", "Conv2d", "Linear", "Linear"]
    assert counts[0] == LayerCount(
        "0", "Conv2d", 2 * 20 * 25 * 64, counts[0].macs_nonzero, 500, 32, 32, 2000, 128,
        2 * 20 * 64, 1.0, 1.0,
    )  # fmt: skip


def test_a_mask_multiplies_its_zeros_and_a_sparse_kernel_does_not() -> None:
    masked = sparse(LeNet300100(), 0.1)
    for batch in (1, 7):
        given_in = images(batch, 64)
        for mask, csr in zip(
            layer_counts(masked, given_in), layer_counts(to_csr(masked)[0], given_in), strict=True
        ):
            assert csr.macs == round(mask.macs * mask.weight_density)
            assert csr.weight_density == mask.weight_density
            assert csr.weights == mask.weights
            assert csr.macs_nonzero == pytest.approx(mask.macs_nonzero, rel=0.25, abs=40)
            assert csr.weight_bytes < mask.weight_bytes


def test_csr_bytes_are_values_columns_and_rows() -> None:
    layer = nn.Linear(4, 3)
    layer.weight.data = torch.tensor([[1.0, 0, 0, 0], [0, 2, 0, 3], [0, 0, 0, 0]])
    (count,) = layer_counts(SparseLinear(layer), torch.ones(1, 4))

    assert count.weight_bytes == 3 * 4 + 3 * 4 + 4 * 4
    assert (count.macs, count.macs_nonzero) == (3, 3)


def test_a_sparse_convolution_runs_its_dense_kernel_above_batch_1_and_is_counted_so() -> None:
    layer = nn.Conv2d(3, 8, 5, padding=2)
    sparse(layer, 0.1)
    module = SparseConv2d(layer)
    one, many = (layer_counts(module, images(n, 3, 9, 9))[0] for n in (1, 4))
    (mask,) = layer_counts(layer, images(4, 3, 9, 9))

    assert one.macs == int(layer.weight.count_nonzero()) * 81
    assert (many.macs, many.weight_bytes) == (mask.macs, mask.weight_bytes)
    # zeros fall by chance: what lies on the padding is not multiplied
    assert many.macs_nonzero == pytest.approx(mask.macs_nonzero, rel=0.1)


def test_int8_layers_count_their_bytes_and_bits() -> None:
    model = to_int8(LeNet300100().eval(), images(8, 64))
    counts = layer_counts(model, images(2, 64))

    assert [(c.weight_bits, c.activation_bits) for c in counts] == [(8, 8)] * 3
    assert [c.weight_bytes for c in counts] == [64 * 300, 300 * 100, 100 * 10]
    assert sum(c.macs for c in counts) == 2 * (64 * 300 + 300 * 100 + 100 * 10)


def test_bfloat16_has_sixteen_bits() -> None:
    (count,) = layer_counts(nn.Linear(8, 2).bfloat16(), torch.ones(1, 8).bfloat16())

    assert (count.weight_bits, count.activation_bits, count.weight_bytes) == (16, 16, 32)


class Foreign(nn.Module):
    """Multiplies in another library: torch's operators see nothing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight_form = WeightForm(dense=40, stored=10, nonzero=8, bits=32, bytes=17)
        self.inner = nn.Linear(8, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        product: Tensor = torch.tensor(inputs.numpy() @ self.inner.weight.detach().numpy().T)
        return product


def test_a_kernel_of_another_library_counts_by_what_it_says_of_its_weights() -> None:
    (count,) = layer_counts(Foreign(), images(3, 8, density=0.5))

    assert (count.name, count.kind) == ("", "Foreign")
    assert (count.macs, count.weight_bytes, count.weights) == (30, 17, 40)
    assert count.macs_nonzero == round(8 * 3 * count.activation_density)
    assert count.weight_density == 8 / 40


def test_a_layer_that_runs_twice_reads_its_weights_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, inputs: Tensor) -> Tensor:
            zeros: Tensor = 0 * self.layer(inputs)
            again: Tensor = self.layer(zeros)
            return again

    (count,) = layer_counts(Twice(), torch.ones(1, 4))

    assert (count.macs, count.macs_nonzero) == (32, 16)
    assert (count.weight_bytes, count.inputs, count.activation_density) == (128, 8, 0.5)


@pytest.mark.parametrize("given_in", [(torch.ones(1, 4),), {"input": torch.ones(1, 4)}])
def test_inputs_may_be_a_tuple_or_keywords(given_in: Any) -> None:
    assert [
        count.macs for count in layer_counts(nn.Sequential(nn.Linear(4, 3)), (torch.ones(1, 4),))
    ] == [12]
    assert len(layer_counts(Keywords(), given_in)) == 1


class Keywords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        out: Tensor = self.layer(input)
        return out


def test_what_is_no_module_or_does_not_run_here_has_no_layers_and_keeps_no_hook() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(7, 2))

    assert layer_counts(sum, [1]) == ()
    assert layer_counts(nn.ReLU(), torch.ones(2)) == ()
    assert layer_counts(model, torch.ones(1, 4)) == ()
    assert all(not layer._forward_hooks for layer in model.modules())


def test_a_table_of_embeddings_multiplies_nothing() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2), nn.LayerNorm(2))

    assert [count.name for count in layer_counts(model, torch.tensor([[1, 2, 3]]))] == ["1"]


def test_an_empty_batch_has_no_layers() -> None:
    assert layer_counts(nn.Linear(4, 2), torch.ones(0, 4)) == ()


# The journal


def described() -> CaseRecord:
    workload = Workload("net", LeNet300100(), lambda n: images(n, 64))
    case = Case("net", "baseline", "eager", "cpu", 2)
    return describe(baseline_of(workload), case, workload.inputs(2), "", Judge())


def test_a_case_says_what_its_layers_did_for_the_whole_batch_of_a_call() -> None:
    record = described()

    assert [layer["macs"] for layer in record.layers] == [2 * 64 * 300, 2 * 300 * 100, 2 * 1000]
    assert sum(layer["macs"] for layer in record.layers) == 2 * (record.macs or 0)


def test_layers_survive_the_journal_and_fit_its_schema() -> None:
    import jsonschema

    path = Path(bench.__file__).parent / "schema" / "journal-1.json"
    validator = jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))
    record = described()
    line = to_json(record)
    again = from_json(line)
    assert isinstance(again, CaseRecord)

    validator.validate(json.loads(line))
    assert again == record
    assert tuple(map(dataclasses.asdict, recorded(again.layers))) == record.layers


def test_a_case_without_layers_is_written_and_read_as_before_there_were_any() -> None:
    line = to_json(a_case())

    assert "layers" not in json.loads(line)
    assert from_json(line) == a_case()


def test_layers_that_lack_a_field_are_not_guessed_and_new_fields_are_passed_over() -> None:
    (layer,) = (
        dataclasses.asdict(count) for count in layer_counts(nn.Linear(2, 2), torch.ones(1, 2))
    )
    newer = {**layer, "spikes": 3}
    older = {name: value for name, value in layer.items() if name != "weights"}

    assert recorded([newer]) == (LayerCount(**layer),)
    assert recorded([layer, older]) == ()
    for field, wrong in (("macs", -1), ("macs", "many"), ("inputs", float("nan")), ("name", 3)):
        assert recorded([{**layer, field: wrong}]) == ()
    assert recorded([]) == ()
