"""What a GPU's board alone used, for formats that know no other boundary: J per sample, and W."""

from typing import NamedTuple

from bench.compare import Row, Table
from bench.exports._rows import foreign, narrowed
from bench.quantities import Absent, Quantity


class Board(NamedTuple):
    """A case on one GPU.

    Args:
        energy: Of the board alone, J/sample.
        power: Its mean power, W.
        model: The GPU's name.
    """

    energy: Quantity
    power: Quantity
    model: str


def board(table: Table, row: Row) -> Board | str:
    """The board's share of a row, or why there is none."""
    if foreign(table):
        return foreign(table)
    if not table.device.startswith("cuda"):
        return f"the format is of GPUs, and the case ran on {table.device}"
    uuid = row.case.device_id.partition(":")[2]
    energy, power = narrowed(table, row, f"gpu/{uuid}/board")
    if isinstance(energy, Absent) or isinstance(power, Absent):
        return str(energy or power)
    gpus = {str(gpu.get("uuid")): gpu for gpu in table.journal.run.machine.get("gpu") or ()}
    if uuid not in gpus:
        return f"the journal does not say which GPU {uuid} is"
    return Board(energy, power, str(gpus[uuid].get("name") or "GPU"))
