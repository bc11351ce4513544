"""A hash of all keys of a slice, the same in Spark, in Snowflake and in Python, in any order.

Per row, the keys' canonical texts are joined and hashed with MD5; each half of the hex digest
is read as a number and summed over the rows, so that order does not matter, and a lost, added,
doubled or altered key shows. ``a``..``f`` are first turned into ``0``..``5``: reading true
hexadecimal has no spelling that all engines share, and what this gives up (two keys still
share a half with odds of 2^-51 only) costs nothing in a check against faults, not forgers.

Canonical text: strings as they are, integers in digits, decimals in plain digits with their
declared scale, dates as YYYY-MM-DD, timestamps as microseconds since 1970 UTC, booleans as
true/false, null as ``\\N``; joined by the unit separator (U+001F).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ledgerlake.errors import PublishError
from ledgerlake.publish.names import bare, decimal_digits, quoted

NULL = "\\N"
SEPARATOR = "\x1f"
HALF = 16  # hex digits per summed number: 10^16 a row leaves room for 10^22 rows in 38 digits
DECIMAL_DIGITS = str.maketrans("abcdef", "012345")
EMPTY = "0:0"  # the hash of no rows
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = str | int | bool | Decimal | date | datetime | None


def key_hash(rows: Iterable[Sequence[Key]], types: Sequence[str]) -> str:
    """Return the hash of ``rows`` (key tuples, values in the order of ``types``): the oracle.

    Timestamps must be UTC-aware. This is the definition; the two SQL forms must agree with it.
    """
    high = low = 0
    for row in rows:
        text = SEPARATOR.join(_text(v, t) for v, t in zip(row, types, strict=True))
        digits = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().translate(DECIMAL_DIGITS)
        high, low = high + int(digits[:HALF]), low + int(digits[HALF:])
    return f"{high}:{low}"


def _text(value: Key, type_name: str) -> str:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str((value - EPOCH) // timedelta(microseconds=1))
    digits = decimal_digits(type_name)
    return f"{Decimal(str(value)):.{digits[1]}f}" if digits else str(value)


def spark_key_hash(keys: Sequence[str], types: Mapping[str, str]) -> str:
    """Return a Spark SQL aggregate over the rows' ``keys``, of type string.

    ``types`` maps column to ledgerlake type. Independent of the session's time zone and of
    ANSI mode. Raises :class:`PublishError` for an empty key or a name that is no identifier.
    """
    columns = [_spark_text(key, types[key]) for key in _checked(keys)]
    return _aggregate("md5(cast({} as binary))", columns, "string", "decimal(38,0)", "r'\\N'")


def snowflake_key_hash(keys: Sequence[str], types: Mapping[str, str]) -> str:
    """Return the same aggregate in Snowflake SQL, of type VARCHAR.

    Only functions of Snowflake's documentation that mean the same in the local server:
    MD5, TRANSLATE, SUBSTR, CHR, DATE_PART(EPOCH_MICROSECOND).
    """
    columns = [_snowflake_text(key, types[key]) for key in _checked(keys)]
    return _aggregate("MD5({})", columns, "VARCHAR", "NUMBER(38,0)", "'\\\\N'")


def _checked(keys: Sequence[str]) -> Sequence[str]:
    if not keys:
        raise PublishError("a table without a key cannot be verified", then="declare its key in the pipeline")
    return keys


def _aggregate(md5: str, columns: Sequence[str], text: str, number: str, null: str) -> str:
    row = " || CHR(31) || ".join(f"COALESCE({column}, {null})" for column in columns)
    digits = f"TRANSLATE({md5.format(row)}, 'abcdef', '012345')"
    halves = (f"SUBSTR({digits}, {start}, {HALF})" for start in (1, HALF + 1))
    sums = (f"CAST(COALESCE(SUM(CAST({half} AS {number})), 0) AS {text})" for half in halves)
    return " || ':' || ".join(sums)


def _spark_text(key: str, type_name: str) -> str:
    bare(key)
    digits = decimal_digits(type_name)
    if digits:
        # a cast to string may answer 0E-8; a number format never does
        return f"format_number(`{key}`, '{_decimal_format(digits[1])}')"
    return f"cast(unix_micros(`{key}`) as string)" if type_name == "timestamp" else f"cast(`{key}` as string)"


def _decimal_format(scale: int) -> str:
    return "0." + "0" * scale if scale else "0"


def _snowflake_text(key: str, type_name: str) -> str:
    column = quoted(key)
    if type_name == "timestamp":
        return f"TO_VARCHAR(DATE_PART(EPOCH_MICROSECOND, {column}))"
    return f"TO_VARCHAR({column}, 'YYYY-MM-DD')" if type_name == "date" else f"TO_VARCHAR({column})"
