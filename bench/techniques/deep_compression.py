"""Pruning, then shared weights, then Huffman coding: three methods whose gains multiply."""

import copy
from typing import TYPE_CHECKING

from bench import stages
from bench.techniques._trainable import trainable
from bench.techniques.magnitude_pruning import pruned_model
from bench.techniques.weight_sharing import check_bits, tuned
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import nn

STAGES = ("p", "pq", "pqh")


def apply(
    workload: Workload,
    *,
    seed: int = 0,
    stage: str = "pqh",
    density: float = 0.08,
    bits: int = 5,
) -> Variant:
    """The workload's model pruned, with shared weights, and stored as the paper stores it.

    1. ``p``: all but the share *density* of the weights are removed, in steps with retraining
       between, as by ``magnitude_pruning``: one threshold for all layers leaves each a density of
       its own.
    2. ``pq``: what is left shares 2^*bits* values a layer; the centroids and the biases are trained
       with the gradients summed per centroid, as by ``weight_sharing``.
    3. ``pqh``: the same model; codes and relative indices are stored as Huffman codes.

    The size is that of one file with all that is needed to read it: relative indices with filler
    zeros, codebooks, tables of the codes, float32 biases, names and shapes. The model that runs was
    decoded from that file: on CSR kernels in stage ``p``, and on the kernel for shared weights in
    the others.

    Args:
        workload: One whose context can be trained with.
        seed: Of the order of the images in retraining.
        stage: ``p``, ``pq`` or ``pqh``: how far the pipeline goes.
        density: Share of the weights that stay, 0 < density <= 1.
        bits: Of a code, 1 to 8; stage ``p`` has none.

    Raises:
        TypeError: The workload cannot be trained.
        ValueError: *stage*, *density* or *bits* is not one of the above.

    Source: Han, Mao and Dally 2016, "Deep Compression: Compressing Deep Neural Networks with
    Pruning, Trained Quantization and Huffman Coding".
    """
    trainable(workload, "deep_compression")
    if stage not in STAGES:
        raise ValueError(f"stage is {stage!r}, wanted one of {', '.join(STAGES)}; choose one")
    if not 0 < density <= 1:
        raise ValueError(f"density is {density}, wanted above 0 and at most 1; choose such as 0.08")
    check_bits(bits)
    from bench.techniques._codec import decode, encode, stored_sizes
    from bench.techniques._csr_modules import to_csr
    from bench.techniques._shared_modules import to_shared

    model = copy.deepcopy(_made(workload, stage, density, bits, seed))
    for parameter in model.parameters():
        parameter.data += 0.0  # a negative weight times a mask's 0 is −0.0, which is no zero bits
    file = encode(model.state_dict(), stage=stage)
    read = copy.deepcopy(model)
    read.load_state_dict(decode(file))
    runs, note = to_csr(read) if stage == "p" else to_shared(read)
    coded = {} if stage == "p" else {"bits": bits}
    levels = level(stage=stage, density=density, **coded)
    sizes = stored_sizes(model)
    return Variant(workload, "deep_compression", levels, runs, len(file), note, sizes)


def _made(workload: Workload, stage: str, density: float, bits: int, seed: int) -> "nn.Module":
    """The model that is stored, dense with zeros; others use it too."""
    pruned = pruned_model(workload, density, seed)
    if stage == "p":
        return pruned
    key = ("deep_compression", workload.name, workload.version, workload.model, seed, density, bits)
    return stages.stage(key, lambda: tuned(workload, pruned, bits, seed))
