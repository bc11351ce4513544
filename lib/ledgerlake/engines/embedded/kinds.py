"""Spark's types and the rules by which it combines them, and what DuckDB calls them.

Types are named as ``DataFrame.dtypes`` names them. The rules of decimals are those of Spark 3.5's
``DecimalPrecision`` with ``spark.sql.decimalOperations.allowPrecisionLoss`` true (the default).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ledgerlake.engines.base import Unsupported

VOID = "void"
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_WHOLE = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 20}
_ORDER = ("tinyint", "smallint", "int", "bigint")
_DUCK = {
    "string": "VARCHAR", "boolean": "BOOLEAN", "tinyint": "TINYINT", "smallint": "SMALLINT", "int": "INTEGER",
    "bigint": "BIGINT", "double": "DOUBLE", "float": "FLOAT", "date": "DATE", "timestamp": "TIMESTAMP",
    "binary": "BLOB", VOID: "VARCHAR",
}  # fmt: skip
DIGITS_MAX = 38


def decimal(kind: str) -> tuple[int, int] | None:
    """Return precision and scale of a decimal type, None of any other."""
    found = _DECIMAL.fullmatch(kind)
    return (int(found[1]), int(found[2])) if found else None


def is_whole(kind: str) -> bool:
    """Say whether a type holds whole numbers."""
    return kind in _WHOLE


def is_number(kind: str) -> bool:
    """Say whether a type holds numbers."""
    return kind in _WHOLE or kind in ("double", "float") or decimal(kind) is not None


def element(kind: str) -> str:
    """Return the element type of an array."""
    if not kind.startswith("array<"):
        raise Unsupported(f"an array operation on {kind}")
    return kind[len("array<") : -1]


def fields(kind: str) -> dict[str, str]:
    """Return the fields of a struct."""
    if not kind.startswith("struct<"):
        raise Unsupported(f"a field of {kind}")
    return dict(part.split(":", 1) for part in _parts(kind[len("struct<") : -1]))


def map_of(kind: str) -> tuple[str, str]:
    """Return the key and value types of a map."""
    if not kind.startswith("map<"):
        raise Unsupported(f"a key of {kind}")
    key, value = _parts(kind[len("map<") : -1])
    return key, value


def _parts(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def duck(kind: str) -> str:
    """Return DuckDB's name of a type; moments are UTC without a zone there."""
    parts = decimal(kind)
    if parts:
        return f"DECIMAL({parts[0]},{parts[1]})"
    if kind.startswith("array<"):
        return f"{duck(element(kind))}[]"
    if kind.startswith("struct<"):
        return f"STRUCT({', '.join(f'{name(n)} {duck(k)}' for n, k in fields(kind).items())})"
    if kind.startswith("map<"):
        key, value = map_of(kind)
        return f"MAP({duck(key)}, {duck(value)})"
    if kind not in _DUCK:
        raise Unsupported(f"the type {kind}")
    return _DUCK[kind]


def name(column: str) -> str:
    """Return a name as DuckDB quotes it."""
    return '"' + column.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as DuckDB quotes it."""
    return "'" + value.replace("'", "''") + "'"


def as_decimal(kind: str) -> tuple[int, int] | None:
    """Return the decimal that holds a decimal's or whole number's values."""
    return (_WHOLE[kind], 0) if kind in _WHOLE else decimal(kind)


def adjusted(precision: int, scale: int) -> tuple[int, int]:
    """Return what Spark makes of an operation's precision and scale where they are too large."""
    if precision <= DIGITS_MAX:
        return precision, scale
    before = precision - scale
    return DIGITS_MAX, max(DIGITS_MAX - before, min(scale, 6))


def named(parts: tuple[int, int]) -> str:
    """Return the name of a decimal type."""
    return f"decimal({parts[0]},{parts[1]})"


def common(kinds: Iterable[str]) -> str:
    """Return the type to which Spark brings the branches of a CASE, the items of a list and the sides of a union."""
    found = [k for k in dict.fromkeys(kinds) if k != VOID]
    if not found:
        return VOID
    result = found[0]
    for other in found[1:]:
        result = _wider(result, other)
    return result


def _wider(a: str, b: str) -> str:
    if a == b:
        return a
    if a in _WHOLE and b in _WHOLE:
        return max(a, b, key=_ORDER.index)
    if "double" in (a, b) and is_number(a) and is_number(b):
        return "double"
    one, two = as_decimal(a), as_decimal(b)
    if one and two:
        scale = max(one[1], two[1])
        return named((min(DIGITS_MAX, max(one[0] - one[1], two[0] - two[1]) + scale), min(DIGITS_MAX, scale)))
    if {a, b} == {"date", "timestamp"}:
        return "timestamp"
    if a.startswith("array<") and b.startswith("array<"):
        return f"array<{_wider(element(a), element(b)) if VOID not in (element(a), element(b)) else element(b) if element(a) == VOID else element(a)}>"
    raise Unsupported(f"{a} beside {b}")
