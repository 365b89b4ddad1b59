"""A table in columns, of which an index is made. NumPy alone: every verb pays for its imports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Columns(NamedTuple):
    """The columns of a table by what is in them.

    Args:
        texts: Words.
        counts: Whole numbers.
        numbers: Numbers, NaN where they are absent.
    """

    texts: tuple[str, ...]
    counts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All of them, in the order of a file."""
        return [*self.texts, *self.counts, *self.numbers]

    def kind(self, name: str) -> type:
        """The type of a column's values."""
        return str if name in self.texts else int if name in self.counts else float


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of one length each.

    Args:
        columns: By name; words are an array of objects.
    """

    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> list[Any]:
        values: list[Any] = self.columns[name].tolist()
        return values

    def is_(self, name: str, value: object) -> NDArray[Any]:
        """Which rows have this value in a column."""
        return np.asarray(self.columns[name] == value, dtype=bool)

    def within(self, name: str, values: Iterable[object]) -> NDArray[Any]:
        """Which rows have one of these values in a column."""
        wanted = set(values)
        return np.array([value in wanted for value in self[name]], dtype=bool)

    def where(self, chosen: NDArray[Any]) -> "Table":
        """The rows of which an array says True, or that it names by their places, in its order."""
        return Table({name: column[chosen] for name, column in self.columns.items()})

    def rows(self, names: Sequence[str]) -> Iterable[tuple[Any, ...]]:
        """The values of some columns, row by row."""
        return zip(*(self[name] for name in names), strict=True)


Part = Mapping[str, Sequence[Any]] | Mapping[str, NDArray[Any]]
"""Some rows of a table: columns by name."""


def joined(parts: Iterable[Part], columns: Columns) -> Table:
    """One table of several parts; a number that is None becomes NaN.

    Equal words are one object: a year has a hundred thousand rows of a few hundred words.
    """
    kept = list(parts)
    known: dict[str, str] = {}
    made: dict[str, NDArray[Any]] = {}
    pieces: list[NDArray[Any]]
    for name in columns.names:
        kind = columns.kind(name)
        if kind is str:
            pieces = [_words(part[name], known) for part in kept]
            made[name] = np.concatenate(pieces) if pieces else np.empty(0, object)
        else:
            pieces = [np.asarray(part[name], dtype=kind) for part in kept]
            made[name] = np.concatenate(pieces) if pieces else np.empty(0, kind)
    return Table(made)


def _words(values: Sequence[Any] | NDArray[Any], known: dict[str, str]) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    column = np.empty(len(values), dtype=object)
    column[:] = [known.setdefault(value, value) for value in values]
    return column
