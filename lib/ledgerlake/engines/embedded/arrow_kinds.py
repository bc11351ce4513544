"""Arrow's types and Spark's: what tables are read as, and written in."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from ledgerlake.engines.base import Unsupported
from ledgerlake.engines.embedded import kinds

_PLAIN = {
    "string": pa.string(), "boolean": pa.bool_(), "tinyint": pa.int8(), "smallint": pa.int16(), "int": pa.int32(),
    "bigint": pa.int64(), "double": pa.float64(), "float": pa.float32(), "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"), "binary": pa.binary(), kinds.VOID: pa.string(),
}  # fmt: skip
_NAMES = {
    pa.large_string(): "string", pa.string_view(): "string", pa.large_binary(): "binary", pa.binary_view(): "binary",
    pa.null(): kinds.VOID, pa.uint8(): "smallint", pa.uint16(): "int", pa.uint32(): "bigint",
} | {known: name for name, known in _PLAIN.items() if name != kinds.VOID}  # fmt: skip


def kind_of(known: pa.DataType) -> str:
    """Return what Spark calls a type of Arrow."""
    if known in _NAMES:
        return _NAMES[known]
    if pa.types.is_timestamp(known):
        return "timestamp"
    if pa.types.is_decimal(known):
        return kinds.named((known.precision, known.scale))
    if pa.types.is_dictionary(known):
        return kind_of(known.value_type)
    if pa.types.is_map(known):
        return f"map<{kind_of(known.key_type)},{kind_of(known.item_type)}>"
    if pa.types.is_struct(known):
        return f"struct<{','.join(f'{f.name}:{kind_of(f.type)}' for f in known)}>"
    if pa.types.is_list(known) or pa.types.is_large_list(known) or pa.types.is_list_view(known):
        return f"array<{kind_of(known.value_type)}>"
    raise Unsupported(f"the type {known}")


def arrow_type(kind: str) -> pa.DataType:
    """Return the Arrow type of Spark's ``kind``."""
    parts = kinds.decimal(kind)
    if parts:
        return pa.decimal128(*parts)
    if kind.startswith("array<"):
        return pa.list_(arrow_type(kinds.element(kind)))
    if kind.startswith("map<"):
        key, value = kinds.map_of(kind)
        return pa.map_(arrow_type(key), arrow_type(value))
    if kind.startswith("struct<"):
        return pa.struct([pa.field(n, arrow_type(k)) for n, k in kinds.fields(kind).items()])
    return _PLAIN[kind]


def columns_of(schema: pa.Schema) -> dict[str, str]:
    """Return the columns of an Arrow schema with Spark's types."""
    return {field.name: kind_of(field.type) for field in schema}


def schema_of(columns: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of columns with Spark's types, all nullable."""
    return pa.schema([pa.field(n, arrow_type(k)) for n, k in columns.items()])


def without_zones(rows: pa.Table) -> pa.Table:
    """Return rows whose moments are UTC without saying so, and whose texts are plain: as DuckDB takes them."""
    return rows.cast(pa.schema([field.with_type(_plain(field.type)) for field in rows.schema]))


def _plain(known: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(known):
        return pa.timestamp("us")
    if pa.types.is_string_view(known) or pa.types.is_dictionary(known):
        return pa.string()
    if pa.types.is_binary_view(known):
        return pa.binary()
    if pa.types.is_list(known) or pa.types.is_large_list(known) or pa.types.is_list_view(known):
        return pa.list_(_plain(known.value_type))
    return known
