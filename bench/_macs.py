"""Multiply-accumulates of one call of a torch module, counted operator by operator.

The formulas are those of `torch.utils.flop_counter`; sparse and int8 kernels are added. An operator
that is neither in the formulas nor known to multiply nothing makes the count None: torch's own
counter would leave it out in silence.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Formula = Callable[..., int]

# views and pointwise operators are known by their tags; these move, choose or normalise values
_FREE = (
    "_adaptive_avg_pool2d _local_scalar_dense _log_softmax _native_batch_norm_legit "
    "_native_batch_norm_legit_no_training _safe_softmax _softmax _to_copy _unsafe_view all amax "
    "amin aminmax any arange argmax avg_pool2d cat constant_pad_nd copy_ cumsum embedding empty "
    "fill_ full full_like gather im2col index index_add_ index_select linalg_vector_norm max "
    "max_pool2d_with_indices mean min native_batch_norm native_group_norm native_layer_norm ones "
    "repeat scalar_tensor stack sum topk upsample_bilinear2d upsample_nearest2d zeros zeros_like"
)


def macs(model: nn.Module, inputs: object) -> int | None:
    """Multiply-accumulates of ``model(inputs)``, or None if an operator of it cannot be counted."""
    model.eval()
    if isinstance(inputs, tuple):
        return macs_of(lambda: model(*inputs))
    if isinstance(inputs, Mapping):
        return macs_of(lambda: model(**inputs))
    return macs_of(lambda: model(inputs))


def macs_of(call: Callable[[], object]) -> int | None:
    """Multiply-accumulates of any call, or None if an operator of it cannot be counted."""
    counter = _Counter()
    with torch.no_grad(), counter:
        call()
    return None if counter.unknown else counter.flops // 2


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums the operations of what runs under it and remembers what it cannot count."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0
        self.unknown: set[str] = set()
        self.formulas: dict[Any, Formula] = {**flop_registry, **_formulas()}

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - torch's signature
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        formula = self.formulas.get(func.overloadpacket)
        if formula is None and not _free(func):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
            self.unknown.add(str(func))
        result = func(*args, **kwargs)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=result)
        return result


def _free(func: Any) -> bool:  # noqa: ANN401 - an operator of torch
    aten = func.namespace in ("aten", "prim")
    pointwise = torch.Tag.pointwise in func.tags
    return aten and (func.is_view or pointwise or func.overloadpacket.__name__ in _FREE.split())


def _formulas() -> dict[Any, Formula]:
    aten, onednn = torch.ops.aten, torch.ops.onednn
    attention = flop_registry[aten._scaled_dot_product_flash_attention]  # noqa: SLF001
    ours: dict[Any, Formula] = {
        aten.mv: _matrix_vector,
        aten.addmv: lambda _bias, matrix, vector, **_: _matrix_vector(matrix, vector),
        aten.mm: _product,
        aten.addmm: lambda _bias, left, right, **_: _product(left, right),
        aten._scaled_dot_product_flash_attention_for_cpu: attention,  # noqa: SLF001
    }
    if hasattr(onednn, "qlinear_pointwise"):
        ours[onednn.qlinear_pointwise] = _int8_linear
        ours[onednn.qconv_pointwise] = _int8_convolution
    return ours


def _stored(matrix: Tensor) -> int:
    """Elements that a kernel multiplies: all of a dense matrix, the stored ones of a sparse one."""
    return matrix.numel() if matrix.layout is torch.strided else matrix.values().numel()


def _matrix_vector(matrix: Tensor, _vector: Tensor, **_: object) -> int:
    return 2 * _stored(matrix)


def _product(left: Tensor, right: Tensor, **_: object) -> int:
    if right.layout is not torch.strided:
        return 2 * _stored(right) * left.shape[0]
    return 2 * _stored(left) * right.shape[1]


def _int8_linear(qx: Tensor, *_args: object, out_val: Tensor, **_: object) -> int:
    return 2 * out_val.numel() * qx.shape[-1]


def _int8_convolution(
    _qx: Tensor,
    _scale: float,
    _zero_point: int,
    weight: Tensor,
    *_args: object,
    out_val: Tensor,
    **_: object,
) -> int:
    return 2 * out_val.numel() * math.prod(weight.shape[-3:])
