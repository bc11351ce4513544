"""Files of rows and columns: their frame is checked at landing, and each is scanned once.

Shared by every feed whose files have a layout: its ``column:type`` pairs come from the header or
the footer and stand in the manifest, so a batch may mix layouts. Parquet is :mod:`ledgerlake.feeds.parquet_files`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.frames import placed, union_all
from ledgerlake.landing.manifest import LandedObject
from ledgerlake.sql.values import text_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_PROBED_BYTES = 1 << 16
OrderOf = Callable[[str], str]
"""An object's name at the source → the text by which it stands among the others."""


def csv_columns(
    name: str, body: bytes, *, header: bool, declared: Sequence[str] = (), delimiter: str = ","
) -> tuple[str, ...]:
    """Check a CSV file's frame (not empty, whole, header as declared) and return its columns.

    A byte order mark is tolerated before a header and refused before data, where it would be
    part of the first value.
    """
    if not body:
        raise SourceError("the file is empty", where=Where(file=name))
    if not body.endswith(b"\n"):
        raise SourceError("the file ends in the middle of a line (truncated)", where=Where(file=name))
    text = body[:_PROBED_BYTES].decode("utf-8-sig" if header else "utf-8", errors="ignore")
    try:
        first = next(csv.reader(io.StringIO(text), delimiter=delimiter))
    except (csv.Error, StopIteration) as error:
        raise SourceError("the first line is not CSV", where=Where(file=name)) from error
    columns = first if header else list(declared)
    if not header:
        _check_first_row(name, first, columns)
    doubled = sorted({n for n in columns if columns.count(n) > 1})
    if doubled:
        raise SourceError(f"the columns {doubled} stand twice", where=Where(file=name))
    return tuple(columns)


def _check_first_row(name: str, first: list[str], columns: list[str]) -> None:
    if first[: len(columns)] == columns:
        raise SourceError("the file has a header where none is declared", where=Where(file=name))
    if len(first) != len(columns):
        raise SourceError(f"{len(first)} columns where {len(columns)} are declared", where=Where(file=name))
    if first[0].startswith("\ufeff"):
        raise SourceError("a byte order mark before the first value", where=Where(file=name))


def scan_csv(
    spark: SparkSession, reading: Reading, names: Sequence[str], items: Sequence[LandedObject], order: OrderOf, *,
    header: bool, delimiter: str = ",", null: str = "",
) -> DataFrame:  # fmt: skip
    """Read CSV files of one layout as text columns, with ``_broken`` (a row of another width) and what ``placed`` adds."""
    schema = ", ".join(f"`{n}` STRING" for n in names) + ", _broken STRING"
    frame = spark.read.csv(
        [f"{reading.lake_uri}/{i.path}" for i in items], schema=schema, header=header, mode="PERMISSIVE",
        enforceSchema=True, columnNameOfCorruptRecord="_broken", multiLine=True, escape='"', sep=delimiter,
        emptyValue="", nullValue=null,
    )  # fmt: skip
    return placed(spark, frame, {i.path: order(i.source_name) for i in items})


def by_layout(reading: Reading, read_group: Callable[[tuple[str, ...], list[LandedObject]], DataFrame]) -> DataFrame:
    """Read each group of objects with one layout, then union; one scan in all."""
    groups: dict[tuple[str, ...], list[LandedObject]] = {}
    for item in reading.objects:
        groups.setdefault(item.layout, []).append(item)
    frames = [read_group(layout, items) for layout, items in sorted(groups.items())]
    if len(frames) == 1:
        return frames[0]
    # Files of one batch may type a column differently; as text they meet, and the contract types them.
    own = set(reading.table.column_names)
    return union_all(
        [
            f.selectExpr(*(f"{text_sql(f'`{n}`', kind)} AS `{n}`" if n in own else f"`{n}`" for n, kind in f.dtypes))
            for f in frames
        ]
    )


def names_of(layout: Sequence[str]) -> list[str]:
    """Return a layout's column names."""
    return [entry.split(":", 1)[0] for entry in layout]
