"""A model of transformers as a torch module that takes one tensor and gives one."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers.utils import logging as vendor


class FirstOutput(nn.Module):
    """Takes the main input and gives the logits, or what comes first where there are none.

    Args:
        model: Of transformers.
    """

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - transformers' base class is untyped
        super().__init__()
        self.model = model
        self.main_input: str = model.main_input_name

    @property
    def config(self) -> Any:  # noqa: ANN401 - each architecture has its own
        """Of the model."""
        return self.model.config

    @property
    def dtype(self) -> str:
        """Of its weights, such as ``float32``."""
        return str(self.model.dtype).removeprefix("torch.")

    def forward(self, main: Tensor) -> Tensor:
        """The logits, or the first output."""
        found = self.model(**{self.main_input: main}, return_dict=True)
        logits: Tensor | None = getattr(found, "logits", None)
        first: Tensor = found[0] if logits is None else logits
        return first


def opened(what: str, *, local: bool, random_seed: int | None) -> FirstOutput:
    """The model of a folder or an id, in evaluation mode.

    Args:
        what: The folder or the id.
        local: Whether it must be found here.
        random_seed: Of weights to draw; None loads them.

    Raises:
        Exception: Whatever transformers raises for what it cannot read.
    """
    with _silence():
        config = transformers.AutoConfig.from_pretrained(
            what, local_files_only=local, trust_remote_code=False
        )
        kind = _kind(config)
        if random_seed is None:
            model = kind.from_pretrained(
                what, config=config, local_files_only=local, use_safetensors=True
            )
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(random_seed)
                model = kind._from_config(config)  # noqa: SLF001 - what AutoModel itself calls
    return FirstOutput(model).eval()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No warning, no log and no progress bar: what is wrong with a folder is an exception."""
    before, bar = logging.root.manager.disable, vendor.is_progress_bar_enabled()
    logging.disable(logging.CRITICAL)
    vendor.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        if bar:
            vendor.enable_progress_bar()


def _kind(config: Any) -> Any:  # noqa: ANN401 - transformers is untyped
    """The class that a config names, if it is one of the library's own models.

    Raises:
        ValueError: It names none.
    """
    named = (getattr(config, "architectures", None) or ["nothing"])[0]
    kind = getattr(transformers, named, None)
    if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
        return kind
    raise ValueError(
        f"its config names the architecture {named}, wanted a model of transformers "
        f"{transformers.__version__}"
    )
