"""Values of Debezium messages: what each text stands for, told by the message's schema or by declaration.

Every column passes through stages, each a projection, so that nothing is computed twice:
``d_`` the text as delivered, ``t_`` the same without TOAST markers, ``n_`` its number, ``k_`` its
kind, ``s_`` and ``v_`` the scale of a decimal, ``h_`` its bytes in hexadecimal, ``m_`` its digits,
and in the end the value under the column's own name, for the contract to type.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid

from ledgerlake.config.models import Column, Table
from ledgerlake.core.types import decimal_parts
from ledgerlake.feeds.debezium.options import DebeziumSource, DebeziumTable
from ledgerlake.feeds.frames import literal

_DECIMAL_NAMES = "('org.apache.kafka.connect.data.Decimal', 'io.debezium.data.VariableScaleDecimal')"
_WHOLE = "('int8', 'int16', 'int32', 'int64', 'string')"
_UNITS = {
    "days": "('io.debezium.time.Date', 'org.apache.kafka.connect.data.Date')",
    "millis": "('io.debezium.time.Timestamp', 'org.apache.kafka.connect.data.Timestamp')",
    "micros": "('io.debezium.time.MicroTimestamp')",
    "nanos": "('io.debezium.time.NanoTimestamp')",
}
_VALUE, _SCALE = '"value":"([^"]*)"', '"scale":(-?[0-9]+)'
_PER_SECOND = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""0001-01-01 and 9999-12-31 as seconds of the epoch; PostgreSQL's infinity lies far outside."""


def placeholders(marker: str) -> tuple[str, ...]:
    """Return every text in which the connector writes its marker for an unchanged TOAST value.

    Plain, as bytes, as arrays of text, bytes, numbers and UUIDs, and as hstore. Source:
    Debezium's PostgreSQL connector, "Toasted values" and ``unavailable.value.placeholder``.
    """
    raw = marker.encode()
    coded = base64.b64encode(raw).decode()
    named = str(uuid.UUID(bytes=hashlib.md5(raw, usedforsecurity=False).digest(), version=3))
    forms: list[object] = [[marker], [coded], list(raw), [named], {marker: marker}]
    return (marker, coded, named, *(json.dumps(f, separators=(",", ":"), ensure_ascii=False) for f in forms))


def numbers(table: Table) -> list[str]:
    """Return the items ``n_<column>``: dates and timestamps that are delivered as whole numbers.

    The pattern comes first because a ``try_cast`` that fails costs an exception.
    """
    names = [c.name for c in _typed(table) if not decimal_parts(c.type)]
    return [f"CASE WHEN d_{n} RLIKE '^-?[0-9]{{1,19}}$' THEN try_cast(d_{n} AS BIGINT) END AS n_{n}" for n in names]


def kinds(table: Table, source: DebeziumSource) -> list[str]:
    """Return the items ``k_<column>`` and ``s_<column>`` for columns whose text needs a meaning."""
    own = DebeziumTable(**table.feed)
    items = []
    for column in _typed(table):
        kind, scale = _from_schema(column) if source.schemas else _declared(column, source, own)
        items += [f"{kind} AS k_{column.name}", f"{scale} AS s_{column.name}"]
    return items


def bytes_items(table: Table) -> list[str]:
    """Return the items ``h_<column>``, hexadecimal bytes, and ``v_<column>``, the scale, of decimals."""
    items = []
    for name in (c.name for c in _typed(table) if decimal_parts(c.type)):
        beside = f"t_{name} LIKE '{{%'"  # {"scale": …, "value": …}, as Spark prints it, without spaces
        coded = f"CASE WHEN {beside} THEN {_inside(name, _VALUE)} ELSE t_{name} END"
        whole = f"k_{name} = 'decimal' AND octet_length({coded}) % 4 = 0"
        items.append(f"CASE WHEN {whole} THEN hex(try_to_binary({coded}, 'base64')) END AS h_{name}")
        items.append(f"CASE WHEN {beside} THEN try_cast({_inside(name, _SCALE)} AS INT) ELSE s_{name} END AS v_{name}")
    return items


def _inside(name: str, pattern: str) -> str:
    # Functions that read JSON are interpreted, and would cut the generated code in two at each row.
    return f"regexp_extract(t_{name}, {literal(pattern)}, 1)"


def digit_items(table: Table) -> list[str]:
    """Return the items ``m_<column>``: the digits of the unscaled decimal without its sign, exact to 38."""
    return [f"{_digits(f'h_{c.name}')} AS m_{c.name}" for c in _typed(table) if decimal_parts(c.type)]


def value_item(column: Column) -> str:
    """Return the select item of a column's value, for the contract to type."""
    name = column.name
    if not _is_typed(column):
        return f"t_{name} AS `{name}`"
    return f"{_decimal(name) if decimal_parts(column.type) else _moment(name)} AS `{name}`"


def value_problems(table: Table) -> list[str]:
    """Return expressions of what is wrong with a text that does not mean what is declared, else null."""
    found = []
    for column in _typed(table):
        found += _decimal_problems(column.name) if decimal_parts(column.type) else _moment_problems(column)
    return found


def _typed(table: Table) -> list[Column]:
    return [c for c in table.columns if _is_typed(c)]


def _is_typed(column: Column) -> bool:
    """Say whether the text needs a meaning; a column with units or a format of its own has one."""
    if column.unit != "major" or column.format != "auto":
        return False
    return decimal_parts(column.type) is not None or column.type in ("date", "timestamp")


def _from_schema(column: Column) -> tuple[str, str]:
    """Return kind and scale from the line's own schema."""
    field = f"get(filter(_fields, f -> f.field = {literal(column.source_name)}), 0)"
    if decimal_parts(column.type):
        kind = (
            f"CASE WHEN {field}.name IN {_DECIMAL_NAMES} THEN 'decimal'"
            f" WHEN {field}.type IN {_WHOLE} THEN 'text' WHEN {field}.type IN ('float', 'double') THEN 'double' END"
        )
        return kind, f"try_cast({field}.parameters.scale AS INT)"
    units = " ".join(f"WHEN {field}.name IN {names} THEN '{unit}'" for unit, names in _UNITS.items())
    return f"CASE {units} WHEN {field}.type = 'string' THEN 'text' END", "CAST(NULL AS INT)"


def _declared(column: Column, source: DebeziumSource, own: DebeziumTable) -> tuple[str, str]:
    """Return kind and scale as declared; a number whose unit nobody declared has none."""
    parts = decimal_parts(column.type)
    if parts:
        kind = {"precise": "decimal", "string": "text", "double": "double"}[source.decimal_mode]
        return f"'{kind}'", str(own.scales.get(column.name, parts[1]))
    unit = "days" if column.type == "date" else own.timestamps.get(column.name)
    if source.time_precision == "connect" and column.type == "timestamp":
        unit = unit or "millis"
    number = "CAST(NULL AS STRING)" if unit is None or source.time_precision == "isostring" else f"'{unit}'"
    return f"CASE WHEN n_{column.name} IS NOT NULL THEN {number} ELSE 'text' END", "CAST(NULL AS INT)"


def _digits(bits: str) -> str:
    """Return big-endian two's complement without its sign: a negative number is minus (its complement plus one)."""
    flipped = f"translate({bits}, '0123456789ABCDEF', 'FEDCBA9876543210')"
    short = (
        f"CASE WHEN {bits} >= '8' THEN CAST(CAST(conv({flipped}, 16, 10) AS BIGINT) + 1L AS STRING)"
        f" ELSE conv({bits}, 16, 10) END"
    )
    return (
        f"CASE octet_length({bits}) > 14 WHEN false THEN {short} ELSE CAST({_long_number(bits, flipped)} AS STRING) END"
    )


def _long_number(bits: str, flipped: str) -> str:
    """Return the same for up to 16 bytes. conv() holds 64 bits, so three pieces of at most 60."""
    plain = f"lpad(CASE WHEN {bits} >= '8' THEN {flipped} ELSE {bits} END, 32, '0')"
    first, second, third = (
        f"CAST(conv(substr({plain}, {at}, {n}), 16, 10) AS DECIMAL(20,0))" for at, n in ((1, 2), (3, 15), (18, 15))
    )
    size = f"CAST('{1 << 60}' AS DECIMAL(20,0))"
    number = f"try_add(try_multiply(try_add(try_multiply({first}, {size}), {second}), {size}), {third})"
    return f"CASE WHEN octet_length({bits}) <= 32 THEN try_add({number}, IF({bits} >= '8', 1BD, 0BD)) END"


def _decimal(name: str) -> str:
    digits, scale = f"m_{name}", f"v_{name}"
    whole = f"left({digits}, octet_length({digits}) - {scale})"
    split = (
        f"CASE WHEN octet_length({digits}) > {scale} THEN concat({whole}, '.', right({digits}, {scale}))"
        f" ELSE concat('0.', lpad({digits}, {scale}, '0')) END"
    )
    exact = f"CASE WHEN {scale} > 0 THEN {split} ELSE concat({digits}, repeat('0', -{scale})) END"
    signed = f"concat(IF(h_{name} >= '8', '-', ''), {exact})"
    return f"CASE k_{name} WHEN 'text' THEN t_{name} WHEN 'decimal' THEN {signed} END"


def _decimal_problems(name: str) -> list[str]:
    quoted = f"instr(value, concat('\"', t_{name}, '\"')) > 0"
    # Spark gives numbers and strings alike as text: where that could mislead, the line itself is asked.
    plain = f"t_{name} RLIKE '^[0-9]+$'"
    rounded = f"(t_{name} LIKE '%E%' OR length(t_{name}) > 15 AND t_{name} LIKE '%.%')"
    number = literal(f"{name}: a JSON number where a string is declared; set decimal.handling.mode and decimal.format")
    double = literal(f"{name}: a double; set decimal.handling.mode to precise")
    inexact = literal(f"{name}: not an exact decimal of at most 38 digits")
    because = (
        f"CASE k_{name} WHEN 'decimal' THEN CASE WHEN {plain} AND NOT ({quoted}) THEN {number}"
        f" WHEN m_{name} IS NULL OR v_{name} IS NULL THEN {inexact} END"
        f" WHEN 'text' THEN CASE WHEN {rounded} AND NOT ({quoted}) THEN {number} END"
        f" WHEN 'double' THEN {double} ELSE {literal(f'{name}: no decimal by its schema')} END"
    )
    return [f"CASE WHEN t_{name} IS NOT NULL THEN {because} END"]


def _moment(name: str) -> str:
    number = f"n_{name}"
    micros = f"CASE k_{name} WHEN 'millis' THEN try_multiply({number}, 1000L) WHEN 'nanos' THEN {number} div 1000 ELSE {number} END"
    # An ISO date ends in Z, which Spark's cast does not take.
    text = f"CASE WHEN t_{name} LIKE '%Z' AND length(t_{name}) = 11 THEN left(t_{name}, 10) ELSE t_{name} END"
    return (
        f"CASE k_{name} WHEN 'text' THEN {text}"
        f" WHEN 'days' THEN CAST(date_from_unix_date(try_cast({number} AS INT)) AS STRING)"
        f" ELSE CAST(timestamp_micros({micros}) AS STRING) END"
    )


def _moment_problems(column: Column) -> list[str]:
    name = column.name
    limits = {u: (_FIRST_SECOND * n, _LAST_SECOND * n) for u, n in _PER_SECOND.items() if u != "nanos"}
    limits |= {"days": (_FIRST_SECOND // 86_400, _LAST_SECOND // 86_400), "nanos": (-(9 * 10**18), 9 * 10**18)}
    inside = " ".join(f"WHEN '{u}' THEN n_{name} BETWEEN {low} AND {high}" for u, (low, high) in limits.items())
    unknown = literal(f"{name}: a number of unknown unit; declare `feed: timestamps` or send schemas")
    outside = literal(f"{name}: no {column.type} between the years 1 and 9999 (infinity?)")
    fine = literal(f"{name}: finer than a microsecond")
    because = (
        f"CASE WHEN k_{name} IS NULL THEN {unknown} WHEN NOT coalesce(CASE k_{name} {inside} END, false) THEN {outside}"
        f" WHEN k_{name} = 'nanos' AND n_{name} % 1000 <> 0 THEN {fine} END"
    )
    return [f"CASE WHEN t_{name} IS NOT NULL AND NOT (k_{name} <=> 'text') THEN {because} END"]
