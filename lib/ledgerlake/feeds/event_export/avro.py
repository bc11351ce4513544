"""Avro container files: their frame is checked before they are landed, and their fields are named.

A container is a header (magic, metadata with the writer's schema, a mark of 16 bytes), then
blocks of records, each closed by the mark. So a cut or damaged file is told without decoding
its records; one that is cut exactly after a block is not. Source: Apache Avro specification,
"Object Container Files", "Names", "Logical Types".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ledgerlake.errors import SourceError, Where

MAGIC = b"Obj\x01"
_MARK_BYTES = 16
_CODECS = {"null", "deflate", "snappy", "bzip2", "xz", "zstandard"}
_PRIMITIVES = {
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
}
_LOGICAL = {
    ("int", "date"): "date",
    ("long", "timestamp-millis"): "timestamp",
    ("long", "timestamp-micros"): "timestamp",
    ("long", "local-timestamp-millis"): "timestamp_ntz",
    ("long", "local-timestamp-micros"): "timestamp_ntz",
    ("long", "timestamp-nanos"): "timestamp_ns",  # Spark does not know it, and reads the count
    ("long", "local-timestamp-nanos"): "timestamp_ntz_ns",
    ("int", "time-millis"): "time",
    ("long", "time-micros"): "time",
}


def avro_fields(name: str, body: bytes) -> dict[str, str]:
    """Return dotted field → type of a whole container, as :mod:`ledgerlake.core.types.sources` calls them.

    Raises :class:`SourceError` for what is no container, is cut or damaged, or has a schema
    that cannot be read.
    """
    if not body:
        raise SourceError("the file is empty", where=Where(file=name))
    if body[:1] == b"\x00":
        raise SourceError(
            "Confluent wire format, which needs a schema registry: have the connector write Avro containers",
            where=Where(file=name),
        )
    if body[:4] != MAGIC:
        raise SourceError("not an Avro container, where `format: avro` is declared", where=Where(file=name))
    try:
        schema = _checked_frame(name, _Cursor(body, len(MAGIC)))
    except (IndexError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SourceError("the Avro container is cut short or damaged (truncated)", where=Where(file=name)) from error
    return _fields_of(name, schema)


class _Cursor:
    """Reads Avro's binary encoding; raises IndexError at the end of the bytes."""

    def __init__(self, body: bytes, at: int) -> None:
        self.body, self.at = body, at

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.body):
            raise IndexError("beyond the end")
        self.at += count
        return self.body[self.at - count : self.at]

    def long(self) -> int:
        value = shift = 0
        while True:  # bounded: an Avro long has at most ten bytes
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            if shift > 63:
                raise IndexError("not a long")

    def pairs(self) -> Iterator[tuple[str, bytes]]:
        while (count := self.long()) != 0:
            if count < 0:  # a negative count is followed by the block's size in bytes
                count = -count
                self.long()
            for _ in range(count):
                yield self.take(self.long()).decode(), self.take(self.long())


def _checked_frame(name: str, cursor: _Cursor) -> Any:
    """Walk the whole container and return the writer's schema."""
    meta = dict(cursor.pairs())
    codec = meta.get("avro.codec", b"null").decode()
    if codec not in _CODECS:
        raise SourceError("the Avro container's codec is not known", where=Where(file=name))
    mark = cursor.take(_MARK_BYTES)
    while cursor.at < len(cursor.body):
        cursor.long()  # number of records
        cursor.take(cursor.long())
        if cursor.take(_MARK_BYTES) != mark:
            raise IndexError("a block that is not closed by the mark")
    return json.loads(meta.get("avro.schema", b""))


def _fields_of(name: str, schema: Any) -> dict[str, str]:
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise SourceError("the Avro schema is no record", where=Where(file=name))
    found: dict[str, str] = {}
    try:
        _walk(schema, "", {}, (), found)
    except RecursionError as error:
        raise SourceError("the Avro schema contains itself, which cannot be read", where=Where(file=name)) from error
    lowered = [n.lower() for n in found]
    if len(set(lowered)) < len(lowered):
        raise SourceError("fields of the Avro schema differ only in case", where=Where(file=name))
    return found


def _walk(schema: Any, path: str, named: dict[str, Any], above: tuple[str, ...], found: dict[str, str]) -> None:
    """Add the leaves of a schema below ``path``; ``named`` are the types it may refer to by name."""
    schema = _without_null(schema)
    if isinstance(schema, str) and schema not in _PRIMITIVES:
        schema = named.get(schema.rpartition(".")[2], schema)
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"].rpartition(".")[2]] = schema
    if not isinstance(schema, dict) or schema.get("type") != "record":
        found[path] = _leaf_type(schema)
        return
    if schema["name"] in above:
        raise RecursionError(schema["name"])
    for field in schema["fields"]:
        deeper = f"{path}.{field['name']}" if path else field["name"]
        _walk(field["type"], deeper, named, (*above, schema["name"]), found)


def _without_null(schema: Any) -> Any:
    """Return the one type of a nullable union, and ``{"type": X}`` as X; other unions stay."""
    if isinstance(schema, list):
        others = [branch for branch in schema if branch != "null"]
        return _without_null(others[0]) if len(others) == 1 else schema
    if isinstance(schema, dict) and isinstance(schema.get("type"), (dict, list)):
        return _without_null(schema["type"])
    return schema


def _leaf_type(schema: Any) -> str:
    if isinstance(schema, list):
        return "other (a union)"
    written: Mapping[str, Any] = schema if isinstance(schema, dict) else {"type": schema}
    kind, logical = str(written["type"]), written.get("logicalType")
    if kind in ("bytes", "fixed"):
        if logical == "decimal":
            return f"decimal({written.get('precision', 0)},{written.get('scale', 0)})"
        return "uuid" if logical == "uuid" else "binary"
    if kind == "enum":
        return "string"
    return (
        _LOGICAL.get((kind, str(logical)))
        or _PRIMITIVES.get(kind)
        or (kind if kind in ("array", "map") else f"other ({kind})")
    )
