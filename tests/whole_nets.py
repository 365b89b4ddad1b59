"""Tiny forms of the vision workloads, and what tests ask of them."""

import pytest
import torch
from torch import Tensor, nn

from bench.catalogue import make_workload
from bench.workload import Sources, Workload

OWN = ("alexnet", "vgg16")
HUGGING = ("resnet18", "resnet50", "mobilenet-v2", "vit-small")
NETS = (*OWN, *HUGGING)


def load(name: str, seed: int = 0, weights: str = "random", data: str = "") -> Workload:
    """A workload, made once; skips where it is one of transformers and that is not installed."""
    if name.partition(":")[0] in HUGGING:
        pytest.importorskip("transformers")
    return make_workload(name, seed, Sources(weights, data))


def module(workload: Workload) -> nn.Module:
    assert isinstance(workload.model, nn.Module)
    return workload.model


def logits(workload: Workload, count: int = 3) -> Tensor:
    with torch.inference_mode():
        output: Tensor = workload.model(workload.inputs(count))
    return output


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(map(torch.equal, first.values(), second.values()))
