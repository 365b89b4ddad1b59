"""Which form of a model that people ship, on which runtime, costs least energy per inference?

Each case is held against the model as shipped in eager float32; the report gives the ratio to the
best float32 runtime beside it, so that nobody takes a better runtime for a better model. Weights
are random unless --joules-weights says otherwise: speed and energy are valid, accuracy is not.
"""

from typing import Any

import pytest

from bench import Joules

BRIEF = pytest.mark.joules(pairs=4)
FULL = pytest.mark.joules(profile="full", pairs=4)

INT8 = ("precision", {"dtype": "int8"})
BF16 = ("precision", {"dtype": "bf16"})
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "fp32": ("baseline", {}),
    "bf16": BF16,
    "int8": INT8,
    "mask": ("whole_mask", {"density": 0.1}),
    "pruned": ("whole_pruning", {"ratio": 0.5}),
    "pruned-bf16": ("whole_pruning", {"ratio": 0.5, "dtype": "bf16"}),
    "pruned-int8": ("whole_pruning", {"ratio": 0.5, "dtype": "int8"}),
}

QUICK = {
    "eager": ("fp32", "bf16"),
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8", "pruned-int8"),
}
"""What each model is measured in, in every profile."""
LONG = {
    "eager": ("mask", "pruned"),
    "compile": ("fp32", "bf16", "int8"),
    "onnxruntime": ("pruned-int8",),
    "openvino": ("pruned", "pruned-bf16"),
}
"""What the profile full measures besides."""

BRIEF_MODELS = ("resnet18", "minilm")
MODELS = (
    *BRIEF_MODELS,
    "alexnet",
    "vgg16",
    "resnet50",
    "mobilenet-v2",
    "vit-small",
    "bert-base",
    "distilbert",
)


def cases() -> list[Any]:
    """The cross product of models, runtimes and forms."""
    found = []
    for model in MODELS:
        for forms, long in ((QUICK, False), (LONG, True)):
            brief = model in BRIEF_MODELS and not long
            found += [
                pytest.param(
                    model,
                    runtime,
                    form,
                    id=f"{model}-{runtime}-{form}",
                    marks=BRIEF if brief else FULL,
                )
                for runtime, names in forms.items()
                for form in names
            ]
    return found


@pytest.mark.parametrize("batch", [1, 32], ids=lambda batch: f"b{batch}")
@pytest.mark.parametrize(("model", "runtime", "form"), cases())
def test_model(joules: Joules, model: str, runtime: str, form: str, batch: int) -> None:
    technique, level = FORMS[form]
    workload = model if joules.measures else f"{model}:smallest"
    variant = joules.variant(technique, workload, **level)
    joules(variant, batch=batch, runtime=runtime, against="eager")
