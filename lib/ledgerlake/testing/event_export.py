"""Hostile event exports for a table of columns id (key), owner, city.

>>> from ledgerlake.testing.event_export import HOSTILE

Names begin with the format that must be declared: ``json``, ``ops`` (JSON with
``feed: {op_field: op, ops: {put: upsert, drop: delete}}``) or ``avro``. :func:`avro` writes
containers of text fields, for samples of your own.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ledgerlake.testing.samples import Hostile

_MARK = bytes(range(16))
_LINE = b'{"id": "1", "owner": "Ann", "city": "Bonn"}\n'


def _long(number: int) -> bytes:
    value, out = (number << 1) ^ (number >> 63), bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _text(value: str) -> bytes:
    return _long(len(value.encode())) + value.encode()


def fields(**types: Any) -> list[dict[str, Any]]:
    """Return the fields of an Avro record."""
    return [{"name": n, "type": t} for n, t in types.items()]


def avro(
    *records: Mapping[str, str], of: Sequence[Mapping[str, Any]] = (), codec: str = "null", name: str = "Event"
) -> bytes:
    """Return records of text fields as one Avro container; ``of`` are the schema's fields where they are other."""
    names = list(records[0]) if records else ["id", "owner", "city"]
    schema = {"type": "record", "name": name, "fields": list(of) or fields(**dict.fromkeys(names, "string"))}
    meta = {"avro.schema": json.dumps(schema), "avro.codec": codec}
    head = _long(len(meta)) + b"".join(_text(k) + _text(v) for k, v in meta.items()) + _long(0)
    block = b"".join(_text(r[n]) for r in records for n in names)
    blocks = _long(len(records)) + _long(len(block)) + block + _MARK if records else b""
    return b"Obj\x01" + head + _MARK + blocks


_ANN = {"id": "1", "owner": "Ann", "city": "Bonn"}
_WHOLE = avro(_ANN)
_NULLABLE = ["null", "string"]


def _odd(**types: Any) -> bytes:
    return avro(of=fields(**({"id": "string", "owner": "string", "city": _NULLABLE} | types)))


HOSTILE: tuple[Hostile, ...] = (
    Hostile("json:another layout of names", {"part-00000.json": _LINE}, "refused", "topic+partition+startOffset"),
    Hostile("json:empty file", {"t+0+0.json": b""}, "refused", "the file is empty"),
    Hostile("json:cut gzip", {"t+0+0.json.gz": gzip.compress(_LINE * 50, mtime=0)[:-9]}, "refused", "cut short"),
    Hostile("json:gzip under a plain name", {"t+0+0.json": gzip.compress(_LINE, mtime=0)}, "accepted"),
    Hostile("json:an Avro container", {"t+0+0.avro": _WHOLE}, "refused", "`format: avro`"),
    Hostile("json:Confluent wire format", {"t+0+0.json": b"\x00\x00\x00\x00\x07\x02a"}, "refused", "Confluent wire format"),
    Hostile("json:a broken line", {"t+0+0.json": _LINE + b'{"id": "2"\n'}, "quarantined", "not a JSON object"),
    Hostile("json:two objects on a line", {"t+0+0.json": b'{"id": "1"}{"id": "2"}\n'}, "quarantined", "not a JSON object"),
    Hostile("json:no key", {"t+0+0.json": b'{"owner": "Ann"}\n'}, "quarantined", "id: null"),
    Hostile("json:the same event twice", {"t+0+0.json": _LINE, "again/t+0+0.json": _LINE + b'{"id": "2"}\n'}, "accepted"),
    Hostile("json:one offset, two contents", {"t+0+0.json": _LINE, "again/t+0+0.json": _LINE.replace(b"Ann", b"Eve")}, "quarantined", "two different changes"),
    Hostile("ops:unknown operation", {"t+0+0.json": b'{"op": "merge", "id": "1"}\n'}, "quarantined", "unknown operation"),
    Hostile("ops:no operation", {"t+0+0.json": b'{"id": "1"}\n'}, "quarantined", "unknown operation"),
    Hostile("avro:empty file", {"t+0+0.avro": b""}, "refused", "the file is empty"),
    Hostile("avro:JSON lines", {"t+0+0.json": _LINE}, "refused", "not an Avro container"),
    Hostile("avro:Confluent wire format", {"t+0+0.avro": b"\x00\x00\x00\x00\x07\x02a"}, "refused", "write Avro containers"),
    Hostile("avro:cut in a block", {"t+0+0.avro": _WHOLE[:-9]}, "refused", "truncated"),
    Hostile("avro:cut in the header", {"t+0+0.avro": _WHOLE[:40]}, "refused", "truncated"),
    Hostile("avro:a damaged mark", {"t+0+0.avro": _WHOLE[:-1] + b"\xff"}, "refused", "damaged"),
    Hostile("avro:an unknown codec", {"t+0+0.avro": avro(_ANN, codec="lz9")}, "refused", "codec"),
    Hostile("avro:an array", {"t+0+0.avro": _odd(city={"type": "array", "items": "string"})}, "refused", "is a list"),
    Hostile("avro:a map", {"t+0+0.avro": _odd(city={"type": "map", "values": "string"})}, "refused", "is a map"),
    Hostile("avro:plain bytes", {"t+0+0.avro": _odd(city="bytes")}, "refused", "is bytes"),
    Hostile("avro:a union of types", {"t+0+0.avro": _odd(city=["null", "int", "string"])}, "refused", "a union"),
    Hostile("avro:a record as a value", {"t+0+0.avro": _odd(city={"type": "record", "name": "C", "fields": fields(zip="string")})}, "refused", "declare its fields"),
    Hostile("avro:a schema that contains itself", {"t+0+0.avro": _odd(city=["null", "Event"])}, "refused", "contains itself"),
    Hostile("avro:no key in the schema", {"t+0+0.avro": avro({"owner": "Ann"})}, "refused", "missing from the schema"),
    Hostile("avro:fields that differ in case", {"t+0+0.avro": avro(_ANN | {"ID": "2"})}, "refused", "only in case"),
)  # fmt: skip
