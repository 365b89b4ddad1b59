"""Keeps the strongest square blocks of linear layers, run by torch's block-sparse kernel."""

from bench.model_facts import disk_bytes
from bench.workload import Variant, Workload, level

SIZES = (16, 32)


def apply(
    workload: Workload,
    *,
    seed: int = 0,  # noqa: ARG001 - nothing is drawn
    density: float = 0.1,
    block: int = 16,
) -> Variant:
    """The workload's model with the blocks of largest L2 norm in each linear layer, others zero.

    A layer whose sides are no multiples of *block* is filled up with zeros. Nothing is trained.

    Args:
        workload: Any whose model is a torch module with linear layers.
        seed: Taken as from every technique; nothing here is drawn.
        density: Share of each layer's blocks that stay, 0 < density <= 1.
        block: Side of a block, 16 or 32: smaller ones have no fast kernel.

    Raises:
        TypeError: The model has no linear layers.
        ValueError: *density* or *block* is not one of the above.

    Source: Gray, Radford and Kingma 2017, "GPU Kernels for Block-Sparse Weights"; Narang et al.
    2017, "Block-Sparse Recurrent Neural Networks".
    """
    if not 0 < density <= 1:
        raise ValueError(f"density is {density}, wanted above 0 and at most 1; choose such as 0.1")
    if block not in SIZES:
        raise ValueError(f"block is {block}, wanted one of {SIZES}; choose one of them")
    from bench.techniques._block_modules import BlockSparseLinear
    from bench.techniques._linear_layers import with_layers

    model = with_layers(
        workload, "block_sparse", lambda layer: BlockSparseLinear(layer, density, block)
    )
    note = f"blocks of {block}×{block}, torch's BSR kernel (fp32 values, int32 indices)"
    levels = level(density=density, block=block)
    return Variant(workload, "block_sparse", levels, model, disk_bytes(model.state_dict()), note)
