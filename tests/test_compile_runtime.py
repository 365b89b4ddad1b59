"""The runtime compile: what inductor made of a model, in which type, and what it leaves behind."""

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from bench.model_facts import disk_bytes
from bench.refusal import Refusal
from bench.runtimes import _inductor, _kernels, _pt2e, compile, eager  # noqa: A004
from bench.runtimes._batches import AnyBatch
from bench.workload import Request, Variant, Workload, baseline_of

HAS_TORCHAO = importlib.util.find_spec("torchao") is not None
needs_torchao = pytest.mark.skipif(not HAS_TORCHAO, reason="torchao is not installed")
BATCH = 2


class Net(nn.Module):
    """Two convolutions, one linear layer, and one more that nothing uses, as in BERT's pooler."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU()
        )
        self.head = nn.Linear(16 * 16, 8)
        self.unused = nn.Linear(16 * 16, 8)

    def forward(self, images: Tensor) -> Tensor:
        features = self.body(images).flatten(1)
        self.unused(features)
        out: Tensor = self.head(features)
        return out


def variant_of(model: Any, inputs: Tensor, dtype: str = "", **fields: Any) -> Variant:
    workload = Workload("tiny", model, lambda _: inputs, **fields)
    shipped = baseline_of(workload)
    if not dtype:
        return shipped
    return replace(shipped, technique="precision", request=Request(dtype, lambda: [inputs]))


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10)).eval()


def convolutional() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


def rows(features: int = 64, samples: int = BATCH) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(samples, features)


def images(samples: int = BATCH) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(samples, 3, 8, 8)


def lowered(model: nn.Module, inputs: Tensor, dtype: str = "", **fields: Any) -> Variant:
    return compile.lower(variant_of(model, inputs, dtype, **fields), inputs, device="cpu")


@pytest.fixture(scope="module")
def plain() -> Variant:
    return lowered(mlp(), rows())


@pytest.fixture(scope="module")
def narrow() -> Variant:
    return lowered(mlp(), rows(), "bfloat16")


@pytest.fixture(scope="module")
def quantized() -> Variant:
    pytest.importorskip("torchao")
    return lowered(convolutional(), images(), "int8")


def of(made: Variant) -> tuple[str | None, dict[str, int]]:
    assert made.lowered is not None
    return made.lowered.dtype, dict(made.lowered.kernels)


@torch.inference_mode()
def error_of(made: Variant, model: nn.Module, inputs: Tensor) -> float:
    """Largest difference, as a share of the largest value."""
    expected = model(inputs)
    return float((made.model(inputs) - expected).abs().max() / expected.abs().max())


def test_float32_gives_what_eager_torch_gives_and_counts_each_layer(plain: Variant) -> None:
    assert error_of(plain, mlp(), rows()) < 1e-5
    assert of(plain) == (None, {"float32": 2})


def test_float32_leaves_size_note_and_source_as_they_were(plain: Variant) -> None:
    assert plain.lowered is not None
    assert plain.lowered.source is plain.workload.model
    assert (plain.size_disk, plain.note) == (None, "")


def test_bfloat16_halves_the_bytes_and_runs_each_layer_in_it(narrow: Variant) -> None:
    dense = disk_bytes(mlp().state_dict())
    assert of(narrow) == ("bfloat16", {"bfloat16": 2})
    assert narrow.size_disk is not None
    assert 0.45 < narrow.size_disk / dense < 0.6
    assert error_of(narrow, mlp(), rows()) < 0.03
    assert narrow.model(rows()).dtype == torch.float32


def test_int8_runs_on_int8_kernels_with_static_scales(quantized: Variant) -> None:
    dtype, kernels = of(quantized)
    assert dtype == "int8"
    assert kernels["int8"] >= 2
    assert sum(kernels.values()) == 3
    assert "static scales" in quantized.note
    assert error_of(quantized, convolutional(), images()) < 0.1


def test_int8_counts_the_bytes_that_the_graph_reads(quantized: Variant) -> None:
    used = Net()
    del used.unused
    assert quantized.size_disk is not None
    assert quantized.size_disk < 0.5 * disk_bytes(used.state_dict())


def test_stored_tensors_are_those_that_a_graph_reads_and_a_checkpoint_holds() -> None:
    class Masked(nn.Module):
        mask: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.layer, self.unused = nn.Linear(64, 8), nn.Linear(64, 8)
            self.register_buffer("mask", torch.ones(8), persistent=False)

        def forward(self, values: Tensor) -> Tensor:
            out: Tensor = self.layer(values) * self.mask
            return out

    model = Masked().eval()
    graph = torch.export.export(model, (rows(),)).module()
    graph.register_buffer("mask", torch.ones(8), persistent=True)  # as converting does
    assert set(_pt2e.used_tensors(graph, model)) == {"layer.weight", "layer.bias"}


@needs_torchao
def test_int8_without_convolutions_takes_scales_at_run_time_where_static_ones_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    real = _pt2e.quantized

    def no_static(*arguments: Any, dynamic: bool) -> Any:
        asked.append(dynamic)
        if not dynamic:
            raise IndexError("list index out of range")
        return real(*arguments, dynamic=dynamic)

    monkeypatch.setattr(_pt2e, "quantized", no_static)
    made = lowered(mlp(), rows(), "int8")
    assert asked == [False, True]
    assert of(made)[1].get("int8") == 2
    assert "at run time" in made.note


@needs_torchao
def test_int8_with_convolutions_is_refused_where_static_scales_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*arguments: Any, **named: Any) -> None:
        raise IndexError("list index\n  out of range")

    monkeypatch.setattr(_pt2e, "quantized", fails)
    with pytest.raises(Refusal, match="IndexError: list index out of range; choose another"):
        lowered(convolutional(), images(), "int8")


@needs_torchao
def test_int8_without_calibration_looks_at_the_inputs() -> None:
    graph = _pt2e.quantized(mlp(), (rows(),), (), dynamic=False)
    used = _pt2e.used_tensors(graph, mlp())
    assert any(each.dtype == torch.int8 for each in used.values())


def test_int8_without_torchao_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    absent = lambda name: None if name == "torchao" else find(name)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", absent)
    with pytest.raises(Refusal, match="torchao is not installed; pip install"):
        lowered(mlp(), rows(), "int8")


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_other_batches_run_in_pieces_of_the_size_that_was_compiled(
    plain: Variant, samples: int
) -> None:
    torch.testing.assert_close(plain.model(rows(samples=samples)), mlp()(rows(samples=samples)))


def graphs() -> int:
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def test_what_was_compiled_is_compiled_no_second_time(plain: Variant, narrow: Variant) -> None:
    before, threads = graphs(), torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        for made in (plain, narrow):
            made.model(rows())
            with torch.inference_mode():
                made.model(rows())
            eager.prepare(made.model, rows(), threads=1)(2)
    finally:
        torch.set_num_threads(threads)
    assert graphs() == before


def test_threads_are_put_back_after_a_call(plain: Variant) -> None:
    before = torch.get_num_threads()
    plain.model(rows())
    assert torch.get_num_threads() == before


def test_more_models_of_one_class_are_compiled_than_dynamo_keeps_of_one_function() -> None:
    torch.manual_seed(0)
    models = [nn.Linear(width, 4).eval() for width in range(8, 18)]
    for model in models:
        made, kernels = _inductor.compiled(
            model, (rows(model.in_features),), threads=1, options={}, calls=1
        )
        assert sum(kernels.values()) == 1
        torch.testing.assert_close(made(rows(model.in_features)), model(rows(model.in_features)))


def test_workload_of_two_threads_is_compiled_for_two() -> None:
    made = lowered(mlp(), rows(), threads=2)
    assert isinstance(made.model, AnyBatch)
    assert isinstance(made.model.run, _inductor.Compiled)
    assert made.model.run.threads == 2


@pytest.mark.parametrize(
    ("model", "inputs", "found"),
    [(abs, torch.ones(1), "builtin_function_or_method of Tensor"), (mlp(), [1], "of list")],
)
def test_what_is_no_module_of_tensors_is_refused(model: Any, inputs: Any, found: str) -> None:
    variant = variant_of(model, torch.ones(1))
    with pytest.raises(Refusal, match=rf"inductor compiles torch modules .* found .*{found}"):
        compile.lower(variant, inputs, device="cpu")


def test_model_that_branches_on_values_is_refused_in_one_line() -> None:
    class Branching(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values if values.sum() > 0 else -values

    with pytest.raises(Refusal, match=r"cannot compile tiny: .*; choose another") as caught:
        lowered(Branching(), rows())
    assert "\n" not in str(caught.value)


def test_type_without_kernels_on_a_cpu_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Refusal, match="runs float32, bfloat16 and int8, not float16; choose"):
        lowered(mlp(), rows(), "float16")


def test_missing_compiler_is_refused_with_what_to_install() -> None:
    from torch._inductor import config

    with (
        config.patch({"cpp.cxx": (None, "/nowhere/g++")}),
        pytest.raises(Refusal, match="no C\\+\\+ compiler that works; install one"),
    ):
        lowered(mlp(), rows())


def test_too_little_memory_is_told_as_such() -> None:
    class Greedy(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            raise MemoryError("cannot")

    with (
        pytest.raises(Refusal, match="not enough memory"),
        _inductor.refused("tiny", "choose"),
    ):
        Greedy()(rows())


def node(name: str, *dtypes: torch.dtype) -> fx.Node:
    """A node that calls an operator on tensors of those types."""
    graph = fx.Graph()
    arguments = []
    for dtype in dtypes:
        argument = graph.placeholder("x")
        argument.meta["val"] = torch.empty(2, 2, dtype=dtype)
        arguments.append(argument)
    namespace, _, operator = name.partition(".")
    target = getattr(getattr(torch.ops, namespace), operator).default
    return graph.call_function(target, tuple(arguments))


@pytest.mark.parametrize(
    ("name", "dtypes", "found"),
    [
        ("aten.mm", (torch.float32, torch.float32), {"float32": 1}),
        ("aten._int_mm", (torch.int8, torch.int8), {"int8": 1}),
        ("aten._scaled_mm", (torch.float8_e4m3fn, torch.float8_e4m3fn), {"float8": 1}),
        ("aten._cslt_sparse_mm", (torch.bfloat16, torch.bfloat16), {"bfloat16 2:4": 1}),
        ("onednn.qlinear_pointwise", (torch.uint8, torch.float32), {"int8": 1}),
        ("aten.bmm", (torch.float32, torch.float32), {}),
        ("aten.relu", (torch.float32,), {}),
        ("aten.mm", (), {}),
    ],
)
def test_operators_with_weights_are_counted_by_the_type_of_what_they_multiply(
    name: str, dtypes: Sequence[torch.dtype], found: dict[str, int]
) -> None:
    count = _kernels.KernelCount()
    count(node(name, *dtypes).graph)
    assert (dict(count.found), count.graphs) == (found, 1)


def test_product_of_integers_that_names_its_result_is_counted_as_int8() -> None:
    graph = fx.Graph()
    values = graph.placeholder("x")
    values.meta["val"] = torch.empty(2, 2, dtype=torch.int8)
    product = (torch.ops.aten.mm.default, torch.int32, values, values)
    graph.call_function(torch.ops.higher_order.out_dtype, product)
    count = _kernels.KernelCount()
    count(graph)
    assert dict(count.found) == {"int8": 1}


@pytest.mark.parametrize(
    ("kernels", "dtype", "note"),
    [
        ({"int8": 3}, "int8", ""),
        ({"int8": 2, "float32": 1}, "int8", "2 of 3 operators with weights in int8"),
        ({"int8": 1, "float32": 2}, "float32", "1 of 3 operators with weights in int8"),
        ({"int8": 1, "float32": 1}, "int8", "1 of 2 operators with weights in int8"),
    ],
)
def test_partial_fallback_is_said_and_the_type_is_that_of_most_operators(
    kernels: dict[str, int], dtype: str, note: str
) -> None:
    assert _kernels.main_dtype(kernels, "int8", "tiny") == (dtype, note)


@pytest.mark.parametrize(
    ("kernels", "found"), [({"float32": 21}, "21 in float32"), ({}, "none multiplies")]
)
def test_silent_fallback_is_refused_with_what_runs_instead(
    kernels: dict[str, int], found: str
) -> None:
    with pytest.raises(Refusal, match=f"no operator of tiny runs in int8 here: {found}"):
        _kernels.main_dtype(kernels, "int8", "tiny")
