"""Facts of a model: counted by hand, against torch's own counter, or not given at all."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from bench.model_facts import ModelFacts, disk_bytes, facts, stored_bytes
from bench.techniques._csr_modules import SparseLinear, csr


def test_linear_layer_is_counted_as_by_hand() -> None:
    model = nn.Linear(4, 3)
    nn.init.ones_(model.weight)
    nn.init.zeros_(model.bias)
    assert facts(model, torch.zeros(2, 4)) == ModelFacts(
        parameters=15, nonzero=12, macs=24, dtype="float32", size_nominal=48
    )


def test_nominal_bytes_follow_the_width_of_the_type() -> None:
    model = nn.Linear(4, 3, bias=False).bfloat16()
    nn.init.ones_(model.weight)
    known = facts(model, torch.zeros(1, 4, dtype=torch.bfloat16))
    assert (known.dtype, known.size_nominal) == ("bfloat16", 24)


def test_callable_that_is_no_module_has_no_facts() -> None:
    assert facts(lambda x: x, 1) == ModelFacts(None, None, None, None, None)


def test_module_without_weights_has_none_and_no_type() -> None:
    assert facts(nn.ReLU(), torch.zeros(3)) == ModelFacts(0, 0, 0, None, 0)


@pytest.mark.parametrize("inputs", [(torch.zeros(1, 4),), {"input": torch.zeros(1, 4)}])
def test_inputs_may_be_a_tuple_or_keywords(inputs: object) -> None:
    assert facts(nn.Linear(4, 3), inputs).macs == 12


def test_weights_that_two_modules_share_count_once() -> None:
    one, other = nn.Linear(3, 3), nn.Linear(3, 3)
    other.weight = one.weight
    assert facts(nn.Sequential(one, other), torch.zeros(1, 3)).parameters == 9 + 3 + 3


def test_running_statistics_are_no_parameters() -> None:
    model = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6))
    known = facts(model, torch.zeros(2, 4, 5, 5))
    assert known.parameters == 6 * 2 * 9 + 12
    assert known.macs == 2 * 6 * 9 * 2 * 9  # images · channels · places · inputs · kernel


def test_dense_counts_are_those_of_the_counter_of_torch() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
        nn.Linear(36, 5), nn.LayerNorm(5), nn.GELU(), nn.Softmax(1),
    ).eval()  # fmt: skip
    images = torch.zeros(3, 1, 12, 12)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(images)
    assert facts(model, images).macs == counter.get_total_flops() // 2


def test_attention_is_counted_as_two_products() -> None:
    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.scaled_dot_product_attention(x, x, x)

    assert facts(Attention(), torch.zeros(2, 3, 5, 8)).macs == 2 * (2 * 3 * 5 * 5 * 8)


def test_module_with_an_inference_mode_of_its_own_is_counted_too() -> None:
    class Own(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            with torch.inference_mode():
                return super().forward(x)

    assert facts(Own(4, 3), torch.zeros(2, 4)).macs == 24


def test_operator_that_cannot_be_counted_makes_the_count_none() -> None:
    class Fourier(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(torch.fft.fft(x).real)

    known = facts(Fourier(4, 3), torch.zeros(1, 4))
    assert known.macs is None
    assert known.parameters == 15


def test_sparse_layer_counts_all_weights_and_runs_only_stored_ones() -> None:
    dense = nn.Linear(4, 3)
    dense.weight.data = torch.tensor([[1.0, 0, 0, 0], [0, 2, 0, 3], [0, 0, 0, 0]])
    nn.init.ones_(dense.bias)
    sparse = SparseLinear(dense)
    for batch in (1, 5):
        assert facts(sparse, torch.zeros(batch, 4)) == ModelFacts(
            parameters=15, nonzero=6, macs=3 * batch, dtype="float32", size_nominal=24
        )


def test_dense_times_sparse_runs_only_stored_weights() -> None:
    class Right(nn.Module):
        weight: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", csr(torch.eye(4)))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.weight

    class Left(Right):
        def forward(self, x: Tensor) -> Tensor:
            return torch.mv(self.weight, x[0])

    assert facts(Right(), torch.ones(3, 4)).macs == 12
    assert facts(Left(), torch.ones(3, 4)).macs == 4


def test_packed_weights_are_not_guessed() -> None:
    model = nn.Linear(4, 3)
    model._packed_params = object()  # type: ignore[assignment]
    known = facts(model, torch.zeros(1, 4))
    assert (known.parameters, known.nonzero, known.dtype, known.size_nominal) == (None,) * 4
    assert known.macs == 12


def test_disk_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    tensors = {"weight": torch.ones(3, 4), "scale": torch.ones(3, dtype=torch.float16)}
    save_file(tensors, tmp_path / "file")
    assert disk_bytes(tensors) == (tmp_path / "file").stat().st_size


def test_disk_bytes_of_a_sparse_tensor_are_its_three_parts() -> None:
    dense = torch.eye(8)
    parts = csr(dense)
    assert disk_bytes({"w": parts}) == disk_bytes(
        {
            "w.values": torch.ones(8),
            "w.columns": torch.arange(8, dtype=torch.int32),
            "w.rows": torch.arange(9, dtype=torch.int32),
        }
    )


def test_disk_bytes_count_a_tensor_under_two_names_once() -> None:
    weight = torch.ones(100)
    assert disk_bytes({"a": weight, "b": weight}) == disk_bytes({"a": weight})
    assert disk_bytes({"a": weight, "b": weight[:50]}) > disk_bytes({"a": weight}) + 200


def test_disk_bytes_of_a_transposed_view_are_its_own() -> None:
    assert disk_bytes({"a": torch.ones(2, 3).T}) == disk_bytes({"a": torch.ones(3, 2)})


def test_facts_of_a_plain_callable_import_no_torch() -> None:
    script = (
        "import sys\n"
        "from bench.model_facts import facts\n"
        "print(facts(abs, 1).parameters, 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "None False\n"


def test_the_stored_bytes_of_a_module_are_those_of_its_state() -> None:
    layer = nn.Linear(8, 2)

    assert stored_bytes(layer) == disk_bytes(layer.state_dict())
    assert stored_bytes(nn.ReLU()) is None
    assert stored_bytes(sum) is None


def test_a_model_that_cannot_run_under_the_counter_has_no_macs_and_no_error() -> None:
    class Broken(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
            raise NotImplementedError("only on its own device")

    known = facts(Broken(8, 2), torch.zeros(1, 8))

    assert known.macs is None
    assert known.parameters == 18
