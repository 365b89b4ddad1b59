"""OpenVINO: what float32, bfloat16 and int8 answer, what runs in them, and what is refused."""

import subprocess
import sys

import pytest
import small_models
import torch
from torch import Tensor, nn

from bench.refusal import Refusal
from bench.runtimes import openvino as runtime
from bench.techniques._precision import requested
from bench.workload import Variant, Workload, baseline_of

pytest.importorskip("openvino")


def lowered(variant: Variant, batch: int = 2) -> Variant:
    return runtime.lower(variant, variant.workload.inputs(batch), device="cpu")


def answers(variant: Variant, samples: int) -> tuple[Tensor, Tensor]:
    """What the variant answers, and what its workload's model does."""
    inputs = variant.workload.inputs(samples)
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    with torch.inference_mode():
        return variant.model(*given), variant.workload.model(*given)


def kernels(variant: Variant) -> tuple[str | None, dict[str, int]]:
    assert variant.lowered is not None
    return variant.lowered.dtype, dict(variant.lowered.kernels)


@pytest.fixture(scope="module")
def net() -> Variant:
    return small_models.net()


@pytest.fixture(scope="module")
def net_float32(net: Variant) -> Variant:
    return lowered(net)


def bfloat16_or_skip(variant: Variant, batch: int = 2) -> Variant:
    try:
        return lowered(requested(variant, "bf16"), batch)
    except Refusal as refused:
        pytest.skip(str(refused))  # this CPU has none


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_float32_answers_as_eager_does_for_batches_of_any_size(
    net_float32: Variant, samples: int
) -> None:
    found, expected = answers(net_float32, samples)

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert kernels(net_float32) == ("float32", {"float32": 4})
    assert net_float32.note == ""


def test_answers_stay_when_the_model_runs_again(net_float32: Variant) -> None:
    first = net_float32.model(small_models.images(2, 1))
    kept = first.clone()
    net_float32.model(small_models.images(2, 2))

    torch.testing.assert_close(first, kept, rtol=0, atol=0)


def test_images_in_channels_last_answer_the_same(net_float32: Variant) -> None:
    images = small_models.images(2)
    turned = images.contiguous(memory_format=torch.channels_last)

    torch.testing.assert_close(net_float32.model(turned), net_float32.model(images))


def test_a_net_in_bfloat16_runs_all_its_weights_in_it(net: Variant) -> None:
    made = bfloat16_or_skip(net)
    found, expected = answers(made, 2)

    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.02)
    assert not torch.equal(found, expected)
    assert found.dtype == torch.float32
    assert kernels(made) == ("bfloat16", {"bfloat16": 4})


def test_a_net_in_int8_runs_all_its_weights_in_it_for_each_batch(net: Variant) -> None:
    pytest.importorskip("nncf")
    asked = requested(net, "int8")
    one, three = lowered(asked, 1), lowered(asked, 3)

    for made in (one, three):
        found, expected = answers(made, 3)
        assert (found - expected).norm() < 0.1 * expected.norm()
        assert kernels(made) == ("int8", {"int8": 4})
        assert made.note == "static int8, calibrated on 16 samples"
    torch.testing.assert_close(answers(one, 3)[0], answers(three, 3)[0], rtol=1e-3, atol=1e-3)


def test_an_encoder_in_int8_counts_no_product_of_attention() -> None:
    pytest.importorskip("nncf")
    shipped = small_models.encoder()
    float32, int8 = lowered(shipped), lowered(requested(shipped, "int8"))

    torch.testing.assert_close(*answers(float32, 3), rtol=1e-4, atol=1e-5)
    found, expected = answers(int8, 3)
    assert (found - expected).norm() < 0.1 * expected.norm()
    assert kernels(float32) == ("float32", {"float32": 4})
    assert kernels(int8) == ("int8", {"int8": 4})


def test_files_hold_float32_whole_and_int8_in_a_quarter() -> None:
    pytest.importorskip("nncf")
    module = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256)).eval()
    rows = torch.rand(8, 256)
    shipped = baseline_of(Workload("wide", module, lambda n: rows[:n], calibration=lambda: (rows,)))
    float32, int8 = lowered(shipped).size_disk, lowered(requested(shipped, "int8")).size_disk

    assert float32 is not None
    assert int8 is not None
    assert 8 * 256 * 256 < float32 < 8 * 256 * 256 + 20_000
    assert 2 * 256 * 256 < int8 < 2 * 256 * 256 + 40_000


def test_a_module_that_changed_is_converted_again() -> None:
    layer = nn.Conv2d(3, 4, 3)
    module = nn.Sequential(layer, nn.Flatten()).eval()
    shipped = baseline_of(Workload("changing", module, small_models.images))
    before = lowered(shipped).model(small_models.images(2))
    with torch.no_grad():
        layer.weight.mul_(2)
    after = lowered(shipped)

    found, expected = answers(after, 2)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, before)


def test_nothing_is_heard_of_it(net: Variant, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("nncf")
    lowered(requested(net, "int8"))

    assert capfd.readouterr() == ("", "")


def test_nothing_of_it_reaches_for_the_network() -> None:
    pytest.importorskip("nncf")
    script = (
        "import socket, sys\n"
        "tried = []\n"
        "def refuse(*a, **k):\n"
        "    tried.append(a)\n"
        "    raise OSError('no network here')\n"
        "socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse\n"
        "import bench.runtimes._openvino_model, nncf, time\n"
        "time.sleep(0.5)\n"
        "print(tried, 'openvino_telemetry.main' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] False"


@pytest.mark.parametrize("dtype", ["fp16", "fp8"])
def test_a_type_without_kernels_is_refused(net: Variant, dtype: str) -> None:
    with pytest.raises(Refusal, match=r"openvino has no float.* kernels for the CPU; request"):
        lowered(requested(net, dtype))


def test_a_cpu_that_falls_back_to_float32_is_found_out(
    net: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.runtimes import _openvino

    monkeypatch.setitem(_openvino.HINTS, "bfloat16", "f32")

    with pytest.raises(Refusal, match="runs no operator of this model in bfloat16: 4 in float32"):
        lowered(requested(net, "bf16"))


def test_a_part_that_falls_back_is_noted(net: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.runtimes import _openvino

    mixed = {"bfloat16": 3, "float32": 1}
    monkeypatch.setattr(_openvino, "counted", lambda *_: mixed)
    made = lowered(requested(net, "bf16"))

    assert kernels(made) == ("bfloat16", mixed)
    assert made.note == "of 4 operators with weights, 1 in float32"


def test_int8_without_calibration_inputs_is_refused() -> None:
    pytest.importorskip("nncf")
    with pytest.raises(Refusal, match=r"net has none; give Workload\.calibration"):
        lowered(requested(small_models.net(calibration=()), "int8"))


def test_a_gpu_is_refused(net: Variant) -> None:
    with pytest.raises(Refusal, match="openvino runs on cpu here, not on cuda"):
        runtime.lower(net, small_models.images(1), device="cuda")


@pytest.mark.parametrize("library", ["openvino", "nncf"])
def test_a_library_that_is_not_installed_is_refused_with_what_to_install(
    net: Variant, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == library else 1)

    with pytest.raises(Refusal, match=rf"{library} is not installed; pip install 'joulebench\["):
        lowered(requested(net, "int8"))


def test_what_is_no_module_is_refused() -> None:
    shipped = baseline_of(Workload("function", torch.relu, lambda n: torch.rand(n, 4)))

    with pytest.raises(Refusal, match="openvino runs torch modules and ONNX files, not a builtin"):
        lowered(shipped)


def test_a_model_that_does_not_export_is_refused_in_one_line() -> None:
    pytest.importorskip("onnxscript")

    class Branching(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values * 2 if float(values.sum()) > 0 else values

    shipped = baseline_of(Workload("branching", Branching(), lambda n: torch.rand(n, 4)))
    with pytest.raises(Refusal, match="Branching does not export to ONNX: ") as refused:
        lowered(shipped)
    assert "\n" not in str(refused.value)


def test_inputs_of_another_shape_are_refused(net: Variant) -> None:
    from bench.runtimes._openvino_model import converted

    conversion = converted(net.model, (small_models.images(2),))
    with pytest.raises(Refusal, match="the model does not take 2x5x16x16: "):
        conversion.sized((torch.rand(2, 5, 16, 16),))


def test_a_quantizer_that_fails_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    nncf = pytest.importorskip("nncf")
    monkeypatch.delattr(nncf, "quantize")
    fresh = small_models.net(calibration=(small_models.images(3, 7),))

    with pytest.raises(Refusal, match="nncf does not quantize the model: AttributeError"):
        lowered(requested(fresh, "int8"))


def test_a_model_that_does_not_compile_is_refused(
    net: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.runtimes import _openvino

    monkeypatch.setitem(_openvino.HINTS, "float32", "no such type")
    with pytest.raises(Refusal, match="openvino does not compile the model: "):
        lowered(net)
