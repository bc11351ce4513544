"""Dates and timestamps of Debezium messages as texts: ISO as delivered, or counted from the epoch.

Source: Debezium's "Data type mappings", temporal types. Timestamps are texts of UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from ledgerlake.feeds.debezium.values import Convert, Unreadable
from ledgerlake.feeds.decoding.records import Path, text_of

_WHOLE = re.compile(r"-?[0-9]{1,19}").fullmatch
_WHOLE_MAX = 20
_LONG = 1 << 63
_EPOCH, _EPOCH_DAY = datetime(1970, 1, 1), date(1970, 1, 1).toordinal()
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""0001-01-01 and 9999-12-31 as seconds of the epoch; PostgreSQL's infinity lies far outside."""
_DAY_SECONDS, _NANOS_A_MICRO, _NANOS_LIMIT = 86_400, 1_000, 9 * 10**18


def written_moment(path: Path) -> Convert:
    """Return the conversion of dates and timestamps as ISO text."""
    return lambda value, line: _iso(text_of(value, line, path))


def _iso(text: str | None) -> str | None:
    """Return ISO text; a date's zone, which nothing can type, is cut off."""
    return text[:-1] if text and len(text) == 11 and text[-1] == "Z" else text


def counted_moment(name: str, kind: str, unit: str | None, path: Path, *, or_text: bool = False) -> Convert:
    """Return the conversion of a number of units since the epoch; ``or_text``: what is no number is ISO text.

    ``kind`` is the column's type, date or timestamp; a number whose unit nobody told has no meaning.
    """
    told = _UNITS[unit] if unit else None

    def convert(value: Any, line: bytes) -> str | None:
        if value is None or (or_text and type(value) is str and len(value) > _WHOLE_MAX):
            return value
        number = _whole(value)
        if number is None and or_text:
            return _iso(text_of(value, line, path))
        if told is None:
            raise Unreadable(f"{name}: a number of unknown unit; declare `feed: timestamps` or send schemas")
        text = told(number) if number is not None else None
        if number is None or text is None:
            raise Unreadable(f"{name}: no {kind} between the years 1 and 9999 (infinity?)")
        if unit == "nanos" and number % _NANOS_A_MICRO:
            raise Unreadable(f"{name}: finer than a microsecond")
        return text

    return convert


def _whole(value: Any) -> int | None:
    """Return a number of at most 64 bits and 19 digits, be it written as text; None for all else."""
    if type(value) is str:
        value = int(value) if len(value) <= _WHOLE_MAX and _WHOLE(value) else None
    return value if type(value) is int and -_LONG <= value < _LONG else None


@lru_cache(maxsize=4096)
def _of_days(days: int) -> str | None:
    inside = _FIRST_SECOND <= days * _DAY_SECONDS <= _LAST_SECOND
    return date.fromordinal(_EPOCH_DAY + days).isoformat() if inside else None


def _of_millis(millis: int) -> str | None:
    inside = _FIRST_SECOND * 1_000 <= millis <= _LAST_SECOND * 1_000
    return _of_micros(millis * 1_000) if inside else None


def _of_micros(micros: int) -> str | None:
    """Return the text as Spark writes it: of the fraction what is not zero, of the zone nothing."""
    if not _FIRST_SECOND * 1_000_000 <= micros <= _LAST_SECOND * 1_000_000:
        return None
    text = (_EPOCH + timedelta(microseconds=micros)).isoformat(" ")
    return text.rstrip("0") if "." in text else text


def _of_nanos(nanos: int) -> str | None:
    return _of_micros(nanos // _NANOS_A_MICRO) if abs(nanos) <= _NANOS_LIMIT else None


_UNITS: dict[str, Callable[[int], str | None]] = {
    "days": _of_days, "millis": _of_millis, "micros": _of_micros, "nanos": _of_nanos,
}  # fmt: skip
