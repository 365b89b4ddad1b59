"""Cuts heads, feed-forward units and channels out of whole models; imports torch."""

import copy
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch_pruning
from torch import nn

from bench.techniques._cut import read_again

if TYPE_CHECKING:
    from torch import Tensor

ROUND_TO = 8
"""Widths are multiples of it where they are large enough: kernels work on vectors of such."""

# What attention modules call the sizes that their ``forward`` reads.
HEAD_SIZES = ("head_dim", "attention_head_size")
HEAD_COUNTS = ("num_attention_heads", "num_heads", "n_heads")
GROUP_COUNTS = ("num_key_value_heads", "num_kv_heads")
WIDTHS = ("all_head_size", "embed_dim", "dim")

WITH_WEIGHTS = (nn.Linear, nn.modules.conv._ConvNd)  # noqa: SLF001 - torch has no public base


@dataclass(frozen=True, slots=True)
class Attention:
    """The projections of one attention layer.

    Args:
        module: Holds them, and the number of heads.
        query: (heads * size, width), as its weight.
        key: (groups * size, width); there are as many heads as groups, or a multiple.
        value: The same.
        output: (width, heads * size).
        size: Width of a head.
    """

    module: nn.Module
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    output: nn.Linear
    size: int

    @property
    def groups(self) -> int:
        """Keys and values of this many heads are kept; each serves as many queries as others."""
        return self.key.out_features // self.size

    @property
    def inputs(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        """The projections that make the heads."""
        return self.query, self.key, self.value


def attentions(model: nn.Module) -> Iterator[Attention]:
    """The attention layers of *model*: whose three linear layers begin with q, k and v.

    The output projection is the linear layer that is registered next, here or in a sibling. A layer
    that does not tell the size of its heads is left out.
    """
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    for module in model.modules():
        query, key, value = (_projection(module, letter) for letter in "qkv")
        if query is None or key is None or value is None:
            continue
        last = max(linears.index(each) for each in (query, key, value))
        size = _head_size(module, query.out_features)
        if size and last + 1 < len(linears) and linears[last + 1].in_features == query.out_features:
            yield Attention(module, query, key, value, linears[last + 1], size)


def _projection(module: nn.Module, letter: str) -> nn.Linear | None:
    return next(
        (
            child
            for name, child in module.named_children()
            if name.startswith(letter) and isinstance(child, nn.Linear)
        ),
        None,
    )


def _head_size(module: nn.Module, width: int) -> int | None:
    for name in HEAD_SIZES:
        if isinstance(size := getattr(module, name, None), int):
            return size
    for name in HEAD_COUNTS:
        if isinstance(count := getattr(module, name, None), int):
            return width // count
    return None


def feed_forwards(
    model: nn.Module, found: Sequence[Attention]
) -> Iterator[tuple[list[nn.Linear], nn.Linear]]:
    """The feed-forward pairs of *model*: layers of the same shape that widen, and one back.

    They stand one after the other as they are registered. A gate beside what it gates widens too.
    """
    taken = {id(linear) for each in found for linear in (*each.inputs, each.output)}
    wider: list[nn.Linear] = []
    for module in model.modules():
        if not isinstance(module, nn.Linear) or id(module) in taken:
            continue
        shape = tuple(module.weight.shape)
        if shape[0] == shape[1]:
            wider = []  # it neither widens nor comes back
        elif wider and shape == tuple(reversed(wider[0].weight.shape)):
            yield wider, module
            wider = []
        elif wider and shape == tuple(wider[0].weight.shape):
            wider.append(module)
        else:
            wider = [module]


def remaining(width: int, ratio: float) -> int:
    """How many of *width* stay without the share *ratio*; at least one."""
    kept = int(width * (1 - ratio) + 1e-9)
    return max(1, kept - kept % ROUND_TO if kept >= ROUND_TO else kept)


def _lowest(scores: "Tensor", kept: int) -> list[int]:
    """The places of all but the *kept* highest of *scores* (n,), in order."""
    return sorted(scores.argsort(stable=True)[: len(scores) - kept].tolist())


def _out_norms(linear: nn.Linear, parts: int = 0) -> "Tensor":
    """(parts,): squared L2 norms of the weights that give each part of the outputs."""
    squares = linear.weight.detach().float().square().sum(dim=1)  # (out,)
    return squares.view(parts or len(squares), -1).sum(dim=1)


def _in_norms(linear: nn.Linear, parts: int = 0) -> "Tensor":
    """(parts,): squared L2 norms of the weights that read each part of the inputs."""
    squares = linear.weight.detach().float().square().sum(dim=0)  # (in,)
    return squares.view(parts or len(squares), -1).sum(dim=1)


def cut_heads(attention: Attention, ratio: float) -> None:
    """Removes the heads of the smallest weights, those that share a key and a value together."""
    groups, module = attention.groups, attention.module
    scores = _in_norms(attention.output, groups)
    for linear in attention.inputs:
        scores = scores + _out_norms(linear, groups)
    gone = _lowest(scores, max(1, int(groups * (1 - ratio) + 0.5)))
    width = attention.query.out_features
    for linear in attention.inputs:
        each = linear.out_features // groups
        torch_pruning.prune_linear_out_channels(linear, _places(gone, each))
    torch_pruning.prune_linear_in_channels(attention.output, _places(gone, width // groups))
    _tell(module, HEAD_COUNTS, attention.query.out_features // attention.size)
    _tell(module, GROUP_COUNTS, attention.groups)
    _tell(
        module,
        [name for name in WIDTHS if getattr(module, name, None) == width],
        attention.query.out_features,
    )


def _places(parts: Sequence[int], width: int) -> list[int]:
    """All places of some parts of *width* each."""
    return [place for part in parts for place in range(part * width, (part + 1) * width)]


def _tell(module: nn.Module, names: Sequence[str], value: int) -> None:
    for name in names:
        if hasattr(module, name):
            setattr(module, name, value)


def cut_units(wider: Sequence[nn.Linear], back: nn.Linear, ratio: float) -> None:
    """Removes the units of the smallest weights between layers that widen and the one back."""
    scores = _in_norms(back)
    for linear in wider:
        scores = scores + _out_norms(linear)
    gone = _lowest(scores, remaining(back.in_features, ratio))
    for linear in wider:
        torch_pruning.prune_linear_out_channels(linear, gone)
    torch_pruning.prune_linear_in_channels(back, gone)


def cut_channels(
    model: nn.Module, inputs: tuple[Any, ...], ratio: float, kept: Sequence[nn.Module]
) -> None:
    """Removes channels and units all over *model*, with whatever depends on them.

    Args:
        model: Changed in place; its gradients must be on, as they are how it is traced.
        inputs: A small batch.
        ratio: Share of the outputs of each layer.
        kept: Layers that keep their outputs.
    """
    spared = {id(layer) for layer in kept}
    narrowest = min(
        (
            layer.weight.shape[0]
            for layer in model.modules()
            if isinstance(layer, WITH_WEIGHTS) and id(layer) not in spared
        ),
        default=0,
    )
    least = max(1, int(narrowest * (1 - ratio) + 1e-9))
    with warnings.catch_warnings():
        # of parameters outside layers it prunes the last dimension: the right one of embeddings
        warnings.filterwarnings("ignore", message="Unwrapped parameters detected")
        torch_pruning.pruner.BasePruner(
            model,
            inputs,
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            # all of a layer cannot go; the share is cut down to what stays, whatever its rounding
            pruning_ratio=min(ratio, 1 - 1 / max(narrowest, 1)) - 1e-9,
            ignored_layers=list(kept),
            round_to=next(step for step in (ROUND_TO, 4, 2, 1) if step <= least),
            # its defaults are dicts that all pruners of a process would share
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
        ).step()


def pruned(model: nn.Module, inputs: tuple[Any, ...], ratio: float) -> tuple[nn.Module, str]:
    """A copy of *model* without the share *ratio* of its heads, units and channels.

    Where tokens are embedded, the width of the embedding stays: every layer adds to it. Of a model
    of images all widths shrink. The last layer keeps its outputs.

    Args:
        model: Of any architecture; what is found in it is cut.
        inputs: A small batch, as positional arguments.
        ratio: 0 < ratio < 1.

    Returns:
        The copy, and what was removed, in words.
    """
    smaller = copy.deepcopy(model).requires_grad_(requires_grad=True)
    found = list(attentions(smaller))
    for each in found:
        cut_heads(each, ratio)
    heads = "heads and " if found else ""
    if any(isinstance(module, nn.Embedding) for module in smaller.modules()):
        for wider, back in list(feed_forwards(smaller, found)):
            cut_units(wider, back, ratio)
        what = f"{heads}feed-forward units removed, embedding width kept"
    else:
        layers = [module for module in smaller.modules() if isinstance(module, WITH_WEIGHTS)]
        kept = [*layers[-1:], *(linear for each in found for linear in each.inputs)]
        with torch.enable_grad():
            cut_channels(smaller, inputs, ratio, kept)
        what = f"{heads}channels removed"
    read_again(smaller)
    traced = any(parameter.requires_grad for parameter in model.parameters())
    return smaller.requires_grad_(requires_grad=traced).eval(), what
