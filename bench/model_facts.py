"""What can be known of a model without running a meter: parameters, multiplications, bytes."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.weight_form import WeightForm

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts of one model with one input; what cannot be known is None, never a guess.

    Args:
        parameters: Weights and biases, pruned ones included.
        nonzero: Those that are not zero.
        macs: Multiply-accumulates that one call on the inputs runs, its whole batch together.
            A masked weight is multiplied and counts; a sparse kernel's skipped one does not.
        dtype: Of most parameters, such as ``float32``.
        size_nominal: Bytes of the nonzero parameters alone, without what says where they stand.
    """

    parameters: int | None = None
    nonzero: int | None = None
    macs: int | None = None
    dtype: str | None = None
    size_nominal: int | None = None


def facts(model: object, inputs: object) -> ModelFacts:
    """What is known of *model*; everything None for a callable that is no torch module.

    A module's weights are its parameters, and its buffers named ``weight`` and ``bias``: so int8
    and sparse modules count as what they stand for. One that stores its weight in no tensor of that
    name says in its ``weight_form`` what it stands for.

    Args:
        model: Any callable; torch is not imported to look at it.
        inputs: A tuple for positional arguments, a dict for keywords, anything else as it is.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return ModelFacts()
    tensors = tuple(_weights(model))
    if not _countable(model, tensors):
        return ModelFacts(macs=_macs(model, inputs))
    forms = tuple(_forms(model))
    counts: dict[str, int] = {}
    for tensor in tensors:
        dtype = str(tensor.dtype).removeprefix("torch.")
        counts[dtype] = counts.get(dtype, 0) + tensor.numel()
    for form in forms:
        dtype = f"float{form.bits}"
        counts[dtype] = counts.get(dtype, 0) + form.dense
    nonzero = [(_nonzero(tensor), tensor.itemsize) for tensor in tensors]
    nonzero += [(form.nonzero, form.bits // 8) for form in forms]
    return ModelFacts(
        parameters=sum(counts.values()),
        nonzero=sum(count for count, _ in nonzero),
        macs=_macs(model, inputs),
        dtype=max(counts, key=counts.__getitem__, default=None),
        size_nominal=sum(count * size for count, size in nonzero),
    )


def disk_bytes(tensors: Mapping[str, "Tensor"]) -> int:
    """Bytes of *tensors* as one safetensors file, header included.

    A sparse CSR tensor counts as its three parts: values, column indices, row pointers. A tensor
    that appears under several names counts once.
    """
    from safetensors.torch import save

    parts: dict[str, Tensor] = {}
    seen: set[tuple[object, ...]] = set()
    for name, tensor in tensors.items():
        for part, content in _dense_parts(name, tensor.detach()):
            place = (content.data_ptr(), content.shape, content.stride(), content.dtype)
            if place not in seen or not content.numel():
                seen.add(place)
                parts[part] = content.cpu().contiguous().clone()
    return len(save(parts))


def stored_bytes(model: object) -> int | None:
    """Bytes of a torch module's state as one safetensors file; None for any other callable."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return None
    tensors = {k: v for k, v in model.state_dict().items() if isinstance(v, torch.Tensor)}
    return disk_bytes(tensors) if tensors else None


def float_size(model: object) -> dict[str, int]:
    """The size that a quantized form of *model* stands beside: ``dense``, if it is known."""
    size = stored_bytes(model)
    return {} if size is None else {"dense": size}


def dense_bytes(model: object) -> int | None:
    """Bytes of the dense float32 weights that a module stands for; None where they do not lie open.

    Pruned weights count, and a quantized one counts four bytes: the size that compression is held
    against.
    """
    known = _known_weights(model)
    if not known:
        return None
    return _FLOAT32 * sum(
        form.dense if isinstance(form, WeightForm) else form.numel() for form in known
    )


def bytes_moved(model: object, inputs: object) -> int | None:
    """Bytes that a call moves at least: weights as stored, inputs, outputs, each place once.

    What layers hand to each other is not in it: it may stay in a cache. A module that knows it
    better says so in an attribute ``bytes_moved``.

    Args:
        model: A torch module; None for any other callable, and for one that does not run.
        inputs: A tuple for positional arguments, a dict for keywords, anything else as it is.
    """
    known = _known_weights(model)
    if known is None:
        return None
    if isinstance(said := getattr(model, "bytes_moved", None), int):
        return said
    torch = sys.modules["torch"]
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    named: Any = inputs if isinstance(inputs, Mapping) else {}
    run: Any = model
    try:
        with torch.no_grad():
            outputs = run.eval()(**named) if named else run.eval()(*arguments)
    except (RuntimeError, TypeError, NotImplementedError):
        return None
    ends = [*_tensors(named or arguments), *_tensors(outputs)]
    places = {(end.data_ptr(), end.nbytes) for end in ends}
    weights = sum(
        form.bytes
        if isinstance(form, WeightForm)
        else sum(part.nbytes for _, part in _dense_parts("", form.detach()))
        for form in known
    )
    return weights + sum(size for _, size in places)


def _known_weights(model: object) -> "list[Tensor | WeightForm] | None":
    """Weights and biases, each once; where a module says how it stores its weight, that instead."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return None
    known: list[Tensor | WeightForm] = []
    seen: set[int] = set()
    for module in model.modules():
        form = getattr(module, "weight_form", None)
        own: Iterable[Any] = _own_weights(module)
        if isinstance(form, WeightForm):
            known.append(form)
            own = [tensor for tensor in [getattr(module, "bias", None)] if tensor is not None]
        new = [tensor for tensor in own if id(tensor) not in seen]
        seen |= {id(tensor) for tensor in new}
        known += new
    tensors = tuple(each for each in known if not isinstance(each, WeightForm))
    return known if _countable(model, tensors) else None


def _tensors(value: Any) -> Iterator["Tensor"]:  # noqa: ANN401 - whatever a model takes or gives
    torch = sys.modules["torch"]
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _tensors(each)


def _macs(model: "nn.Module", inputs: object) -> int | None:
    """What `bench._macs` counts; None where the model does not run as it lies, or not under it.

    A layer that calls no operator of torch tells itself what a call multiplies.
    """
    from bench._macs import macs

    unseen: list[int] = []

    def hook(module: Any, arguments: Any) -> None:  # noqa: ANN401 - torch's hook
        unseen.append(module.unseen_macs(*arguments))

    handles = [
        module.register_forward_pre_hook(hook)
        for module in model.modules()
        if hasattr(module, "unseen_macs")
    ]
    try:
        seen = macs(model, inputs)
    except (RuntimeError, TypeError, NotImplementedError):
        return None
    finally:
        for handle in handles:
            handle.remove()
    return None if seen is None else seen + sum(unseen)


def _dense_parts(name: str, tensor: "Tensor") -> Iterator[tuple[str, "Tensor"]]:
    if str(tensor.layout) == "torch.sparse_csr":
        yield f"{name}.values", tensor.values()
        yield f"{name}.columns", tensor.col_indices()
        yield f"{name}.rows", tensor.crow_indices()
    else:
        yield name, tensor


def _weights(model: "nn.Module") -> Iterator["Tensor"]:
    """Each weight and bias once, also those that modules share."""
    seen: set[int] = set()
    for module in model.modules():
        for tensor in _own_weights(module):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor


def _own_weights(module: "nn.Module") -> Iterator["Tensor"]:
    """The weights and biases of a module itself, not of those inside it."""
    yield from module.parameters(recurse=False)
    yield from (b for name, b in module.named_buffers(recurse=False) if name in _WEIGHTS)


_WEIGHTS = frozenset({"weight", "bias"})
_FLOAT32 = 4  # bytes


def _forms(model: "nn.Module") -> Iterator[WeightForm]:
    """Of each module that stores its weight in no tensor of that name."""
    for module in model.modules():
        form = getattr(module, "weight_form", None)
        if isinstance(form, WeightForm) and not hasattr(module, "weight"):
            yield form


def _countable(model: "nn.Module", tensors: tuple["Tensor", ...]) -> bool:
    """Whether all weights lie open: none packed by torch.ao, none in another library's type."""
    import torch

    packed = any(hasattr(module, "_packed_params") for module in model.modules())
    return not packed and all(type(t) in (torch.Tensor, torch.nn.Parameter) for t in tensors)


def _nonzero(tensor: "Tensor") -> int:
    values: Any = tensor.values() if str(tensor.layout) == "torch.sparse_csr" else tensor
    return int(values.count_nonzero())
