"""Reads the published tables: 31 CSV files beside this one, each row a number of a paper.

A row says where it was read and how sure that is. Those of `Confidence.MEMORY` and
`Confidence.NOT_FOUND` are shown, and nothing is ever asserted of them.
"""

import csv
import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FOLDER = Path(__file__).parent
HEADER = (
    "paper", "table", "network", "layer", "metric", "device", "batch", "value", "unit", "source",
    "confidence",
)  # fmt: skip
SCENARIOS = frozenset({"Offline", "Server", "SingleStream", "MultiStream"})
"""MLPerf's words where others have a batch size."""


class ReferenceFileError(ValueError):
    """A file of published tables is damaged; the message says which line."""


class Confidence(StrEnum):
    """How a number was obtained."""

    VERBATIM = "verbatim"  # read in a full-text copy of the paper, or in an official repository
    EXTRACT = "extract"  # a third party's extraction of the paper's tables
    SECONDARY = "secondary"  # a third party's text states it
    ABSTRACT = "abstract"  # read in the paper's abstract
    COMPUTED = "computed"  # arithmetic on the others; the formula is the source
    MEMORY = "memory-unverified"  # no copy was opened
    NOT_FOUND = "not-found"  # looked for, and not found

    @property
    def is_read(self) -> bool:
        """Whether someone read it somewhere: only such rows may be asserted."""
        return self not in {Confidence.MEMORY, Confidence.NOT_FOUND}


class Unit(StrEnum):
    """The units of the tables, as they stand there."""

    NONE = ""  # a text
    SHAPE = "in x out"  # a text too, such as 9216x4096
    TIMES = "x"
    TIMES_FEWER = "x fewer"
    TIMES_INT32_ADD = "x int32 add"
    TIMES_MAC_ENERGY = "x MAC energy"
    TIMES_RATE = "x original LR"
    GIGA_MAC_ENERGY = "1e9 x MAC energy"
    PERCENT = "percent"
    PERCENT_OF_ORIGINAL = "percent of original"
    PERCENT_OF_BERT = "percent of BERT-base"
    PERCENT_FASTER = "percent faster"
    FRACTION = "fraction"
    FRACTION_OF_MAX = "fraction of max |w|"
    COUNT = "count"
    MILLION = "million"
    HUNDRED_MILLION = "1e8"
    GIGA = "G"
    ERRORS_OF_10000 = "errors of 10000"
    ERRORS_OF_1010 = "errors of 1010"
    SCORE = "score"
    TEMPERATURE = "T"
    BIT = "bit"
    KB = "KB"
    MB = "MB"
    MICROSECOND = "us"
    MILLISECOND = "ms"
    MILLISECOND_P90 = "ms p90"
    MILLISECOND_P99 = "ms p99 (8 samples)"
    SECOND = "s"
    HOUR = "hour"
    HOURS = "hours"
    DAY = "day"
    PICOJOULE = "pJ"
    MILLIJOULE = "mJ"
    JOULE = "J"
    WATT_HOUR = "Wh"
    KILOWATT_HOUR = "kWh"
    MILLIWATT = "mW"
    WATT = "W"
    MEGAHERTZ = "MHz"
    NANOMETRE = "nm"
    SQUARE_MICROMETRE = "um2"
    SQUARE_MILLIMETRE = "mm2"
    PER_MAC = "access/MAC"
    GFLOP = "GFLOP"
    GOPS = "GOP/s"
    TOPS = "TOP/s"
    TOKENS_A_SECOND = "token/s"
    TOKENS_PER_SECOND = "Tokens/s"
    INFERENCES_PER_SECOND = "inference/s"
    SAMPLES_PER_SECOND = "samples/s"
    MLPERF_SAMPLES_PER_SECOND = "Samples/s"
    QUERIES_PER_SECOND = "queries/s"
    MLPERF_QUERIES_PER_SECOND = "Queries/s"
    FRAMES_PER_SECOND = "frame/s"
    FRAMES_PER_SECOND_MM2 = "frame/s/mm2"
    FRAMES_PER_JOULE = "frame/J"
    IMAGES_PER_SECOND = "image/s"
    IMAGES_PER_JOULE = "image/s/W"
    DOLLAR = "USD"

    @property
    def is_text(self) -> bool:
        """Whether a value in it may be a text instead of a number."""
        return self in {Unit.NONE, Unit.SHAPE}


@dataclass(frozen=True, slots=True)
class Published:
    """One published number.

    Args:
        paper: Author and year, title, place.
        table: Where in the paper.
        network: Such as ``AlexNet``; empty if the number is of none.
        layer: Such as ``FC6``, in the paper's spelling; empty for a whole network.
        metric: What it is; the variant stands behind a dot: ``latency_per_input.sparse``.
        device: On what, or with which data set; empty if it is of none.
        batch: Samples given together, or MLPerf's scenario, or None.
        value: The number in *unit*; None where the paper has a text, or nothing was found.
        unit: As in the table.
        source: Where it was read, or how it was computed.
        confidence: How sure it is.
        text: The value as it stands in the table.
    """

    paper: str
    table: str
    network: str
    layer: str
    metric: str
    device: str
    batch: int | str | None
    value: float | None
    unit: Unit
    source: str
    confidence: Confidence
    text: str


@functools.cache
def load(name: str) -> tuple[Published, ...]:
    """The rows of one of the tables that ship.

    Args:
        name: Of the file, without ``.csv``, such as ``horowitz_45nm``.

    Raises:
        ReferenceFileError: The file is damaged.
        ValueError: There is no such table.
    """
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        raise ValueError(f"found no table {name!r}, wanted one of {', '.join(names())}")
    return tuple(read(path))


def names() -> tuple[str, ...]:
    """The tables that ship, by name."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.csv")))


def everything() -> tuple[Published, ...]:
    """The rows of all tables that ship, in the order of their names."""
    return tuple(row for name in names() for row in load(name))


def read(path: Path) -> Iterator[Published]:
    """The rows of one file, each checked.

    Raises:
        ReferenceFileError: A row is not what it should be; the message says which and why.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        if tuple(next(rows, ())) != HEADER:
            raise ReferenceFileError(f"{path}, line 1: wanted the header {','.join(HEADER)}")
        for cells in rows:
            try:
                yield _row(cells)
            except ValueError as error:
                raise ReferenceFileError(f"{path}, line {rows.line_num}: {error}") from error


def _row(cells: list[str]) -> Published:
    if len(cells) != len(HEADER):
        raise ValueError(f"found {len(cells)} cells, wanted {len(HEADER)}; quote what has a comma")
    row = dict(zip(HEADER, cells, strict=True))
    confidence = Confidence(_word("confidence", row, Confidence))
    unit = Unit(_word("unit", row, Unit))
    may_be_text = unit.is_text or confidence is Confidence.NOT_FOUND
    return Published(
        **{name: row[name] for name in ("paper", "table", "network", "layer", "metric", "device")},
        batch=_batch(row["batch"]),
        value=_number(row["value"], may_be_text=may_be_text),
        unit=unit,
        source=row["source"],
        confidence=confidence,
        text=row["value"],
    )


@functools.cache
def _known(words: type[StrEnum]) -> frozenset[str]:
    return frozenset(map(str, words))


def _word(name: str, row: Mapping[str, str], words: type[StrEnum]) -> str:
    if row[name] not in _known(words):
        known = ", ".join(repr(str(word)) for word in words)
        raise ValueError(f"found the {name} {row[name]!r}, wanted one of {known}; correct it")
    return row[name]


def _batch(text: str) -> int | str | None:
    if not text or text in SCENARIOS:
        return text or None
    if not text.isdecimal() or int(text) < 1:
        known = ", ".join(sorted(SCENARIOS))
        raise ValueError(f"found the batch {text!r}, wanted a count from 1, or one of {known}")
    return int(text)


def _number(text: str, *, may_be_text: bool) -> float | None:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    if may_be_text:
        return None
    raise ValueError(f"found the value {text!r}, wanted a finite number; leave out what is unknown")
