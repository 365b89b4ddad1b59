"""Small whole models of each architecture, wrapped to give a tensor, as workloads."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.workload import Variant, Workload

CLASSES, TOKENS, LENGTH, VOCABULARY = 5, 50, 7, 50


class Wrapped(nn.Module):
    """A model of transformers that gives its logits."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(*inputs).logits
        return logits


def _images(batch: int) -> Tensor:
    return torch.randn(batch, 3, 32, 32, generator=torch.Generator().manual_seed(batch))


def _sentences(batch: int) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(batch)
    ids = torch.randint(1, VOCABULARY, (batch, LENGTH), generator=drawn)
    return ids, torch.ones_like(ids)


def resnet(hub: Any) -> nn.Module:
    config = hub.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32], depths=[2, 1], layer_type="basic",
        num_labels=CLASSES,
    )  # fmt: skip
    return hub.ResNetForImageClassification(config)  # type: ignore[no-any-return]


def bottleneck(hub: Any) -> nn.Module:
    config = hub.ResNetConfig(
        embedding_size=16, hidden_sizes=[32, 64], depths=[2, 1], num_labels=CLASSES
    )
    return hub.ResNetForImageClassification(config)  # type: ignore[no-any-return]


def mobilenet(hub: Any) -> nn.Module:
    config = hub.MobileNetV2Config(image_size=32, depth_multiplier=0.5, num_labels=CLASSES)
    return hub.MobileNetV2ForImageClassification(config)  # type: ignore[no-any-return]


def vit(hub: Any) -> nn.Module:
    config = hub.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        image_size=32, patch_size=8, num_labels=CLASSES,
    )  # fmt: skip
    return hub.ViTForImageClassification(config)  # type: ignore[no-any-return]


def bert(hub: Any) -> nn.Module:
    config = hub.BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=96, max_position_embeddings=16, num_labels=CLASSES,
    )  # fmt: skip
    return hub.BertForSequenceClassification(config)  # type: ignore[no-any-return]


def distilbert(hub: Any) -> nn.Module:
    config = hub.DistilBertConfig(
        vocab_size=VOCABULARY, dim=32, n_layers=2, n_heads=4, hidden_dim=96,
        max_position_embeddings=16, num_labels=CLASSES,
    )  # fmt: skip
    return hub.DistilBertForSequenceClassification(config)  # type: ignore[no-any-return]


def llama(hub: Any) -> nn.Module:
    config = hub.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=8, num_key_value_heads=4, max_position_embeddings=32, use_cache=False,
    )  # fmt: skip
    return hub.LlamaForCausalLM(config)  # type: ignore[no-any-return]


IMAGES: tuple[Callable[[Any], nn.Module], ...] = (resnet, bottleneck, mobilenet, vit)
TEXTS: tuple[Callable[[Any], nn.Module], ...] = (bert, distilbert, llama)
BUILDERS = {build.__name__: build for build in (*IMAGES, *TEXTS)}


def whole(name: str) -> Workload:
    """A workload of the small model *name*; skips the test without transformers."""
    hub = pytest.importorskip("transformers")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Wrapped(BUILDERS[name](hub)).eval()
    inputs: Callable[[int], Any] = _images if BUILDERS[name] in IMAGES else _sentences
    return Workload(name, model, inputs, calibration=lambda: [inputs(4)])


def outputs(model: Callable[..., Any], inputs: Any) -> Tensor:
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    with torch.inference_mode():
        found: Tensor = model(*arguments)
    return found


def module(made: Workload | Variant) -> nn.Module:
    assert isinstance(made.model, nn.Module)
    return made.model


def parameters(made: Workload | Variant) -> int:
    return sum(parameter.numel() for parameter in module(made).parameters())


class Attention(nn.Module):
    """Heads over tokens, with projections as transformers name them."""

    def __init__(self, width: int, heads: int, groups: int, size: int) -> None:
        super().__init__()
        self.head_dim, self.num_heads, self.num_key_value_heads = size, heads, groups
        self.q_proj = nn.Linear(width, heads * size)
        self.k_proj = nn.Linear(width, groups * size)
        self.v_proj = nn.Linear(width, groups * size)
        self.o_proj = nn.Linear(heads * size, width)

    def forward(self, tokens: Tensor) -> Tensor:
        q, k, v = (
            project(tokens).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )  # (n, heads, tokens, size)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        output: Tensor = self.o_proj(mixed.transpose(1, 2).flatten(-2))
        return output


class Tokens(nn.Module):
    """An embedding, attention, a gated feed-forward part, and a head."""

    def __init__(self, heads: int = 8, groups: int = 4, hidden: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 12)
        self.attention = Attention(12, heads, groups, 4)
        self.gate, self.up = nn.Linear(12, hidden), nn.Linear(12, hidden)
        self.down = nn.Linear(hidden, 12)
        self.head = nn.Linear(12, 20)

    def forward(self, ids: Tensor) -> Tensor:
        tokens = self.embedding(ids)
        tokens = tokens + self.attention(tokens)
        tokens = tokens + self.down(nn.functional.silu(self.gate(tokens)) * self.up(tokens))
        output: Tensor = self.head(tokens)
        return output


class Residual(nn.Module):
    """Convolutions with a shortcut, one of them depthwise, and a head."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU())
        self.inner = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False), nn.BatchNorm2d(width),
            nn.ReLU(), nn.Conv2d(width, width, 1),
        )  # fmt: skip
        self.head = nn.Linear(width, 7)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images)
        output: Tensor = self.head((maps + self.inner(maps)).mean((2, 3)))
        return output


def of_tokens(**shape: int) -> Workload:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Tokens(**shape)
    return Workload("tokens", model, lambda n: torch.arange(5 * n).view(n, 5) % 20)


def of_images(width: int = 16) -> Workload:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Residual(width).eval()
    return Workload("images", model, lambda n: torch.ones(n, 3, 8, 8))
