"""The column types of a contract: one class each, which knows its texts, its values and what others call it.

A text becomes a value only by the type's own grammar: a regular expression that Python and Java
read alike (ASCII only), and rules that plain Python states. Engines cast nothing else, so their
leniency never shows. What a typed source's value becomes is said in :mod:`ledgerlake.core.types.sources`.
"""

from __future__ import annotations

import re
from typing import Any

from ledgerlake.core.types.base import ColumnType, Refusal
from ledgerlake.core.types.moments import Counted, Date, Timestamp
from ledgerlake.core.types.numbers import Decimals, Whole
from ledgerlake.core.types.sources import MOMENTS
from ledgerlake.core.types.words import Boolean, Text

__all__ = ["SIMPLE", "ColumnType", "Refusal", "column_type", "contract_type", "decimal_parts", "is_type", "spark_type"]

SIMPLE: dict[str, ColumnType[Any]] = {
    kind.name: kind
    for kind in (
        Text(), Whole("integer", "int", "integer", "int32", "NUMBER(10,0)", 31),
        Whole("bigint", "bigint", "long", "int64", "NUMBER(19,0)", 63), Boolean(), Date(), Timestamp(),
    )
}  # fmt: skip
"""Every type but the decimals, by its name in a contract."""
_DECIMAL = re.compile(r"decimal\(\s*([0-9]{1,2})\s*,\s*([0-9]{1,2})\s*\)")
_PRECISION_MAX = 38
_WIDENED = {"smallint": "integer", "tinyint": "integer"} | dict.fromkeys(MOMENTS, "timestamp")


def column_type(
    name: str, *, format: str = "auto", zone: str | None = None, finer: str = "refuse", bounded: tuple[bool, bool] = (False, False)
) -> ColumnType[Any]:  # fmt: skip
    """Return the type that a contract calls ``name``; ValueError where there is none.

    ``format`` (epoch_seconds, …), ``zone`` and ``finer`` are a timestamp's options; ``bounded`` says
    whether the column declares a lowest and a highest moment of its own.
    """
    if name == "timestamp":
        return Timestamp(zone=zone, finer=finer) if format == "auto" else Counted(format, bounded)
    parts = decimal_parts(name)
    if parts and is_type(name):
        return Decimals(*parts)
    if name not in SIMPLE:
        raise ValueError(f"{name!r} is not a column type; use {', '.join(SIMPLE)} or decimal(p,s)")
    return SIMPLE[name]


def decimal_parts(type_name: str) -> tuple[int, int] | None:
    """Return (precision, scale) of ``decimal(p,s)``, or None for another type."""
    found = _DECIMAL.fullmatch(type_name)
    return (int(found[1]), int(found[2])) if found else None


def is_type(type_name: str) -> bool:
    """Say whether a contract may use ``type_name`` (no floats: money is decimal)."""
    parts = decimal_parts(type_name)
    return type_name in SIMPLE or (parts is not None and parts[1] <= parts[0] <= _PRECISION_MAX and parts[0] > 0)


def spark_type(type_name: str) -> str:
    """Return the Spark SQL name of a contract type; what is no contract type is taken for Spark's own name."""
    return column_type(type_name).spark if is_type(type_name) else type_name


def contract_type(spark_name: str) -> str | None:
    """Return the contract type for a Spark type a new column arrived with, or None if refused."""
    known = {kind.spark: name for name, kind in SIMPLE.items()} | _WIDENED
    name = known.get(spark_name, spark_name)
    return name if is_type(name) else None
