"""Moments as positions: twenty digits, ``yyyyMMddHHmmssSSSSSS`` in UTC, whose order as text is the moments'.

Spark's ``date_format`` defines them. It takes longer than reading a row of Parquet, so usual
moments are written by whole-number arithmetic in Spark, or by Arrow where they are texts.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DAY = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?"
_USUAL_TEXT = rf"^{_YEAR}-{_DAY}[T ]{_CLOCK}(Z|\+00:00)?$"
"""Texts whose moment the grammar of timestamps knows without a calendar; leap days are left to Spark."""
_MARKS = (19, 16, 13, 10, 7, 4)
"""Places in a usual text that hold no digit, from the right."""
_SINCE, _UNTIL = "TIMESTAMP'2010-01-01 00:00:00Z'", "TIMESTAMP'2100-01-01 00:00:00Z'"


def moment_text(moment: str) -> str:
    """Return the SQL of any moment's text; null where ``moment``, of any type that Spark takes for one, is null."""
    return f"date_format({moment}, 'yyyyMMddHHmmssSSSSSS')"


def timestamp_text(timestamp: str) -> str:
    """Return the same for a column of Spark's type TIMESTAMP, in half the time from 2010 to 2099.

    The last eighteen digits of such moments are one whole number, the first of them not zero.
    Microseconds become digits when each minute counts 100 seconds (40 more) and each hour 100
    minutes (40 * 100 seconds more): then 240,000 seconds a day, which leave the date its own place.
    """
    micros = f"unix_micros({timestamp})"
    days = f"({micros} div 86400000000)"
    day = f"date_from_unix_date(CAST({days} AS INT))"
    date_digits = f"(year({day}) * 10000L + month({day}) * 100 + day({day}) - 20000000) * 1000000000000"
    clock = f"{micros} + ({micros} div 60000000) * 40000000 + ({micros} div 3600000000) * 4000000000"
    digits = f"concat('20', CAST({date_digits} + {clock} - {days} * 240000000000 AS STRING))"
    return f"if({timestamp} >= {_SINCE} AND {timestamp} < {_UNTIL}, {digits}, {moment_text(timestamp)})"


def usual_text(texts: pa.Array) -> pa.Array:
    """Return texts of moments of the usual form in UTC as :func:`moment_text` writes them, null for all others."""
    usual = pc.if_else(pc.match_substring_regex(texts, _USUAL_TEXT), texts, None)
    digits = pc.utf8_rtrim(pc.replace_substring(usual, "+00:00", ""), "Z")
    for place in _MARKS:  # replacing by a regular expression takes ten times as long
        digits = pc.binary_replace_slice(digits, place, place + 1, "")
    return pc.utf8_rpad(digits, 20, "0")
