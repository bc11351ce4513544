"""Avro containers of envelopes, as the tax engine's connector writes them (Apache Avro specification)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

_MARK = bytes(range(16))
_NULLABLE = ("corrects", "reverses")


def container(records: Sequence[Mapping[str, str | None]]) -> bytes:
    """Return records of text fields as one container with one block; the same records give the same bytes."""
    names = list(records[0])
    fields = [{"name": n, "type": ["null", "string"] if n in _NULLABLE else "string"} for n in names]
    meta = {
        "avro.schema": json.dumps({"type": "record", "name": "LedgerEvent", "fields": fields}),
        "avro.codec": "null",
    }
    head = _long(len(meta)) + b"".join(_text(k) + _text(v) for k, v in meta.items()) + _long(0)
    block = b"".join(_value(n, record[n]) for record in records for n in names)
    return b"Obj\x01" + head + _MARK + _long(len(records)) + _long(len(block)) + block + _MARK


def _value(name: str, value: str | None) -> bytes:
    if name not in _NULLABLE:
        return _text(str(value))
    return _long(0) if value is None else _long(1) + _text(value)


def _text(value: str) -> bytes:
    body = value.encode()
    return _long(len(body)) + body


def _long(number: int) -> bytes:
    """Return a number as a zigzag varint."""
    value, out = (number << 1) ^ (number >> 63), bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
