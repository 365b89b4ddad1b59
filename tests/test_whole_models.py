"""Whole models: their forms, their weights from everywhere, what judges them, and what refuses."""

import functools
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from bench import memory
from bench.catalogue import make_variant, make_workload
from bench.refusal import Refusal
from bench.workload import Sources, Workload
from bench.workloads import _checkpoint, _pictures, _vision, _whole
from bench.workloads._whole import Accuracy, Form, agreement, closeness, form

OWN = ("alexnet", "vgg16")
HUGGING = ("resnet18", "resnet50", "mobilenet-v2", "vit-small")
NETS = (*OWN, *HUGGING)


@pytest.fixture(scope="session")
def load() -> Callable[..., Workload]:
    """Tiny forms of the workloads, each made once."""

    @functools.cache
    def made(name: str, seed: int = 0, weights: str = "random", data: str = "") -> Workload:
        if name.partition(":")[0] in HUGGING:
            pytest.importorskip("transformers")
        return make_workload(name, seed, Sources(weights, data))

    return made


def module(workload: Workload) -> nn.Module:
    assert isinstance(workload.model, nn.Module)
    return workload.model


def logits(workload: Workload, count: int = 3) -> Tensor:
    with torch.inference_mode():
        output: Tensor = workload.model(workload.inputs(count))
    return output


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(map(torch.equal, first.values(), second.values()))


def saved(workload: Workload, where: Path) -> Path:
    """A checkpoint as a user has it: of save_pretrained, or a file of a state dict."""
    model: Any = workload.model
    if workload.name.partition(":")[0] in HUGGING:
        model.model.save_pretrained(where)
        return where
    where.mkdir(exist_ok=True)
    path = where / "weights.safetensors"
    save_file(model.state_dict(), path)
    return path


@pytest.mark.parametrize("name", NETS)
def test_smallest_form_runs_any_batch_and_says_what_it_is(
    name: str, load: Callable[..., Workload]
) -> None:
    workload = load(f"{name}:smallest")
    assert workload.name == f"{name}:smallest"
    assert (workload.unit, workload.threads, workload.seeded) == ("image", 1, False)
    assert workload.note == "random weights: speed and energy are valid, accuracy is not"
    assert not module(workload).training
    for count in (1, 3):
        output = logits(workload, count)
        assert output.shape == (count, 10)
        assert output.dtype is torch.float32
        assert output.isfinite().all()
    assert len(workload.inputs(70)) == 70


@pytest.mark.parametrize("name", NETS)
def test_random_weights_are_those_of_their_seed(name: str, load: Callable[..., Workload]) -> None:
    state = torch.get_rng_state()
    one = load(f"{name}:smallest")
    again = make_workload.__wrapped__(f"{name}:smallest", 0)
    other = load(f"{name}:smallest", 1)
    assert same_weights(module(one), module(again))
    assert not same_weights(module(one), module(other))
    assert torch.equal(one.inputs(4), other.inputs(4))
    assert one.version == again.version != other.version
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", NETS)
def test_random_weights_answer_pictures_differently(
    name: str, load: Callable[..., Workload]
) -> None:
    found = logits(load(f"{name}:smallest"), 64)
    assert len(found.argmax(dim=1).unique()) > 1


@pytest.mark.parametrize("name", NETS)
def test_model_agrees_with_itself_and_not_with_one_of_other_weights(
    name: str, load: Callable[..., Workload]
) -> None:
    workload, other = load(f"{name}:smallest"), load(f"{name}:smallest", 1)
    assert workload.quality is not None
    same, differs = workload.quality(workload.model), workload.quality(other.model)
    assert (same.metric, same.value, same.n) == ("top-1 agreement with fp32", 1.0, 64)
    assert same.target == 0.95
    assert same.holds
    assert same.others == {"cosine": pytest.approx(1.0)}
    assert not differs.holds
    assert differs.others["SQNR, dB"] < 20


def test_whole_nets_have_their_published_number_of_weights() -> None:
    pytest.importorskip("transformers")
    published = {
        "alexnet": 61_100_840,  # torchvision's table
        "vgg16": 138_357_544,
        "resnet18": 11_689_512,
        "resnet50": 25_557_032,
        "mobilenet-v2": 3_504_872,
        "vit-small": 22_050_664,  # timm's table
    }
    found = {name: sum(each.numel() for each in shape_of(name).parameters()) for name in NETS}
    assert found == published


def shape_of(name: str) -> nn.Module:
    """The full model without its weights."""
    made: list[nn.Module] = []

    class Found(Exception):  # noqa: N818 - it ends the search
        pass

    def caught(_: str, build: Callable[[], nn.Module]) -> None:
        with torch.device("meta"):
            made.append(build())
        raise Found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_whole, "require_room", caught)
        with pytest.raises(Found):
            make_workload.__wrapped__(name, 0)
    return made[0]


@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
def test_name_says_how_many_threads(name: str, load: Callable[..., Workload]) -> None:
    one, two = load(f"{name}:smallest"), load(f"{name}:smallest-2t")
    assert (one.threads, two.threads) == (1, 2)
    assert two.name == f"{name}:smallest-2t"
    assert one.version == two.version


@given(
    part=st.sampled_from(["", "prefill-128", "decode-16"]),
    smallest=st.booleans(),
    threads=st.integers(1, 99),
)
def test_form_is_read_as_it_is_written(part: str, smallest: bool, threads: int) -> None:
    pieces = [part] * bool(part) + ["smallest"] * smallest + [f"{threads}t"] * (threads > 1)
    assert form("net", "-".join(pieces), ("", "prefill-128", "decode-16")) == Form(
        part, smallest, threads
    )


@pytest.mark.parametrize(
    "which", ["tiny", "0t", "100t", "2t-smallest", "smallest-", "-2t", "2t-2t"]
)
def test_form_that_is_not_there_is_refused_with_those_that_are(which: str) -> None:
    with pytest.raises(ValueError, match=r"wanted vgg16, with smallest .* as in vgg16:smallest or"):
        make_workload(f"vgg16:{which}", 0)


@pytest.mark.parametrize("name", NETS)
def test_saved_weights_are_loaded_bit_for_bit(
    name: str, load: Callable[..., Workload], tmp_path: Path
) -> None:
    shipped = load(f"{name}:smallest", 3)
    path = saved(shipped, tmp_path / "mine")
    mine = load(f"{name}:smallest", 0, str(path))
    assert same_weights(module(mine), module(shipped))
    assert torch.equal(logits(mine), logits(shipped))
    assert mine.note == f"weights of {path.name}"
    assert mine.version != shipped.version


def test_folder_for_several_workloads_gives_each_its_own(
    load: Callable[..., Workload], tmp_path: Path
) -> None:
    first, second = load("alexnet:smallest", 5), load("vgg16:smallest", 5)
    save_file(module(first).state_dict(), tmp_path / "alexnet-smallest.safetensors")
    (tmp_path / "vgg16-smallest").mkdir()
    save_file(module(second).state_dict(), tmp_path / "vgg16-smallest" / "any.safetensors")
    for workload in (first, second):
        mine = load(workload.name, 0, str(tmp_path))
        assert same_weights(module(mine), module(workload))
    with pytest.raises(
        Refusal, match=r"found alexnet-smallest.safetensors, vgg16-smallest, wanted"
    ):
        _checkpoint.checkpoint("resnet18", tmp_path)


def test_checkpoint_of_other_classes_and_of_half_floats_is_taken(tmp_path: Path) -> None:
    from bench.workloads._conv_nets import AlexNet

    net = AlexNet((16,) * 5, 32, classes=7, side=1)
    half = {name: each.half() for name, each in net.state_dict().items()}
    save_file(half, tmp_path / "seven.safetensors")
    mine = make_workload("alexnet:smallest", 0, Sources(str(tmp_path / "seven.safetensors")))
    assert logits(mine).shape == (3, 7)
    assert {each.dtype for each in module(mine).parameters()} == {torch.float32}


def test_weights_in_several_parts_are_read_together(
    load: Callable[..., Workload], tmp_path: Path
) -> None:
    pytest.importorskip("transformers")
    workload: Any = load("resnet18:smallest", 2)
    workload.model.model.save_pretrained(tmp_path, max_shard_size="5KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    mine = load("resnet18:smallest", 0, str(tmp_path))
    assert same_weights(module(mine), workload.model)


def damaged(kind: str, content: bytes, state: dict[str, Tensor]) -> bytes:
    """A checkpoint with one thing wrong."""
    from safetensors.torch import save

    first, last = next(iter(state)), list(state)[-1]
    changed = {
        "shape": {**state, first: torch.zeros(1, 2)},
        "missing": {name: each for name, each in state.items() if name != first},
        "more": {**state, "features.99.weight": torch.zeros(1)},
        "headless": {name: each for name, each in state.items() if name != "classifier.6.weight"},
    }
    if kind in changed:
        return save(changed[kind])
    size = int.from_bytes(content[:8], "little")
    return {
        "truncated": content[:-5],
        "header only": content[: 8 + size],
        "empty": b"",
        "text": b"these are no weights at all, not even nearly",
        "pickle": pickle.dumps({last: [1.0]}),
        "huge header": (2**40).to_bytes(8, "little") + content[8:],
    }[kind]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("shape", r"found features.0.weight of shape \(1, 2\), wanted \(16, 3, 11, 11\)"),
        ("missing", "found no features.0.weight, one of 1 tensors that are wanted"),
        ("more", "found features.99.weight, one of 1 tensors that are not wanted"),
        ("headless", "found no classifier.6.weight, wanted that of its last layer"),
        ("truncated", "cannot be read from"),
        ("header only", "cannot be read from"),
        ("empty", "cannot be read from"),
        ("text", "cannot be read from"),
        ("pickle", "cannot be read from"),
        ("huge header", "cannot be read from"),
    ],
)
def test_damaged_weights_are_refused_with_what_is_wrong(
    kind: str, says: str, load: Callable[..., Workload], tmp_path: Path
) -> None:
    state = module(load("alexnet:smallest")).state_dict()
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    path.write_bytes(damaged(kind, path.read_bytes(), state))
    with pytest.raises(Refusal, match=says) as refused:
        make_workload("alexnet:smallest", 0, Sources(str(path)))
    assert str(path) in refused.value.why
    assert "--joules-weights=random" in refused.value.fix


def test_weights_of_a_deeper_net_are_refused(load: Callable[..., Workload], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    options = {"layer_type": "basic", "depths": [2, 1], "hidden_sizes": [16, 32]}
    deeper = transformers.ResNetConfig(**options, embedding_size=16, num_labels=10)
    transformers.ResNetForImageClassification(deeper).save_pretrained(tmp_path)
    with pytest.raises(Refusal, match="tensors that are not wanted"):
        load("resnet18:smallest", 0, str(tmp_path))


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("it was unpickled",))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
@pytest.mark.parametrize("asked", ["file", "folder"])
def test_pickled_weights_are_refused_unopened(name: str, asked: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    path = tmp_path / name if asked == "file" else tmp_path
    with pytest.raises(Refusal, match=f"found {name}, wanted .safetensors; a pickle") as refused:
        make_workload("vgg16:smallest", 0, Sources(str(path)))
    assert "save_file" in refused.value.fix


def test_path_without_weights_is_refused_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"found no such file, wanted .safetensors"):
        _checkpoint.checkpoint("vgg16", tmp_path / "nowhere")
    with pytest.raises(Refusal, match=r"found an empty folder, wanted .safetensors"):
        _checkpoint.checkpoint("vgg16", tmp_path)


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet18:smallest"])
def test_hub_is_refused_where_no_safetensors_are_known(name: str) -> None:
    if name not in OWN:
        pytest.importorskip("transformers")
    with pytest.raises(Refusal, match="no checkpoint on the hub") as refused:
        make_workload(name, 0, Sources("hub"))
    assert "--joules-weights=FILE" in refused.value.fix


def test_hub_gives_what_was_downloaded_when_it_is_asked_for(
    load: Callable[..., Workload], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    asked: list[tuple[str, list[str]]] = []
    shipped = load("alexnet:smallest", 4)
    save_file(module(shipped).state_dict(), tmp_path / "model.safetensors")

    def download(name: str, *, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", download)
    found = _whole.loaded(
        "alexnet",
        nn.Module,
        lambda where: nn.Linear(len(where), 1),
        hub="someone/alexnet",
        seed=0,
        sources=Sources("hub"),
    )
    assert found.origin == "weights of someone/alexnet"
    assert isinstance(found.model, nn.Linear)
    assert found.model.in_features == len(str(tmp_path))
    assert asked == [("someone/alexnet", ["*.safetensors", "*.json", "*.txt"])]


def test_hub_that_cannot_be_reached_is_refused_with_a_way_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = pytest.importorskip("huggingface_hub")

    def fails(*_: object, **__: object) -> None:
        raise OSError("no route to host\nand more")

    monkeypatch.setattr(hub, "snapshot_download", fails)
    with pytest.raises(Refusal, match=r"from the hub: no route to host; .*--joules-weights=FOLDER"):
        _checkpoint.fetched("resnet18", "microsoft/resnet-18")


@pytest.mark.parametrize("name", HUGGING)
def test_missing_transformers_is_a_refusal_with_the_command_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda library: None if library == "transformers" else find(library),
    )
    with pytest.raises(Refusal, match=r"transformers is not installed; pip install 'joulebench\["):
        make_workload.__wrapped__(f"{name}:smallest", 0)


def meminfo(path: Path, kilobytes: int) -> Callable[[], int | None]:
    path.write_text(f"MemTotal: 999 kB\nMemAvailable:   {kilobytes} kB\n", encoding="ascii")
    return functools.partial(memory.available_bytes, path)


def test_model_without_room_is_refused_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 4 * 138_357_544 * 4  # copies, weights, bytes
    monkeypatch.setattr(memory, "available_bytes", meminfo(tmp_path / "meminfo", needed // 1024))
    monkeypatch.setattr(torch.random, "fork_rng", lambda **_: pytest.fail("it was made"))
    with pytest.raises(Refusal, match=r"vgg16 needs about 2.1 GiB, 2.1 GiB are left; close other"):
        make_workload.__wrapped__("vgg16", 0)


def test_model_that_fits_or_whose_room_is_unknown_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = functools.partial(nn.Linear, 16, 15)  # 255 weights and biases, 1020 bytes
    for kilobytes, fits in ((4, True), (3, False)):
        path = tmp_path / "meminfo"
        with monkeypatch.context() as patch:
            patch.setattr(memory, "available_bytes", meminfo(path, kilobytes))
            if fits:
                _whole.require_room("tiny", tiny)
            else:
                with pytest.raises(Refusal, match="tiny needs about"):
                    _whole.require_room("tiny", tiny)
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    _whole.require_room("tiny", tiny)


def test_settled_batch_norms_have_the_mean_and_variance_of_what_they_see() -> None:
    norm = nn.BatchNorm2d(2, momentum=0.3)
    model = nn.Sequential(nn.Conv2d(3, 2, 1), norm).eval()
    pictures = [torch.randn(4, 3, 5, 5) * 7 + 2 for _ in range(2)]
    seen = torch.stack([model[0](each) for each in pictures]).detach()  # (2, 4, 2, 5, 5)
    _vision.settle(model, pictures)
    assert norm.momentum == 0.3
    assert not norm.training
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, seen.mean(dim=(0, 1, 3, 4)))
    plain = nn.Linear(2, 2)
    _vision.settle(plain, pytest.fail)  # type: ignore[arg-type]  # nothing to look at


def test_judged_and_calibrated_pictures_are_real_and_have_no_pixel_in_common() -> None:
    judged = _pictures.crops(32, 8, right=True)
    looked_at = _pictures.crops(32, 8, right=False)
    for pixels in (judged, looked_at):
        assert pixels.shape == (8, 3, 32, 32)
        assert pixels.dtype is torch.uint8
        assert float(pixels.float().std()) > 20
        assert len(pixels.flatten(1).unique(dim=0)) == 8
    assert torch.equal(judged, _pictures.crops.__wrapped__(32, 8, right=True))


def test_crops_of_one_side_come_from_that_half(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = torch.zeros(3, 300, 501, dtype=torch.uint8)
    halves[:, :, 251:] = 255
    monkeypatch.setattr(_pictures, "_photographs", lambda: (halves,))
    left = _pictures.crops.__wrapped__(40, 50, right=False)
    right = _pictures.crops.__wrapped__(40, 50, right=True)
    assert left.max() == 0
    assert right.min() == 255


def test_calibration_gives_pictures_one_by_one_as_the_model_takes_them(
    load: Callable[..., Workload],
) -> None:
    workload = load("alexnet:smallest")
    found = workload.calibration()
    assert len(found) == 32
    assert all(each.shape == workload.inputs(1).shape for each in found)
    judged = {each.numpy().tobytes() for each in workload.inputs(64)}
    assert not judged & {each[0].numpy().tobytes() for each in found}


def test_pictures_are_scaled_by_mean_and_deviation() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1).expand(5, 3, 2, 2)
    pictures = _pictures.Pictures(pixels, (0.0, 0.1, 0.5), (1.0, 0.1, 0.25), batch=2)
    assert [len(each) for each in pictures] == [2, 2, 1]
    assert pictures.first(1)[0, :, 0, 0].tolist() == pytest.approx([0.0, 1.0, 2.0])
    assert torch.equal(pictures.first(7)[:5], torch.cat(list(pictures)))


def test_agreement_takes_several_inputs_and_several_answers_a_sample() -> None:
    weight = torch.eye(3)[None]

    def model(one: Tensor, other: Tensor) -> Tensor:
        return (one + other)[..., None] * weight  # (n, 3, 3)

    inputs = [(torch.ones(2, 3), torch.ones(2, 3)), (torch.ones(1, 3), torch.zeros(1, 3))]
    judge = agreement(model, inputs, target=0.5, metric="tokens agreed")
    quality = judge(model)
    assert (quality.metric, quality.value, quality.n, quality.target) == (
        "tokens agreed",
        1.0,
        9,
        0.5,
    )


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), noise=st.floats(1e-3, 10))
def test_closeness_is_as_defined(seed: int, noise: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    expected = torch.randn(5, 4, generator=draw)
    error = noise * torch.randn(5, 4, generator=draw)
    found = closeness(expected + error, expected)
    wanted = 20 * np.log10(float(expected.norm()) / float((expected + error - expected).norm()))
    assert found["SQNR, dB"] == pytest.approx(wanted, abs=0.01)
    assert -1.001 <= found["cosine"] <= 1.001
    json.dumps(found, allow_nan=False)


def test_answers_that_overflowed_agree_with_nothing_and_leave_no_number_that_is_none() -> None:
    expected = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    judge = _whole.Agreement([torch.zeros(2)], expected)
    quality = judge(lambda _: torch.tensor([[torch.inf, 0.0], [torch.nan, 1.0]]))
    assert quality.value == 0
    assert quality.others == {}
    silent = judge(lambda _: torch.zeros(2, 2))
    assert silent.others == {"cosine": 0.0, "SQNR, dB": 0.0}


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 1])])
def test_answers_of_another_shape_are_refused(labels: Tensor | None) -> None:
    expected = torch.eye(2)
    inputs = [torch.zeros(2)]
    judge = (
        _whole.Agreement(inputs, expected) if labels is None else Accuracy(inputs, expected, labels)
    )
    with pytest.raises(Refusal, match=r"found answers of shape \(2, 3\), wanted \(2, 2\)"):
        judge(lambda _: torch.zeros(2, 3))


def test_accuracy_wants_99_percent_of_what_fp32_reaches() -> None:
    labels = torch.tensor([0, 1, 2, 0])
    expected = torch.eye(3)[torch.tensor([0, 1, 2, 2])]
    judge = Accuracy([torch.zeros(4)], expected, labels)
    assert judge.reached == 0.75
    quality = judge(lambda _: torch.eye(3)[torch.tensor([0, 1, 2, 1])])
    assert (quality.metric, quality.value, quality.n) == ("top-1 accuracy", 0.75, 4)
    assert quality.target == pytest.approx(0.7425)
    assert quality.others["top-1 agreement with fp32"] == 0.75
    broken = torch.eye(3)[labels]
    broken[0, 0] = torch.inf
    assert judge(lambda _: broken).value == 0.75


def test_suite_of_models_can_make_every_technique_of_them(load: Callable[..., Workload]) -> None:
    load("alexnet:smallest")
    variant = make_variant("precision", "alexnet:smallest", dtype="int8")
    assert variant.request is not None
    assert variant.request.dtype == "int8"
    assert len(variant.request.calibration()) == 32


def test_version_tells_facts_apart() -> None:
    assert _whole.version("a", 1) == _whole.version("a", 1) != _whole.version("a", 2)
    assert len(_whole.version("a")) == 12
