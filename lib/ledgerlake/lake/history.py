"""History (SCD2): every version that a row ever had, kept beside silver for tables that declare it.

The history of a key is a function of its changes in bronze, nothing else: after each batch the
keys it touched are derived again and compared with what stands. So late changes, corrections and
replays end in the same versions, whatever the order of arrival.

Columns: the contract's, then ``_valid_from`` and ``_valid_to`` (null: open), ``_current``, the
same bounds as moments (``_valid_from_at``, ``_valid_to_at``), and the origin of the change that
made the version. By *position* both bounds are positions of the feed, and their moments say when a
change was known at the latest: the earliest extract time of it and of all later changes of its
key. By *effective* time they are times of the declared column, and of several changes with one
effective time the newest holds; a delete ends what holds at the time it was extracted. Bounds are
half open: from, and before to. A version equal to its predecessor is not a version, and a complete
snapshot that repeats a row changes nothing.
"""

from __future__ import annotations

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.sql.relation import Relation, joined_by, literal

GONE = "_gone"
OWN = (c.VALID_FROM, c.VALID_TO, c.CURRENT, c.VALID_FROM_AT, c.VALID_TO_AT)
"""The columns of a version beside the contract's and the origin."""


def versions(changes: Relation, truncates: Relation | None, table: Table) -> Relation:
    """Return every version of the keys in ``changes`` (bronze rows, all that exist of each key).

    ``truncates`` holds ``_position`` and ``_extracted_at`` of the table's truncates; None where there
    never was one.
    """
    states = _states(_events(changes, truncates, table), table)
    return _by_effective(states, table) if table.history and table.history.effective else _by_position(states, table)


def _events(changes: Relation, truncates: Relation | None, table: Table) -> Relation:
    """Return the changes of each key, with a delete of it at every truncate."""
    keyed = changes.where("_op <> 'truncate'")
    if truncates is None:
        return keyed
    keys = keyed.select(*(f"`{k}`" for k in table.key)).distinct()
    columns = [n for n in keyed.columns if n not in (*table.key, c.POSITION, c.EXTRACTED_AT, c.OP)]
    wiped = keys.left_join(truncates, "true").where(f"{c.POSITION} IS NOT NULL").select(
        *(f"`{k}`" for k in table.key), c.POSITION, c.EXTRACTED_AT, f"'delete' AS {c.OP}",
        *(f"NULL AS `{n}`" for n in columns),
    )  # fmt: skip
    events = keyed.union(wiped)
    return _without_repeats(events, table) if table.snapshot and table.snapshot.complete else events


def _without_repeats(events: Relation, table: Table) -> Relation:
    """Leave out a complete snapshot's withdrawal of a row that the same snapshot holds: ``label|0`` before ``label|1``."""
    label = "split_part({}, '|', 1)".format
    following = f"lead(struct({c.OP} AS op, {c.POSITION} AS at)) {_in_order(table)} AS _next"
    repeated = f"{c.OP} = 'delete' AND _next.op = 'upsert' AND {label(c.POSITION)} = {label('_next.at')}"
    return events.select("*", following).where(f"NOT coalesce({repeated}, false)").without("_next")


def _in_order(table: Table, *more: str, by: str = c.POSITION, rows: str = "") -> str:
    key = ", ".join((*(f"`{k}`" for k in table.key), *more))
    return f"OVER (PARTITION BY {key} ORDER BY {by} {rows})"


def _states(events: Relation, table: Table) -> Relation:
    """Return the row after each change, with ``_shown`` where there is one (the reference fold, step by step).

    ``_at`` is the moment by which the change was made: no later than any later change was extracted.
    """
    lives = events.select(
        "*", f"count_if({c.OP} = 'delete') {_in_order(table)} AS _life",
        f"min({c.EXTRACTED_AT}) {_in_order(table, rows='ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING')} AS _at",
    )  # fmt: skip
    so_far = _in_order(table, "_life", rows="ROWS UNBOUNDED PRECEDING")
    values = [n for n in table.column_names if n not in table.key]
    carried = {n: f"{c.OP} = 'upsert' OR ({c.OP} = 'patch' AND array_contains({c.CARRIED}, {literal(n)}))" for n in values}  # fmt: skip
    cells = [f"last(CASE WHEN {carried[n]} THEN struct(`{n}`) END, true) {so_far}.`{n}` AS `{n}`" for n in values]
    shown = f"{c.OP} <> 'delete' AND max({c.OP} = 'upsert') {so_far} AS _shown"
    return lives.select(*(f"`{k}`" for k in table.key), *cells, *c.ORIGIN, "_at", shown)


def _by_position(states: Relation, table: Table) -> Relation:
    order, content = _in_order(table), _content(table, "_shown")
    changed = states.select("*", f"{content} AS _content", f"lag({content}) {order} AS _before").where(
        "NOT (_content <=> _before)"
    )
    ended = changed.select(
        "*", f"lead({c.POSITION}) {order} AS {c.VALID_TO}", f"lead(_at) {order} AS {c.VALID_TO_AT}"
    ).where("_shown")
    return _shaped(ended, table, c.POSITION, f"_at AS {c.VALID_FROM_AT}", c.VALID_TO_AT)


def _by_effective(states: Relation, table: Table) -> Relation:
    """Return versions by effective time; ``_ends`` is when the key's next delete was extracted.

    What a delete finds not begun yet never holds, and ends nothing: it begins and ends at once.
    """
    assert table.history is not None and table.history.effective is not None, "declared"
    since, kind = f"`{table.history.effective}`", table.column(table.history.effective).type
    after = _in_order(table, rows="ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING")
    known = states.select(
        "*", f"CAST(first(CASE WHEN NOT _shown THEN _at END, true) {after} AS {kind}) AS _ends",
        f"lead({c.POSITION}) {_in_order(table, '_shown', since)} AS _corrected",
    ).where("_shown AND _corrected IS NULL")  # fmt: skip
    order = _in_order(table, by=since)
    content = f"struct({_content(table, 'true', without=table.history.effective)}, _ends)"
    changed = known.select("*", f"{content} AS _content", f"lag({content}) {order} AS _before").where(
        "NOT (_content <=> _before)"
    )
    begun = f"lead(CASE WHEN _ends <= {since} THEN NULL ELSE {since} END) IGNORE NULLS {order}"
    ended = changed.select(
        "*", f"least({begun}, CASE WHEN _ends IS NOT NULL THEN greatest({since}, _ends) END) AS {c.VALID_TO}"
    )
    moments = (
        f"CAST({since} AS TIMESTAMP) AS {c.VALID_FROM_AT}",
        f"CAST({c.VALID_TO} AS TIMESTAMP) AS {c.VALID_TO_AT}",
    )
    return _shaped(ended, table, since, *moments)


def _content(table: Table, shown: str, without: str = "") -> str:
    values = ", ".join(f"`{n}`" for n in table.column_names if n != without)
    return f"CASE WHEN {shown} THEN to_json(struct({values})) END"


def _shaped(frame: Relation, table: Table, since: str, *moments: str) -> Relation:
    return frame.select(
        *(f"`{n}`" for n in table.column_names), *c.ORIGIN, f"{since} AS {c.VALID_FROM}", c.VALID_TO,
        f"{c.VALID_TO} IS NULL AS {c.CURRENT}", *moments,
    )  # fmt: skip


def revised(derived: Relation, standing: Relation, table: Table) -> Relation:
    """Return the MERGE source: derived versions, and standing ones that no longer hold (``_gone``)."""
    keys = [*table.key, c.VALID_FROM]
    gone = standing.lacking(derived, joined_by(keys)).select("*", f"true AS {GONE}")
    return derived.select("*", f"false AS {GONE}").union(gone)


DIFFERS = " OR ".join(
    [f"(t.{c.CHANGE_ID} <> s.{c.CHANGE_ID})", f"(t.{c.CURRENT} <> s.{c.CURRENT})"]
    # parentheses: engines differ in how far IS DISTINCT FROM reaches
    + [f"(t.{n} IS DISTINCT FROM s.{n})" for n in (c.VALID_TO, c.VALID_FROM_AT, c.VALID_TO_AT)]
)
"""Whether a standing version (t) says something else than the derived one (s)."""


def merge_sql(table: Table, target: str, source: str) -> str:
    """Return the MERGE of revised versions into the history table."""
    key = " AND ".join(f"t.`{k}` = s.`{k}`" for k in (*table.key, c.VALID_FROM))
    columns = [*table.column_names, *c.ORIGIN, *OWN]
    return (
        f"MERGE INTO delta.`{target}` t USING {source} s ON {key} WHEN MATCHED AND s.{GONE} THEN DELETE"
        f" WHEN MATCHED AND ({DIFFERS}) THEN UPDATE SET {', '.join(f't.`{n}` = s.`{n}`' for n in columns)}"
        f" WHEN NOT MATCHED AND NOT s.{GONE} THEN INSERT ({', '.join(f'`{n}`' for n in columns)})"
        f" VALUES ({', '.join(f's.`{n}`' for n in columns)})"
    )
