"""Quarantine: refused and held rows, whole, with reason and origin; nothing is thrown away.

A row in quarantine is ``refused`` (a rule failed) or ``held`` (its parent has not arrived).
What was decided about it later stands in the control table ``decisions``. A release reads the row as it was delivered and judges it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deltalake import Field
from deltalake.schema import ArrayType, PrimitiveType

from ledgerlake.config.models import Table
from ledgerlake.sql.relation import Relation, literal

COLUMNS = {
    "quarantine_id": "string", "table": "string", "batch_id": "string", "state": "string",
    "object": "string", "ordinal": "long", "extracted_at": "timestamp", "op": "string",
    "position": "string", "run_id": "string", "quarantined_at": "timestamp", "raw": "string",
}  # fmt: skip
PROPERTIES = {"delta.appendOnly": "true", "delta.logRetentionDuration": "interval 400 days"}


def fields() -> list[Field]:
    """Return the schema of a quarantine table."""
    plain = [Field(n, PrimitiveType(t)) for n, t in COLUMNS.items()]
    return [
        *plain,
        Field("reasons", ArrayType(PrimitiveType("string"), contains_null=True)),
        Field("carried", ArrayType(PrimitiveType("string"), contains_null=True)),
    ]


def rows_to_quarantine(labelled: Relation, table: Table, batch_id: str, run_id: str, now: str) -> Relation:
    """Return the quarantine rows of a labelled batch; ``now`` is the run's time in ISO 8601."""
    identity = f"md5(concat_ws('|', {literal(table.table)}, _object, _ordinal, _op, coalesce(_position, '')))"
    return labelled.where("size(_reasons) > 0 OR _held_for IS NOT NULL").select(
        f"{identity} AS quarantine_id", f"{literal(table.table)} AS `table`", f"{literal(batch_id)} AS batch_id",
        "CASE WHEN size(_reasons) > 0 THEN 'refused' ELSE 'held' END AS state",
        "_object AS object", "_ordinal AS ordinal", "_extracted_at AS extracted_at", "_op AS op", "_position AS position",
        f"{literal(run_id)} AS run_id", f"TIMESTAMP {literal(now)} AS quarantined_at", f"{raw_sql(table)} AS raw",
        "CASE WHEN size(_reasons) > 0 THEN _reasons ELSE array(_held_for) END AS reasons", "_carried AS carried",
    )  # fmt: skip


def raw_sql(table: Table) -> str:
    """Return the record as delivered; of a clash of written keys as it was read, which says the same."""
    if not table.append_only:
        return "_raw"
    values = ", ".join(f"CAST(`{n}` AS STRING) AS `{n}`" for n in table.column_names)
    return f"coalesce(_raw, to_json(struct({values})))"


def raw_changes(quarantined: Relation, table: Table, quarantine_ids: list[str]) -> Relation:
    """Return rows of the quarantine as raw changes (see ``feeds.base``), to be judged again."""
    ids = ", ".join(literal(i) for i in sorted(quarantine_ids))
    schema = ", ".join(f"`{n}` STRING" for n in table.column_names)
    turn = "row_number() OVER (PARTITION BY quarantine_id ORDER BY quarantined_at, batch_id) AS _turn"
    rows = quarantined.where(f"quarantine_id IN ({ids})").select("*", turn).where("_turn = 1")
    return rows.select(
        "object AS _object", "ordinal AS _ordinal", "op AS _op", "position AS _position", "raw AS _raw",
        "CASE WHEN exists(reasons, r -> r LIKE 'record: %') THEN 'refused as a record; correct it at the source' END AS _problem",
        "carried AS _carried", f"from_json(raw, {literal(schema)}) AS j",
    ).select("_object", "_ordinal", "_op", "_position", "_problem", "_raw", "_carried", *(f"j.`{n}` AS `{n}`" for n in table.column_names))  # fmt: skip


_LINE = re.compile(r"^record: line [0-9]+: ")


def kind_of(reason: str) -> str:
    """Return a reason without the line that it speaks of, by which rows are counted together."""
    return _LINE.sub("record: ", reason)


def open_rows(
    rows: list[dict[str, Any]], decisions: Mapping[str, Mapping[str, Any]], order: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the newest state of each row still in quarantine (pure).

    ``decisions`` are the newest by row, ``order`` the place of each recorded batch among the others.
    A row leaves by being released or dismissed. A released row that failed again stands in
    quarantine once more, under the release's batch id.
    """
    open_: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda r: order.get(r["batch_id"], len(order) + 1)):
        last = decisions.get(row["quarantine_id"])
        action = last["action"] if last else None
        again = action in ("releasing", "released") and last is not None and last["batch_id"] == row["batch_id"]
        if action in (None, "requested") or again:
            open_[row["quarantine_id"]] = row
    return list(open_.values())
