"""Results as Snowflake's connector expects them in Arrow: nothing lost, nulls stay null.

The stand-in's own conversion shows a NULL moment as 1970 and reads every moment as microseconds.
Source of the shapes: the connector's ``CArrowTableIterator`` (structs of epoch and fraction for
moments, nanoseconds for times, signed integers or decimals for numbers).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

NANOS = 1_000_000_000
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": NANOS}
UTC_OFFSET_MINUTES = 1440  # Snowflake counts offsets from -24 hours

FURTHER_TYPES = {
    "TINYINT": "fixed", "SMALLINT": "fixed", "UTINYINT": "fixed", "USMALLINT": "fixed", "UINTEGER": "fixed",
    "FLOAT": "real", "UUID": "text", "TIMESTAMP_S": "timestamp_ntz", "TIMESTAMP_MS": "timestamp_ntz",
}  # fmt: skip
"""DuckDB types that an expression can give and the stand-in does not know, with Snowflake's."""


def to_snowflake(table: pa.Table, rowtype: list[Any]) -> pa.Table:
    """Return ``table`` with every column in the connector's own shape and metadata."""
    columns = [_converted(column.combine_chunks()) for column in table.columns]
    fields = [
        pa.field(name, column.type, metadata=_metadata(described))
        for name, column, described in zip(table.column_names, columns, rowtype, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _metadata(described: Any) -> dict[str, str]:
    return {
        "logicalType": described["type"].upper(),
        "precision": str(described["precision"] or 38),
        "scale": str(described["scale"] or 0),
        "charLength": str(described["length"] or 0),
    }


def _converted(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return _moments(column)
    if pa.types.is_time(column.type):
        return pc.multiply(column.cast(pa.int64()), NANOS // PER_SECOND[column.type.unit])
    if pa.types.is_unsigned_integer(column.type):
        return column.cast(pa.decimal128(20, 0))  # half of them do not fit a signed integer
    if pa.types.is_float32(column.type):
        return column.cast(pa.float64())
    if pa.types.is_null(column.type):
        return column.cast(pa.string())  # Snowflake gives an untyped NULL as text
    return column


def _moments(column: pa.Array) -> pa.Array:
    """Return seconds and nanoseconds since 1970 as a struct that is null where the moment is."""
    per_second = PER_SECOND[column.type.unit]
    ticks = column.cast(pa.int64())
    seconds = pc.divide(ticks, per_second)  # towards zero
    rest = pc.subtract(ticks, pc.multiply(seconds, per_second))
    before = pc.less(rest, 0)
    seconds = pc.if_else(before, pc.subtract(seconds, 1), seconds)
    rest = pc.if_else(before, pc.add(rest, per_second), rest)
    parts = {"epoch": seconds, "fraction": pc.multiply(rest, NANOS // per_second).cast(pa.int32())}
    if column.type.tz:
        parts["timezone"] = pa.array([UTC_OFFSET_MINUTES] * len(column), pa.int32())
    return pa.StructArray.from_arrays(list(parts.values()), list(parts), mask=column.is_null())
