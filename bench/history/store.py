"""The files of an index: Parquet where pyarrow is installed, else CSV; each written in one step.

Whatever is damaged is taken for absent, for an index can be made anew: journals are the evidence.
"""

import contextlib
import csv
import importlib.util
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pandas import DataFrame

IGNORE = "# written by joulebench: an index is made anew from the journals\n*\n"


class Columns(NamedTuple):
    """The columns of a table by what is in them.

    Args:
        texts: Words, which become categories.
        counts: Whole numbers.
        numbers: Numbers, NaN where they are absent.
    """

    texts: tuple[str, ...]
    counts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, str]:
        """The type of each column that is no word."""
        return {
            **dict.fromkeys(self.counts, "int64"),
            **dict.fromkeys(self.numbers, "float64"),
        }

    @property
    def names(self) -> list[str]:
        """All of them, in the order of a file."""
        return [*self.texts, *self.counts, *self.numbers]


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

    def read(self, name: str, columns: Columns) -> "DataFrame | None":
        """A table by its name, or None if there is none, or none that can be used."""
        for suffix, reader in _readers():
            path = self._path(name, suffix)
            if not path.is_file():
                continue
            with contextlib.suppress(Exception):  # whatever is wrong with it, it is made anew
                frame = reader(path, columns)
                if list(frame.columns) == columns.names:
                    return frame
        return None

    def write(self, name: str, frame: "DataFrame") -> None:
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
            _write(frame, Path(temporary), suffix)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        for other in self._folder.glob(f"{name}-*"):  # in another form, or by other code
            if other != path:
                other.unlink(missing_ok=True)

    def _path(self, name: str, suffix: str) -> Path:
        return self._folder / f"{name}-{self._made_by}.{suffix}"


def _readers() -> list[tuple[str, Callable[[Path, Columns], "DataFrame"]]]:
    parquet = [("parquet", _read_parquet)] if has_parquet() else []
    return [*parquet, ("csv", _read_csv)]


def _read_parquet(path: Path, columns: Columns) -> "DataFrame":
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path, read_dictionary=list(columns.texts))
    frame: Any = table.to_pandas()
    kinds = {**dict.fromkeys(columns.texts, "category"), **columns.kinds}
    result: DataFrame = frame.astype(kinds)
    return result


def _read_csv(path: Path, columns: Columns) -> "DataFrame":
    import pandas as pd

    frame = pd.read_csv(
        path,
        dtype={**dict.fromkeys(columns.texts, str), **columns.kinds},
        keep_default_na=False,
        na_values={name: [""] for name in columns.numbers},
        float_precision="round_trip",
    )
    return frame.astype(dict.fromkeys(columns.texts, "category"))


def _write(frame: "DataFrame", path: Path, suffix: str) -> None:
    if suffix == "parquet":
        frame.to_parquet(path, engine="pyarrow", compression="zstd", index=False)
    else:
        frame.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
