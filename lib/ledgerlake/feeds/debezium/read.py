"""From lines to raw changes: each line is parsed once, then everything is a projection of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledgerlake.config.models import Column, Table
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.debezium.layout import Paths
from ledgerlake.feeds.debezium.options import DebeziumSource
from ledgerlake.feeds.debezium.order import order_problems, position_sql
from ledgerlake.feeds.debezium.values import (
    bytes_items,
    digit_items,
    kinds,
    numbers,
    placeholders,
    value_item,
    value_problems,
)
from ledgerlake.feeds.frames import json_records, lines_of, literal, path_sql, without_nulls
from ledgerlake.feeds.kafka_files import file_partition

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_FIELD = "field: STRING, type: STRING, name: STRING, parameters: STRUCT<scale: STRING>"
_LAYOUT = "not laid out as declared: see `message`, `schemas` and `form` of the source"
_IDENTITY = "a delete without its key: set REPLICA IDENTITY, or dump the message key and declare `message: key_value`"
_PARTITIONS = "a truncate in a topic of several partitions: its order is not certain; rebuild the table"
_TOAST_WHOLE = "unchanged TOAST values are not in the message: declare `changes: partial`, or set REPLICA IDENTITY FULL"
_TOAST_NEW = "a new row lacks unchanged TOAST values (its key changed): set REPLICA IDENTITY FULL"
_KEY_MOVED = "an update changes the key: the message key is not the key of the contract"


def read_changes(spark: SparkSession, reading: Reading) -> DataFrame:
    """Return the raw changes of a batch's lines; tombstones and logical messages are left out."""
    source, table = DebeziumSource(**reading.source_options), reading.table
    paths = Paths(source)
    lines = lines_of(spark, reading.lake_uri, [i.path for i in reading.objects])
    records = _messages(_parsed(lines, source, table, paths), source, paths)
    typed = records.selectExpr("*", f"{_op_sql(paths)} AS _op_code")
    picked = typed.selectExpr("*", *_picked(table, source, paths), *_fields(source, paths))
    # The parsed record ends here: what is said of it later is decided now, so that it need not be carried along.
    partitions = {file_partition(i.source_name) for i in reading.objects}
    framed = picked.selectExpr("*", *_frame_items(source, table, paths, len(partitions))).drop("j")
    shown = framed.selectExpr("*", *_shown(table, source), *numbers(table))
    told = shown.selectExpr("*", f"{_hidden(table, source)} AS _hidden", *kinds(table, source))
    decoded = told.selectExpr("*", *bytes_items(table)).selectExpr("*", *digit_items(table))
    problems = ["WHEN _unframed IS NOT NULL THEN _unframed", *_row_problems(source, table)]
    judged = decoded.selectExpr("*", f"{_first(problems, value_problems(table))} AS _problem")
    return judged.selectExpr(
        "_object", "_ordinal",
        "CASE _op_code WHEN 't' THEN 'truncate' WHEN 'd' THEN 'delete' ELSE IF(_hidden, 'patch', 'upsert') END AS _op",
        "_position", "_problem", "CASE WHEN _problem IS NOT NULL THEN value END AS _raw",
        f"{_carried(table)} AS _carried", *(value_item(c) for c in table.columns),
    )  # fmt: skip


def _first(cases: list[str], values: list[str]) -> str:
    """Return what is wrong with a record: with the whole, else with the first of its values."""
    whole = " ".join(cases)
    return f"coalesce({', '.join([f'CASE {whole} END', *values])})"


def _parsed(lines: DataFrame, source: DebeziumSource, table: Table, paths: Paths) -> DataFrame:
    """Parse the needed paths; with schemas also what the line's schema says of each column."""
    wanted, types = paths.all(table), {}
    if source.schemas:
        inner = f"STRUCT<{_FIELD}>"
        nested = f"STRUCT<field: STRING, fields: ARRAY<{inner}>>"
        types[paths.document + "schema.fields"] = f"ARRAY<{inner if source.form == 'flattened' else nested}>"
    elif not _names_schema(table, source):
        wanted.append(paths.schema_type)  # present only where the layout is not as declared
    return json_records(lines, wanted, types=types)


def _names_schema(table: Table, source: DebeziumSource) -> bool:
    return source.form == "flattened" and any(c.source_name.split(".")[0] == "schema" for c in table.columns)


def _messages(parsed: DataFrame, source: DebeziumSource, paths: Paths) -> DataFrame:
    """Leave out logical messages and tombstones, which tell Kafka to forget a key, not us.

    An empty array drops its row. A filter would do the same at several times the cost: Spark
    moves filters below the parsing, and parses once for every field that they ask for.
    """
    left_out = f"CASE {' '.join(_tombstone(source, paths))} ELSE {_op_sql(paths)} <=> 'm' END"
    columns = [f"`{n}`" for n in parsed.columns if n != "j"]
    return parsed.selectExpr(
        *columns, f"explode(IF({left_out}, CAST(array() AS ARRAY<{_type_of(parsed)}>), array(j))) AS j"
    )


def _type_of(parsed: DataFrame) -> str:
    return parsed.schema["j"].dataType.simpleString()


def _tombstone(source: DebeziumSource, paths: Paths) -> list[str]:
    """Return the ``WHEN … THEN …`` that find lines whose value is null.

    Only a line without a record is looked at again, so that one that is merely laid out
    otherwise is not taken for a tombstone.
    """
    wrapped = source.message == "key_value"
    document = "get_json_object(value, '$.value')" if wrapped else "value"
    empty = ["WHEN trim(value) IN ('', 'null') THEN true"]
    if wrapped:
        empty.append(f"WHEN {_only('value', 'value', 'key', 'headers')} AND {document} IS NULL THEN true")
    if source.schemas:
        payload = f"get_json_object({document}, '$.payload')"
        empty.append(f"WHEN {_only(document, 'payload', 'schema')} AND {payload} IS NULL THEN true")
    return [f"WHEN {_at('j', paths.root)} IS NULL THEN CASE {' '.join(empty)} ELSE false END"]


def _only(text: str, needed: str, *others: str) -> str:
    keys, allowed = f"json_object_keys({text})", ", ".join(map(literal, (needed, *others)))
    named = f"array_contains({keys}, {literal(needed)}) AND size(array_except({keys}, array({allowed}))) = 0"
    return f"coalesce({named}, false)"


def _at(root: str, path: str) -> str:
    """Return the SQL of a path that may end in a dot, or be empty: the struct itself."""
    return path_sql(root, path.rstrip(".")) if path else root


def _op_sql(paths: Paths) -> str:
    op = path_sql("j", paths.op)
    if paths.deleted is None:
        return op
    return f"CASE WHEN {op} IS NOT NULL AND {path_sql('j', paths.deleted)} = 'true' THEN 'd' ELSE {op} END"


def _picked(table: Table, source: DebeziumSource, paths: Paths) -> list[str]:
    """Return ``d_<column>``: keys of deletes come from before or the message key, all else from after."""
    order = [path_sql("j", p) for p in paths.order]
    position = f"{position_sql(source, order, '_op_code')} AS _position"
    return [position, *(f"{_delivered(table, c, paths)} AS d_{c.name}" for c in table.columns)]


def _delivered(table: Table, column: Column, paths: Paths) -> str:
    after = path_sql("j", paths.after + column.source_name)
    if column.name not in table.key:
        return f"CASE WHEN _op_code <> 'd' THEN {after} END"
    before = path_sql("j", paths.before + column.source_name)
    key = f"coalesce({before}, {path_sql('j', paths.key + column.source_name)})" if paths.key else before
    return f"CASE WHEN _op_code = 'd' THEN {key} ELSE {after} END"


def _fields(source: DebeziumSource, paths: Paths) -> list[str]:
    """Return ``_fields``, the schema's description of the row."""
    if not source.schemas:
        return []
    fields = path_sql("j", paths.document + "schema.fields")
    row = fields if source.form == "flattened" else f"get(filter({fields}, f -> f.field = 'after'), 0).fields"
    return [f"{row} AS _fields"]


def _shown(table: Table, source: DebeziumSource) -> list[str]:
    """Return ``t_<column>``: the text without TOAST markers."""
    if source.database != "postgresql":
        return [f"d_{n} AS t_{n}" for n in table.column_names]
    markers = ", ".join(map(literal, placeholders(source.unavailable_placeholder)))
    return [f"CASE WHEN NOT (d_{n} IN ({markers})) THEN d_{n} END AS t_{n}" for n in table.column_names]


def _hidden(table: Table, source: DebeziumSource) -> str:
    """Say whether any column holds a TOAST marker."""
    if source.database != "postgresql":
        return "false"
    return " OR ".join(f"(d_{n} IS NOT NULL AND t_{n} IS NULL)" for n in table.column_names)


def _carried(table: Table) -> str:
    """Return the columns that a patch carries: all but those that hold the marker."""
    if table.changes == "whole":
        return "CAST(NULL AS ARRAY<STRING>)"
    tests = [f"IF(d_{n} IS NOT NULL AND t_{n} IS NULL, NULL, {literal(n)})" for n in table.column_names]
    return f"CASE WHEN _hidden AND _op_code = 'u' THEN {without_nulls(tests)} END"


def _frame_items(source: DebeziumSource, table: Table, paths: Paths, partitions: int) -> list[str]:
    """Return ``_unframed``, what is wrong with the frame; ``_no_row``; and ``_key_moved``."""
    no_row, moved = "false", "false"
    if source.form == "envelope":
        no_row, moved = f"{_at('j', paths.after)} IS NULL", f"coalesce({_moved(table, paths)}, false)"
    unframed = " ".join(_frame_problems(source, table, paths, partitions))
    return [f"CASE {unframed} END AS _unframed", f"{no_row} AS _no_row", f"{moved} AS _key_moved"]


def _frame_problems(source: DebeziumSource, table: Table, paths: Paths, partitions: int) -> list[str]:
    order = [path_sql("j", p) for p in paths.order]
    server = path_sql("j", paths.server) if paths.server else None
    found = ["WHEN j IS NULL THEN 'not a JSON object'"]
    if not source.schemas and not _names_schema(table, source):
        found.append(f"WHEN {path_sql('j', paths.schema_type)} IS NOT NULL THEN {literal(_LAYOUT)}")
    found += [
        f"WHEN _op_code IS NULL THEN {literal(_LAYOUT)}",
        "WHEN _op_code NOT IN ('c', 'u', 'd', 'r', 't') THEN 'unknown op'",
        *order_problems(source, "_position", order, "_op_code", server),
    ]
    if partitions > 1:
        found.append(f"WHEN _op_code = 't' THEN {literal(_PARTITIONS)}")
    return found


def _row_problems(source: DebeziumSource, table: Table) -> list[str]:
    nulls = " OR ".join(f"t_{k} IS NULL" for k in table.key)
    found = [f"WHEN _op_code = 'd' AND ({nulls}) THEN {literal(_IDENTITY)}"]
    if source.form == "envelope":
        found.append("WHEN _op_code IN ('c', 'u', 'r') AND _no_row THEN 'no row in after'")
        found.append(f"WHEN _op_code = 'u' AND _key_moved THEN {literal(_KEY_MOVED)}")
    found.append(f"WHEN _hidden AND _op_code IN ('c', 'r') THEN {literal(_TOAST_NEW)}")
    if table.changes == "whole":
        found.append(f"WHEN _hidden THEN {literal(_TOAST_WHOLE)}")
    return found


def _moved(table: Table, paths: Paths) -> str:
    pairs: Sequence[tuple[str, str]] = [
        (path_sql("j", paths.before + table.column(k).source_name), f"d_{k}") for k in table.key
    ]
    return " OR ".join(f"{before} IS NOT NULL AND {before} <> {after}" for before, after in pairs)
