"""Silver: the current state of each key, kept by ``MERGE``, tombstones included.

A merge is safe to repeat and indifferent to order: a change is taken only where its position
is newer than what the row already holds. Deleted keys stay as rows with ``_deleted`` true, so
that late changes find the position that outranks them.

Where keys are written once (``append_only``) the merge only inserts, so that no file of an
earlier version is ever rewritten.

A truncate belongs to the table: ``truncated_at`` is the newest one's position. Every row that
is older than it is deleted, those that only arrive later included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.core.types import spark_type
from ledgerlake.sql.relation import Relation, joined_by, literal, quoted


def merge_sql(table: Table, target: str, source: str, key_range: tuple[str, str]) -> str:
    """Return the MERGE of a folded batch.

    ``source`` is the name of a view with one row per key. ``key_range`` are the lowest and
    highest first key column of the batch: literal predicates on the target, which prune files
    (joins do not), and always true because the key itself is matched.
    """
    key = " AND ".join(f"t.`{k}` = s.`{k}`" for k in table.key)
    first = table.column(table.key[0])
    low, high = (value_literal(v, spark_type(first.type)) for v in key_range)
    bounds = f"t.`{first.name}` >= {low} AND t.`{first.name}` <= {high}"
    update, insert = _assignments(table)
    newer = f"s.{c.POSITION} > t.{c.POSITION}" if table.changes == "whole" else _newer_state(table)
    replaced = f" WHEN MATCHED AND {newer} THEN UPDATE SET {', '.join(f't.`{n}` = {e}' for n, e in update.items())}"
    return (
        f"MERGE INTO delta.`{target}` t USING {source} s ON {key} AND {bounds}{'' if table.append_only else replaced}"
        f" WHEN NOT MATCHED THEN INSERT ({', '.join(f'`{n}`' for n in insert)}) VALUES ({', '.join(insert.values())})"
    )


def between(table: Table, facts: Mapping[str, Any]) -> str:
    """Return the literal bounds, which prune files, of the keys that a batch may find in silver."""
    first = table.column(table.key[0])
    low, high = (value_literal(facts[k], spark_type(first.type)) for k in ("seen_min", "seen_max"))
    return f"`{first.name}` >= {low} AND `{first.name}` <= {high}"


def value_literal(text: str, kind: str) -> str:
    """Return a value, given as text, as a Spark SQL literal of type ``kind``."""
    return literal(text) if kind == "string" else f"CAST({literal(text)} AS {kind})"


def truncate_sql(table: Table, target: str, truncated_at: str) -> str:
    """Return the UPDATE that withdraws every row older than a truncate; safe to repeat."""
    at = literal(truncated_at)
    if table.changes == "whole":
        return f"UPDATE delta.`{target}` SET {c.DELETED} = true WHERE {c.POSITION} < {at} AND NOT {c.DELETED}"
    values = [n for n in table.column_names if n not in table.key]
    kept = [f"`{n}` = CASE WHEN {c.COLUMN_POSITIONS}[{literal(n)}] > {at} THEN `{n}` END" for n in values]
    state = [f"{c.DELETE_POSITION} = {at}", f"{c.DELETED} = coalesce({c.BASE_POSITION}, '') <= {at}"]
    older = f"coalesce({c.DELETE_POSITION}, '') < {at}"
    return f"UPDATE delta.`{target}` SET {', '.join([*kept, *state])} WHERE {older}"


def truncated(standing: Relation, table: Table, truncated_at: str) -> Relation:
    """Return the rows of a partial table that a truncate withdraws, as they stand after it; ``standing`` are all of silver."""
    at = literal(truncated_at)
    values = [n for n in table.column_names if n not in table.key]
    kept = {n: f"CASE WHEN {c.COLUMN_POSITIONS}[{literal(n)}] > {at} THEN {quoted(n)} END" for n in values}
    state = {c.DELETE_POSITION: at, c.DELETED: f"coalesce({c.BASE_POSITION}, '') <= {at}"}
    older = standing.where(f"coalesce({c.DELETE_POSITION}, '') < {at}")
    return older.select(*(f"{(kept | state).get(n, quoted(n))} AS {quoted(n)}" for n in standing.columns))


def folded(slice_: Relation, table: Table, truncated_at: str | None) -> Relation:
    """Return one row per key of a bronze slice: its winner, or its joined state for partial changes."""
    keyed = slice_.where("_op <> 'truncate'")
    since = literal(truncated_at or "")
    if table.changes == "whole":
        return keyed.where(c.WINNER).select(
            *map(quoted, table.column_names), *c.ORIGIN, f"(_op = 'delete' OR {c.POSITION} < {since}) AS {c.DELETED}",
        )  # fmt: skip
    return _folded_partial(keyed, table, since)


def _folded_partial(slice_: Relation, table: Table, since: str) -> Relation:
    values = [n for n in table.column_names if n not in table.key]
    carries = {n: f"_op = 'upsert' OR (_op = 'patch' AND array_contains(_carried, {literal(n)}))" for n in values}
    deleted = f"greatest(max(_position) FILTER (WHERE _op = 'delete'), nullif({since}, ''))"
    aggregates = [
        f"max(_position) FILTER (WHERE _op = 'upsert') AS {c.BASE_POSITION}",
        f"{deleted} AS {c.DELETE_POSITION}",
        *(f"max_by(`{n}`, _position) FILTER (WHERE {carries[n]}) AS `{n}`" for n in values),
        *(f"max(_position) FILTER (WHERE {carries[n]}) AS `_at_{n}`" for n in values),
        *(f"max_by({n}, _position) AS {n}" for n in c.ORIGIN if n != c.POSITION),
        f"max(_position) AS {c.POSITION}",
    ]
    positions = "map(" + ", ".join(f"{literal(n)}, `_at_{n}`" for n in values) + ")"
    kept = [
        f"CASE WHEN coalesce(`_at_{n}`, '') > coalesce({c.DELETE_POSITION}, '') THEN `{n}` END AS `{n}`" for n in values
    ]
    return slice_.grouped(table.key, *aggregates).select(
        *map(quoted, table.key), *kept, *c.ORIGIN, c.BASE_POSITION, c.DELETE_POSITION,
        f"map_filter({positions}, (k, v) -> v IS NOT NULL) AS {c.COLUMN_POSITIONS}",
        f"coalesce({c.BASE_POSITION}, '') <= coalesce({c.DELETE_POSITION}, '') AS {c.DELETED}",
    )  # fmt: skip


def joined_state(source: Relation, standing: Relation, table: Table) -> Relation:
    """Return the rows that a folded batch of partial changes adds to silver or changes in it, as they stand afterwards."""
    update, insert = _assignments(table)
    key = joined_by(table.key, "s", "t")
    there = f"t.{quoted(table.key[0])} IS NOT NULL"
    items = [
        f"CASE WHEN {there} THEN {update[n]} ELSE {e} END AS {quoted(n)}" if n in update else f"{e} AS {quoted(n)}"
        for n, e in insert.items()
    ]
    text = (
        f"SELECT {', '.join(items)} FROM {quoted(source.name)} s LEFT JOIN {quoted(standing.name)} t ON {key}"
        f" WHERE NOT ({there}) OR {_newer_state(table)}"
    )
    return Relation.query(text, insert, [source, standing])


def _assignments(table: Table) -> tuple[dict[str, str], dict[str, str]]:
    """Return (update, insert) assignments: column → expression over ``s`` and ``t``."""
    plain = {n: f"s.`{n}`" for n in (*table.column_names, c.DELETED, *c.ORIGIN)}
    if table.changes == "whole":
        return {n: e for n, e in plain.items() if n not in table.key}, plain
    state = {n: f"s.{n}" for n in (c.BASE_POSITION, c.DELETE_POSITION, c.COLUMN_POSITIONS)}
    return _joined_state(table), plain | state


def _newer_state(table: Table) -> str:
    """Return whether the source knows anything newer: a base, a delete, or any one column."""
    tests = [f"{_at('s', n)} > {_at('t', n)}" for n in table.column_names if n not in table.key]
    whole = [f"coalesce(s.{n}, '') > coalesce(t.{n}, '')" for n in (c.BASE_POSITION, c.DELETE_POSITION)]
    return "(" + " OR ".join([*whole, *tests]) + ")"


def _at(side: str, column: str) -> str:
    return f"coalesce({side}.{c.COLUMN_POSITIONS}[{literal(column)}], '')"


def _joined_state(table: Table) -> dict[str, str]:
    base = f"nullif(greatest(coalesce(s.{c.BASE_POSITION}, ''), coalesce(t.{c.BASE_POSITION}, '')), '')"
    deleted = f"nullif(greatest(coalesce(s.{c.DELETE_POSITION}, ''), coalesce(t.{c.DELETE_POSITION}, '')), '')"
    values = [n for n in table.column_names if n not in table.key]
    cells = {
        n: f"CASE WHEN greatest({_at('s', n)}, {_at('t', n)}) <= coalesce({deleted}, '') THEN NULL"
        f" WHEN {_at('s', n)} > {_at('t', n)} THEN s.`{n}` ELSE t.`{n}` END"
        for n in values
    }
    positions = ", ".join(f"{literal(n)}, nullif(greatest({_at('s', n)}, {_at('t', n)}), '')" for n in values)
    origin = {n: f"CASE WHEN s.{c.POSITION} > t.{c.POSITION} THEN s.{n} ELSE t.{n} END" for n in c.ORIGIN}
    return (
        cells
        | origin
        | {
            c.BASE_POSITION: base,
            c.DELETE_POSITION: deleted,
            c.COLUMN_POSITIONS: f"map_filter(map({positions}), (k, v) -> v IS NOT NULL)",
            c.DELETED: f"coalesce({base}, '') <= coalesce({deleted}, '')",
        }
    )
