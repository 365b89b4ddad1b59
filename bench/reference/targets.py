"""How much faster than eager float32 the models were on another machine, and are to be here."""

import functools
from dataclasses import dataclass

from bench.reference.published import Published, load

TABLE = "compression_notes"
_METRIC = "speedup_over_eager_fp32."
_MEASURED = ("best", "best_fp32_runtime", "half_pruned")


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of one model at one batch, and what another machine showed.

    Args:
        least: How many times faster than eager float32 its best form is to be, without pruning.
        best: The best that was measured there within the quality budget, without pruning.
        best_fp32_runtime: The best float32 runtime there.
        half_pruned: The best with half of its channels, or of its heads and feed-forwards.
    """

    least: Published
    best: Published
    best_fp32_runtime: Published
    half_pruned: Published


@functools.cache
def target(workload: str, batch: int) -> Target | None:
    """The target of a workload; None for what nobody asks for.

    Args:
        workload: Such as ``resnet18``; ``resnet18:2t`` is the same on two threads, and
            ``resnet18:smallest`` is another model.
        batch: Samples given together; the notes have 1.
    """
    network, _, form = workload.partition(":")
    if form and not (form.endswith("t") and form[:-1].isdecimal()):
        return None
    found = {
        row.metric.removeprefix(_METRIC): row
        for row in load(TABLE)
        if row.network == network and row.batch == batch
    }
    if not found:
        return None
    return Target(found["target"], *(found[name] for name in _MEASURED))
