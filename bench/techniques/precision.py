"""The whole model in another type, by the runtime's own means: bf16, fp16, int8, fp8.

int8 is static post-training quantization wherever the runtime has it: scales of weights per
channel, scales of activations from the workload's calibration inputs (Jacob et al. 2018). The
runtime quantizes, for its kernels decide what pays; one that cannot says so.
"""

from bench.techniques._precision import requested
from bench.workload import Variant, Workload


def apply(workload: Workload, *, seed: int = 0, dtype: str = "int8") -> Variant:  # noqa: ARG001
    """The workload's model, to be lowered to a type.

    Args:
        workload: Of a whole model.
        seed: Not used: nothing is drawn.
        dtype: ``bf16``, ``fp16``, ``int8`` or ``fp8``.

    Raises:
        ValueError: There is no such type, or it is ``fp32``, which is the baseline.
    """
    if dtype == "fp32":
        raise ValueError("dtype is fp32, which is the baseline; wanted bf16, fp16, int8 or fp8")
    return requested(Variant(workload, "precision", (), workload.model), dtype)
