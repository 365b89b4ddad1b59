"""Which form of a model that people ship costs least energy per inference on a GPU?

Each is held against the model as shipped in eager float32, on the same GPU. bf16 in eager torch
says what the type gives, compile what fusing kernels and replaying them as a CUDA graph gives
besides; int8 and fp8 quantize weights and activations of linear layers, 2:4 skips half of their
weights. Run it with --joules-device cuda.
"""

from typing import Any

import pytest

from bench import Joules

FULL = pytest.mark.joules(profile="full", pairs=4)

FORMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "fp32": ("eager", "baseline", {}),
    "bf16": ("eager", "precision", {"dtype": "bf16"}),
    "compile-fp32": ("compile", "baseline", {}),
    "compile-bf16": ("compile", "precision", {"dtype": "bf16"}),
    "compile-int8": ("compile", "precision", {"dtype": "int8"}),
    "compile-fp8": ("compile", "precision", {"dtype": "fp8"}),
    "2of4": ("eager", "semi_structured", {}),
    "compile-2of4": ("compile", "semi_structured", {}),
}
"""Runtime, technique and level of each form."""

BATCHES = {
    "resnet50": (1, 8, 64),
    "vit-small": (1, 8, 64),
    "bert-base": (1, 8, 64),
    "llama-small:decode-128": (1, 8, 32),
}

CASES = [
    pytest.param(model, batch, form, id=f"{model}-b{batch}-{form}", marks=FULL)
    for model, batches in BATCHES.items()
    for batch in batches
    for form in FORMS
]


@pytest.mark.parametrize(("model", "batch", "form"), CASES)
def test_on_gpu(joules: Joules, model: str, batch: int, form: str) -> None:
    if not joules.device.startswith("cuda"):
        pytest.skip(f"the device is {joules.device}, wanted a GPU: --joules-device cuda")
    runtime, technique, level = FORMS[form]
    workload = model if joules.measures else f"{model.partition(':')[0]}:smallest"
    variant = joules.variant(technique, workload, **level)
    joules(variant, batch=batch, runtime=runtime, against="eager")
