"""Finds and reads weights that a user asks for: safetensors only, downloaded only when asked."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.refusal import Refusal, installed

if TYPE_CHECKING:
    from torch import Tensor

HUB = "hub"
"""Of ``--joules-weights``: the workload's own checkpoint on the Hugging Face hub."""

WANTED = (
    ".safetensors; a pickle, as .bin, .pt and .pth are, can run code of whoever made it and is not"
    " opened"
)
_FETCHED = ["*.safetensors", "*.json", "*.txt"]


def fetched(name: str, hub: str) -> Path:
    """The folder of a checkpoint of the hub, downloaded if it is not there yet.

    Args:
        name: The workload's.
        hub: Its id there; empty if it has none.

    Raises:
        Refusal: There is none, or it cannot be downloaded.
    """
    if not hub:
        raise Refusal(
            f"{name} has no checkpoint on the hub that is known here as safetensors",
            "save one that you trust with safetensors.torch.save_file(state_dict, 'FILE') and give"
            " --joules-weights=FILE, or --joules-weights=random",
        )
    installed("huggingface_hub", "models")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub, allow_patterns=_FETCHED))
    except Exception as error:  # the network's and the hub's own are of many kinds
        raise Refusal(
            f"{hub} cannot be had from the hub: {first_line(error)}",
            "look at the network, or download it elsewhere and give --joules-weights=FOLDER",
        ) from error


def checkpoint(name: str, path: Path) -> Path:
    """The checkpoint of a workload: *path* itself, or what has its name in that folder.

    Args:
        name: The workload's; a colon in it is a dash in the file's name.
        path: A file, a folder of one checkpoint, or a folder with one for each workload.

    Raises:
        Refusal: There is none that can be read without unpickling.
    """
    plain = name.replace(":", "-")
    inside = (path / plain, path / f"{plain}.safetensors", path)
    found = next((each for each in inside if each.exists()), path)
    if not found.exists() or not _files(found):
        if not found.exists():
            listed = "no such file"
        elif found.is_dir():
            there = sorted(each.name for each in found.iterdir())
            listed = ", ".join(there[:5]) or "an empty folder"
        else:
            listed = found.name
        raise Refusal(
            f"--joules-weights={path}: found {listed}, wanted {WANTED}",
            f"save the weights with save_pretrained or safetensors.torch.save_file; in a folder for"
            f" several workloads, as {plain} or {plain}.safetensors",
        )
    return found


def _files(path: Path) -> list[Path]:
    """The files of a checkpoint: one, or the parts that ``save_pretrained`` writes."""
    if path.is_file():
        return [path] if path.suffix == ".safetensors" else []
    every = sorted(path.glob("*.safetensors"))
    named = [each for each in every if each.name.startswith("model")]
    return named or every[: len(every) == 1]


def tensors(path: Path) -> dict[str, "Tensor"]:
    """The tensors of a checkpoint by their names, those of floats as float32.

    Raises:
        safetensors.SafetensorError: A file is none, or not whole.
    """
    from safetensors.torch import load_file

    found = {name: each for file in _files(path) for name, each in load_file(file).items()}
    return {
        name: each.float() if each.is_floating_point() else each for name, each in found.items()
    }


def digest(path: Path) -> str:
    """Hash of the content of a checkpoint."""
    made = hashlib.sha256()
    for file in _files(path):
        with file.open("rb") as content:
            made.update(hashlib.file_digest(content, "sha256").digest())
    return made.hexdigest()


def require_whole(
    missing: Iterable[str],
    unknown: Iterable[str],
    mismatched: Iterable[tuple[str, Iterable[int], Iterable[int]]] = (),
) -> None:
    """Refuses a checkpoint that fills only a part of a model, or is that of another one.

    Counters of batches, on which no answer depends, may be missing.

    Args:
        missing: Names of the model's tensors that the checkpoint lacks.
        unknown: Names of the checkpoint's that the model lacks.
        mismatched: Names with the shapes of both, the checkpoint's first.

    Raises:
        ValueError: There is such a tensor.
    """
    misshaped = sorted(mismatched)
    if misshaped:
        name, found, wanted = misshaped[0]
        raise ValueError(f"found {name} of shape {tuple(found)}, wanted {tuple(wanted)}")
    lacking = sorted(name for name in missing if not name.endswith("num_batches_tracked"))
    if lacking:
        raise ValueError(f"found no {lacking[0]}, one of {len(lacking)} tensors that are wanted")
    strange = sorted(unknown)
    if strange:
        raise ValueError(f"found {strange[0]}, one of {len(strange)} tensors that are not wanted")


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
