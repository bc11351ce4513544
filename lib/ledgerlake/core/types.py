"""The column types of a contract, and what each is called elsewhere."""

from __future__ import annotations

import re

SIMPLE = ("string", "integer", "bigint", "boolean", "date", "timestamp")
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")


def decimal_parts(type_name: str) -> tuple[int, int] | None:
    """Return (precision, scale) of ``decimal(p,s)``, or None for another type."""
    found = _DECIMAL.fullmatch(type_name)
    return (int(found[1]), int(found[2])) if found else None


def is_type(type_name: str) -> bool:
    """Say whether a contract may use ``type_name`` (no floats: money is decimal)."""
    parts = decimal_parts(type_name)
    return type_name in SIMPLE or (parts is not None and parts[1] <= parts[0] <= 38)


def spark_type(type_name: str) -> str:
    """Return the Spark SQL name of a contract type."""
    return {"integer": "int"}.get(type_name, type_name)


def contract_type(spark_name: str) -> str | None:
    """Return the contract type for a Spark type a new column arrived with, or None if refused."""
    known = {"int": "integer", "smallint": "integer", "tinyint": "integer", "timestamp_ntz": "timestamp"}
    name = known.get(spark_name, spark_name)
    return name if is_type(name) else None
