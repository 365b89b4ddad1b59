"""Models of OpenVINO in int8, quantized by nncf."""

import contextlib
import io
import logging
from itertools import chain
from typing import Any

from bench.onnx_export import silence
from bench.refusal import Refusal
from bench.runtimes._onnx import calibrating, in_one_line
from bench.runtimes._openvino_model import Conversion, check_sum
from bench.workload import Variant


def quantized(conversion: Conversion, variant: Variant) -> tuple[Conversion, str]:
    """The model in int8, static: once for all batches where it takes any; and a note.

    Args:
        conversion: In float32; keeps what was made of it.
        variant: Whose request has calibration inputs.

    Raises:
        Refusal: There are none, or the quantizer fails.
    """
    pieces = calibrating(variant, conversion.batch or 1)
    note = f"static int8, calibrated on {len(pieces) * len(pieces[0][0])} samples"
    key = check_sum(chain.from_iterable(pieces))
    if key not in conversion.quantized:
        model, _ = conversion.sized(pieces[0])
        names = [each.get_any_name() for each in model.inputs]
        items = [dict(zip(names, (one.numpy() for one in piece), strict=True)) for piece in pieces]
        conversion.quantized[key] = _freed(_quantized(model, items), conversion, pieces[0])
    return conversion.quantized[key], note


def _freed(model: Any, conversion: Conversion, piece: Any) -> Conversion:  # noqa: ANN401
    """The quantized model with its first dimension as free as it was before."""
    if conversion.batch is None:
        model.reshape({index: [-1, *each.shape[1:]] for index, each in enumerate(piece)})
    return Conversion(model)


def _quantized(model: Any, items: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - of openvino
    with silence(), contextlib.redirect_stdout(io.StringIO()):  # it draws bars of progress
        import nncf

        nncf.set_log_level(logging.CRITICAL)
        try:
            return nncf.quantize(
                model,
                nncf.Dataset(items),
                subset_size=len(items),
                preset=nncf.QuantizationPreset.MIXED,
                **(_for_convolutions() if convolves(model) else _for_transformers()),
            )
        except Exception as error:
            raise Refusal(
                f"nncf does not quantize the model: {in_one_line(error)}",
                "choose onnxruntime or compile for int8",
            ) from error


def _for_transformers() -> dict[str, Any]:
    """The quantizer's own ways for them: smoothed activations, and attention kept as it is."""
    import nncf

    return {"model_type": nncf.ModelType.TRANSFORMER}


def _for_convolutions() -> dict[str, Any]:
    """The whole range of activations, and biases as they are.

    Both are nearer to float32 than nncf's defaults from some tens of samples: means of the ranges
    cut off activations, and the correction of biases adds the noise of so few samples.
    """
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    return {
        "advanced_parameters": AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
            disable_bias_correction=True,
        )
    }


def convolves(model: Any) -> bool:  # noqa: ANN401 - of openvino
    """Whether most of what multiplies by weights are convolutions: of the others, transformers."""
    kinds = [each.get_type_name() for each in model.get_ordered_ops()]
    return sum("Convolution" in kind for kind in kinds) > kinds.count("MatMul")
