"""What PostgreSQL's types are called in Spark, for columns that arrive without being declared.

Types without an exact counterpart (floats, arrays, JSON, unbounded numerics …) stay text; a
contract may declare them otherwise.
"""

from __future__ import annotations

import re

_BY_NAME = {
    "smallint": "int",
    "integer": "int",
    "bigint": "bigint",
    "boolean": "boolean",
    "date": "date",
    "timestamp with time zone": "timestamp",
    "timestamp without time zone": "timestamp",
}
_BY_OID = {16: "boolean", 20: "bigint", 21: "int", 23: "int", 1082: "date", 1114: "timestamp", 1184: "timestamp"}
_NUMERIC_OID = 1700
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_TYPMOD_HEADER = 4


def type_of_name(name: str) -> str:
    """Return the Spark type of a type as ``format_type`` prints it."""
    plain = re.sub(r"^timestamp\(\d\)", "timestamp", name)
    found = _NUMERIC.fullmatch(plain)
    return _decimal(int(found[1]), int(found[2])) if found else _BY_NAME.get(plain, "string")


def type_of_oid(oid: int, modifier: int) -> str:
    """Return the Spark type of a built-in type by its OID; ``modifier`` holds a numeric's precision and scale."""
    if oid != _NUMERIC_OID or modifier < _TYPMOD_HEADER:
        return _BY_OID.get(oid, "string")
    packed = modifier - _TYPMOD_HEADER
    scale = (packed & 0x7FF ^ 0x400) - 0x400  # 11 bits, signed
    return _decimal(packed >> 16 & 0xFFFF, scale)


def _decimal(precision: int, scale: int) -> str:
    return f"decimal({precision},{scale})" if 0 <= scale <= precision <= 38 else "string"
