"""Pieces of Spark SQL that several feeds share: ordinals, object lists, JSON schemas."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING

from ledgerlake.config.models import Column, Table
from ledgerlake.core.types import decimal_parts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ONE_FILE_PER_TASK = "monotonically_increasing_id() & 8589934591 AS _ordinal"
"""The record's place in its file. True only where each task reads exactly one whole file, which
:func:`reading_session` arranges: the low 33 bits of the id then count the file's records."""

OBJECT = "substring_index(_metadata.file_path, '/', -5)"
"""A landed object's path in the lake, from the URI that Spark reads."""

_TEXT: Mapping[str, str] = {}
"""No typed fields: every leaf is a string."""

PLACE = "concat(_order, '|', substring(CAST(_ordinal + 1000000000000L AS STRING), 2))"
"""A record's place among all objects': its object's order, and its ordinal in twelve digits (two thirds of lpad's time)."""
_FEW_OBJECTS = 8
_WHOLE_FILE_BYTES = str(1 << 40)


def reading_session(spark: SparkSession) -> SparkSession:
    """Return a sibling session in which a task reads exactly one whole file, every column of it."""
    session = spark.newSession()
    for key, value in {
        "spark.sql.files.maxPartitionBytes": _WHOLE_FILE_BYTES,
        "spark.sql.files.openCostInBytes": _WHOLE_FILE_BYTES,
        "spark.sql.files.minPartitionNum": "1",
        "spark.sql.inMemoryColumnarStorage.compressed": "false",  # a batch is cached for seconds; it may spill
        "spark.sql.csv.parser.columnPruning.enabled": "false",  # else width errors go unseen
    }.items():
        session.conf.set(key, value)
    return session


def literal(text: str) -> str:
    """Return ``text`` as a Spark SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def with_fact(spark: SparkSession, frame: DataFrame, facts: Mapping[str, str], name: str) -> DataFrame:
    """Return the frame with column ``name``: SQL expressions by ``_object``, null for other objects.

    A few objects stand in a CASE: planning and running a broadcast join takes longer than
    reading a small batch. Many are joined.
    """
    if len(facts) <= _FEW_OBJECTS:
        cases = " ".join(f"WHEN {literal(path)} THEN {fact}" for path, fact in sorted(facts.items()))
        return frame.selectExpr("*", f"CASE _object {cases} END AS {name}")
    rows = ", ".join(f"({literal(path)}, {fact})" for path, fact in sorted(facts.items()))
    known = spark.sql(f"SELECT * FROM VALUES {rows} AS t(_object, {name})")
    return frame.join(known.hint("broadcast"), "_object", "left")


def placed(
    spark: SparkSession, records: DataFrame, orders: Mapping[str, str], ordinal: str = ONE_FILE_PER_TASK
) -> DataFrame:
    """Return scanned records with ``_object``, ``_ordinal`` and ``_order`` (see :func:`with_order`).

    The names of a few objects are compared as they are: cutting one out of each record's URI
    takes longer than reading a row of Parquet.
    """
    if len(orders) > _FEW_OBJECTS:
        return with_order(spark, records.selectExpr("*", f"{OBJECT} AS _object", ordinal), orders)
    facts = {"_object": {path: path for path in orders}, "_order": orders}
    items = [f"{_by_uri(values)} AS {name}" for name, values in facts.items()]
    return records.selectExpr("*", *items, ordinal)


def _by_uri(values: Mapping[str, str]) -> str:
    cases = (f"WHEN endswith(_metadata.file_path, {literal(p)}) THEN {literal(v)}" for p, v in sorted(values.items()))
    return f"CASE {' '.join(cases)} END"


def with_order(spark: SparkSession, frame: DataFrame, orders: Mapping[str, str]) -> DataFrame:
    """Return the frame with ``_order``, the text by which its object stands among the others."""
    return with_fact(spark, frame, {path: literal(order) for path, order in orders.items()}, "_order")


def union_all(frames: list[DataFrame]) -> DataFrame:
    """Union frames by column name."""
    return reduce(lambda a, b: a.unionByName(b), frames)


def json_fields(paths: list[str]) -> str:
    """Return the fields of a JSON record, a string leaf for each dotted path, as the inside of a STRUCT type."""
    return _struct(_tree(paths))


def _tree(paths: list[str]) -> dict[str, dict]:  # type: ignore[type-arg]
    tree: dict[str, dict] = {}  # type: ignore[type-arg]
    for path in paths:
        node = tree
        for part in path.split("."):
            node = node.setdefault(part, {})
    return tree


def _struct(tree: Mapping[str, Mapping], types: Mapping[str, str] = _TEXT, at: str = "") -> str:  # type: ignore[type-arg]
    return ", ".join(
        f"`{n}`: " + (f"STRUCT<{_struct(b, types, f'{at}{n}.')}>" if b else types.get(at + n, "STRING"))
        for n, b in tree.items()
    )


def path_sql(root: str, path: str) -> str:
    """Return the SQL that reads a dotted path below ``root``."""
    return root + "".join(f".`{part}`" for part in path.split("."))


def lines_of(spark: SparkSession, lake_uri: str, paths: list[str]) -> DataFrame:
    """Read text objects as (value, _object, _ordinal); gzip is recognised by the name's ending."""
    return spark.read.text([f"{lake_uri}/{p}" for p in paths]).selectExpr(
        "value",
        "substring_index(_metadata.file_path, '/', -5) AS _object",
        ONE_FILE_PER_TASK,
    )


def json_records(
    lines: DataFrame, paths: list[str], record: str = "value", *, types: Mapping[str, str] = _TEXT
) -> DataFrame:
    """Parse each line once: ``j`` holds the dotted paths as strings, null where it is not one JSON object.

    The line is read as an array of one, because ``from_json`` of a bare object ignores whatever
    follows it. ``record`` is the SQL expression of the JSON text; ``types`` are the Spark types
    of those paths that are no strings.
    """
    schema = f"ARRAY<STRUCT<{_struct(_tree([*paths, *types]), types)}>>"
    parsed = lines.selectExpr("*", f"from_json(concat('[', {record}, ']'), {literal(schema)}) AS _records")
    return parsed.selectExpr(
        *(f"`{n}`" for n in lines.columns),
        f"CASE WHEN ltrim({record}) LIKE '{{%' AND size(_records) = 1 THEN _records[0] END AS j",
    )


def exact_type(column_type: str) -> str:
    """Return the widest Spark decimal for a raw value: the type's integer digits, then all decimals that fit.

    A value that is compared or read again at fewer decimals than it has would be rounded unseen.
    """
    parts = decimal_parts(column_type)
    assert parts is not None, "only decimals have an exact type"
    return f"DECIMAL(38,{max(12, 38 - parts[0] + parts[1])})"


def without_nulls(items: list[str]) -> str:
    """Return the SQL of an array of those column names that are not null.

    Joining and splitting runs natively; compacting an array interprets a lambda for each element.
    """
    none = "CAST(array() AS ARRAY<STRING>)"
    return f"coalesce(split(nullif(concat_ws(',', {', '.join(items)}), ''), ','), {none})" if items else none


def with_exact_numbers(parsed: DataFrame, table: Table, prefix: str = "") -> DataFrame:
    """Return records of :func:`json_records` with ``_exact``, their decimals read again where a double may have passed.

    Spark copies a JSON number into a string through a double, which keeps 15 digits: a record
    with a longer or a scaled one is parsed once more, all its decimals with their own types.
    """
    types = {prefix + c.source_name: exact_type(c.type) for c in table.columns if decimal_parts(c.type)}
    if not types:
        return parsed
    doubtful = " OR ".join(_doubtful(path_sql("j", path)) for path in types)
    again = f"from_json(value, {literal(f'STRUCT<{_struct(_tree(list(types)), types)}>')})"
    return parsed.selectExpr("*", f"CASE WHEN {doubtful} THEN {again} END AS _exact")


def contract_values(table: Table, prefix: str = "") -> list[str]:
    """Return the select items that take each contract column from a record of :func:`with_exact_numbers`."""
    return [f"{_value_sql(c, prefix + c.source_name)} AS `{c.name}`" for c in table.columns]


def _value_sql(column: Column, path: str) -> str:
    text = path_sql("j", path)
    if not decimal_parts(column.type):
        return text
    exact = f"CAST({path_sql('_exact', path)} AS STRING)"
    return f"CASE WHEN {_doubtful(text)} THEN coalesce({exact}, {text}) ELSE {text} END"


def _doubtful(text: str) -> str:
    return f"({text} LIKE '%E%' OR length({text}) > 15)"
