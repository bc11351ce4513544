"""Values of a suite as Spark SQL text: names, strings, numbers, dates and moments.

Text, not ``Column`` objects, so that a suite can be compiled, tested and shown without Spark.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

Bound = int | Decimal | date | datetime

# The forms that Great Expectations reads as dates and moments too; Python's own
# ``fromisoformat`` also takes "20240131", which Great Expectations reads as a number.
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?")
_DIGITS_MAX = 38  # of a Spark decimal


def parse_bound(value: object) -> Bound | None:
    """Return ``value`` as a number, date or moment; None where it is none of these."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return value if _fits(value) else None
    if not isinstance(value, str):
        return None
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
        return datetime.fromisoformat(value) if _MOMENT.fullmatch(value) else None
    except ValueError:  # the 31st of February
        return None


def _fits(value: int | Decimal) -> bool:
    _, digits, exponent = Decimal(value).as_tuple()
    return isinstance(exponent, int) and max(len(digits), abs(exponent)) <= _DIGITS_MAX


def identifier(name: str) -> str:
    """Quote a column name; a dot in it is part of the name, never a path into a struct."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """Quote a string, so that backslashes (regular expressions) arrive as they were written."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def literal(value: object) -> str:
    """Write one set member or bound as exact SQL; decimals never pass through a double."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}BD"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return f"TIMESTAMP{text(value.isoformat(sep=' '))}"
    if isinstance(value, date):
        return f"DATE{text(value.isoformat())}"
    return text(str(value))
