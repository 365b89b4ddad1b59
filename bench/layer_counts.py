"""What each layer of a model multiplies and reads in one call, counted while it really runs."""

import dataclasses
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.weight_form import WeightForm

if TYPE_CHECKING:
    from torch import Tensor, nn

_BYTE = 8  # bits
_CANNOT_RUN = (RuntimeError, TypeError, AttributeError)
_WEIGHT_DIMENSIONS = (2, 4)  # of a linear and a convolutional layer


@dataclass(frozen=True, slots=True)
class LayerCount:
    """One layer in one call of its model, the whole batch together.

    Args:
        name: Where it stands in the model, such as ``features.0``.
        kind: Its class, such as ``Linear``.
        macs: Multiply-accumulates that run. A masked weight is multiplied and counts.
        macs_nonzero: Those of them whose two operands are both not zero.
        weights: Elements of the dense weight that the layer stands for.
        weight_bits: Bits of a weight as it is multiplied.
        activation_bits: Bits of an input as it comes in.
        weight_bytes: Bytes of the weights as stored: values, indices, scales, codebook.
        inputs: Elements that come in.
        outputs: Elements that go out.
        activation_density: Share of the inputs that are not zero.
        weight_density: Share of the dense weight's elements that are not zero.
    """

    name: str
    kind: str
    macs: int
    macs_nonzero: int
    weights: int
    weight_bits: int
    activation_bits: int
    weight_bytes: int
    inputs: int
    outputs: int
    activation_density: float
    weight_density: float


_FIELDS: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(LayerCount)}


def layer_counts(model: object, inputs: object) -> tuple[LayerCount, ...]:
    """The layers with weights that ``model(inputs)`` runs, in the order in which they first run.

    Layers are linear and convolutional ones, and all modules with a ``weight_form``. A layer that
    runs several times counts as the sum of its calls. A model that does not run as it lies here,
    on these inputs, has none.

    Args:
        model: Any callable; empty for one that is no torch module, and torch is not imported.
        inputs: A tuple for positional arguments, a dict for keywords, anything else as it is.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return ()
    counts: dict[str, LayerCount] = {}

    def note(name: str, form: WeightForm, layer: "nn.Module", inputs: Any, output: Any) -> None:  # noqa: ANN401 - torch's hook
        tensors = inputs and all(isinstance(x, torch.Tensor) for x in (inputs[0], output))
        if tensors and inputs[0].numel() and output.numel():
            call = _count(name, form, layer, inputs[0], output)
            counts[name] = _sum(counts[name], call) if name in counts else call

    def hook(name: str, form: WeightForm) -> Any:  # noqa: ANN401 - torch's hook
        return lambda layer, inputs, output: note(name, form, layer, inputs, output)

    handles = [layer.register_forward_hook(hook(name, form)) for name, layer, form in layers(model)]
    try:
        _call(model, inputs)
    except (RuntimeError, TypeError, NotImplementedError):
        return ()
    finally:
        for handle in handles:
            handle.remove()
    return tuple(counts.values())


def recorded(layers: Iterable[Mapping[str, Any]]) -> tuple[LayerCount, ...]:
    """The layers of a `bench.record.CaseRecord`; empty if one lacks a field or holds no count."""
    found: list[dict[str, Any]] = [{name: layer.get(name) for name in _FIELDS} for layer in layers]
    sound = all(_is_count(name, value) for layer in found for name, value in layer.items())
    return tuple(LayerCount(**layer) for layer in found) if sound else ()


def _is_count(name: str, value: Any) -> bool:  # noqa: ANN401 - a journal may hold anything
    """Whether a field of a layer holds what it should: a word, or a finite number from 0."""
    if _FIELDS[name] is str:
        return isinstance(value, str)
    return isinstance(value, int | float) and 0 <= value < math.inf


def layers(model: "nn.Module") -> Iterator[tuple[str, "nn.Module", WeightForm]]:
    """The layers with weights, each with how it stores them; none within another."""
    found: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") or not outer for outer in found)
        form = None if inside else _form(module)
        if form is not None:
            found.append(name)
            yield name, module, form


def _form(module: "nn.Module") -> WeightForm | None:
    """How a module stores its weights; None if it is no layer that multiplies."""
    from torch import nn

    form = getattr(module, "weight_form", None)
    if isinstance(form, WeightForm):
        return form
    if not isinstance(module, nn.Linear | nn.Conv2d):
        return _open_form(module)
    size = module.weight.numel()
    nonzero = int(module.weight.count_nonzero())
    item = module.weight.itemsize
    return WeightForm(size, size, nonzero, _BYTE * item, item * size)


def _open_form(module: "nn.Module") -> WeightForm | None:
    """The form of a tensor ``weight`` that a module of our own holds in CSR or in int8."""
    import torch

    weight = dict(module.named_buffers(recurse=False)).get("weight")
    if weight is None or weight.ndim not in _WEIGHT_DIMENSIONS:
        return None
    bits = _BYTE * weight.itemsize
    if weight.layout is torch.sparse_csr:
        parts = (weight.values(), weight.col_indices(), weight.crow_indices())
        stored, size = parts[0].numel(), sum(part.numel() * part.itemsize for part in parts)
        return WeightForm(weight.numel(), stored, int(parts[0].count_nonzero()), bits, size)
    size = weight.numel()
    return WeightForm(size, size, int(weight.count_nonzero()), bits, size * weight.itemsize)


def _call(model: "nn.Module", inputs: object) -> None:
    import torch

    model.eval()
    with torch.no_grad():
        if isinstance(inputs, tuple):
            model(*inputs)
        elif isinstance(inputs, Mapping):
            model(**inputs)
        else:
            model(inputs)


def _count(
    name: str, form: WeightForm, layer: "nn.Module", inputs: "Tensor", output: "Tensor"
) -> LayerCount:
    """One call of a layer: each stored weight is multiplied once at each place of each image."""
    channels = output.shape[1] if output.ndim == 4 else output.shape[-1]  # noqa: PLR2004 - n, channels, height, width
    macs, weight_bytes = form.stored * (output.numel() // channels), form.bytes
    if (seen := _operators(layer, inputs)) > macs:  # a dense kernel ran in its stead, zeros and all
        macs, weight_bytes = seen, form.dense * form.bits // _BYTE
    density = int(inputs.count_nonzero()) / inputs.numel()
    weight_density = form.nonzero / form.dense
    exact = _nonzero_products(layer, inputs)
    places = output.numel() // channels * _inside(layer, inputs)
    expected = round(form.nonzero * places * density)
    return LayerCount(
        name=name,
        kind=type(layer).__name__,
        macs=macs,
        macs_nonzero=expected if exact is None else exact,
        weights=form.dense,
        weight_bits=form.bits,
        activation_bits=_BYTE * inputs.itemsize,
        weight_bytes=weight_bytes,
        inputs=inputs.numel(),
        outputs=output.numel(),
        activation_density=density,
        weight_density=weight_density,
    )


def _operators(layer: "nn.Module", inputs: "Tensor") -> int:
    """What torch's own operators multiply in a call; 0 where a kernel of another library runs."""
    from bench._macs import macs_of

    try:
        return macs_of(lambda: layer.forward(inputs)) or 0
    except _CANNOT_RUN:
        return 0


def _nonzero_products(layer: "nn.Module", inputs: "Tensor") -> int | None:
    """Products of two numbers that are not zero; None where the weights do not lie open.

    Where they do not, zeros are taken to fall by chance.
    """
    from torch import nn

    if isinstance(layer, nn.Linear):
        rows = (inputs != 0).reshape(-1, inputs.shape[-1]).sum(0)  # (in,)
        return int((rows * (layer.weight != 0).sum(0)).sum())
    if isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros":
        nonzero = (layer.weight != 0).double()  # (out, in / groups, height, width)
        if layer.groups == 1:
            nonzero = nonzero.sum(0, keepdim=True)  # (1, in, height, width)
        present: Any = (inputs != 0).double()
        padding: Any = layer.padding
        places = (layer.stride, padding, layer.dilation, layer.groups)
        return int(nn.functional.conv2d(present, nonzero, None, *places).sum())
    return None


def _inside(layer: "nn.Module", inputs: "Tensor") -> float:
    """The share of a convolution's products that do not fall on the padding around the images."""
    from torch.nn import functional

    size: Any = getattr(layer, "kernel_size", None)
    if size is None:
        return 1.0
    places: Any = (layer.stride, layer.padding, layer.dilation)
    image = inputs.new_ones((1, 1, *inputs.shape[2:])).double()
    kernel = image.new_ones((1, 1, *size))
    sums = functional.conv2d(image, kernel, None, *places)
    return float(sums.mean()) / kernel.numel()


def _sum(one: LayerCount, other: LayerCount) -> LayerCount:
    """Two calls of one layer as one: its weights are read in each."""
    inputs = one.inputs + other.inputs
    nonzero = one.activation_density * one.inputs + other.activation_density * other.inputs
    return dataclasses.replace(
        one,
        macs=one.macs + other.macs,
        macs_nonzero=one.macs_nonzero + other.macs_nonzero,
        weight_bytes=one.weight_bytes + other.weight_bytes,
        inputs=inputs,
        outputs=one.outputs + other.outputs,
        activation_density=nonzero / inputs,
    )
