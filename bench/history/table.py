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
class Words:
    """A column of words: a year has a hundred thousand rows of a few hundred words.

    Args:
        words: As objects, each of them once.
        places: For each row the place of its word.
    """

    words: NDArray[Any]
    places: NDArray[Any]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, chosen: NDArray[Any]) -> "Words":
        return Words(self.words, self.places[chosen])

    def tolist(self) -> list[str]:
        """The word of each row."""
        found: list[str] = self.words[self.places].tolist()
        return found


Column = NDArray[Any] | Words


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of one length each.

    Args:
        columns: By name.
    """

    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> list[Any]:
        values: list[Any] = self.columns[name].tolist()
        return values

    def at(self, name: str, row: int) -> Any:  # noqa: ANN401 - whatever the column holds
        """One value."""
        column = self.columns[name]
        if isinstance(column, Words):
            return column.words[column.places[row]]
        return column[row].item()

    def numbers(self, name: str) -> NDArray[Any]:
        """A column of numbers."""
        return np.asarray(self.columns[name])

    def is_(self, name: str, value: object) -> NDArray[Any]:
        """Which rows have this value in a column."""
        return self.within(name, (value,))

    def within(self, name: str, values: Iterable[object]) -> NDArray[Any]:
        """Which rows have one of these values in a column."""
        column, wanted = self.columns[name], set(values)
        each = column.words if isinstance(column, Words) else column
        found = np.array([value in wanted for value in each.tolist()], dtype=bool)
        return found[column.places] if isinstance(column, Words) else found

    def less(self, name: str, word: str) -> NDArray[Any]:
        """Which rows have a word that stands before this one in a dictionary."""
        column = _words([self.columns[name]])
        is_less = np.array([each < word for each in column.words.tolist()], dtype=bool)
        return np.asarray(is_less[column.places])

    def where(self, chosen: NDArray[Any]) -> "Table":
        """The rows of which an array says True, or that it names by their places, in its order."""
        return Table({name: column[chosen] for name, column in self.columns.items()})

    def of(self, names: Sequence[str]) -> "Table":
        """Some of its columns."""
        return Table({name: self.columns[name] for name in names})

    def rows(self, names: Sequence[str]) -> Iterable[tuple[Any, ...]]:
        """The values of some columns, row by row."""
        return zip(*(self[name] for name in names), strict=True)

    def counts(self, name: str) -> dict[str, int]:
        """How many rows have each word of a column."""
        column = _words([self.columns[name]])
        many = np.bincount(column.places, minlength=len(column.words))
        pairs = zip(column.words.tolist(), many.tolist(), strict=True)
        return {word: count for word, count in pairs if count}

    def codes(self, names: Sequence[str]) -> NDArray[Any]:
        """A number for each row; two rows have the same where all of these words are the same."""
        found = np.zeros(len(self), dtype=np.int64)
        largest = 1
        for name in names:
            words = _words([self.columns[name]])
            count = max(1, len(words.words))
            if largest > _MOST // count:
                found = np.unique(found, return_inverse=True)[1]
                largest = len(self) + 1
            found, largest = found * count + words.places, largest * count
        return found


_MOST = 2**62  # of a number of 64 bits

Part = Mapping[str, Sequence[Any]] | Mapping[str, Column]
"""Some rows of a table: columns by name."""


def joined(parts: Iterable[Part], columns: Columns) -> Table:
    """One table of several parts; a number that is None becomes NaN."""
    kept = list(parts)
    made: dict[str, Column] = {}
    pieces: list[NDArray[Any]]
    for name in columns.names:
        kind = columns.kind(name)
        if kind is str:
            made[name] = _words([part[name] for part in kept])
        else:
            pieces = [np.asarray(part[name], dtype=kind) for part in kept]
            made[name] = np.concatenate(pieces) if pieces else np.empty(0, kind)
    return Table(made)


def stacked(tables: Sequence[Table], names: Sequence[str]) -> Table:
    """Some columns of words of several tables, one table below the other."""
    return joined([table.columns for table in tables], Columns(tuple(names)))


def _words(parts: Sequence[Sequence[Any] | Column]) -> Words:
    """One column of several parts."""
    if len(parts) == 1 and isinstance(parts[0], Words):
        return parts[0]
    known: dict[str, int] = {}
    pieces = [np.empty(0, dtype=np.int32)]
    for part in parts:
        its = part.words if isinstance(part, Words) else part
        places = np.array([known.setdefault(word, len(known)) for word in its], dtype=np.int32)
        pieces.append(places[part.places] if isinstance(part, Words) else places)
    words = np.empty(len(known), dtype=object)
    words[:] = list(known)
    return Words(words, np.concatenate(pieces))
