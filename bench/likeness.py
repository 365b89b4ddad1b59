"""How far a model's answers are those of another one, on random input, where nothing else judges.

That says nothing of accuracy on real data: no target is set, and no verdict rests on it.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.workload import NotComparableError, Quality
from bench.workloads._whole import answers, closeness

if TYPE_CHECKING:
    from torch import Tensor

METRIC = "cosine to the baseline's answers, random inputs"
_MATRIX = 2  # dimensions: samples, and what is answered to each


@dataclass(frozen=True)
class Likeness:
    """Judges by the cosine of a model's answers and those of the baseline.

    Args:
        inputs: What it is asked, each as the model is called with it.
        expected: (samples, …): what the baseline answers to all of them.
    """

    inputs: Sequence[Any]
    expected: "Tensor"

    def __call__(self, model: Callable[..., Any]) -> Quality:
        """The mean cosine over the samples, with the noise between them.

        Raises:
            NotComparableError: Its answers have another shape.
        """
        found = answers(model, self.inputs)
        if found.shape != self.expected.shape:
            raise NotComparableError(
                f"found answers of shape {tuple(found.shape)}, wanted {tuple(self.expected.shape)}"
            )
        close = closeness(found, self.expected)
        others = {name: value for name, value in close.items() if name != "cosine"}
        return Quality(METRIC, close["cosine"], len(found), others=others)


def likeness(model: Callable[..., Any], inputs: Sequence[Any]) -> Likeness | None:
    """What judges by a model's answers; None if it does not answer in tensors.

    Args:
        model: The baseline; torch is not loaded to look at it.
        inputs: What it is asked.
    """
    if "torch" not in sys.modules:
        return None
    try:
        expected = answers(model, inputs)
    except Exception:  # noqa: BLE001 - it gives no tensors, or does not run: its own row says why
        return None
    return Likeness(inputs, expected) if expected.ndim >= _MATRIX else None
