"""History (SCD2): every version that a row ever had, kept beside silver for tables that declare it.

The history of a key is a function of its changes in bronze, nothing else: after each batch the
keys it touched are derived again and compared with what stands. So late changes, corrections and
replays end in the same versions, whatever the order of arrival.

Columns: the contract's, then ``_valid_from`` and ``_valid_to`` (null: open), ``_current``, and
the origin of the change that made the version. By *position* both are positions of the feed; by
*effective* time they are timestamps of the declared column, and of several changes with one
effective time the newest holds. A version equal to its predecessor is not a version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.feeds.frames import literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GONE = "_gone"


def versions(changes: DataFrame, truncates: DataFrame | None, table: Table) -> DataFrame:
    """Return every version of the keys in ``changes`` (bronze rows, all that exist of each key).

    ``truncates`` holds one column ``_position``, the table's truncates; None where there never was one.
    """
    states = _states(_events(changes, truncates, table), table)
    return _by_effective(states, table) if table.history and table.history.effective else _by_position(states, table)


def _events(changes: DataFrame, truncates: DataFrame | None, table: Table) -> DataFrame:
    """Return the changes of each key, with a delete of it at every truncate."""
    keyed = changes.where("_op <> 'truncate'")
    if truncates is None:
        return keyed
    keys = keyed.select(*table.key).distinct()
    columns = [n for n in keyed.columns if n not in (*table.key, c.POSITION, c.OP)]
    kinds = dict(keyed.dtypes)
    wiped = keys.crossJoin(truncates.hint("broadcast")).selectExpr(
        *(f"`{k}`" for k in table.key), c.POSITION, f"'delete' AS {c.OP}", *(f"CAST(NULL AS {kinds[n]}) AS `{n}`" for n in columns)
    )  # fmt: skip
    return keyed.unionByName(wiped)


def _states(events: DataFrame, table: Table) -> DataFrame:
    """Return the row after each change, with ``_shown`` where there is one (the reference fold, step by step)."""
    key = ", ".join(f"`{k}`" for k in table.key)
    lives = events.selectExpr(
        "*", f"count_if({c.OP} = 'delete') OVER (PARTITION BY {key} ORDER BY {c.POSITION}) AS _life"
    )
    so_far = f"OVER (PARTITION BY {key}, _life ORDER BY {c.POSITION} ROWS UNBOUNDED PRECEDING)"
    values = [n for n in table.column_names if n not in table.key]
    carried = {n: f"{c.OP} = 'upsert' OR ({c.OP} = 'patch' AND array_contains({c.CARRIED}, {literal(n)}))" for n in values}  # fmt: skip
    cells = [f"last(CASE WHEN {carried[n]} THEN struct(`{n}`) END, true) {so_far}.`{n}` AS `{n}`" for n in values]
    shown = f"{c.OP} <> 'delete' AND max({c.OP} = 'upsert') {so_far} AS _shown"
    return lives.selectExpr(*(f"`{k}`" for k in table.key), *cells, *c.ORIGIN, shown)


def _by_position(states: DataFrame, table: Table) -> DataFrame:
    key = ", ".join(f"`{k}`" for k in table.key)
    order = f"OVER (PARTITION BY {key} ORDER BY {c.POSITION})"
    content = _content(table, "_shown")
    changed = states.selectExpr("*", f"{content} AS _content", f"lag({content}) {order} AS _before").where(
        "NOT (_content <=> _before)"
    )
    ended = changed.selectExpr("*", f"lead({c.POSITION}) {order} AS {c.VALID_TO}").where("_shown")
    return _shaped(ended, table, c.POSITION, f"{c.VALID_TO} IS NULL")


def _by_effective(states: DataFrame, table: Table) -> DataFrame:
    assert table.history is not None and table.history.effective is not None, "declared"
    key, since = ", ".join(f"`{k}`" for k in table.key), f"`{table.history.effective}`"
    newest = states.selectExpr(
        "*",
        f"last(_shown) OVER (PARTITION BY {key} ORDER BY {c.POSITION} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS _alive",
        f"lead({c.POSITION}) OVER (PARTITION BY {key}, _shown, {since} ORDER BY {c.POSITION}) AS _corrected",
    ).where("_shown AND _corrected IS NULL")  # fmt: skip
    order = f"OVER (PARTITION BY {key} ORDER BY {since})"
    content = _content(table, "true", without=table.history.effective)
    changed = newest.selectExpr("*", f"{content} AS _content", f"lag({content}) {order} AS _before").where(
        "NOT (_content <=> _before)"
    )
    ended = changed.selectExpr("*", f"lead({since}) {order} AS {c.VALID_TO}")
    # A deleted key has no current version; since when it is gone at the source is not told.
    return _shaped(ended, table, since, f"{c.VALID_TO} IS NULL AND _alive")


def _content(table: Table, shown: str, without: str = "") -> str:
    values = ", ".join(f"`{n}`" for n in table.column_names if n != without)
    return f"CASE WHEN {shown} THEN to_json(struct({values})) END"


def _shaped(frame: DataFrame, table: Table, since: str, current: str) -> DataFrame:
    return frame.selectExpr(
        *(f"`{n}`" for n in table.column_names), *c.ORIGIN, f"{since} AS {c.VALID_FROM}", f"{c.VALID_TO}",
        f"{current} AS {c.CURRENT}",
    )  # fmt: skip


def revised(derived: DataFrame, standing: DataFrame, table: Table) -> DataFrame:
    """Return the MERGE source: derived versions, and standing ones that no longer hold (``_gone``)."""
    keys = [*table.key, c.VALID_FROM]
    gone = standing.join(derived.select(*keys), keys, "left_anti").selectExpr("*", f"true AS {GONE}")
    return derived.selectExpr("*", f"false AS {GONE}").unionByName(gone)


DIFFERS = (
    f"(t.{c.CHANGE_ID} <> s.{c.CHANGE_ID}) OR (t.{c.VALID_TO} IS DISTINCT FROM s.{c.VALID_TO})"
    f" OR (t.{c.CURRENT} <> s.{c.CURRENT})"  # parentheses: engines differ in how far IS DISTINCT FROM reaches
)
"""Whether a standing version (t) says something else than the derived one (s)."""


def merge_sql(table: Table, target: str, source: str) -> str:
    """Return the MERGE of revised versions into the history table."""
    key = " AND ".join(f"t.`{k}` = s.`{k}`" for k in (*table.key, c.VALID_FROM))
    columns = [*table.column_names, *c.ORIGIN, c.VALID_FROM, c.VALID_TO, c.CURRENT]
    return (
        f"MERGE INTO delta.`{target}` t USING {source} s ON {key} WHEN MATCHED AND s.{GONE} THEN DELETE"
        f" WHEN MATCHED AND ({DIFFERS}) THEN UPDATE SET {', '.join(f't.`{n}` = s.`{n}`' for n in columns)}"
        f" WHEN NOT MATCHED AND NOT s.{GONE} THEN INSERT ({', '.join(f'`{n}`' for n in columns)})"
        f" VALUES ({', '.join(f's.`{n}`' for n in columns)})"
    )
