"""Raw changes from Salesforce's change events: Spark SQL as text, one scan.

A change of several records is one row a record; ``_position`` is
``commitNumber|sequenceNumber|rank|place in recordIds``. ``rank`` is 0 for events; what was
fetched for a gap ranks above its event, and a later fetch above an earlier one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgerlake.config.models import Column, Table
from ledgerlake.core.types import decimal_parts
from ledgerlake.feeds.frames import (
    exact_type,
    json_records,
    json_schema,
    lines_of,
    literal,
    path_sql,
    with_order,
    without_nulls,
)
from ledgerlake.feeds.salesforce.events import HEADER, ROOTS, FieldOrder, names_in

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_FACTS = {
    "entityName": "STRING", "changeType": "STRING", "commitNumber": "STRING", "sequenceNumber": "STRING",
    "recordIds": "ARRAY<STRING>", "changedFields": "ARRAY<STRING>", "nulledFields": "ARRAY<STRING>",
    "diffFields": "ARRAY<STRING>",
}  # fmt: skip
_OPS = {
    "CREATE": "upsert", "UNDELETE": "upsert", "UPDATE": "patch", "DELETE": "delete",
    "REFETCHED": "upsert", "REFETCHED_DELETE": "delete", "RESYNC": "truncate",
}  # fmt: skip
_NO_CHANGE = "_changeType LIKE 'GAP\\\\_%' OR (_changeType <> 'RESYNC' AND exists(_recordIds, i -> i LIKE '%*' OR i LIKE '000000000000000%'))"
"""Events that extraction answers by asking Salesforce."""
_ORDERED = "coalesce(_commitNumber RLIKE '^[0-9]{1,19}$' AND _sequenceNumber RLIKE '^[0-9]{1,10}$', false)"
_NONE = "CAST(array() AS ARRAY<STRING>)"


def read_events(
    spark: SparkSession, lake_uri: str, table: Table, ranks: dict[str, int], entity: str, order: FieldOrder, *, shared: bool
) -> DataFrame:  # fmt: skip
    """Return the raw changes of landed objects; ``ranks`` are 0 for delivered objects."""
    orders = {path: str(rank) for path, rank in ranks.items()}
    lines = with_order(spark, lines_of(spark, lake_uri, list(ranks)), orders)
    own = [c.source_name for c in table.columns if c.source_name != "Id"]
    types = {f"{r}{HEADER}.{f}": kind for r in ROOTS for f, kind in _FACTS.items()}
    parsed = json_records(lines, [r + p for r in ROOTS for p in own], types=types)
    values = [f"{_value(c)} AS `{c.name}`" for c in table.columns if c.source_name != "Id"]
    events = parsed.selectExpr(
        "_object", "_ordinal", "_order", "value", "j IS NULL AS _unread", *values,
        *(f"{_fact(name)} AS _{name}" for name in _FACTS),
    )  # fmt: skip
    ordered = events.selectExpr("*", f"{_ORDERED} AS _ordered")
    named = ordered.selectExpr(
        "*",
        f"CASE WHEN _changedFields IS NOT NULL OR _nulledFields IS NOT NULL THEN array_union({_names('_changedFields', order)}, {_names('_nulledFields', order)}) END AS _changed",
        f"{_names('_diffFields', order)} AS _diffs",
        f"CASE WHEN {_keys_wanted()} THEN {_payload_keys()} END AS _keys",
    )
    # What has no order was not asked for: it stays, and goes to quarantine.
    answered = f"_entityName <=> {literal(entity)} AND _ordered AND ({_NO_CHANGE})"
    foreign = f"_entityName <> {literal(entity)}" if shared else "false"
    told = named.selectExpr("*", f"coalesce({answered}, false) OR coalesce({foreign}, false) AS _left_out")
    return _changes(told, table, entity)


def _changes(events: DataFrame, table: Table, entity: str) -> DataFrame:
    judged = events.selectExpr("*", f"{_problem(table, entity)} AS _problem")
    # An empty array drops its row. A filter would be moved below the parsing, which then ran for each field it asks for.
    ids = f"CASE WHEN _left_out THEN {_NONE} WHEN _problem IS NULL THEN _recordIds ELSE array(get(_recordIds, 0)) END"
    single = judged.selectExpr("*", f"posexplode({ids}) AS (_place, _id)")
    key = next(c.name for c in table.columns if c.source_name == "Id")
    return single.selectExpr(
        "_object", "_ordinal", f"CASE _changeType {_cases()} END AS _op", f"{_position()} AS _position", "_problem",
        "value AS _raw", f"CASE WHEN _changeType = 'UPDATE' THEN {_carried(table)} END AS _carried",
        *(f"nullif(_id, '') AS `{key}`" if c.name == key else f"`{c.name}`" for c in table.columns),
    )  # fmt: skip


def _cases() -> str:
    return " ".join(f"WHEN {literal(kind)} THEN {literal(op)}" for kind, op in _OPS.items())


def _fact(name: str) -> str:
    return f"coalesce({', '.join(path_sql('j', f'{root}{HEADER}.{name}') for root in ROOTS)})"


def _position() -> str:
    rank = "CASE WHEN _order = '0' OR _changeType = 'RESYNC' THEN CAST(_order AS INT) ELSE CAST(_order AS INT) + 1 END"
    return (
        f"CASE WHEN _ordered THEN"
        f" concat(lpad(_commitNumber, 19, '0'), '|', lpad(_sequenceNumber, 10, '0'), '|', lpad({rank}, 6, '0'), '|', lpad(_place, 5, '0')) END"
    )


def _value(column: Column) -> str:
    """Return a field's text: long numbers exactly, epoch milliseconds of times as text."""
    paths = [root + column.source_name for root in ROOTS]
    text = f"coalesce({', '.join(path_sql('j', p) for p in paths)})"
    if decimal_parts(column.type):
        exact = ", ".join(_exactly(column, p) for p in paths)
        return f"CASE WHEN {text} LIKE '%E%' OR length({text}) > 15 THEN coalesce({exact}, {text}) ELSE {text} END"
    if column.type in ("date", "timestamp"):
        return f"CASE WHEN {text} RLIKE '^-?[0-9]+$' THEN CAST(timestamp_millis(CAST({text} AS BIGINT)) AS STRING) ELSE {text} END"
    return text


def _exactly(column: Column, path: str) -> str:
    """Spark copies a JSON number into a string through a double, which keeps 15 digits: read it again."""
    leaf = json_schema([path]).replace("STRING", exact_type(column.type))
    return f"CAST({path_sql(f'from_json(value, {literal(leaf)})', path)} AS STRING)"


def _names(entries: str, order: FieldOrder) -> str:
    """Return the fields that a list names, be it of names or of bitmaps (compare ``salesforce_events.decoded``)."""
    fields = names_in(order)
    given = f"coalesce({entries}, {_NONE})"
    if not fields:
        return given
    maps = [_set_bits(_bits(given, ""), [name for name, _ in fields])]
    for place, (name, parts) in enumerate(fields):
        if parts:
            maps.append(_set_bits(_bits(given, f"{place}-"), [f"{name}.{part}" for part in parts]))
    return f"CASE WHEN exists({given}, e -> e RLIKE '^([0-9]+-)?0x') THEN flatten(array({', '.join(maps)})) ELSE {given} END"


def _bits(entries: str, prefix: str) -> str:
    """Return a bitmap's hexadecimal digits, the lowest first."""
    start = literal(f"{prefix}0x%")
    return f"reverse(substring(coalesce(get(filter({entries}, e -> e LIKE {start}), 0), ''), {len(prefix) + 3}))"


def _set_bits(digits: str, names: list[str]) -> str:
    listed = ", ".join(literal(n) for n in names)
    digit = f"coalesce(CAST(conv(substring({digits}, CAST(floor(i / 4) AS INT) + 1, 1), 16, 10) AS INT), 0)"
    return f"array_compact(transform(array({listed}), (n, i) -> CASE WHEN getbit({digit}, i % 4) = 1 THEN n END))"


def _keys_wanted() -> str:
    return "_changeType = 'UPDATE' AND _changedFields IS NULL AND _nulledFields IS NULL"


def _payload_keys() -> str:
    """Return the paths present in the payload: CometD before version 47 lists no changed fields."""
    payload = "coalesce(get_json_object(value, '$.payload'), get_json_object(value, '$.data.payload'), value)"
    below = f"transform(json_object_keys({payload}), k -> concat_ws(',', transform(json_object_keys(get_json_object({payload}, concat('$.', k))), l -> concat(k, '.', l))))"
    return f"array_union(json_object_keys({payload}), flatten(transform({below}, t -> split(t, ','))))"


def _carried(table: Table) -> str:
    tests = [
        f"CASE WHEN array_contains(coalesce(_changed, _keys), {literal(c.source_name)}) AND NOT array_contains(_diffs, {literal(c.source_name)}) THEN {literal(c.name)} END"
        for c in table.columns if c.source_name != "Id"
    ]  # fmt: skip
    return without_nulls(tests)


def _problem(table: Table, entity: str) -> str:
    known = ", ".join(literal(kind) for kind in _OPS)
    tests = [
        ("_unread", "not a JSON object"),
        ("_entityName IS NULL OR _changeType IS NULL", "no ChangeEventHeader"),
        (f"_entityName <> {literal(entity)}", "an event of another object"),
        ("NOT _ordered", "no commitNumber or sequenceNumber"),
        (f"_changeType NOT IN ({known})", "unknown changeType"),
        ("_order = '0' AND _changeType IN ('REFETCHED', 'REFETCHED_DELETE', 'RESYNC')", "unknown changeType"),
        ("coalesce(size(_recordIds), 0) < 1", "no recordIds"),
        ("_changeType <> 'RESYNC' AND exists(_recordIds, i -> i IS NULL OR NOT i RLIKE '^[A-Za-z0-9]{18}$')", "a record id that has not 18 characters"),
        ("size(array_distinct(_recordIds)) < size(_recordIds)", "a record id stands twice"),
        (f"_changeType = 'UPDATE' AND size(_changed) = 0 AND ({_any_value(table)})", "an update that names no changed field"),
        (_nested(table), "a field is an object: name its components in the contract"),
        (f"_changeType = 'UPDATE' AND ({_compound(table)})", "a compound field changed: name its components in the contract"),
    ]  # fmt: skip
    return "CASE " + " ".join(f"WHEN {test} THEN {literal(text)}" for test, text in tests) + " END"


def _any_value(table: Table) -> str:
    return " OR ".join(f"`{c.name}` IS NOT NULL" for c in table.columns if c.source_name != "Id") or "false"


def _nested(table: Table) -> str:
    """Say where a field is an object: a compound, or Avro's JSON encoding with a type around each value."""
    columns = [c for c in table.columns if c.source_name != "Id"]
    return (
        " OR ".join(
            f"(`{c.name}` LIKE '{{%' AND value RLIKE "
            + literal(rf'"{c.source_name.rpartition(".")[2]}"\s*:\s*\{{')
            + ")"
            for c in columns
        )
        or "false"
    )


def _compound(table: Table) -> str:
    """A contract that takes a compound whole cannot take a part, nor one that takes parts an unnamed whole."""
    tests = []
    for name in sorted({c.source_name.partition(".")[0] for c in table.columns if c.source_name != "Id"}):
        part = f"exists(_changed, n -> startswith(n, {literal(name + '.')}))"
        whole = any(c.source_name == name for c in table.columns)
        tests.append(part if whole else f"(array_contains(_changed, {literal(name)}) AND NOT {part})")
    return " OR ".join(f"coalesce({t}, false)" for t in tests) or "false"
