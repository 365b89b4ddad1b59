"""Weights that a user gives: read bit for bit, or refused with what was found and what to do."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from whole_nets import HUGGING, NETS, OWN, load, logits, module, same_weights

from bench.catalogue import load_workload
from bench.refusal import Refusal
from bench.workload import Sources, Workload
from bench.workloads import _checkpoint, _whole


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
def test_saved_weights_are_loaded_bit_for_bit(name: str, tmp_path: Path) -> None:
    shipped = load(f"{name}:smallest", 3)
    path = saved(shipped, tmp_path / "mine")
    mine = load(f"{name}:smallest", 0, str(path))
    assert same_weights(module(mine), module(shipped))
    assert torch.equal(logits(mine), logits(shipped))
    assert mine.note == f"weights of {path.name}"
    assert mine.version != shipped.version


def test_folder_for_several_workloads_gives_each_its_own(tmp_path: Path) -> None:
    first, second = load("alexnet:smallest", 5), load("vgg16:smallest", 5)
    for name in ("alexnet-smallest", "another"):
        save_file(module(first).state_dict(), tmp_path / f"{name}.safetensors")
    (tmp_path / "vgg16-smallest").mkdir()
    save_file(module(second).state_dict(), tmp_path / "vgg16-smallest" / "any.safetensors")
    for workload in (first, second):
        mine = load(workload.name, 0, str(tmp_path))
        assert same_weights(module(mine), module(workload))
    with pytest.raises(
        Refusal,
        match=r"found alexnet-smallest.safetensors, another.safetensors, vgg16-smallest, wan",
    ):
        _checkpoint.checkpoint("resnet18", tmp_path)


def test_checkpoint_of_other_classes_and_of_half_floats_is_taken(tmp_path: Path) -> None:
    from bench.workloads._conv_nets import AlexNet

    net = AlexNet((16,) * 5, 32, classes=7, side=1)
    half = {name: each.half() for name, each in net.state_dict().items()}
    save_file(half, tmp_path / "seven.safetensors")
    mine = load_workload("alexnet:smallest", 0, Sources(str(tmp_path / "seven.safetensors")))
    assert logits(mine).shape == (3, 7)
    assert {each.dtype for each in module(mine).parameters()} == {torch.float32}


def test_weights_in_several_parts_are_read_together(tmp_path: Path) -> None:
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
    kind: str, says: str, tmp_path: Path
) -> None:
    state = module(load("alexnet:smallest")).state_dict()
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    path.write_bytes(damaged(kind, path.read_bytes(), state))
    with pytest.raises(Refusal, match=says) as refused:
        load_workload("alexnet:smallest", 0, Sources(str(path)))
    assert str(path) in refused.value.why
    assert "--joules-weights=random" in refused.value.fix


def test_weights_of_a_deeper_net_are_refused(tmp_path: Path) -> None:
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
        load_workload("vgg16:smallest", 0, Sources(str(path)))
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
        load_workload(name, 0, Sources("hub"))
    assert "--joules-weights=FILE" in refused.value.fix


def test_hub_gives_what_was_downloaded_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        load_workload(f"{name}:smallest", 0)
