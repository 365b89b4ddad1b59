"""How a layer stores its weights where they are no plain tensor of floats."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WeightForm:
    """What a module says of its weights in an attribute ``weight_form``.

    Args:
        dense: Elements of the weight that it stands for.
        stored: Weights that a call multiplies with; a sparse kernel's are fewer than *dense*.
        nonzero: Those of *dense* that are not zero.
        bits: Bits of a weight as it is multiplied, such as 32 for float32, 8 for int8.
        bytes: What a call reads of it: weights, indices, scales and codebook.
    """

    dense: int
    stored: int
    nonzero: int
    bits: int
    bytes: int
