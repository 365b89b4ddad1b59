"""How large a pruned layer with shared weights is, in closed form: no weight is looked at."""

import math


def shared_share(density: float, weight_bits: float, index_bits: float, weights: int) -> float:
    """Bytes of a layer after pruning and weight sharing, as a share of its float32 bytes.

    Each weight that stays has a codebook index and the distance to the one before it; a distance
    that its bits cannot say needs a filler zero in between. Positions are taken to be random: with
    clustered ones, as in real layers, there are more or fewer fillers.

    Args:
        density: Share of the weights that stay, 0 < density <= 1.
        weight_bits: Of an index into the codebook, which has ``2 ** weight_bits`` float32 entries.
        index_bits: Of a distance.
        weights: Elements of the dense layer.

    Raises:
        ValueError: *density* or *weights* is out of range.

    Source: Han et al. 2016, Deep Compression, §3 and Tables 2-5. The closed form is ours: with a
    chance q = (1 - density) ** 2 ** index_bits that a distance does not fit, a weight needs
    q / (1 - q) fillers.

    >>> round(100 * shared_share(0.09, 5, 4, 38_000_000), 2)  # AlexNet fc6: published 3.0 %
    3.25
    """
    if not 0 < density <= 1 or weights < 1:
        raise ValueError(
            f"found density {density} of {weights} weights, wanted 0 < density <= 1 of at least 1"
        )
    missed = math.pow(1 - density, math.pow(2, index_bits))
    fillers = missed / (1 - missed)
    entries = math.pow(2, weight_bits) / weights
    return density * (1 + fillers) * (weight_bits + index_bits) / 32 + entries
