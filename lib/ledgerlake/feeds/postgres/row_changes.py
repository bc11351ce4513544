"""What PostgreSQL's logical decoding says of one row, as raw changes; wal2json and the slot share it.

Decoded rows come as a frame with these columns:

==============  ===================  =====================================================
``_object``     string               landed object
``_ordinal``    bigint               place of the record in its object
``_position``   string               commit LSN and place in the transaction (:func:`position_sql`)
``_raw``        string               the record as delivered
``_unreadable`` string               why the record cannot be read, else null
``action``      string               I, U, D or T
``new``         map<string,string>   new values by the source's column, null values included
``old``         map<string,string>   old values: the replica identity, null where none was sent
``unchanged``   array<string>        large (TOAST) values the server left out of ``new``
==============  ===================  =====================================================

A left-out value is not null: the stored one stays. With ``REPLICA IDENTITY FULL`` it stands in
``old``, and the change is whole. Source: PostgreSQL documentation, "Logical Replication Message
Formats" and "ALTER TABLE … REPLICA IDENTITY".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgerlake.config.models import Column, Table
from ledgerlake.feeds.frames import literal, without_nulls

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LEFT_OUT = (
    "an unchanged large value is left out; declare `changes: partial`, or set REPLICA IDENTITY FULL at the source"
)
LEFT_OUT_AT_KEY_CHANGE = "a key change leaves out an unchanged large value; set REPLICA IDENTITY FULL at the source"
KEY_CHANGED = "a key changed in a table whose keys do not; declare `keys_can_change: true`"
NO_KEY = "the key is missing; the table needs a primary key or a replica identity at the source"

_MOVED = "action = 'U' AND NOT (_old_key <=> _new_key)"


def position_sql(commit_lsn: str, place: str) -> str:
    """Return the position: 16 hexadecimal digits of the commit's LSN, and the place in its transaction.

    ``commit_lsn`` is SQL text of the form ``16/B374D848``, ``place`` SQL of a number. Commit
    order is the order in which transactions take effect; the LSN of a row is only the order in
    which it was written, and interleaved transactions mix those.
    """
    high, low = (f"lpad(upper(split_part({commit_lsn}, '/', {n})), 8, '0')" for n in (1, 2))
    return f"concat({high}, {low}, '|', lpad(CAST({place} AS STRING), 12, '0'))"


def raw_changes(rows: DataFrame, table: Table) -> DataFrame:
    """Return decoded rows as raw changes; a key change becomes a delete and an upsert at one position."""
    keyed = rows.selectExpr("*", f"{_key(table, 'new')} AS _new_key", f"{_old_key(table)} AS _old_key")
    left_out = f"filter(unchanged, c -> array_contains({_sources(table)}, c) AND NOT {_has('old', 'c')})"
    missing = keyed.selectExpr("*", f"CASE WHEN size(unchanged) > 0 THEN {left_out} END AS _missing")
    known = missing.selectExpr("*", "coalesce(size(_missing), 0) > 0 AS _left_out", f"{_MOVED} AS _moved")
    judged = known.selectExpr("*", f"{_problem_sql(table)} AS _problem")
    acted = judged.selectExpr("*", f"explode({_ops_sql()}) AS _op")
    return acted.selectExpr(
        "_object", "_ordinal", "_op", "_position", "_problem", "CASE WHEN _problem IS NOT NULL THEN _raw END AS _raw",
        f"CASE WHEN _op = 'patch' THEN {_carried_sql(table)} END AS _carried",
        *(f"{_value_sql(table, c)} AS `{c.name}`" for c in table.columns),
    )  # fmt: skip


def _ops_sql() -> str:
    written = "CASE WHEN _left_out THEN 'patch' ELSE 'upsert' END"
    return (
        "CASE WHEN _problem IS NOT NULL THEN array('upsert') WHEN action = 'T' THEN array('truncate')"
        f" WHEN action = 'D' THEN array('delete') WHEN _moved THEN array('delete', {written})"
        f" ELSE array({written}) END"
    )


def _problem_sql(table: Table) -> str:
    cases = [
        "WHEN _unreadable IS NOT NULL THEN _unreadable",
        "WHEN action = 'T' THEN NULL",
        "WHEN action = 'D' THEN " + _unless_null("_old_key"),
        f"WHEN exists(_new_key, k -> k IS NULL) THEN {literal(NO_KEY)}",
    ]
    if not table.keys_can_change:
        cases.append(f"WHEN _moved THEN {literal(KEY_CHANGED)}")
    cases.append(f"WHEN _left_out AND _moved THEN {literal(LEFT_OUT_AT_KEY_CHANGE)}")
    if table.changes == "whole":
        cases.append(f"WHEN _left_out THEN {literal(LEFT_OUT)}")
    return f"CASE {' '.join(cases)} END"


def _unless_null(key: str) -> str:
    return f"CASE WHEN exists({key}, k -> k IS NULL) THEN {literal(NO_KEY)} END"


def _has(side: str, name: str) -> str:
    return f"coalesce(map_contains_key({side}, {name}), false)"


def _key(table: Table, side: str) -> str:
    return f"array({', '.join(f'{side}[{literal(table.column(k).source_name)}]' for k in table.key)})"


def _old_key(table: Table) -> str:
    """Return the key before the change: from the replica identity, else the key did not change."""
    names = [literal(table.column(k).source_name) for k in table.key]
    before = [f"CASE WHEN {_has('old', n)} THEN old[{n}] ELSE new[{n}] END" for n in names]
    return f"array({', '.join(before)})"


def _sources(table: Table) -> str:
    return f"array({', '.join(literal(c.source_name) for c in table.columns)})"


def _carried_sql(table: Table) -> str:
    names = [
        f"CASE WHEN NOT array_contains(_missing, {literal(c.source_name)}) THEN {literal(c.name)} END"
        for c in table.columns
    ]
    return without_nulls(names)


def _value_sql(table: Table, column: Column) -> str:
    """Return a column's value: of a delete the old key alone, else the new value, or the old one kept."""
    name = literal(column.source_name)
    gone = f"_old_key[{table.key.index(column.name)}]" if column.name in table.key else "CAST(NULL AS STRING)"
    # Most values are there and not null: those are looked up once.
    kept = f"coalesce(new[{name}], CASE WHEN action = 'U' AND NOT {_has('new', name)} THEN old[{name}] END)"
    return f"CASE WHEN _op = 'delete' THEN {gone} WHEN _op <> 'truncate' THEN {kept} END"
