"""Which conversion a column has: by the message's own schema, or as declared where messages have none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ledgerlake.config.models import Column, Table
from ledgerlake.core.types import decimal_parts
from ledgerlake.feeds.debezium.decimals import unscaled_decimal, written_decimal
from ledgerlake.feeds.debezium.layout import Paths
from ledgerlake.feeds.debezium.moments import counted_moment, written_moment
from ledgerlake.feeds.debezium.options import DebeziumSource, DebeziumTable
from ledgerlake.feeds.debezium.values import Convert, refused
from ledgerlake.feeds.decoding.records import Path, record_of

Converts = Sequence[Convert | None]
"""The conversion of each column of the contract; None: the text is taken as it stands."""

_DECIMALS = ("org.apache.kafka.connect.data.Decimal", "io.debezium.data.VariableScaleDecimal")
_WRITTEN = ("int8", "int16", "int32", "int64", "string")
_UNITS = {
    "io.debezium.time.Date": "days",
    "org.apache.kafka.connect.data.Date": "days",
    "io.debezium.time.Timestamp": "millis",
    "org.apache.kafka.connect.data.Timestamp": "millis",
    "io.debezium.time.MicroTimestamp": "micros",
    "io.debezium.time.NanoTimestamp": "nanos",
}


def _is_typed(column: Column) -> bool:
    """Say whether the text needs a meaning; a column with units or a format of its own has one."""
    if column.unit != "major" or column.format != "auto":
        return False
    return decimal_parts(column.type) is not None or column.type in ("date", "timestamp")


def declared(table: Table, source: DebeziumSource) -> Converts:
    """Return the conversions of messages without schemas."""
    own, paths = DebeziumTable(**table.feed), Paths(source)
    return [_declared(c, source, own, paths.full(c)) if _is_typed(c) else None for c in table.columns]


def _declared(column: Column, source: DebeziumSource, own: DebeziumTable, path: Path) -> Convert:
    parts = decimal_parts(column.type)
    if parts:
        scale = own.scales.get(column.name, parts[1])
        return (
            written_decimal(column.name, path)
            if source.decimal_mode == "string"
            else unscaled_decimal(column.name, scale)
        )
    unit = "days" if column.type == "date" else own.timestamps.get(column.name)
    if source.time_precision == "connect":
        unit = unit or "millis"
    if source.time_precision == "isostring":
        unit = None
    return counted_moment(column.name, column.type, unit, path, or_text=True)


def described(table: Table, source: DebeziumSource) -> Callable[[Any], Converts]:
    """Return how to find a message's conversions from its schema; messages mostly repeat the one before."""
    paths = Paths(source)
    last: tuple[Any, Converts] = (None, _described(None, table, source, paths))

    def converts(schema: Any) -> Converts:
        nonlocal last
        if schema != last[0]:
            told = record_of(bytes(schema)) if type(schema) is msgspec.Raw else schema
            kept = schema.copy() if type(schema) is msgspec.Raw else schema
            last = (kept, _described(told, table, source, paths))
        return last[1]

    return converts


def _described(schema: Any, table: Table, source: DebeziumSource, paths: Paths) -> Converts:
    fields = _fields(schema)
    row = fields if source.form == "flattened" else _fields(fields.get("after"))
    return [_told(c, row.get(c.source_name) or {}, paths.full(c)) if _is_typed(c) else None for c in table.columns]


def _fields(schema: Any) -> dict[str, Any]:
    """Return the fields that a schema describes, by name."""
    listed = schema.get("fields") if type(schema) is dict else None
    found = [f for f in listed if type(f) is dict] if type(listed) is list else []
    return {str(f.get("field")): f for f in reversed(found)}


def _told(column: Column, field: Mapping[str, Any], path: Path) -> Convert:
    name, semantic, kind = column.name, str(field.get("name")), field.get("type")
    if not decimal_parts(column.type):
        written = kind == "string" and semantic not in _UNITS
        return written_moment(path) if written else counted_moment(name, column.type, _UNITS.get(semantic), path)
    if semantic in _DECIMALS:
        return unscaled_decimal(name, _scale(field))
    if kind in _WRITTEN:
        return written_decimal(name, path)
    if kind in ("float", "double"):
        return refused(f"{name}: a double; set decimal.handling.mode to precise")
    return refused(f"{name}: no decimal by its schema")


def _scale(field: Mapping[str, Any]) -> int | None:
    parameters = field.get("parameters")
    told = parameters.get("scale") if type(parameters) is dict else None
    try:
        return int(told)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
