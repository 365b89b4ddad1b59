"""Asks the runtime for a type: what a technique made runs in bf16 or int8 as well."""

from dataclasses import replace

from bench.workload import Request, Variant, level

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "int8": "int8", "fp8": "float8"}
"""Short names, as in case ids, and what they stand for."""


def requested(variant: Variant, dtype: str) -> Variant:
    """The variant in another type; itself for ``fp32``.

    Args:
        variant: In float32; a quantizer looks at its workload's calibration inputs.
        dtype: ``fp32``, or a key of `DTYPES`.

    Raises:
        ValueError: There is no such type.
    """
    if dtype == "fp32":
        return variant
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype}, wanted one of fp32, {', '.join(DTYPES)}")
    asked = level(**dict(variant.level), dtype=dtype)
    request = Request(DTYPES[dtype], variant.workload.calibration)
    return replace(variant, level=asked, request=request)
