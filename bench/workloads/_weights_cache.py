"""Trained weights kept between sessions: safetensors with a digest, in the user's cache folder."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def cache_folder() -> Path:
    """Where trained weights are kept: ``$JOULES_CACHE``, or the user's cache folder."""
    import platformdirs

    chosen = os.environ.get("JOULES_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("joulebench")


def load_weights(name: str, model: "nn.Module") -> bool:
    """Fills *model* with the weights kept as *name*; False if there are none that can be trusted.

    A file that cannot be read, has other tensors than *model*, or whose digest differs from its
    tensors', counts as none.
    """
    import safetensors

    try:
        with safetensors.safe_open(_path(name), framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
            kept = (file.metadata() or {}).get("sha256")
        if kept != _digest(state):
            return False
        model.load_state_dict(state)
    except (OSError, safetensors.SafetensorError, RuntimeError):
        return False
    return True


def save_weights(name: str, model: "nn.Module") -> None:
    """Keeps the weights of *model* as *name*, whole or not at all."""
    from safetensors.torch import save

    state = model.state_dict()
    content = save(state, {"sha256": _digest(state)})
    with contextlib.suppress(OSError):  # a full or read-only disk costs a training, no more
        path = _path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)


def _path(name: str) -> Path:
    return cache_folder() / f"{name}.safetensors"


def _digest(state: Mapping[str, "Tensor"]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
