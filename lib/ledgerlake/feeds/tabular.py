"""Files of rows and columns: their frame is checked at landing, and each is scanned once.

Shared by every feed whose files have a layout: its (column, type) pairs come from the header or
the footer and stand in the manifest, so a batch may mix layouts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ledgerlake.config.models import Table
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.decoding.frame import all_listed
from ledgerlake.feeds.frames import placed, quoted, union_all
from ledgerlake.landing.manifest import LandedObject, Layout

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_PLAIN_TYPE = re.compile(r"string|bigint|int|smallint|boolean|date|double|float|decimal\(\d+,\d+\)|timestamp")
OrderOf = Callable[[LandedObject], str]
"""Object → the text by which it stands among the others."""


def parquet_layout(name: str, body: bytes) -> Layout:
    """Read a Parquet footer and return its layout; a truncated file has none and is refused."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowInvalid, BufferReader

    if not body:
        raise SourceError("the file is empty", where=Where(file=name))
    try:
        schema = parquet.read_schema(BufferReader(body))
    except (ArrowInvalid, OSError) as error:
        raise SourceError("not a whole Parquet file (truncated?)", where=Where(file=name)) from error
    return tuple((f.name, arrow_type_name(str(f.type))) for f in schema)


def arrow_type_name(name: str) -> str:
    """Return the Spark name of an Arrow type as DMS and Spark write them."""
    if name.startswith("decimal128("):
        return name.replace("decimal128", "decimal").replace(" ", "")
    if name.startswith("timestamp"):
        return "timestamp"
    known = {"int64": "bigint", "int32": "int", "int16": "smallint", "bool": "boolean", "date32[day]": "date"}
    return known.get(name, {"large_string": "string"}.get(name, name))


def scan_parquet(
    spark: SparkSession, reading: Reading, layout: Layout, items: Sequence[LandedObject], order: OrderOf
) -> DataFrame:
    """Read Parquet files of one layout, with the same columns of their own as CSV files.

    A layout of plain types is the schema, so that Spark need not open every footer first.
    """
    reader = spark.read
    if all(_PLAIN_TYPE.fullmatch(kind) for _, kind in layout):
        reader = reader.schema(", ".join(f"{quoted(name)} {kind}" for name, kind in layout))
    rows = reader.parquet(*(f"{reading.lake_uri}/{i.path}" for i in items))
    all_listed(rows, items)
    orders = {i.path: order(i) for i in items}
    return placed(spark, rows, orders)


def by_layout(reading: Reading, read_group: Callable[[Layout, list[LandedObject]], DataFrame]) -> DataFrame:
    """Read each group of objects with one layout, then union; one scan in all."""
    groups: dict[Layout, list[LandedObject]] = {}
    for item in reading.objects:
        groups.setdefault(item.layout, []).append(item)
    frames = [read_group(layout, items) for layout, items in sorted(groups.items())]
    return frames[0] if len(frames) == 1 else as_texts(frames, reading.table)


def as_texts(frames: list[DataFrame], table: Table) -> DataFrame:
    """Union frames that may type a column differently: as text they meet, and the contract types them."""
    own = set(table.column_names)
    return union_all(
        [
            f.selectExpr(*(f"CAST(`{n}` AS STRING) AS `{n}`" if n in own else f"`{n}`" for n in f.columns))
            for f in frames
        ]
    )


def names_of(layout: Layout) -> list[str]:
    """Return a layout's column names."""
    return [name for name, _ in layout]
