"""``hf:FOLDER`` or ``hf:ID``: a model of transformers, by the architecture that its config names.

Nothing is downloaded without ``--allow-download``, no code of a repository is run, and weights are
read as safetensors only.
"""

import functools
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.own import Own, Wish
from bench.refusal import Refusal, installed

_SEQUENCE = 128
_IMAGE = 224


def load(what: str, wish: Wish) -> Own:
    """The model with random input of its main kind: tokens or pixels.

    Raises:
        ValueError: It is no folder here, and nothing may be downloaded.
        Refusal: It cannot be read, or transformers is not installed.
    """
    folder = Path(what)
    local = folder.is_dir()
    if not local and not wish.allow_download:
        raise ValueError(
            f"hf:{what}: there is no such folder; an id of the hub is fetched with --allow-download"
        )
    installed("transformers", "models")
    if local and not wish.random_weights:
        _require_safetensors(folder)
    from bench.specs._hf_module import opened

    try:
        made = opened(what, local=local, random_seed=wish.seed if wish.random_weights else None)
    except Exception as error:
        raise _unreadable(what, error) from error
    own = Own(
        name=f"hf:{folder.resolve().name}",
        model=made,
        version=_version(what, wish, local=local),
        note="random weights: speed and energy are valid, accuracy is not"
        if wish.random_weights
        else f"weights of {folder.resolve().name}",
    )
    if wish.first is not None:  # it is called with the inputs of the first
        return own
    name, shape, dtype = _input(made.config, made.main_input, wish)
    below = getattr(made.config, "vocab_size", None)
    draw = functools.partial(_drawn, name, shape, dtype or made.dtype, below=below)
    unit = "sequence" if name == "input_ids" else "sample"
    return replace(own, draw=draw, samples=shape[0], unit=unit)


def _require_safetensors(folder: Path) -> None:
    if not any(folder.glob("*.safetensors")):
        there = ", ".join(sorted(each.name for each in folder.iterdir())[:5]) or "nothing"
        raise Refusal(
            f"{folder.name}: found {there}, wanted *.safetensors; a pickle can run code of whoever"
            " made it and is not opened",
            "save the weights with save_pretrained, or give --random-weights",
        )


def _unreadable(what: str, error: Exception) -> Refusal:
    told = str(error).strip() or type(error).__name__
    return Refusal(
        f"hf:{what} cannot be read: {' '.join(told.splitlines()[0].split())}",
        "give a folder with config.json and *.safetensors of one architecture of transformers",
    )


def _input(config: Any, name: str, wish: Wish) -> tuple[str, tuple[int, ...], str]:  # noqa: ANN401
    """The main input: its name, its shape, and its type (empty for that of the weights).

    Raises:
        ValueError: A shape is given for another input.
        Refusal: It is of a kind of which no shape is known.
    """
    if unknown := set(wish.shapes) - {name, ""}:
        raise ValueError(f"--shape {min(unknown)}=…: its main input is {name}")
    batch = wish.batch or 1
    given = wish.shapes.get(name) or wish.shapes.get("")
    if name == "input_ids":
        longest = getattr(config, "max_position_embeddings", _SEQUENCE)
        return name, given or (batch, wish.seq or min(_SEQUENCE, longest)), "int64"
    if name == "pixel_values" and given is None:
        size = getattr(config, "image_size", None) or _IMAGE
        height, width = size if isinstance(size, (list, tuple)) else (size, size)
        given = (batch, getattr(config, "num_channels", 3), height, width)
    if given is None:
        raise Refusal(
            f"its main input is {name}, of which no shape is known", f"give --shape {name}=1x…"
        )
    return name, given, ""


def _drawn(name: str, shape: tuple[int, ...], dtype: str, seed: int, *, below: int | None) -> Any:  # noqa: ANN401 - a tensor, and torch is not loaded for its type
    from bench.specs._random_inputs import LEAST_VOCABULARY, drawn

    return drawn(name, shape, dtype, seed, min(below or LEAST_VOCABULARY, LEAST_VOCABULARY))


def _version(what: str, wish: Wish, *, local: bool) -> str:
    """Hash of its config and weights, or of its id."""
    digest = hashlib.sha256(f"{'' if local else what} {wish.random_weights} {wish.seed}".encode())
    files = sorted(Path(what).glob("*.safetensors")) if local and not wish.random_weights else []
    for path in [Path(what) / "config.json", *files] if local else []:
        with path.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:12]
