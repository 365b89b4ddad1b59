"""What the specs of ``joulebench run`` stand for, and what is said of those that stand for none."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from own_models import FACTORIES, write_onnx

from bench.entries import Other, entries_of_suite, other, variant_of, workload_of
from bench.likeness import METRIC, likeness
from bench.onnx_file import OnnxFile, OnnxInput
from bench.own import Own, Wish, load, shapes
from bench.refusal import Refusal
from bench.specs._random_inputs import drawn
from bench.specs.onnx import shape_of
from bench.suite import Suite
from bench.workload import NotComparableError

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder holds a module ``mynet`` of factories, imported anew."""
    (tmp_path / "mynet.py").write_text(FACTORIES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "mynet", sys)  # so that it is taken away afterwards
    monkeypatch.delitem(sys.modules, "mynet")
    return tmp_path


def own(spec: str, **wishes: Any) -> Own:
    found = load(spec, Wish(**wishes))
    assert isinstance(found, Own)
    return found


# -- the words ------------------------------------------------------------------------------


@given(st.dictionaries(st.from_regex(r"[a-z_.]{1,8}", fullmatch=True), SIZES, min_size=1))
def test_shapes_are_read_as_they_are_written(wanted: dict[str, tuple[int, ...]]) -> None:
    texts = [f"{name}={'x'.join(map(str, sizes))}" for name, sizes in wanted.items()]

    assert shapes(texts) == wanted


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["x=1x0"], "write NAME=1x3x224x224"),
        (["x=1,3"], "write NAME=1x3x224x224"),
        (["=1"], "write NAME=1x3x224x224"),
        (["1x2", "1x3"], "has a shape already"),
        (["1x2", "y=1x3"], "for a model of one input"),
    ],
)
def test_what_is_no_shape_is_refused_with_how_to_write_it(texts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shapes(texts)


def test_a_variant_has_a_name_a_spec_and_maybe_a_runtime() -> None:
    assert other("int8=onnx:a=b.onnx") == Other("int8", "onnx:a=b.onnx")
    assert other("ov@openvino=hf:x@y") == Other("ov", "hf:x@y", "openvino")


@pytest.mark.parametrize("text", ["onnx:model.onnx", "int8=", "=onnx:x", "baseline=onnx:x"])
def test_what_is_no_variant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--vs "):
        other(text)


@pytest.mark.parametrize("spec", ["model.onnx", "onnx:", "tflite:x", ""])
def test_what_is_no_spec_is_refused_with_the_kinds_that_there_are(spec: str) -> None:
    with pytest.raises(ValueError, match=r"KIND:WHAT .*cmd, hf, onnx, py, .*workload"):
        load(spec, Wish())


# -- onnx -----------------------------------------------------------------------------------


@given(
    st.lists(st.one_of(st.integers(1, 9), st.sampled_from("ab")), min_size=1, max_size=4),
    st.one_of(st.none(), st.integers(1, 9)),
)
def test_an_input_gets_the_batch_and_else_its_own_shape_or_is_refused(
    shape: list[int | str], batch: int | None
) -> None:
    taken = OnnxInput("x", tuple(shape), "float32")
    free = [isinstance(size, str) for size in shape]
    fits = not any(free[1:]) and (free[0] or batch in {None, shape[0]})
    if not fits:
        with pytest.raises(Refusal):
            shape_of(taken, Wish(batch=batch))
        return

    found = shape_of(taken, Wish(batch=batch))

    assert found[0] == ((batch or 1) if free[0] else shape[0])
    assert list(found[1:]) == shape[1:]


def test_a_given_shape_must_fit_the_fixed_sizes() -> None:
    taken = OnnxInput("ids", ("batch", "seq", 3), "int64")

    assert shape_of(taken, Wish(shapes={"ids": (2, 7, 3)})) == (2, 7, 3)
    assert shape_of(taken, Wish(shapes={"": (2, 7, 3)})) == (2, 7, 3)
    for given_shape in ((2, 7, 4), (2, 7)):
        with pytest.raises(Refusal, match=r"\(batch, seq, 3\).* give --shape ids=NxNx3"):
            shape_of(taken, Wish(shapes={"ids": given_shape}))


def test_an_onnx_file_brings_its_name_and_random_inputs_of_its_shape(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    found = own(f"onnx:{write_onnx(tmp_path / 'net.onnx', 8)}", batch=3)

    assert (found.name, found.runtime, found.samples) == ("onnx:net", "onnxruntime", 3)
    assert found.draw(1).shape == (3, 16)
    assert torch.equal(found.draw(1), found.draw(1))
    assert not torch.equal(found.draw(1), found.draw(2))


def test_a_file_that_is_no_onnx_is_refused_and_one_that_is_not_there_is_a_wrong_call(
    tmp_path: Path,
) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "text.onnx").write_text("hello")

    with pytest.raises(Refusal, match="cannot be read as ONNX"):
        load(f"onnx:{tmp_path / 'text.onnx'}", Wish())
    with pytest.raises(ValueError, match="there is no such file"):
        load(f"onnx:{tmp_path / 'none.onnx'}", Wish())


def test_a_shape_for_an_input_that_there_is_not_names_those_that_there_are(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    path = write_onnx(tmp_path / "net.onnx", 8)

    with pytest.raises(ValueError, match=r"--shape pixels=…: the inputs of net.onnx are \['x'\]"):
        load(f"onnx:{path}", Wish(shapes={"pixels": (1, 16)}))


def test_random_inputs_are_such_as_a_model_can_look_up() -> None:
    ids = drawn("input_ids", (50, 50), "int64", 1)

    assert (ids.dtype, int(ids.min()), int(ids.max())) == (torch.int64, 0, 99)
    assert bool(drawn("attention_mask", (2, 3), "int32", 1).all())
    assert bool(drawn("keep", (2, 3), "bool", 1).all())
    assert not drawn("token_type_ids", (2, 3), "int64", 1).any()
    assert drawn("x", (2,), "float16", 1).dtype is torch.float16
    with pytest.raises(Refusal, match="the input text takes object"):
        drawn("text", (1,), "object", 1)


def test_a_model_of_two_inputs_wants_them_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = (OnnxInput("a", ("n", 2), "float32"), OnnxInput("b", ("n", 3), "int64"))
    monkeypatch.setattr(OnnxFile, "inputs", lambda _: two)
    path = tmp_path / "two.onnx"
    path.write_bytes(b"")

    a, b = own(f"onnx:{path}", batch=5).draw(0)

    assert (a.shape, b.shape) == ((5, 2), (5, 3))
    with pytest.raises(ValueError, match=r"has the inputs \['a', 'b'\]; name one"):
        load(f"onnx:{path}", Wish(shapes={"": (5, 2)}))


# -- hf -------------------------------------------------------------------------------------


@pytest.fixture
def text_model(tmp_path: Path) -> Path:
    """A tiny BERT, as `save_pretrained` writes it."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "tiny-bert")
    return tmp_path / "tiny-bert"


def test_a_folder_of_transformers_is_a_module_with_tokens_of_its_own_vocabulary(
    text_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    found = own(f"hf:{text_model}", batch=2, seq=6)
    ids = found.draw(0)

    assert capfd.readouterr() == ("", "")
    assert (found.name, found.samples, found.unit) == ("hf:tiny-bert", 2, "sequence")
    assert ids.shape == (2, 6)
    assert int(ids.max()) < 50
    assert found.model(ids).shape == (2, 2)
    assert own(f"hf:{text_model}").draw(0).shape == (1, 16)  # no longer than it can take
    first = workload_of(found, seed=0)
    assert own(f"hf:{text_model}", first=first).draw(0) == ()  # it is called with the first's


def test_random_weights_need_the_config_alone_and_are_said(text_model: Path) -> None:
    for weights in text_model.glob("*.safetensors"):
        weights.unlink()

    found = own(f"hf:{text_model}", random_weights=True)

    assert "random weights" in found.note
    same = own(f"hf:{text_model}", random_weights=True)
    assert torch.equal(found.model(found.draw(0)), same.model(same.draw(0)))


def test_pickled_weights_are_refused_unopened(text_model: Path) -> None:
    for weights in text_model.glob("*.safetensors"):
        weights.rename(weights.with_name("pytorch_model.bin"))

    with pytest.raises(Refusal, match=r"pytorch_model\.bin, wanted .*; a pickle can run code"):
        load(f"hf:{text_model}", Wish())


@pytest.mark.parametrize("architecture", ["pipeline", "AutoConfig", "NoSuchNet"])
def test_a_config_that_names_no_model_is_refused(text_model: Path, architecture: str) -> None:
    path = text_model / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "architectures": [architecture]}))

    with pytest.raises(Refusal, match=f"names the architecture {architecture}"):
        load(f"hf:{text_model}", Wish())


def test_an_image_model_takes_pixels_of_the_size_that_its_config_says(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        image_size=8,
        patch_size=4,
        architectures=["ViTForImageClassification"],
    )
    config.save_pretrained(tmp_path)

    found = own(f"hf:{tmp_path}", batch=2, random_weights=True)

    assert found.draw(0).shape == (2, 3, 8, 8)
    with pytest.raises(ValueError, match="its main input is pixel_values"):
        load(f"hf:{tmp_path}", Wish(random_weights=True, shapes={"ids": (1, 2)}))


def test_nothing_is_downloaded_without_asking() -> None:
    with pytest.raises(ValueError, match="fetched with --allow-download"):
        load("hf:someone/model", Wish())


def test_without_transformers_a_folder_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "transformers" else find(name)
    )

    with pytest.raises(Refusal, match=r"pip install 'joulebench\[models\]'"):
        load(f"hf:{tmp_path}", Wish())


# -- py -------------------------------------------------------------------------------------


def test_a_factory_gives_a_module_with_its_inputs(module: Path) -> None:
    found = own("py:mynet:wide")

    assert (found.name, found.samples, found.runtime) == ("py:wide", 4, "eager")
    assert not found.model.training  # type: ignore[attr-defined]
    assert found.draw(0).shape == (4, 64)


def test_a_module_without_inputs_gets_random_ones_of_the_shape_that_is_asked_for(
    module: Path,
) -> None:
    assert own("py:mynet:narrow", shapes={"": (2, 64)}).draw(0).shape == (2, 64)
    assert set(own("py:mynet:narrow", shapes={"input": (2, 64)}).draw(0)) == {"input"}
    assert own("py:mynet:plain").draw(0) == ()


def test_inputs_may_be_a_function_of_the_batch(module: Path) -> None:
    (module / "mynet.py").write_text("def make(): return sum, lambda batch: [1] * batch")

    assert own("py:mynet:make", batch=3).draw(0) == [1, 1, 1]


def test_a_name_in_a_class_is_found_and_a_module_needs_no_factory(module: Path) -> None:
    (module / "mynet.py").write_text(
        "import torch\nclass Nets:\n    small = torch.nn.Linear(2, 2)\n"
    )

    assert isinstance(own("py:mynet:Nets.small").model, torch.nn.Linear)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("py:nowhere:make", r"nowhere cannot be imported \(ModuleNotFoundError"),
        ("py:mynet", "write py:MODULE:FACTORY"),
        ("py:mynet:none", "mynet has no none; it has .*wide"),
    ],
)
def test_what_cannot_be_imported_is_told_in_one_line(module: Path, spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        load(spec, Wish())

    assert "\n" not in str(error.value)


def test_a_module_that_fails_or_leaves_while_it_is_imported_is_told(module: Path) -> None:
    (module / "mynet.py").write_text("raise SystemExit(3)")

    with pytest.raises(ValueError, match=r"SystemExit: 3"):
        load("py:mynet:make", Wish())


def test_a_factory_that_fails_or_gives_nothing_to_call_is_refused(module: Path) -> None:
    with pytest.raises(Refusal, match="RuntimeError: no such checkpoint"):
        load("py:mynet:fails", Wish())
    with pytest.raises(Refusal, match="gave a NoneType, wanted a callable"):
        load("py:mynet:nothing", Wish())


# -- cmd, workload, technique ---------------------------------------------------------------


def test_a_program_that_waits_for_others_is_said_to_be_in_no_estimate() -> None:
    found = own("cmd:sleep 0.2")

    assert (found.name, found.unit, found.least_calls) == ("cmd:sleep", "run", 1)
    assert "it used a CPU for" in found.note
    assert found.threads is not None
    assert own(f"cmd:'{sys.executable}' -c 'sum(range(10**6))'").note == ""


def test_a_program_that_is_not_there_is_a_wrong_call_and_one_that_fails_is_refused() -> None:
    with pytest.raises(ValueError, match="no program 'no-such-program'; is it on the PATH"):
        load("cmd:no-such-program 1", Wish())
    with pytest.raises(Refusal, match="ended with exit code 1"):
        load("cmd:false", Wish())


def test_a_shipped_workload_is_itself_and_keeps_its_threads() -> None:
    found = own("workload:layer:tiny-fc", batch=2)
    workload = workload_of(found, seed=0)

    assert workload.name == "layer:tiny-fc"
    assert workload.inputs(2).shape == found.workload.inputs(2).shape  # type: ignore[union-attr]
    assert (found.samples, found.unit) == (2, "input")
    assert workload_of(found, seed=0, name="mine").name == "mine"
    with pytest.raises(ValueError, match="--threads: a shipped workload"):
        workload_of(found, seed=0, threads=2)


def test_a_technique_is_made_of_the_first(module: Path) -> None:
    first = workload_of(own("py:mynet:wide"), seed=0)

    made = own("technique:bf16", first=first)

    assert made.variant is not None
    assert variant_of(first, "narrow", made).technique == "narrow"
    with pytest.raises(ValueError, match="give it to --vs"):
        load("technique:bf16", Wish())
    with pytest.raises(ValueError, match="unexpected keyword"):
        load("technique:bf16@colour=2", Wish(first=first))
    with pytest.raises(ValueError, match="PARAMETER=VALUE"):
        load("technique:bf16@colour", Wish(first=first))


# -- likeness -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", [lambda _: None, lambda _: 1 / 0, lambda _: 3.0], ids=["none", "error", "number"]
)
def test_what_answers_in_no_tensors_is_not_judged(model: Callable[..., Any]) -> None:
    assert likeness(model, [torch.rand(2, 3)]) is None


def test_the_same_answers_are_wholly_alike_and_others_less() -> None:
    inputs = [torch.rand(4, 3)]
    judge = likeness(lambda x: x, inputs)
    assert judge is not None

    same, near = judge(lambda x: x), judge(lambda x: x + 0.1 * x.flip(1))

    assert (same.metric, same.n, same.target) == (METRIC, 4, None)
    assert same.value == pytest.approx(1)
    assert 0.5 < near.value < 1
    assert near.others["SQNR, dB"] > 0
    with pytest.raises(NotComparableError, match=r"found answers of shape \(4, 1\)"):
        judge(lambda x: x[:, :1])


def test_a_suite_has_a_case_for_each_variant_and_batch_and_runtimes_of_its_own() -> None:
    suite = Suite("s", model=lambda: sum, inputs=lambda b: ([1] * b,), batches=[1, 2])
    suite.variant("fast", runtime="openvino", model=lambda: max)

    cases = [entry.case.id for entry in entries_of_suite(suite, None, "", "cpu")]

    assert cases == [
        "s/baseline/eager/cpu/b1",
        "s/fast/openvino/cpu/b1",
        "s/baseline/eager/cpu/b2",
        "s/fast/openvino/cpu/b2",
    ]
    only = [entry.case.id for entry in entries_of_suite(suite, 8, "compile", "cpu")]
    assert only == ["s/baseline/compile/cpu/b8", "s/fast/compile/cpu/b8"]
