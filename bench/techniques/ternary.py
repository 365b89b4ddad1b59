"""Weights of three values a layer, {−W_n, 0, +W_p}, both scales trained."""

import copy
from typing import TYPE_CHECKING, Any

from bench.model_facts import disk_bytes
from bench.stages import stage
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import nn

ENDS = ("float", "ternary")


def apply(workload: Workload, *, seed: int = 0, ends: str = "float") -> Variant:
    """The workload's model with ternary layers, fine-tuned from its trained weights.

    With Δ = 0.05 · max|w| of each layer's latent weights w, the weights that run are W_p where
    w > Δ, −W_n where w < −Δ, and 0 between. The latent weights and both scales are trained:
    ∂L/∂W_p = Σ_{w > Δ} ∂L/∂w_t, ∂L/∂W_n = −Σ_{w < −Δ} ∂L/∂w_t, and a latent weight gets ∂L/∂w_t
    times W_p, 1 or W_n, where it is above Δ, between, or below −Δ.

    What runs are float32 weights of three values on dense kernels: no CPU has ternary ones. The
    size is that of two bits a weight and two scales a layer.

    Args:
        workload: One whose context can be trained with.
        seed: Of the order of the images in fine-tuning.
        ends: ``float`` keeps the first and the last layer in full precision, as the paper does;
            ``ternary`` makes all layers ternary.

    Raises:
        TypeError: The workload cannot be trained.
        ValueError: *ends* is not one of the above.

    Source: Zhu, Han, Mao and Dally 2017, "Trained Ternary Quantization".
    """
    context = trainable(workload, "ternary")
    if ends not in ENDS:
        raise ValueError(f"ends is {ends!r}, wanted one of {', '.join(ENDS)}; choose one of them")
    from bench.techniques._codec import encoded_bytes
    from bench.techniques._ternary_modules import packed, ternary

    def tune(latent: "nn.Module") -> None:
        context.train(latent, seed=seed, epochs=context.epochs)

    original: Any = workload.model
    key = ("ternary", workload.name, workload.version, workload.model, seed, ends)
    made = stage(key, lambda: ternary(original, ends=ends == "ternary", tune=tune))
    model, weights = copy.deepcopy(made)
    state = model.state_dict()
    rest = {name: tensor for name, tensor in state.items() if name not in weights}
    for name, weight in weights.items():
        rest |= {f"{name}.{part}": tensor for part, tensor in packed(weight).items()}
    size = disk_bytes(rest)
    sizes = {"dense": disk_bytes(state), "huffman": encoded_bytes(state)}
    total = sum(weight.numel() for weight in weights.values())
    zero = 1 - sum(int(weight.count_nonzero()) for weight in weights.values()) / max(total, 1)
    note = f"{len(weights)} ternary layers, {zero:.0%} of them zero; runs on dense float32 kernels"
    return Variant(workload, "ternary", level(ends=ends), model, size, note, sizes)
