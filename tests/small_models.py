"""Models small enough to export and quantize in a second: a net with a residual, an encoder."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.workload import Quality, Variant, Workload, baseline_of


class Residual(nn.Module):
    """Three convolutions, one around which the input goes, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1)
        )
        self.head = nn.Linear(32, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.stem(pixels)
        features = torch.relu(features + self.body(features))
        logits: Tensor = self.head(features.mean(dim=(2, 3)))  # (samples, 10)
        return logits


class Encoder(nn.Module):
    """One block of attention over tokens, two inputs: their numbers, and which are real."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 32)
        self.mix = nn.Linear(32, 96)
        self.out = nn.Linear(32, 32)
        self.wide, self.narrow = nn.Linear(32, 64), nn.Linear(64, 32)
        self.norm = nn.LayerNorm(32)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        states = self.embedding(tokens)  # (samples, length, 32)
        samples, length, _ = states.shape
        parts = self.mix(states).view(samples, length, 3, 2, 16).permute(2, 0, 3, 1, 4)
        real = mask.bool()[:, None, None, :]
        query, key, value = parts
        seen = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=real)
        states = self.norm(states + self.out(seen.transpose(1, 2).reshape(samples, length, 32)))
        states = states + self.narrow(nn.functional.gelu(self.wide(states)))
        weight = mask[..., None].float()
        pooled: Tensor = (states * weight).sum(1) / weight.sum(1)  # (samples, 32)
        return pooled


def images(samples: int, seed: int = 0) -> Tensor:
    return torch.rand(samples, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def sentences(samples: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 9, (samples, 1), generator=source)
    mask = (torch.arange(8)[None, :] < lengths).long()
    return torch.randint(0, 50, (samples, 8), generator=source) * mask, mask


def fixed(build: Callable[[], nn.Module]) -> nn.Module:
    """A module with the weights of seed 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().eval()


def net(calibration: Sequence[Any] = (images(16, 1),)) -> Variant:
    """The net with the residual, as shipped."""
    return _shipped("net", fixed(Residual), images, calibration)


def encoder(calibration: Sequence[Any] = (sentences(16, 1),)) -> Variant:
    """The encoder, as shipped."""
    return _shipped("encoder", fixed(Encoder), sentences, calibration)


def _shipped(
    name: str, model: nn.Module, inputs: Callable[[int], Any], calibration: Sequence[Any]
) -> Variant:
    def close(found: Callable[..., Any]) -> Quality:
        asked = inputs(4)
        pair = asked if isinstance(asked, tuple) else (asked,)
        with torch.inference_mode():
            error = (found(*pair) - model(*pair)).norm() / model(*pair).norm()
        return Quality("1 - relative error", 1 - float(error), 4)

    workload = Workload(name, model, inputs, close, calibration=lambda: calibration)
    return baseline_of(workload)
