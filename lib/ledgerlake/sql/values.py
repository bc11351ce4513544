"""From a raw value to a typed one, in Spark SQL: texts by the grammar of their type, typed values as they are.

Nothing is cast but text that fits the grammar of :mod:`ledgerlake.core.types`; what Spark would make
of other text is never asked.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from ledgerlake.core.types import ColumnType
from ledgerlake.core.types.moments import Counted, Date, Timestamp
from ledgerlake.core.types.numbers import WITH_EXPONENT, Decimals, Whole
from ledgerlake.core.types.sources import FLOATS, is_kept
from ledgerlake.core.types.words import Boolean
from ledgerlake.sql.relation import literal

_END = r"\z"  # unlike $, not before a line end
_FIRST, _LAST = "TIMESTAMP'0001-01-01 00:00:00Z'", "TIMESTAMP'9999-12-31 23:59:59.999999Z'"
_EXACT_BELOW = 1 << 53
"""Whole numbers below it are exact as doubles."""
_FIRST_DAY, _LAST_DAY = "DATE'0001-01-01'", "DATE'9999-12-31'"


def value_sql(kind: ColumnType[Any], raw: str, source: str = "string") -> str:
    """Return the typed value of ``raw``, of Spark type ``source``; null where it is none of the type."""
    if source == "string" or not is_kept(source, kind):
        return _of_text(kind, text_sql(raw, source))
    return _of_typed(kind, raw, source)


def reason_sql(kind: ColumnType[Any], raw: str, source: str, column: str) -> str:
    """Return why ``raw``, which is no value of the type, is none: for people, beginning with the column's name."""
    if not kind.refusals:
        return literal(f"{column}: {kind.unlike}")
    text = text_sql(raw, source)
    cases = " ".join(
        f"WHEN {fits(text, pattern)} THEN {literal(f'{column}: {says}')}" for pattern, says in kind.refusals
    )
    return f"CASE {cases} ELSE {literal(f'{column}: {kind.unlike}')} END"


def fits(text: str, pattern: str) -> str:
    """Return the test that a regular expression matches a text as a whole."""
    return f"{text} RLIKE {literal(f'^(?:{pattern}){_END}')}"


def text_sql(raw: str, source: str) -> str:
    """Return the text of a value of Spark type ``source``: exact, plain, moments with their offset."""
    if source == "string":
        return raw
    if source == "timestamp":
        return f"concat(CAST({raw} AS STRING), 'Z')"
    if source in ("timestamp_ns", "timestamp_ntz_ns"):
        return _of_nanoseconds(raw, "" if "ntz" in source else "Z")
    if source.startswith("decimal"):
        return f"try_cast({raw} AS STRING)"  # the plain CAST writes small ones with an exponent
    if source in FLOATS:
        whole = f"{raw} = floor({raw}) AND abs({raw}) < {_EXACT_BELOW}"
        return f"CASE WHEN {whole} THEN CAST(CAST({raw} AS BIGINT) AS STRING) ELSE CAST({raw} AS STRING) END"
    return f"CAST({raw} AS STRING)"


def _of_nanoseconds(count: str, zone: str) -> str:
    """Return the text of a count of nanoseconds since 1970, all nine decimals where it has them."""
    rest = f"pmod({count}, 1000)"
    moment = f"timestamp_micros(({count} - {rest}) div 1000)"
    long = f"concat(date_format({moment}, 'yyyy-MM-dd HH:mm:ss.SSSSSS'), lpad(CAST({rest} AS STRING), 3, '0'))"
    return f"concat(CASE WHEN {rest} = 0 THEN CAST({moment} AS STRING) ELSE {long} END, '{zone}')"


def canonical_sql(kind: ColumnType[Any], value: str) -> str:
    """Return the canonical text of a typed value, of which ids are made."""
    return (
        f"try_cast({value} AS STRING)"
        if isinstance(kind, Decimals)
        else value
        if kind.spark == "string"
        else f"CAST({value} AS STRING)"
    )


def _of_typed(kind: ColumnType[Any], raw: str, source: str) -> str:
    """Return a value that came typed; the casts that are left lose nothing, or give null."""
    if kind.spark == "timestamp" and not isinstance(kind, Counted):
        moment = raw if source == "timestamp" else f"CAST({raw} AS TIMESTAMP)"
        return f"CASE WHEN {moment} BETWEEN {_FIRST} AND {_LAST} THEN {moment} END"
    if kind.spark == "date":
        return f"CASE WHEN {raw} BETWEEN {_FIRST_DAY} AND {_LAST_DAY} THEN {raw} END"
    if isinstance(kind, Counted):
        return _counted(kind, f"CAST({raw} AS BIGINT)")
    return raw if source == kind.spark else f"try_cast({raw} AS {kind.spark})"


@singledispatch
def _of_text(_kind: ColumnType[Any], text: str) -> str:
    """Return the value of a text, of any kind of type that has no rule of its own below: the text itself."""
    return text


@_of_text.register
def _whole(kind: Whole, text: str) -> str:
    return f"CASE WHEN {fits(text, kind.grammar)} THEN try_cast(substring_index({text}, '.', 1) AS {kind.spark}) END"


@_of_text.register
def _decimal(kind: Decimals, text: str) -> str:
    """With an exponent a text is exact where the digits that count, less those before the point, less the exponent fit."""
    mantissa, power = f"substring_index(lower({text}), 'e', 1)", f"CAST(substring_index(lower({text}), 'e', -1) AS INT)"
    digits = f"length(rtrim('0', replace({mantissa}, '.', '')))"
    decimals = f"{digits} - length(substring_index({mantissa}, '.', 1)) - {power}"
    return (
        f"CASE WHEN {fits(text, kind.fitting)} THEN try_cast({text} AS {kind.spark})"
        f" WHEN {fits(text, WITH_EXPONENT)} THEN CASE WHEN NOT ({mantissa} RLIKE '[1-9]') THEN CAST(0 AS {kind.spark})"
        f" WHEN {decimals} <= {kind.scale} THEN try_cast({text} AS {kind.spark}) END END"
    )


@_of_text.register
def _boolean(kind: Boolean, text: str) -> str:
    return f"CASE WHEN {fits(text, kind.grammar)} THEN try_cast({text} AS BOOLEAN) END"


@_of_text.register
def _date(kind: Date, text: str) -> str:
    return f"CASE WHEN {fits(text, kind.grammar)} THEN try_cast(substring({text}, 1, 10) AS DATE) END"


@_of_text.register
def _timestamp(kind: Timestamp, text: str) -> str:
    clock = f"regexp_extract({text}, '^[0-9-]+([T ][0-9:.]+)?', 0)"
    place = f"ltrim(substring({text}, length({clock}) + 1))"
    known = f"try_cast({text} AS TIMESTAMP) IS NOT NULL"  # asked first: an unknown zone would stop the batch
    here = (
        f" WHEN {fits(text, kind.local)} THEN {_in_zone(_rounded(kind, text, text), literal(kind.zone))}"
        if kind.zone
        else ""
    )
    return (
        f"CASE WHEN {fits(text, kind.plain)} THEN {_rounded(kind, text, text)}{here}"
        f" WHEN {fits(text, kind.placed)} THEN CASE WHEN {known} THEN {_in_zone(_rounded(kind, clock, text), place)} END END"
    )


@_of_text.register
def _counted_text(kind: Counted, text: str) -> str:
    number = f"try_cast(substring_index({text}, '.', 1) AS BIGINT)"
    return f"CASE WHEN {fits(text, kind.grammar)} THEN {_counted(kind, number)} END"


def _counted(kind: Counted, number: str) -> str:
    low, high = kind.units
    convert = {1: "timestamp_seconds", 1_000: "timestamp_millis", 1_000_000: "timestamp_micros"}[kind.per_second]
    return f"CASE WHEN {number} BETWEEN {low}L AND {high}L THEN {convert}({number}) END"


def _rounded(kind: Timestamp, moment: str, text: str) -> str:
    """Return the moment of a text; where the column rounds, halves of a microsecond go up."""
    if kind.finer != "round":
        return f"try_cast({moment} AS TIMESTAMP)"
    up = f"CASE WHEN {text} RLIKE '[.][0-9]{{6}}[5-9]' THEN 1 ELSE 0 END"
    return f"timestamp_micros(unix_micros(try_cast({moment} AS TIMESTAMP)) + {up})"


def _in_zone(local: str, zone: str) -> str:
    """Return the one moment of a local time (written as if in UTC); null where the zone skips or repeats it.

    Of a repeated time Spark gives the earlier moment. The later one is found from the day after,
    where the zone's next offset holds already.
    """
    moment = f"to_utc_timestamp({local}, {zone})"
    later = f"(to_utc_timestamp({local} + INTERVAL 1 DAY, {zone}) - INTERVAL 1 DAY)"
    exists = f"from_utc_timestamp({moment}, {zone}) = {local} AND {moment} BETWEEN {_FIRST} AND {_LAST}"
    repeated = f"{later} <> {moment} AND from_utc_timestamp({later}, {zone}) = {local}"
    return f"CASE WHEN {exists} AND NOT ({repeated}) THEN {moment} END"
