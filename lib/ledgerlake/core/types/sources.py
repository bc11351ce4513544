"""What becomes of a typed source's value in a column: kept as it is, judged as text, or never read.

Parquet, Avro and databases type their values themselves. Such a value is judged as strictly as text:
a loss is a reason, never a cast. Source types are called by Spark's names; beside those ``time``,
``uuid``, ``timestamp_ns`` (a count of nanoseconds since 1970, of local time ``timestamp_ntz_ns``) and
``other (…)`` for what Spark has no name for.
"""

from __future__ import annotations

import re
from typing import Any

from ledgerlake.core.types.base import ColumnType
from ledgerlake.core.types.moments import Counted, Timestamp
from ledgerlake.core.types.numbers import Decimals, Whole

WHOLE = ("tinyint", "smallint", "int", "bigint")
FLOATS = ("float", "double")
MOMENTS = ("timestamp", "timestamp_ntz", "timestamp_ns", "timestamp_ntz_ns")
_DECIMAL = re.compile(r"decimal\(([0-9]+),([0-9]+)\)")
_DIGITS_MAX = 38
_INEXACT = "which is not exact: have it written as decimal or as text"


def is_kept(source: str, kind: ColumnType[Any]) -> bool:
    """Say whether a value of Spark type ``source`` loses nothing by staying typed."""
    if isinstance(kind, Timestamp):
        return source == "timestamp" or (source == "timestamp_ntz" and kind.zone is None)
    if isinstance(kind, (Whole, Counted)):
        return source in WHOLE
    found = _DECIMAL.fullmatch(source)
    if isinstance(kind, Decimals) and (source in WHOLE or found):
        return found is None or int(found[2]) <= kind.scale
    return source == kind.spark


def never(source: str, kind: ColumnType[Any], unit: str = "major") -> str | None:
    """Return why no value of Spark type ``source`` can be one of the column's, None where some can.

    ``unit`` is the column's: whole minor units may come as doubles, as whole numbers may.
    """
    odd = _odd(source)
    if odd or source == "string":
        return odd
    if source in FLOATS:
        counts = isinstance(kind, (Whole, Counted)) or unit != "major"
        return None if counts else f"is a {source}, {_INEXACT}"
    if kind.spark == "string":
        return None
    if source in MOMENTS or source == "date":
        return _time_for(source, kind)
    if kind.spark in ("date", "timestamp") and not isinstance(kind, Counted):
        return (
            f"is a {_noun(source)}: declare `format: epoch_seconds` of a timestamp, or have it written as a {kind.name}"
        )
    return _truth(source, kind)


def _odd(source: str) -> str | None:
    """Return why values of a type can be no column's."""
    if source.startswith("struct"):
        return "is a struct: declare its fields with `source: field.inner`"
    if source.startswith(("array", "map")):
        return f"is a {'list' if source.startswith('array') else 'map'}, which no column holds: have its values written as fields or as text"
    if source == "binary":
        return "is bytes, not text: have it written as text"
    if source == "uuid":
        return "is a UUID in bytes: have it written as text"
    if source == "time":
        return "is a time of day, which has no column type: have it written as text"
    found = _DECIMAL.fullmatch(source)
    if found and int(found[1]) > _DIGITS_MAX:
        return f"is a decimal of {found[1]} digits: columns hold {_DIGITS_MAX}"
    return f"is of a type that no column holds: {source}" if source.startswith("other") else None


def _time_for(source: str, kind: ColumnType[Any]) -> str | None:
    what = "date" if source == "date" else "moment"
    if isinstance(kind, Counted):
        return f"is a {what}, no number: leave `format` out"
    return None if kind.spark in ("date", "timestamp") else f"is a {what}, where a {kind.name} is declared"


def _truth(source: str, kind: ColumnType[Any]) -> str | None:
    if source == "boolean" and kind.spark != "boolean":
        return f"is a boolean, where a {kind.name} is declared"
    return None


def _noun(source: str) -> str:
    return "boolean" if source == "boolean" else "number"
