"""The example of docs/alerts.md: a simulated night, decided and written by the code."""

import math
import random
from pathlib import Path
from typing import Any

import alert_nights
from journals import MACHINE, a_run

from bench.gate.alert import page
from bench.gate.answer import ENERGY, TIME, Pair, Quantity, Series
from bench.gate.canary import night
from bench.gate.known import Known

PAGE = Path(__file__).parents[1] / "docs" / "alerts.md"
BEGIN, END = "<!-- an example, made by tests/alert_example.py -->\n", "<!-- its end -->\n"
INT8 = "digits-cnn/int8_static/onnxruntime/cpu/b8"
CASES = {
    INT8: (1.121, 1.031),
    "digits-cnn/baseline/onnxruntime/cpu/b8": (1.0, 1.0),
    "digits-mlp/baseline/eager/cpu/b1": (1.003, 1.0),
}


def series(case: str, quantity: Quantity, value: float, ratio: float, **more: Any) -> Series:
    """Six pairs, and twelve fresh ones of what changed; each process has luck of 0.6 %."""
    luck = random.Random(f"{case}/{quantity}")
    number = 18 if abs(math.log(ratio)) > 0.02 else 6
    pairs = tuple(
        Pair(
            value * math.exp(luck.gauss(0, 0.004)),
            value * ratio * math.exp(luck.gauss(0, 0.004)),
            1 if place < 6 else 2,
        )
        for place in range(number)
    )
    of = (
        {"unit": "J/image", "kind": "measured", "boundary": "cpu-package+dram", "floor": 2e-5}
        if quantity == ENERGY
        else {"unit": "s/image"}
    )
    return Series(case, quantity, pairs=pairs, **of, **more)


def the_page() -> str:
    """The whole answer of that night."""
    told = []
    for case, (energy, time) in CASES.items():
        told += [series(case, ENERGY, 0.048, energy), series(case, TIME, 0.00192, time)]
    told += [
        series("digits-mlp/baseline/eager/cpu/b1", ENERGY, 0.002, 1.001, canary=True),
        series("digits-mlp/baseline/eager/cpu/b1", TIME, 0.0001, 1.0, canary=True),
    ]
    head = a_run(packages={"torch": "2.9.0", "onnxruntime": "1.24.1"}, machine=MACHINE)
    base = a_run(packages={"torch": "2.9.0", "onnxruntime": "1.24.0"}, machine=MACHINE)
    known: dict[str, Known] = {INT8: alert_nights.sides(base, head)}
    return page(night(told), known)


def in_page() -> str:
    """The example as the page has it."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    """Writes it into the page anew."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{the_page()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
