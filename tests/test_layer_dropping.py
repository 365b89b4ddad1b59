"""Students that keep some layers: which ones, what they compute, and what they may learn."""

import copy
import dataclasses
import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.catalogue import make_variant, make_workload
from bench.refusal import Refusal
from bench.stages import costed
from bench.techniques.layer_dropping import apply, kept
from bench.workload import Variant, Workload

transformers = pytest.importorskip("transformers")

LAYERS = {
    "bert-base:smallest": (4, 2),
    "minilm:smallest": (3, 2),
    "distilbert:smallest": (2, 1),
    "llama-small:decode-128-smallest": (4, 2),
    "llama-small:prefill-128-smallest": (4, 2),
}
"""How many there are, and how many stay at a half."""
TOKENS = {"llama-small:prefill-128-smallest": 128}


@pytest.fixture(params=sorted(LAYERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def module(of: Workload | Variant) -> Any:
    assert isinstance(of.model, nn.Module)
    return of.model


def answer(model: Any, inputs: Any) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(*inputs) if isinstance(inputs, tuple) else model(inputs)
    return found


def parameters(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


@given(st.integers(1, 48), st.floats(0.01, 0.99))
def test_kept_layers_are_spread_from_the_first_to_the_last(layers: int, keep: float) -> None:
    found = kept(layers, keep)
    assert len(found) == max(1, round(keep * layers))
    assert found == sorted(set(found))
    assert found[0] == 0
    assert len(found) == 1 or found[-1] == layers - 1
    gaps = {after - before for before, after in itertools.pairwise(found)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_half_of_berts_layers_are_those_that_distilbert_began_with() -> None:
    assert kept(12, 0.5) == [0, 2, 4, 7, 9, 11]


def test_a_student_lacks_layers_and_answers_in_the_same_shape(name: str) -> None:
    workload, student = make_workload(name, 0), make_variant("layer_dropping", name)
    inputs = workload.inputs(TOKENS.get(name, 2))
    before, after = LAYERS[name]
    assert parameters(module(student)) < parameters(module(workload))
    assert answer(student.model, inputs).shape == answer(workload.model, inputs).shape
    assert student.note == f"{after} of {before} layers, not retrained"
    assert student.label == "layer_dropping@keep=0.5"
    assert student.size_disk is not None
    assert student.size_disk < student.sizes["dense"]


def test_a_student_leaves_its_teacher_as_it_was(name: str) -> None:
    workload = make_workload(name, 0)
    inputs = workload.inputs(TOKENS.get(name, 2))
    before = answer(workload.model, inputs).clone()
    make_variant("layer_dropping", name, keep=0.3)
    assert torch.equal(answer(workload.model, inputs), before)


def test_a_student_computes_what_its_teacher_would_without_those_layers(name: str) -> None:
    workload, student = make_workload(name, 0), make_variant("layer_dropping", name)
    teacher = copy.deepcopy(module(workload))
    before, after = LAYERS[name]
    (layers,) = [
        each
        for each in teacher.modules()
        if isinstance(each, nn.ModuleList) and len(each) == before
    ]
    for index in set(range(before)) - set(kept(before, after / before)):
        layers[index].register_forward_hook(_passes_on)
    inputs = workload.inputs(TOKENS.get(name, 2))
    if hasattr(teacher, "decoder") and hasattr(teacher, "context"):
        whole = torch.cat([teacher.context.expand(2, -1), inputs], dim=1)
        with torch.inference_mode():
            wanted = teacher.decoder(input_ids=whole, use_cache=False).logits[:, -1]
    else:
        wanted = answer(teacher, inputs)
    torch.testing.assert_close(answer(student.model, inputs), wanted, rtol=1e-4, atol=1e-5)


def _passes_on(_: nn.Module, given: tuple[Any, ...], made: Any) -> Any:
    """A layer's output, with what it was given instead of what it made of it."""
    return (given[0], *made[1:]) if isinstance(made, tuple) else given[0]


def test_layers_of_a_vision_transformer_are_found() -> None:
    from bench.techniques._layer_lists import shortened

    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=16,
    )
    teacher = transformers.ViTForImageClassification(config).eval()
    student, before, after = shortened(teacher, lambda layers: kept(layers, 0.5))
    assert (before, after) == (4, 2)
    pixels = torch.rand(1, 3, 32, 32)
    assert student(pixel_values=pixels).logits.shape == teacher(pixel_values=pixels).logits.shape
    assert parameters(student) < parameters(teacher)


def test_stages_of_a_conv_net_are_no_layers_to_drop() -> None:
    from bench.techniques._layer_lists import repeated

    config = transformers.ResNetConfig(
        layer_type="basic", depths=[1, 1], hidden_sizes=[8, 16], embedding_size=8
    )
    assert repeated(transformers.ResNetForImageClassification(config)) == []


@pytest.mark.parametrize("model", [nn.Sequential(nn.Linear(2, 2)), torch.relu])
def test_a_model_without_such_layers_is_a_refusal(model: Any) -> None:
    workload = Workload("mine", model, lambda batch: torch.rand(batch, 2))
    with pytest.raises(Refusal, match=r"layer_dropping cannot be applied to mine: .*wanted|found"):
        apply(workload)


def test_levels_out_of_range_are_clear_errors() -> None:
    for wrong, said in (({"keep": 1.0}, "keep is 1.0"), ({"epochs": -1}, "epochs is -1")):
        with pytest.raises(ValueError, match=said):
            make_variant("layer_dropping", "bert-base:smallest", **wrong)


def test_a_type_is_asked_of_the_runtime() -> None:
    student = make_variant("layer_dropping", "bert-base:smallest", dtype="int8")
    assert student.label == "layer_dropping@dtype=int8,keep=0.5"
    assert student.request is not None
    assert student.request.dtype == "int8"


def lively() -> Workload:
    """A teacher whose layers matter more than those of a fresh model."""
    workload = make_workload("minilm:smallest", 0)
    teacher = copy.deepcopy(module(workload))
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in teacher.encoder.encoder.parameters():
            if each.dim() > 1:
                each.normal_(std=0.3, generator=draw)
    return dataclasses.replace(workload, model=teacher, version="lively")


def test_a_student_that_learns_comes_closer_to_its_teacher() -> None:
    workload = lively()
    before = apply(workload)
    costs: list[int] = []

    def measure(make: Any) -> tuple[Any, int]:
        costs.append(1)
        return make(), 1

    with costed(measure) as used:
        after = apply(workload, epochs=8)
    assert costs == [1]
    assert list(used.values()) == [1]
    sentences = workload.context.sentences
    wanted = answer(workload.model, (sentences.ids, sentences.mask))
    cosines = [
        float((answer(each.model, (sentences.ids, sentences.mask)) * wanted).sum(dim=1).mean())
        for each in (before, after)
    ]
    assert cosines[1] > cosines[0] + 0.01
    assert after.label == "layer_dropping@epochs=8,keep=0.5"
    assert after.note == "2 of 3 layers, distilled for 8 epochs"


def test_what_was_learnt_is_shared_and_copied() -> None:
    one, other = (apply(lively(), epochs=8) for _ in range(2))
    assert one.model is not other.model
    inputs = one.workload.inputs(2)
    assert torch.equal(answer(one.model, inputs), answer(other.model, inputs))


def test_a_workload_without_sentences_cannot_teach() -> None:
    with pytest.raises(Refusal, match=r"cannot train for bert-base:smallest: .* take minilm"):
        make_variant("layer_dropping", "bert-base:smallest", epochs=1)


# ---- the published form


def test_distilbert_stands_beside_bert_on_the_same_sequences() -> None:
    workload = make_workload("bert-base:smallest", 0)
    student = make_variant("distilbert", "bert-base:smallest", dtype="bf16")
    inputs = workload.inputs(3)
    assert answer(student.model, inputs).shape == answer(workload.model, inputs).shape
    assert parameters(module(student)) < parameters(module(workload))
    assert student.label == "distilbert@dtype=bf16"
    assert student.note.startswith("DistilBERT, random weights")


def test_only_bert_has_a_published_student_here() -> None:
    with pytest.raises(Refusal, match="minilm:smallest has no published distilled form"):
        make_variant("distilbert", "minilm:smallest")
