"""The eager runtime: back to back, timed without gaps, and nothing of the caller's changed."""

import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.runtimes import eager


def test_loop_gives_one_latency_in_seconds_for_each_call() -> None:
    called = count()
    latencies = eager.prepare(lambda _: next(called), None)(5)
    assert len(latencies) == 5
    assert all(0 <= seconds < 10 for seconds in latencies)
    assert next(called) == 5


def test_loop_of_no_calls_gives_no_latencies() -> None:
    assert list(eager.prepare(lambda _: None, None)(0)) == []


@pytest.mark.parametrize(
    ("inputs", "seen"),
    [
        ((1, 2), ((1, 2), {})),
        ({"a": 1}, ((), {"a": 1})),
        ([1, 2], (([1, 2],), {})),
        (7, ((7,), {})),
    ],
)
def test_tuple_is_positional_dict_is_keywords_else_single(inputs: object, seen: object) -> None:
    calls: list[object] = []
    eager.prepare(lambda *args, **kwargs: calls.append((args, kwargs)), inputs)(1)
    assert calls == [seen]


def test_module_runs_in_inference_mode_and_evaluation() -> None:
    class Witness(nn.Module):
        seen: list[bool]

        def forward(self, _: Tensor) -> None:
            self.seen = [torch.is_inference_mode_enabled(), not self.training]

    witness = Witness().train()
    eager.prepare(witness, torch.zeros(1))(1)
    assert witness.seen == [True, True]
    assert not torch.is_inference_mode_enabled()


def test_threads_hold_within_the_loop_and_are_put_back_after() -> None:
    seen: list[int] = []
    before = torch.get_num_threads()
    loop = eager.prepare(lambda _: seen.append(torch.get_num_threads()), 0, threads=before + 1)
    loop(2)
    assert seen == [before + 1] * 2
    assert torch.get_num_threads() == before


def test_threads_are_put_back_when_the_model_fails() -> None:
    before = torch.get_num_threads()
    loop = eager.prepare(lambda x: x / 0, 1, threads=before + 1)
    with pytest.raises(ZeroDivisionError):
        loop(1)
    assert torch.get_num_threads() == before


def test_model_on_the_device_is_run_itself_and_not_copied() -> None:
    model = nn.Linear(2, 2)
    assert eager._on_device(model, torch.device("cpu")) is model


def test_model_elsewhere_is_copied_and_the_original_stays() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    moved = eager._on_device(model, torch.device("meta"))
    assert moved is not model
    assert {tensor.device.type for tensor in moved.state_dict().values()} == {"meta"}
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}


def test_model_that_cannot_be_moved_is_named_with_the_device() -> None:
    class Fixed(nn.Linear):
        def __deepcopy__(self, memo: object) -> "Fixed":
            raise RuntimeError("packed for this CPU")

    with pytest.raises(ValueError, match="Fixed cannot be moved to meta: packed for this CPU; "):
        eager._on_device(Fixed(2, 2), torch.device("meta"))


def test_tensors_within_inputs_are_moved_and_other_values_kept() -> None:
    inputs = ({"a": torch.zeros(1), "b": [torch.zeros(2), "text"]}, 3)
    moved = eager._moved(inputs, torch.device("meta"))
    assert moved[0]["a"].device.type == "meta"
    assert moved[0]["b"][0].device.type == "meta"
    assert (moved[0]["b"][1], moved[1]) == ("text", 3)


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:x", "cpu:0", "", "cuda:-1"])
def test_unknown_device_is_refused_with_the_ones_to_choose(name: str) -> None:
    with pytest.raises(ValueError, match=f"device is '{name}', wanted cpu, cuda or cuda:<n>"):
        eager.prepare(nn.Linear(1, 1), torch.zeros(1, 1), device=name)


def test_gpu_on_a_machine_without_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"device is 'cuda', but torch .* finds no GPU it can use"):
        eager.torch_device("cuda", 0)


def test_gpu_beyond_the_last_one_is_refused_with_the_last() -> None:
    with pytest.raises(ValueError, match="device is 'cuda:3', but the GPUs end at cuda:1"):
        eager.torch_device("cuda:3", 2)
    assert eager.torch_device("cuda", 2) == torch.device("cuda:0")
    assert eager.torch_device("cuda:1", 2) == torch.device("cuda:1")


class FakeCuda:
    """Events that stand 2 ms apart, and a log of what was asked."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def device(self, where: torch.device) -> AbstractContextManager[None]:
        self.log.append(f"on {where}")
        return nullcontext()

    def Event(self, *, enable_timing: bool) -> SimpleNamespace:  # noqa: N802 - torch's name
        assert enable_timing
        return SimpleNamespace(record=lambda: self.log.append("r"), elapsed_time=lambda stop: 2.0)

    def synchronize(self, where: torch.device) -> None:
        self.log.append("sync")


@pytest.fixture
def cuda() -> FakeCuda:
    return FakeCuda()


@pytest.mark.parametrize(
    ("calls", "timed"), [(0, 0), (1, 1), (1000, 1000), (1001, 501), (2500, 834), (5000, 1000)]
)
def test_gpu_loop_times_at_most_a_thousand_spread_calls(
    calls: int, timed: int, cuda: FakeCuda
) -> None:
    called = count()
    latencies = eager.event_timed_calls(lambda: next(called), cuda, torch.device("cuda:0"), calls)
    assert list(latencies) == [0.002] * timed
    assert next(called) == calls


def test_gpu_loop_waits_only_at_both_ends_of_the_window(cuda: FakeCuda) -> None:
    eager.event_timed_calls(lambda: cuda.log.append("call"), cuda, torch.device("cuda:0"), 2)
    assert cuda.log == ["on cuda:0", "sync", "r", "call", "r", "r", "call", "r", "sync"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
def test_gpu_runs_a_copy_and_leaves_the_model_on_the_cpu() -> None:
    model = nn.Linear(2, 2)
    latencies = eager.prepare(model, torch.zeros(1, 2), device="cuda")(3)
    assert len(latencies) == 3
    assert model.weight.device.type == "cpu"


def test_plain_callable_is_run_without_importing_torch() -> None:
    script = (
        "import sys\n"
        "from bench.runtimes.eager import prepare\n"
        "latencies = prepare(abs, -1)(3)\n"
        "print(len(latencies), 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "3 False\n"


def test_result_of_the_model_is_that_of_a_direct_call() -> None:
    seen: list[Any] = []
    model, image = nn.Linear(3, 2), torch.ones(1, 3)
    model.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    eager.prepare(model, image)(1)
    torch.testing.assert_close(seen[0], model(image))
