"""Does the gate cry wolf, and what does it find? Simulated nights, of which the truth is known.

    python benchmarks/nights.py                     simulates (minutes), writes a run and its page
    python benchmarks/nights.py --page FILE.json    writes the page of an earlier run again

The nights: `simulated_nights.py`. What is counted: `nights_found.py`, `nights_beside.py`. What the
page says of it: `nights_page.py`. Seeds are fixed: two runs give the same numbers.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
from committed_run import Found, program
from nights_beside import canaries, others
from nights_found import Row, Sizes, alarms, discovery, edge, power, rules
from nights_page import page
from simulated_nights import MODELS, Generator

from bench.gate.canary import DEFAULT_MARGIN
from bench.gate.decide import DEFAULT

SIZES: Sizes = {
    "cases": 300,
    "nights": 400,
    "alone": 2100,
    "nights of words": 20,
    "histories": 10,
    "good nights": 400,
    "bad nights": 100,
    "earlier nights": 12,
}
SECTIONS: dict[str, Callable[[Generator, Sizes], Iterable[Row]]] = {
    "alarms": alarms,
    "edge": edge,
    "power": power,
    "discovery": discovery,
    "others": others,
    "rules": rules,
    "canaries": canaries,
}


def simulate(sizes: Sizes) -> dict[str, list[Row]]:
    """Everything, by section, each with a seed of its own; rounded, so that it is stable."""
    return {
        name: [rounded(row) for row in count(np.random.default_rng(seed), sizes)]
        for seed, (name, count) in enumerate(SECTIONS.items())
    }


def rounded(row: Row) -> Row:
    """A row of plain numbers with six decimals.

    >>> rounded({"found": [np.float64(1 / 3)], "nights": 2, "trouble": None})
    {'found': [0.333333], 'nights': 2, 'trouble': None}
    """

    def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a row holds
        if isinstance(value, list):
            return [plain(each) for each in value]
        return round(float(value), 6) if isinstance(value, float) else value

    return {key: plain(value) for key, value in row.items()}


def simulated() -> Found:
    """What belongs to a run."""
    return {
        "sizes": SIZES,
        "rule": asdict(DEFAULT),
        "margin": DEFAULT_MARGIN,
        "models": {name: asdict(noise) for name, noise in MODELS.items()},
        "sections": simulate(SIZES),
    }


if __name__ == "__main__":
    program(__doc__ or "", "nights", simulated, page)
