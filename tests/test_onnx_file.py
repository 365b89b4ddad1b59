"""A user's ONNX file: what it takes, what it answers, and each way in which it can be wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.onnx_file import OnnxFile, OnnxInput
from bench.refusal import Refusal
from bench.runtimes import onnxruntime, openvino
from bench.techniques._precision import requested
from bench.workload import Variant, Workload, baseline_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def doubling(folder: Path, batch: "int | str" = "n", *, weights: str = "inside") -> OnnxFile:
    """A file whose answer is its input of four times a matrix that doubles."""
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(2 * torch.eye(4).numpy(), "weight")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["values", "weight"], ["answer"])],
        "doubling",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, [batch, 4])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [batch, 4])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path = folder / "doubling.onnx"
    beside = weights == "beside"
    onnx.save(model, path, save_as_external_data=beside, location="w.bin", size_threshold=0)
    return OnnxFile(path)


def shipped(file: OnnxFile) -> Variant:
    return baseline_of(Workload("file", file, lambda n: torch.rand(n, 4)))


def test_a_file_tells_what_it_takes(tmp_path: Path) -> None:
    assert doubling(tmp_path).inputs() == (OnnxInput("values", ("n", 4), "float32"),)
    assert doubling(tmp_path, 3).inputs() == (OnnxInput("values", (3, 4), "float32"),)


@pytest.mark.parametrize("weights", ["inside", "beside"])
def test_a_file_answers_when_it_is_called(tmp_path: Path, weights: str) -> None:
    file, values = doubling(tmp_path, weights=weights), torch.rand(3, 4)

    torch.testing.assert_close(file(values), 2 * values)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_a_file_of_any_batch_runs_for_any_batch(
    tmp_path: Path, batch: "int | str", runtime: str
) -> None:
    pytest.importorskip(runtime)
    lower = {"onnxruntime": onnxruntime, "openvino": openvino}[runtime].lower
    made = lower(shipped(doubling(tmp_path, batch)), torch.rand(2, 4), device="cpu")
    values = torch.rand(5, 4)

    torch.testing.assert_close(made.model(values), 2 * values)
    assert made.lowered is not None
    assert made.lowered.kernels == {"float32": 1}


def test_a_file_is_quantized_as_a_module_is(tmp_path: Path) -> None:
    variant = requested(shipped(doubling(tmp_path)), "int8")
    made = onnxruntime.lower(variant, torch.rand(2, 4), device="cpu")
    values = torch.rand(2, 4)

    torch.testing.assert_close(made.model(values), 2 * values, rtol=0, atol=0.02)
    assert made.lowered is not None
    assert made.lowered.dtype == "int8"


def test_inputs_of_another_shape_are_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"doubling\.onnx takes values nx4; found 2x5; give inputs"):
        onnxruntime.lower(shipped(doubling(tmp_path)), torch.rand(2, 5), device="cpu")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"not a model"),
        lambda path: path.write_bytes(path.read_bytes()[:60]),
        lambda path: path.write_bytes(b""),
    ],
    ids=["missing", "text", "cut", "empty"],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    file = doubling(tmp_path)
    damage(file.path)

    for read in (file.inputs, file.read, lambda: file(torch.rand(1, 4))):
        with pytest.raises(Refusal, match=r"doubling\.onnx cannot be read as ONNX: ") as refused:
            read()
        assert "\n" not in str(refused.value)


def test_weights_that_are_missing_beside_a_file_are_refused(tmp_path: Path) -> None:
    file = doubling(tmp_path, weights="beside")
    (tmp_path / "w.bin").unlink()

    with pytest.raises(Refusal, match=r"doubling\.onnx cannot be read as ONNX: "):
        file.read()


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_a_file_needs_its_library_only_when_it_is_used(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = OnnxFile(tmp_path / "model.onnx")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == library else 1)

    with pytest.raises(Refusal, match=f"{library} is not installed"):
        file.read() if library == "onnx" else file(torch.rand(1, 4))


@pytest.mark.parametrize(
    ("runtime", "told"),
    [("onnxruntime", "onnxruntime does not run"), ("openvino", "openvino does not")],
)
def test_a_file_with_an_unknown_operator_is_refused(
    tmp_path: Path, runtime: str, told: str
) -> None:
    pytest.importorskip(runtime)
    file = doubling(tmp_path)
    model = file.read()
    model.graph.node[0].domain, model.graph.node[0].op_type = "our.own", "Double"
    model.opset_import.append(onnx.helper.make_opsetid("our.own", 1))
    onnx.save(model, file.path)

    lower = {"onnxruntime": onnxruntime, "openvino": openvino}[runtime].lower
    with pytest.raises(Refusal, match=told) as refused:
        lower(shipped(file), torch.rand(2, 4), device="cpu")
    assert "\n" not in str(refused.value)


def test_a_quantizer_that_fails_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.runtimes import _onnxruntime

    monkeypatch.delattr(_onnxruntime, "quantize_dynamic")
    with pytest.raises(Refusal, match="onnxruntime does not quantize the model: NameError"):
        onnxruntime.lower(
            requested(shipped(doubling(tmp_path)), "int8"), torch.rand(2, 4), device="cpu"
        )
