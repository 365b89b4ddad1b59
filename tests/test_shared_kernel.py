"""The kernel for shared weights: right to the last digits that float32 holds, or not there."""

import copy
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.model_facts import ModelFacts, disk_bytes, facts
from bench.techniques import _shared_kernel, _shared_modules
from bench.techniques._shared_form import decoded, shared_form
from bench.techniques._shared_kernel import compiled, shared_product
from bench.techniques._shared_modules import (
    FALLBACK_NOTE,
    NOTE,
    SharedSparseConv2d,
    SharedSparseLinear,
    to_shared,
)

CC = shutil.which("cc") or ""
needs_compiler = pytest.mark.skipif(not CC, reason="no C compiler")


def sparse(shape: tuple[int, ...], *, density: float, weights: int, seed: int = 0) -> Tensor:
    """A weight with at most that many different nonzero values."""
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(weights, generator=draw)
    values[values == 0] = 1
    chosen = values[torch.randint(weights, shape, generator=draw)]
    return chosen * (torch.rand(shape, generator=draw) < density)


def linear(weight: Tensor, *, bias: bool = True) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer.requires_grad_(requires_grad=False)


def check(layer: nn.Linear, inputs: Tensor, outputs: Tensor) -> None:
    """Within the rounding of float32 sums: of the magnitudes that are summed, not of the sum."""
    weight, x = layer.weight.double(), inputs.double()
    bias = layer.bias.double() if layer.bias is not None else 0.0
    magnitude = x.abs() @ weight.abs().T + 1
    error = (outputs.double() - (x @ weight.T + bias)).abs() / magnitude
    assert outputs.shape == (*inputs.shape[:-1], len(weight))
    assert float(error.max()) < 1e-5


@needs_compiler
@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 70),
    columns=st.integers(1, 400),
    density=st.floats(0, 1),
    weights=st.sampled_from([1, 2, 3, 31, 32, 33, 256]),
    batch=st.integers(1, 70),
    threads=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**31),
)
def test_product_is_that_of_the_decoded_weights_in_float64(  # noqa: PLR0917 - all drawn
    rows: int, columns: int, density: float, weights: int, batch: int, threads: int, seed: int
) -> None:
    layer = linear(sparse((rows, columns), density=density, weights=weights, seed=seed))
    shared = SharedSparseLinear.of(layer)
    assert torch.equal(shared.decoded(), layer.weight)
    inputs = torch.randn(batch, columns, generator=torch.Generator().manual_seed(seed))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check(layer, inputs, shared(inputs))
    finally:
        torch.set_num_threads(before)


@needs_compiler
@pytest.mark.parametrize("batch", [1, 3, 8, 9, 64, 130])
def test_wide_layer_in_blocks_of_columns_gives_the_same_bits_on_one_thread_and_two(
    batch: int,
) -> None:
    layer = linear(sparse((80, 20000), density=0.1, weights=4))
    shared = SharedSparseLinear.of(layer)
    assert shared.shape.tolist()[0] == 3
    inputs = torch.randn(batch, 20000)
    outputs = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 1):
            torch.set_num_threads(threads)
            outputs.append(shared(inputs))
    finally:
        torch.set_num_threads(before)
    check(layer, inputs, outputs[0])
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])


@needs_compiler
def test_several_threads_may_multiply_by_one_layer_at_once() -> None:
    shared = SharedSparseLinear.of(linear(sparse((200, 2000), density=0.3, weights=4)))
    inputs = torch.randn(9, 2000)
    wanted = shared(inputs)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(shared, [inputs] * 12))
    assert all(torch.equal(each, wanted) for each in found)


@needs_compiler
def test_inputs_may_be_strided_or_have_more_dimensions() -> None:
    layer = linear(sparse((10, 30), density=0.5, weights=5), bias=False)
    shared = SharedSparseLinear.of(layer)
    for inputs in (
        torch.randn(30, 4).T,
        torch.randn(8, 60)[::2, ::2],
        torch.randn(1, 30).expand(5, 30),
        torch.randn(2, 3, 30),
        torch.randn(30),
        torch.randn(0, 30),
    ):
        if inputs.numel():
            check(layer, inputs, shared(inputs))
        else:
            assert shared(inputs).shape == (0, 10)


@needs_compiler
def test_a_compiler_without_flags_for_this_processor_makes_a_portable_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain-cc"
    plain.write_text(f'#!/bin/sh\ncase "$*" in *march*|*openmp*) exit 1;; esac\nexec {CC} "$@"\n')
    plain.chmod(0o755)
    portable = compiled(str(plain), tmp_path / "cache")
    assert portable is not None
    monkeypatch.setattr(_shared_modules, "shared_product", lambda: portable)
    for density, weights in ((0.05, 32), (0.5, 4), (0.9, 60)):
        layer = linear(sparse((33, 130), density=density, weights=weights))
        shared = SharedSparseLinear.of(layer)
        for batch in (1, 2, 7, 12, 70):
            inputs = torch.randn(batch, 130)
            check(layer, inputs, shared(inputs))


def test_without_a_compiler_there_is_no_kernel_and_the_note_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert shared_product.__wrapped__() is None
    monkeypatch.setattr(_shared_modules, "shared_product", lambda: None)
    layer = linear(sparse((10, 30), density=0.5, weights=5))
    model, note = to_shared(nn.Sequential(layer))
    assert note.startswith(FALLBACK_NOTE)
    inputs = torch.randn(2, 30)
    check(layer, inputs, model(inputs))
    with pytest.raises(RuntimeError, match="does not compile here, wanted a C compiler"):
        SharedSparseLinear.of(layer)(inputs)


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1\n", "no program at all"])
def test_a_compiler_that_fails_gives_no_kernel(tmp_path: Path, script: str) -> None:
    broken = tmp_path / "cc"
    broken.write_text(script)
    broken.chmod(0o755)
    assert compiled(str(broken), tmp_path / "cache") is None


@needs_compiler
def test_a_kept_library_that_does_not_load_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / f"shared-{_shared_kernel._key(CC)}.so"
    path.write_text("torn")
    assert compiled(CC, tmp_path) is not None
    assert path.stat().st_size > 1000


@needs_compiler
def test_the_source_compiles_without_a_warning(tmp_path: Path) -> None:
    command = [CC, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-fopenmp"]
    assert _shared_kernel._runs([*command, str(_shared_kernel.SOURCE)])


def test_few_equal_weights_are_stored_one_by_one_and_many_in_chunks_of_four() -> None:
    scattered = shared_form(sparse((20, 64), density=0.1, weights=200).numpy())
    alike = shared_form(sparse((20, 64), density=0.9, weights=2).numpy())
    assert scattered.shape.tolist()[:4] == [1, 20, 64, 1]
    assert alike.shape.tolist()[:4] == [1, 20, 64, 4]
    assert len(scattered.indices) == len(scattered.codes)
    assert len(alike.indices) == 4 * len(alike.codes)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(1, 30),
    columns=st.integers(1, 200),
    density=st.floats(0, 1),
    weights=st.integers(1, 256),
    seed=st.integers(0, 2**31),
)
def test_form_decodes_to_the_same_bits(
    rows: int, columns: int, density: float, weights: int, seed: int
) -> None:
    weight = sparse((rows, columns), density=density, weights=weights, seed=seed).numpy()
    form = shared_form(weight)
    assert np.array_equal(decoded(form), weight)
    assert form.indices.max(initial=0) <= columns
    assert len(form.codebook) <= weights


def test_too_many_weights_and_too_many_columns_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="300 different nonzero weights, wanted at most 256"):
        shared_form(np.arange(1, 301, dtype=np.float32)[None])
    with pytest.raises(ValueError, match=r"65536 inputs, wanted at most 65535.*use form='csr'"):
        shared_form(np.zeros((1, 65536), np.float32))


@needs_compiler
def test_the_last_column_that_an_index_reaches_is_multiplied() -> None:
    weight = torch.zeros(3, 65535)
    weight[1, 65534] = 2.0
    output = SharedSparseLinear.of(linear(weight, bias=False))(torch.ones(1, 65535))
    assert torch.equal(output[0] - output[0, 0], torch.tensor([0.0, 2.0, 0.0]))


@needs_compiler
def test_inputs_of_another_type_are_refused() -> None:
    shared = SharedSparseLinear.of(linear(sparse((4, 8), density=0.5, weights=2)))
    with pytest.raises(TypeError, match=r"inputs of torch.float64 on cpu, wanted float32"):
        shared(torch.zeros(1, 8, dtype=torch.float64))


@needs_compiler
def test_inputs_of_another_length_are_refused() -> None:
    shared = SharedSparseLinear.of(linear(sparse((4, 8), density=0.5, weights=2)))
    with pytest.raises(ValueError, match="found inputs of 9 features, wanted 8"):
        shared(torch.zeros(1, 9))


@needs_compiler
def test_state_goes_into_another_layer_of_that_form_and_a_copy_stays_alone() -> None:
    layer = linear(sparse((6, 40), density=0.5, weights=3))
    one = SharedSparseLinear.of(layer)
    other = SharedSparseLinear.of(linear(-layer.weight))
    other.load_state_dict(one.state_dict())
    alone = copy.deepcopy(one)
    one.codebook.zero_()
    inputs = torch.randn(3, 40)
    check(layer, inputs, other(inputs))
    check(layer, inputs, alone(inputs))


@needs_compiler
def test_facts_count_what_the_kernel_multiplies_fillers_included() -> None:
    weight = torch.zeros(2, 16)
    weight[0, :7] = 0.5  # two chunks of four, one filler
    shared = SharedSparseLinear.of(linear(weight, bias=False))
    for batch in (1, 7):
        assert facts(nn.Sequential(shared), torch.zeros(batch, 16)) == ModelFacts(
            parameters=32 + 2, nonzero=7, macs=8 * batch, dtype="float32", size_nominal=28
        )
    form = shared.weight_form
    assert (form.dense, form.stored, form.nonzero, form.bits) == (32, 8, 7, 32)
    assert form.bytes == 3 * 4 + 8 * 2 + 2 + 4
    assert disk_bytes(shared.state_dict()) > form.bytes


@needs_compiler
@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, (1, 2), 1), (1, 2, 2)])
def test_convolution_is_that_of_the_dense_kernel_at_any_batch(
    stride: int, padding: int | tuple[int, int], dilation: int
) -> None:
    layer = nn.Conv2d(3, 8, 3, stride, padding, dilation).requires_grad_(requires_grad=False)
    layer.weight = nn.Parameter(sparse((8, 3, 3, 3), density=0.4, weights=7), requires_grad=False)
    shared = SharedSparseConv2d(layer)
    for batch in (1, 2):
        images = torch.randn(batch, 3, 9, 12)
        torch.testing.assert_close(shared(images), layer(images))
    one = facts(shared, torch.zeros(1, 3, 9, 12))
    places = layer(torch.zeros(1, 3, 9, 12))[0, 0].numel()
    assert one.macs == shared.weight_form.stored * places
    assert one.nonzero == int(layer.weight.count_nonzero()) + 8
    assert facts(shared, torch.zeros(2, 3, 9, 12)).macs == 2 * places * layer.weight.numel()


@needs_compiler
def test_model_of_both_kinds_of_layer_keeps_its_outputs_and_its_original() -> None:
    first, last = nn.Conv2d(1, 4, 3), nn.Linear(64, 5)
    first.weight.data = sparse((4, 1, 3, 3), density=0.5, weights=9)
    last.weight.data = sparse((5, 64), density=0.5, weights=9)
    model = nn.Sequential(first, nn.ReLU(), nn.Flatten(), last)
    shared, note = to_shared(model)
    image = torch.randn(1, 1, 6, 6)
    with torch.inference_mode():
        torch.testing.assert_close(shared(image), model(image))
    assert note.startswith(NOTE)
    assert "convolutions sparse at batch 1" in note
    assert model[3] is last
    assert isinstance(to_shared(linear(torch.eye(3)))[0], SharedSparseLinear)
