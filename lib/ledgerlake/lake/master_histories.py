"""What a master reads: the histories of its record sets at pinned versions, standardised."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from ledgerlake.config.mastering import Master, RecordSet
from ledgerlake.core import change as c
from ledgerlake.core.mastering.model import Node
from ledgerlake.feeds.frames import union_all
from ledgerlake.lake import reading
from ledgerlake.lake.master_records import record_sql, standardised, tombstones, utc
from ledgerlake.lake.workspace import Workspace
from ledgerlake.sql.relation import Relation, joined_by, literal


class Histories:
    """The histories behind one master; ``inputs`` are the versions to read, -1 where there is none yet."""

    def __init__(self, workspace: Workspace, master: Master, inputs: Mapping[str, int]) -> None:
        self._w, self._master, self._inputs = workspace, master, inputs

    def touched(self, since: Mapping[str, int]) -> Relation:
        """Return the records (source, record) whose history changed after the versions in ``since``."""
        changed = [
            self._changed(r, since.get(r.table, -1))
            for r in self._master.records
            if self._inputs[r.table] > since.get(r.table, -1)
        ]
        return union_all(changed).distinct()

    def _changed(self, records: RecordSet, since: int) -> Relation:
        path, version = self._w.paths.history(records.table), self._inputs[records.table]
        if since < 0:
            rows = reading.relation(self._w, f"all_{records.table}", path, version)
        else:
            rows = reading.changes(self._w, path, since + 1, version, f"changes_{records.table}")
        table = self._w.table(records.table)
        return rows.select(f"{literal(records.record)} AS source", f"{record_sql(table)} AS record").distinct()

    def observations(self, among: Relation) -> Relation:
        """Return every version of the records in ``among``, with what columns it has beside their names."""
        there = [r for r in self._master.records if self._inputs[r.table] >= 0]
        gone = union_all(
            [
                tombstones(
                    reading.relation(self._w, f"silver_{r.table}", self._w.paths.silver(r.table)), r, self._w.table(r.table)
                )
                for r in there
            ]
        )
        told = union_all([self._standardised(r) for r in there]).having(among, joined_by(("source", "record")))
        ended = gone.select("source AS _of_source", "record AS _of_record", "gone_at")
        same = "l.source = r._of_source AND l.record = r._of_record"
        return told.left_join(ended, same).without("_of_source", "_of_record")

    def observed(self, nodes: AbstractSet[Node]) -> list[dict[str, Any]]:
        """Return every version of a few records (source, record), brought into this process."""
        by_source: dict[str, list[str]] = {}
        for source, record in sorted(nodes):
            by_source.setdefault(source, []).append(record)
        parts = [
            self._standardised(r, among=by_source[r.record])
            for r in self._master.records
            if self._inputs[r.table] >= 0 and r.record in by_source
        ]
        if not parts:
            return []
        rows = [utc(row) for row in self._w.engines.rows(union_all(parts))]
        ended = {(r["source"], r["record"]) for r in rows} - {(r["source"], r["record"]) for r in rows if r["current"]}
        gone = self._gone_at(ended) if ended else {}
        return [row | {"gone_at": gone.get((row["source"], row["record"]))} for row in rows]

    def _gone_at(self, ended: AbstractSet[Node]) -> dict[Node, datetime]:
        """Return when records that have no current version were deleted, read without Spark."""
        found: dict[Node, datetime] = {}
        for records in self._master.records:
            own = sorted(record for source, record in ended if source == records.record)
            if own:
                key = (f'CAST("{k}" AS VARCHAR)' for k in self._w.table(records.table).key)
                name = f"concat_ws('/', {', '.join(key)})"
                wanted = ", ".join("'" + r.replace("'", "''") + "'" for r in own)
                rows = self._w.storage.rows(
                    self._w.paths.silver(records.table), f"{c.DELETED} AND {name} IN ({wanted})",
                    columns=f"{name} AS record, {c.EXTRACTED_AT}",
                )  # fmt: skip
                found |= {(records.record, r["record"]): r[c.EXTRACTED_AT] for r in (rows.to_pylist() if rows else [])}
        return found

    def _standardised(self, records: RecordSet, among: list[str] | None = None) -> Relation:
        table = self._w.table(records.table)
        path, version = self._w.paths.history(table.table), self._inputs[table.table]
        history = reading.relation(self._w, f"history_{table.table}", path, version)
        if among is not None:
            history = history.where(f"{record_sql(table)} IN ({', '.join(map(literal, among))})")
        return standardised(history, self._master, records, table)
