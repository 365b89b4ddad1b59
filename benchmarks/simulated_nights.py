"""Simulated nights of a gate, of which the truth is known, judged by the rule that ships.

Nothing here is a measurement of a machine. Each value is the energy of one fresh process: the
median of its blocks, whose noise is correlated, with rare spikes, an effect of the process and one
of the night. The model and its numbers: shared/benchmark-tools.md §3.2; the harsher one also
disturbs one launch in twenty for the whole of its life. `nights.py` counts what is said of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.gate.answer import ENERGY, Pair, Series
from bench.gate.decide import Rule, candidates

Values = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True, slots=True)
class Noise:
    """What disturbs a simulated night; shares of the value, standard deviations unless said.

    Args:
        night: What all processes of one case have in common in one night.
        process: What all blocks of one process have in common.
        block: Of one block, correlated with the next.
        correlation: Of neighbouring blocks.
        spikes: Share of blocks that are dearer by 2 to 10 %.
        disturbed: Share of processes that are dearer by 2 to 10 % as a whole.
        blocks: In each process.
        slot: By how much the second side of each pair is dearer although nothing changed.
    """

    night: float = 0.015
    process: float = 0.006
    block: float = 0.01
    correlation: float = 0.5
    spikes: float = 0.02
    disturbed: float = 0.0
    blocks: int = 3
    slot: float = 0.0

    def times(self, factor: float) -> "Noise":
        """The same with so many times the noise of processes and blocks."""
        return replace(self, process=self.process * factor, block=self.block * factor)


PLAIN = Noise()
HARSH = Noise(disturbed=0.05)
MODELS = {"plain": PLAIN, "harsh": HARSH}


def processes(random: Generator, noise: Noise, shape: tuple[int, ...]) -> Values:
    """Log values of fresh processes, without the effect of the night."""
    fresh = random.standard_normal((*shape, noise.blocks))
    blocks = fresh.copy()  # (..., blocks)
    rest = (1 - noise.correlation**2) ** 0.5
    for index in range(1, noise.blocks):
        blocks[..., index] = noise.correlation * blocks[..., index - 1] + rest * fresh[..., index]
    blocks *= noise.block
    blocks += _hit(random, noise.spikes, blocks.shape)
    values = np.median(blocks, axis=-1) + noise.process * random.standard_normal(shape)
    return values + _hit(random, noise.disturbed, shape)


def _hit(random: Generator, share: float, shape: tuple[int, ...]) -> Values:
    """2 to 10 % more for a share of the values, else nothing."""
    more: Values = np.log1p(random.uniform(0.02, 0.10, shape))
    return more * (random.random(shape) < share)


def pairs(
    random: Generator, noise: Noise, changes: Sequence[float], number: int, stage: int
) -> list[tuple[Pair, ...]]:
    """The pairs of each case, whose head is dearer by its change."""
    values = processes(random, noise, (len(changes), number, 2))
    values[..., 1] += np.log1p(changes)[:, None] + np.log1p(noise.slot)
    joules = np.exp(values).tolist()
    return [tuple(Pair(base, head, stage) for base, head in case) for case in joules]


def night(
    random: Generator,
    noise: Noise,
    changes: Sequence[float],
    margin: float,
    rule: Rule,
    *,
    canaries: int = 0,
) -> tuple[Series, ...]:
    """Both stages of one night: of each case that changed so, and of some canaries after them.

    The effect of the night is the same in both sides of a pair, and left out.
    """
    changes = [*changes, *[0.0] * canaries]
    first = [
        Series(
            str(index), ENERGY, "J/sample", "measured", "module", case, margin,
            canary=index >= len(changes) - canaries,
        )
        for index, case in enumerate(pairs(random, noise, changes, rule.pairs, 1))
    ]  # fmt: skip
    again = [int(each.case) for each in candidates(first, rule)]
    fresh = pairs(random, noise, [changes[index] for index in again], rule.fresh, 2)
    for index, more in zip(again, fresh, strict=True):
        first[index] = replace(first[index], pairs=first[index].pairs + more)
    return tuple(first)


def history(random: Generator, noise: Noise, cases: int, nights: int) -> Values:
    """Log values of one process a night, (cases, nights): what a gate without pairs looks at."""
    effects = noise.night * random.standard_normal((cases, nights))
    return effects + processes(random, noise, (cases, nights))
