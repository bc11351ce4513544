"""Values of Debezium messages: what each text stands for, told by the message's schema or by declaration.

Every column passes through stages, each a projection, so that nothing is computed twice:
``t_`` the text as delivered, ``k_`` its kind, ``s_`` the scale of a decimal, ``h_`` its bytes in
hexadecimal, and in the end the value under the column's own name, for the contract to type.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid

from ledgerlake.config.models import Column, Table
from ledgerlake.core.types import decimal_parts
from ledgerlake.feeds.debezium_options import DebeziumSource, DebeziumTable
from ledgerlake.feeds.frames import literal

_DECIMAL_NAMES = "('org.apache.kafka.connect.data.Decimal', 'io.debezium.data.VariableScaleDecimal')"
_WHOLE = "('int8', 'int16', 'int32', 'int64', 'string')"
_UNITS = {
    "days": "('io.debezium.time.Date', 'org.apache.kafka.connect.data.Date')",
    "millis": "('io.debezium.time.Timestamp', 'org.apache.kafka.connect.data.Timestamp')",
    "micros": "('io.debezium.time.MicroTimestamp')",
    "nanos": "('io.debezium.time.NanoTimestamp')",
}
_PER_SECOND = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""0001-01-01 and 9999-12-31 as seconds of the epoch; PostgreSQL's infinity lies far outside."""
_INTEGER = "'^-?[0-9]{1,19}$'"


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


def kinds(table: Table, source: DebeziumSource) -> list[str]:
    """Return the items ``k_<column>`` and ``s_<column>`` for columns whose text needs a meaning."""
    own = DebeziumTable(**table.feed)
    items = []
    for column in _typed(table):
        kind, scale = _from_schema(column) if source.schemas else _declared(column, source, own)
        items += [f"{kind} AS k_{column.name}", f"{scale} AS s_{column.name}"]
    return items


def bytes_items(table: Table) -> list[str]:
    """Return the items ``h_<column>``: the hexadecimal bytes of decimals, and their scale where it stands beside."""
    items = []
    for name in (c.name for c in _typed(table) if decimal_parts(c.type)):
        text = f"CASE WHEN t_{name} LIKE '{{%' THEN get_json_object(t_{name}, '$.value') ELSE t_{name} END"
        strict = "RLIKE '^([A-Za-z0-9+/]{4}){0,5}([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$'"
        items.append(f"CASE WHEN k_{name} = 'decimal' AND ({text}) {strict} THEN hex(unbase64({text})) END AS h_{name}")
        items.append(
            f"CASE WHEN t_{name} LIKE '{{%' THEN get_json_object(t_{name}, '$.scale') ELSE s_{name} END AS v_{name}"
        )
    return items


def magnitude_items(table: Table) -> list[str]:
    """Return the items ``m_<column>``: the unscaled decimal without its sign, exact to 38 digits."""
    return [f"{_magnitude(f'h_{c.name}')} AS m_{c.name}" for c in _typed(table) if decimal_parts(c.type)]


def value_item(column: Column) -> str:
    """Return the select item of a column's value, for the contract to type."""
    name = column.name
    if not _is_typed(column):
        return f"t_{name} AS `{name}`"
    return f"{_decimal(name) if decimal_parts(column.type) else _moment(name)} AS `{name}`"


def value_problems(table: Table) -> list[str]:
    """Return the ``WHEN … THEN …`` for texts that do not mean what is declared."""
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
        return kind, f"{field}.parameters.scale"
    units = " ".join(f"WHEN {field}.name IN {names} THEN '{unit}'" for unit, names in _UNITS.items())
    return f"CASE {units} WHEN {field}.type = 'string' THEN 'text' END", "CAST(NULL AS STRING)"


def _declared(column: Column, source: DebeziumSource, own: DebeziumTable) -> tuple[str, str]:
    """Return kind and scale as declared; a number whose unit nobody declared has none."""
    parts = decimal_parts(column.type)
    if parts:
        kind = {"precise": "decimal", "string": "text", "double": "double"}[source.decimal_mode]
        return f"'{kind}'", f"'{own.scales.get(column.name, parts[1])}'"
    unit = "days" if column.type == "date" else own.timestamps.get(column.name)
    if source.time_precision == "connect" and column.type == "timestamp":
        unit = unit or "millis"
    number = "CAST(NULL AS STRING)" if unit is None or source.time_precision == "isostring" else f"'{unit}'"
    return f"CASE WHEN t_{column.name} RLIKE {_INTEGER} THEN {number} ELSE 'text' END", "CAST(NULL AS STRING)"


def _magnitude(bits: str) -> str:
    """Return big-endian two's complement without its sign: a negative number is minus (its complement plus one)."""
    negative = f"{bits} >= '8'"
    flipped = f"translate({bits}, '0123456789ABCDEF', 'FEDCBA9876543210')"
    plain = f"lpad(CASE WHEN {negative} THEN {flipped} ELSE {bits} END, 32, '0')"
    # conv() holds 64 bits: three pieces of at most 60.
    pieces = [
        f"CAST(conv(substr({plain}, {at}, {n}), 16, 10) AS DECIMAL(20,0))" for at, n in ((1, 2), (3, 15), (18, 15))
    ]
    size = f"CAST('{1 << 60}' AS DECIMAL(20,0))"
    large = f"try_add(try_multiply(try_add(try_multiply({pieces[0]}, {size}), {pieces[1]}), {size}), {pieces[2]})"
    number = f"CASE WHEN length({bits}) <= 14 THEN CAST({pieces[2]} AS DECIMAL(38,0)) WHEN length({bits}) <= 32 THEN {large} END"
    return f"try_add({number}, CASE WHEN {negative} THEN 1BD ELSE 0BD END)"


def _decimal(name: str) -> str:
    scale = f"try_cast(v_{name} AS INT)"
    digits = f"lpad(CAST(m_{name} AS STRING), greatest(length(CAST(m_{name} AS STRING)), {scale} + 1), '0')"
    split = f"concat(left({digits}, length({digits}) - {scale}), '.', right({digits}, {scale}))"
    sign = f"CASE WHEN h_{name} >= '8' THEN '-' ELSE '' END"
    exact = f"CASE WHEN {scale} > 0 THEN {split} ELSE concat(CAST(m_{name} AS STRING), repeat('0', -{scale})) END"
    return f"CASE WHEN k_{name} = 'text' THEN t_{name} WHEN k_{name} = 'decimal' THEN concat({sign}, {exact}) END"


def _decimal_problems(name: str) -> list[str]:
    given, quoted = f"t_{name} IS NOT NULL", f"instr(value, concat('\"', t_{name}, '\"')) > 0"
    # Spark gives numbers and strings alike as text: where that could mislead, the line itself is asked.
    digits = f"k_{name} = 'decimal' AND t_{name} RLIKE '^[0-9]+$'"
    rounded = f"k_{name} = 'text' AND (t_{name} LIKE '%E%' OR length(t_{name}) > 15 AND t_{name} LIKE '%.%')"
    number = literal(f"{name}: a JSON number where a string is declared; set decimal.handling.mode and decimal.format")
    return [
        f"WHEN {given} AND k_{name} = 'double' THEN {literal(f'{name}: a double; set decimal.handling.mode to precise')}",
        f"WHEN {given} AND k_{name} IS NULL THEN {literal(f'{name}: no decimal by its schema')}",
        f"WHEN ({digits} OR {rounded}) AND NOT ({quoted}) THEN {number}",
        f"WHEN {given} AND k_{name} = 'decimal' AND (m_{name} IS NULL OR try_cast(v_{name} AS INT) IS NULL)"
        f" THEN {literal(f'{name}: not an exact decimal of at most 38 digits')}",
    ]


def _moment(name: str) -> str:
    number = f"try_cast(t_{name} AS BIGINT)"
    micros = f"CASE k_{name} WHEN 'millis' THEN try_multiply({number}, 1000L) WHEN 'nanos' THEN {number} div 1000 ELSE {number} END"
    return (
        f"CASE WHEN k_{name} = 'days' THEN CAST(date_from_unix_date(try_cast(t_{name} AS INT)) AS STRING)"
        # An ISO date ends in Z, which Spark's cast does not take.
        f" WHEN k_{name} = 'text' THEN CASE WHEN t_{name} RLIKE '^[0-9-]{{10}}Z$' THEN left(t_{name}, 10) ELSE t_{name} END"
        f" WHEN k_{name} IS NOT NULL THEN CAST(timestamp_micros({micros}) AS STRING) END"
    )


def _moment_problems(column: Column) -> list[str]:
    name = column.name
    limits = {u: (_FIRST_SECOND * n, _LAST_SECOND * n) for u, n in _PER_SECOND.items() if u != "nanos"}
    limits |= {"days": (_FIRST_SECOND // 86_400, _LAST_SECOND // 86_400), "nanos": (-(9 * 10**18), 9 * 10**18)}
    number = f"try_cast(t_{name} AS BIGINT)"
    inside = " ".join(f"WHEN '{u}' THEN {number} BETWEEN {low} AND {high}" for u, (low, high) in limits.items())
    return [
        f"WHEN t_{name} IS NOT NULL AND k_{name} IS NULL"
        f" THEN {literal(f'{name}: a number of unknown unit; declare `feed: timestamps` or send schemas')}",
        f"WHEN k_{name} <> 'text' AND NOT coalesce(CASE k_{name} {inside} END, false)"
        f" THEN {literal(f'{name}: no {column.type} between the years 1 and 9999 (infinity?)')}",
        f"WHEN k_{name} = 'nanos' AND {number} % 1000 <> 0 THEN {literal(f'{name}: finer than a microsecond')}",
    ]
