"""Which operators of a compiled graph multiply by weights, and in which type."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch.fx import Graph, Node

from bench.refusal import Refusal
from bench.two_of_four import SPARSE

_MULTIPLY = frozenset(
    {
        "aten.convolution",
        "aten.mm",
        "aten.addmm",
        "aten._int_mm",
        "aten._scaled_mm",
        "mkldnn._convolution_pointwise",
        "mkldnn._convolution_pointwise_",
        "mkldnn._convolution_transpose_pointwise",
        "mkldnn._linear_pointwise",
        "mkl._mkl_linear",
        "onednn.qconv_pointwise",
        "onednn.qconv2d_pointwise",
        "onednn.qlinear_pointwise",
    }
)
"""What linear and convolutional layers become. Products of activations are ``aten.bmm``."""

_SPARSE = frozenset(
    {
        "aten._cslt_sparse_mm",
        "aten._sparse_semi_structured_mm",
        "aten._sparse_semi_structured_addmm",
        "semi_structured.cusparselt_mm",
        "semi_structured.cutlass_mm",
    }
)

_NAMES = {"uint8": "int8", "float8_e4m3fn": "float8", "float8_e5m2": "float8"}
"""The names of types where torch's own say more than which kernels run."""


class KernelCount:
    """A pass of inductor that changes nothing: it counts operators whose weights are packed.

    It runs before the passes after it hide operators in what they become, of the same type.
    As it has no identity of its own, inductor takes no graph from its cache, where it would see
    none.
    """

    def __init__(self) -> None:
        self.graphs = 0
        self.found: Counter[str] = Counter()

    def __call__(self, graph: Graph) -> None:
        """Counts the operators of one graph."""
        self.graphs += 1
        self.found.update(filter(None, map(_dtype, graph.nodes)))


def _dtype(node: Node) -> str | None:
    """The type that a node multiplies in; None for one that multiplies by no weight."""
    if node.op != "call_function":
        return None
    name, arguments = _operator(node), list(node.args)
    if name == "out_dtype":  # a product of integers, written as a product and the type it gives
        name, arguments = _name(arguments[0]), arguments[2:]
    if name not in _MULTIPLY | _SPARSE:
        return None
    values = [each.meta.get("val") for each in arguments if isinstance(each, Node)]
    dtypes = [value.dtype for value in values if isinstance(value, torch.Tensor)]
    if not dtypes:
        return None
    told = str(dtypes[0]).removeprefix("torch.")
    return _NAMES.get(told, told) + SPARSE * (name in _SPARSE)


def _operator(node: Node) -> str:
    return _name(node.target)


def _name(target: Any) -> str:  # noqa: ANN401 - an operator of torch, or any function
    """``aten.mm`` for ``aten.mm.default``."""
    packet = getattr(target, "overloadpacket", target)
    return str(packet)


def main_dtype(kernels: Mapping[str, int], asked: str, name: str) -> tuple[str, str]:
    """The type that most operators run in, and what the reader should know of the others.

    Args:
        kernels: How many operators with weights run in which type.
        asked: The type that was requested.
        name: The workload's, for the message.

    Raises:
        Refusal: Not one operator runs in the requested type.
    """
    total = sum(kernels.values())
    there = kernels.get(asked, 0)
    others = ", ".join(f"{count} in {dtype}" for dtype, count in sorted(kernels.items()))
    if not there:
        raise Refusal(
            f"no operator of {name} runs in {asked} here: {others or 'none multiplies by weights'}",
            "choose another type, or another runtime",
        )
    most = max(kernels, key=lambda dtype: (kernels[dtype], dtype == asked))
    note = "" if there == total else f"{there} of {total} operators with weights in {asked}"
    return most, note
