"""Which form of a model that people ship, on which runtime, costs least energy per inference?

Each case is held against the model as shipped in eager float32; the report gives the ratio to the
best float32 runtime beside it, so that nobody takes a better runtime for a better model. Weights
are random unless --joules-weights says otherwise: speed and energy are valid, accuracy is not.
"""

from typing import Any

import pytest

from bench import Joules

BRIEF = pytest.mark.joules(pairs=4)
FULL = pytest.mark.joules(profile="full", pairs=8)

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
    "half-depth": ("layer_dropping", {"keep": 0.5}),
    "half-depth-int8": ("layer_dropping", {"keep": 0.5, "dtype": "int8"}),
    "distilbert": ("distilbert", {}),
}

Forms = dict[str, tuple[str, ...]]
"""Forms by the runtime that runs them."""

QUICK: Forms = {
    "eager": ("fp32", "bf16"),
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8", "pruned-int8"),
}
"""What each model is measured in, in every profile."""
LONG: Forms = {
    "eager": ("mask", "pruned"),
    "compile": ("fp32", "bf16", "int8"),
    "onnxruntime": ("pruned-int8",),
    "openvino": ("pruned", "pruned-bf16"),
}
"""What the profile full measures besides."""
STUDENTS: dict[str, Forms] = {
    "minilm": {"eager": ("half-depth",), "openvino": ("half-depth-int8",)},
    "vit-small": {"eager": ("half-depth",)},
    "bert-base": {"eager": ("half-depth", "distilbert"), "openvino": ("half-depth-int8",)},
}
"""And of models from which layers can be left out."""

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


def forms_of(model: str) -> list[tuple[str, str, Any]]:
    """Runtimes and forms of a model, and in which profiles they are measured."""
    quick = BRIEF if model in BRIEF_MODELS else FULL
    groups = ((QUICK, quick), (LONG, FULL), (STUDENTS.get(model, {}), FULL))
    return [
        (runtime, form, marks)
        for forms, marks in groups
        for runtime, names in forms.items()
        for form in names
    ]


CASES = [
    pytest.param(model, runtime, form, id=f"{model}-{runtime}-{form}", marks=marks)
    for model in MODELS
    for runtime, form, marks in forms_of(model)
]


@pytest.mark.parametrize("batch", [1, 32], ids=lambda batch: f"b{batch}")
@pytest.mark.parametrize(("model", "runtime", "form"), CASES)
def test_model(joules: Joules, model: str, runtime: str, form: str, batch: int) -> None:
    technique, level = FORMS[form]
    workload = model if joules.measures else f"{model}:smallest"
    variant = joules.variant(technique, workload, **level)
    joules(variant, batch=batch, runtime=runtime, against="eager")


@FULL
@pytest.mark.parametrize(
    ("phase", "batch"),
    [("prefill-128", 128), ("decode-128", 1), ("decode-128", 8), ("decode-128", 32)],
    ids=lambda value: f"{value}",
)
@pytest.mark.parametrize(
    ("runtime", "form"),
    [
        ("eager", "fp32"),
        ("eager", "bf16"),
        ("eager", "pruned"),
        ("eager", "half-depth"),
        ("compile", "bf16"),
    ],
)
def test_llama(joules: Joules, phase: str, batch: int, runtime: str, form: str) -> None:
    technique, level = FORMS[form]
    workload = f"llama-small:{phase}" if joules.measures else f"llama-small:{phase}-smallest"
    variant = joules.variant(technique, workload, **level)
    joules(variant, batch=batch, runtime=runtime, against="eager")
