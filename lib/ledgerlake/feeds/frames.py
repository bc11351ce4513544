"""Pieces of Spark SQL that several feeds share: ordinals, the order of objects, facts of objects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING

from ledgerlake.sql.relation import Relation, literal, values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_ORDINAL = "monotonically_increasing_id() & 8589934591 AS _ordinal"
"""The record's place in its file. True only where each task reads exactly one whole file, which
:func:`reading_session` arranges: the low 33 bits of the id then count the file's records."""

_OBJECT = "substring_index(input_file_name(), '/', -5)"
"""A landed object's path in the lake, from the URI that Spark reads. To be asked right above the scan."""

# Cut off as bytes: the functions of text count letters, which takes longer than all the rest.
_DIGITS = "CAST(substring(CAST(CAST(_ordinal + 1000000000000 AS STRING) AS BINARY), 2) AS STRING)"
PLACE = f"concat(_order, '|', {_DIGITS})"
"""A record's place among all objects': its object's order, and its ordinal in twelve digits."""
_FEW_OBJECTS = 8
_WHOLE_FILE_BYTES = str(1 << 40)


def reading_session(spark: SparkSession) -> SparkSession:
    """Return a sibling session in which a task reads exactly one whole file, every column of it."""
    session = spark.newSession()
    for key, value in {
        "spark.sql.files.maxPartitionBytes": _WHOLE_FILE_BYTES,
        "spark.sql.files.openCostInBytes": _WHOLE_FILE_BYTES,
        "spark.sql.files.minPartitionNum": "1",
        "spark.sql.csv.parser.columnPruning.enabled": "false",  # else width errors go unseen
    }.items():
        session.conf.set(key, value)
    return session


def with_fact(rows: Relation, facts: Mapping[str, str], name: str) -> Relation:
    """Return the rows with column ``name``: SQL expressions by ``_object``, of which the rows have no others.

    A few objects stand in a CASE: planning and running a join takes longer than reading a small
    batch. Many are joined, where they differ at all.
    """
    if len(set(facts.values())) == 1:
        return rows.select("*", f"{next(iter(facts.values()))} AS {name}")
    if len(facts) <= _FEW_OBJECTS:
        cases = " ".join(f"WHEN {literal(path)} THEN {fact}" for path, fact in sorted(facts.items()))
        return rows.select("*", f"CASE _object {cases} END AS {name}")
    pairs = ((literal(path), fact) for path, fact in sorted(facts.items()))
    known = values(f"facts{name}", ("_of_object", name), pairs)
    return rows.left_join(known, "l._object = r._of_object").without("_of_object")


def with_order(rows: Relation, orders: Mapping[str, str]) -> Relation:
    """Return the rows with ``_order``, the text by which their object stands among the others."""
    return with_fact(rows, {path: literal(order) for path, order in orders.items()}, "_order")


def placed(spark: SparkSession, records: DataFrame, orders: Mapping[str, str], *more: str) -> DataFrame:
    """Return records that Spark scanned with ``_object``, ``_ordinal``, ``_order`` and ``more`` columns.

    The names of a few objects are compared as they are: cutting one out of each record's URI
    takes longer than reading a row of Parquet.
    """
    if len(orders) > _FEW_OBJECTS:
        located = records.selectExpr("*", *more, f"{_OBJECT} AS _object", _ORDINAL)
        rows = ", ".join(f"({literal(path)}, {literal(order)})" for path, order in sorted(orders.items()))
        known = spark.sql(f"SELECT * FROM VALUES {rows} AS t(_object, _order)")
        return located.join(known.hint("broadcast"), "_object", "left")
    facts = {"_object": {path: path for path in orders}, "_order": orders}
    found = (f"{_by_name(facts_)} AS {name}" for name, facts_ in facts.items())
    return records.selectExpr("*", *more, *found, _ORDINAL)


def _by_name(facts: Mapping[str, str]) -> str:
    """Return the SQL of the fact of the object that a record was read from, which is one of these."""
    *others, (_, last) = sorted(facts.items())
    if not others:
        return literal(last)
    cases = (f"WHEN endswith(input_file_name(), {literal(path)}) THEN {literal(value)}" for path, value in others)
    return f"CASE {' '.join(cases)} ELSE {literal(last)} END"


def union_all(parts: list[Relation]) -> Relation:
    """Return the rows of all parts, matched by their columns' names."""
    return reduce(lambda a, b: a.union(b), parts)


def path_sql(root: str, path: str) -> str:
    """Return the SQL that reads a dotted path below ``root``."""
    return root + "".join(f".`{part}`" for part in path.split("."))
