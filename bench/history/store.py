"""The files of an index: Parquet where pyarrow is installed, else CSV; each written in one step.

Whatever is damaged is taken for absent, for an index can be made anew: journals are the evidence.
"""

import contextlib
import csv
import importlib.util
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.history.table import Columns, Table, Words, joined

IGNORE = "# written by joulebench: an index is made anew from the journals\n*\n"


def has_parquet() -> bool:
    """Whether Parquet can be written here: ``pip install joulebench[history]``."""
    return importlib.util.find_spec("pyarrow") is not None


class Store:
    """The tables of one index.

    Args:
        folder: Such as ``results/.index``; it is made, with a `.gitignore` that holds all of it.
        made_by: What made the numbers; tables that anything else made are no use.
    """

    def __init__(self, folder: Path, made_by: str) -> None:
        self._folder = folder
        self._made_by = made_by

    def read(self, name: str, columns: Columns, only: Sequence[str] = ()) -> Table | None:
        """A table by its name, or None if there is none, or none that can be used.

        Args:
            name: Of the table.
            columns: All that it has.
            only: Those that are wanted; all by default.
        """
        for suffix, reader in _readers():
            path = self._path(name, suffix)
            if not path.is_file():
                continue
            with contextlib.suppress(Exception):  # whatever is wrong with it, it is made anew
                return reader(path, columns, only or columns.names)
        return None

    def write(self, name: str, table: Table, columns: Columns) -> None:
        """Puts a table in its place: a reader sees the old one or the new one.

        Raises:
            OSError: The folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        ignore = self._folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text(IGNORE, encoding="utf-8")
        suffix = "parquet" if has_parquet() else "csv"
        path = self._path(name, suffix)
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=f".{name}.")
        os.close(handle)
        try:
            (_write_parquet if suffix == "parquet" else _write_csv)(Path(temporary), table, columns)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        for other in self._folder.glob(f"{name}-*"):  # in another form, or by other code
            if other != path:
                other.unlink(missing_ok=True)

    def _path(self, name: str, suffix: str) -> Path:
        return self._folder / f"{name}-{self._made_by}.{suffix}"


def _readers() -> list[tuple[str, Callable[[Path, Columns, Sequence[str]], Table]]]:
    parquet = [("parquet", _read_parquet)] if has_parquet() else []
    return [*parquet, ("csv", _read_csv)]


def _require(found: Sequence[str], columns: Columns) -> None:
    if list(found) != columns.names:
        raise ValueError(f"found the columns {found}, wanted {columns.names}")


def _write_parquet(path: Path, table: Table, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {
        name: pa.DictionaryArray.from_arrays(column.places, pa.array(column.words, pa.string()))
        if isinstance(column, Words)
        else pa.array(column)
        for name, column in table.of(columns.names).columns.items()
    }
    pq.write_table(pa.table(arrays), path, compression="zstd")


def _read_parquet(path: Path, columns: Columns, only: Sequence[str]) -> Table:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, read_dictionary=list(columns.texts))
    _require(file.schema_arrow.names, columns)
    found = file.read(columns=list(only))
    if not len(found):  # joining no chunks at all would import pandas
        return joined([], columns).of(only)
    return Table(
        {
            name: (_words if columns.kind(name) is str else _raw)(
                found.column(name).combine_chunks()
            )
            for name in only
        }
    )


def _words(column: Any) -> Words:  # noqa: ANN401 - of pyarrow, into NumPy
    import numpy as np

    its = column.dictionary.to_pylist()
    words = np.empty(len(its), dtype=object)
    words[:] = its
    return Words(words, _raw(column.indices))


_KINDS = {"int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8", "double": "f8"}
"""What NumPy calls the numbers of a file; to ask pyarrow would import pandas."""


def _raw(array: Any) -> Any:  # noqa: ANN401 - of pyarrow, into NumPy
    """The numbers of an array; pyarrow's own way would import pandas, which takes longer."""
    import numpy as np

    kind = np.dtype(_KINDS[str(array.type)])
    if array.null_count:
        raise ValueError("found a number that is null, wanted NaN")
    return np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array)]


def _write_csv(path: Path, table: Table, columns: Columns) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(columns.names)
        writer.writerows(table.rows(columns.names))


def _read_csv(path: Path, columns: Columns, only: Sequence[str]) -> Table:
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file, strict=True)
    _require(header, columns)
    values = list(zip(*lines, strict=True)) if lines else [()] * len(header)
    parts = {
        name: list(map(columns.kind(name), column))
        for name, column in zip(header, values, strict=True)
    }
    return joined([parts], columns).of(only)
