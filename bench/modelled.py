"""The modelled energy: operations and bytes of each layer times what one of them costs.

Nothing here is measured, and no value is ever compared with one that is: each is of kind
``modelled``, and its boundary names the model. Two models:

*Horowitz*: this program's own operations and bytes on a 45 nm chip, in joules.

- arithmetic: each multiply-accumulate that runs is one multiplication at the width of its weight
  and one addition at 32 bits; zeros that a kernel multiplies cost as much as any number;
- SRAM: each of them reads its weight and its input from an 8 KB SRAM, 5 pJ for 32 bits; sums stay
  in registers, which are counted with the arithmetic, and so do indices of sparse weights;
- DRAM: the stored weights, the inputs and the outputs of a layer travel once in a call, 640 pJ for
  32 bits: nothing stays on the chip between layers or between calls. A model that fits into the
  caches spends less.

*Eyeriss*: a chip that skips zeros, in units of one 16-bit multiply-accumulate of it, after Yang
2017: accesses × relative cost (register file 1, between processing elements 2, buffer 6, DRAM 200),
each in proportion to its bits. Where no operand is zero, a multiply-accumulate reads both, reads
its sum and writes it: four accesses of the register file; where one is zero, it does not happen.
Weights and inputs without their zeros, and outputs, travel from or to DRAM once in a call, and once
between the processing elements; inputs and outputs pass through the buffer, in and out. Yang's own
estimate optimises the order of the loops of each layer and re-reads what does not fit: this one has
the least traffic that is possible, and says less of convolutions than theirs.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from bench.layer_counts import LayerCount, layer_counts
from bench.quantities import Kind, Quantity
from bench.reference.published import load

_PICO = 1e-12
_WORD = 32  # bits of one access in Horowitz' table
_EYERISS_WORD = 16  # bits of one access of Eyeriss
_BYTE = 8
_INT, _HALF = 8, 16  # bits up to which the table's int8 and its fp16 stand for a weight
_HOROWITZ, _EYERISS = "horowitz_45nm", "eyeriss"
HOROWITZ = "model:horowitz-45nm"
EYERISS = "model:eyeriss"


class Level(StrEnum):
    """Where energy goes."""

    ARITHMETIC = "arithmetic"
    REGISTERS = "register file"
    NETWORK = "between elements"
    SRAM = "SRAM"
    DRAM = "DRAM"


@dataclass(frozen=True, slots=True)
class Modelled:
    """What one layer costs in one call, by level.

    Args:
        name: The layer's.
        levels: Energy of each level of the model.
    """

    name: str
    levels: tuple[tuple[Level, Quantity], ...]

    @property
    def total(self) -> Quantity:
        """The sum of all levels."""
        return total(quantity for _, quantity in self.levels)

    def at(self, level: Level) -> Quantity:
        """The energy of one level.

        Raises:
            ValueError: The model does not know it.
        """
        found = dict(self.levels)
        if level not in found:
            raise ValueError(f"found no level {level}, wanted one of {', '.join(found)}")
        return found[level]


Model = Callable[[Iterable[LayerCount]], tuple[Modelled, ...]]
"""What `horowitz` and `eyeriss` are."""


def horowitz(counts: Iterable[LayerCount]) -> tuple[Modelled, ...]:
    """Each layer's energy on a 45 nm chip, J per call.

    The interval is that of the table's DRAM: 640 pJ for 32 bits, and up to half of its 2.6 nJ for
    64 bits.

    Source: Horowitz, ISSCC 2014; ``bench/reference/horowitz_45nm.csv``.
    """
    return tuple(Modelled(layer.name, _horowitz(layer)) for layer in counts)


def _horowitz(layer: LayerCount) -> tuple[tuple[Level, Quantity], ...]:
    dram_bits = _BYTE * layer.weight_bytes + layer.activation_bits * (layer.inputs + layer.outputs)
    sram_bits = layer.macs * (layer.weight_bits + layer.activation_bits)
    low, high = _pj("dram_read_32b"), _pj("dram_access_64b.high") / 2
    return (
        (Level.ARITHMETIC, _joules(layer.macs * operation_pj(layer.weight_bits))),
        (Level.SRAM, _joules(sram_bits / _WORD * _pj("sram_read_32b (8KB)"))),
        (Level.DRAM, _joules(dram_bits / _WORD * low, dram_bits / _WORD * high)),
    )


def operation_pj(bits: int) -> float:
    """A multiply-accumulate in pJ: a product at the weight's width, a sum at 32 bits.

    Weights of fewer bits than 8 count as 8: the table has none below.

    >>> operation_pj(32), operation_pj(16), operation_pj(8)
    (4.6, 2.0, 0.30000000000000004)
    """
    if bits <= _INT:
        return _pj("int8_mult") + _pj("int32_add")
    kind = "fp16" if bits <= _HALF else "fp32"
    return _pj(f"{kind}_mult") + _pj("fp32_add")


def eyeriss(counts: Iterable[LayerCount]) -> tuple[Modelled, ...]:
    """Each layer's energy in 16-bit multiply-accumulates of Eyeriss, per call.

    Source: Chen, Emer, Sze, ISCA 2016, for the costs (``bench/reference/eyeriss.csv``); Yang, Chen,
    Sze, CVPR 2017, for the method.
    """
    return tuple(Modelled(layer.name, _eyeriss(layer)) for layer in counts)


def _eyeriss(layer: LayerCount) -> tuple[tuple[Level, Quantity], ...]:
    weight, value = (bits / _EYERISS_WORD for bits in (layer.weight_bits, layer.activation_bits))
    inputs = value * layer.inputs * layer.activation_density
    outputs = value * layer.outputs
    moved = _weight_bits(layer) / _EYERISS_WORD + inputs + outputs
    products = layer.macs_nonzero * max(weight, value)
    registers = layer.macs_nonzero * (weight + 3 * value)
    cost = relative_costs()
    return (
        (Level.ARITHMETIC, _in_macs(products)),
        (Level.REGISTERS, _in_macs(registers * cost[Level.REGISTERS])),
        (Level.NETWORK, _in_macs(moved * cost[Level.NETWORK])),
        (Level.SRAM, _in_macs(2 * (inputs + outputs) * cost[Level.SRAM])),
        (Level.DRAM, _in_macs(moved * cost[Level.DRAM])),
    )


def _weight_bits(layer: LayerCount) -> float:
    """Bits of the weights that travel: those that are not zero, or fewer if stored more tightly."""
    nonzero = layer.weights * layer.weight_density * layer.weight_bits
    return min(float(_BYTE * layer.weight_bytes), nonzero)


def relative_costs() -> dict[Level, float]:
    """What an access costs, in multiply-accumulates.

    >>> list(relative_costs().values())
    [1.0, 2.0, 6.0, 200.0]
    """
    names = {
        Level.REGISTERS: "MAC_or_RF",
        Level.NETWORK: "inter_PE_NoC",
        Level.SRAM: "global_buffer",
        Level.DRAM: "DRAM",
    }
    return {level: _cost(_EYERISS, name) for level, name in names.items()}


def total(parts: Iterable[Quantity]) -> Quantity:
    """The sum of modelled energies of one model.

    Raises:
        MixedError: They are not of one unit and kind.
        ValueError: There is nothing to add.
    """
    first, *others = parts
    for other in others:
        first += other
    return first


def layer_energy(model: object, inputs: object) -> dict[str, float]:
    """The Horowitz energy of each layer of a model that runs on *inputs*, J per call, by its name.

    For techniques that begin with the layer that costs most; kind ``modelled``.
    """
    return {each.name: each.total.value for each in horowitz(layer_counts(model, inputs))}


def _pj(metric: str) -> float:
    return _cost(_HOROWITZ, metric)


@functools.cache
def _cost(table: str, metric: str) -> float:
    return next(row.value for row in load(table) if row.metric == metric and row.value is not None)


def _joules(low: float, high: float | None = None) -> Quantity:
    """A quantity in J from pJ."""
    top = low if high is None else high
    value = low * _PICO
    return Quantity(value, value, top * _PICO, "J", Kind.MODELLED, HOROWITZ)


def _in_macs(value: float) -> Quantity:
    return Quantity(value, value, value, "MAC", Kind.MODELLED, EYERISS)
