"""What a master reads: the histories of its record sets at pinned versions, standardised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ledgerlake.config.mastering import Master, RecordSet
from ledgerlake.feeds.frames import literal, union_all
from ledgerlake.lake.master_records import record_sql, standardised
from ledgerlake.lake.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Histories:
    """The histories behind one master; ``inputs`` are the versions to read, -1 where there is none yet."""

    def __init__(self, workspace: Workspace, session: SparkSession, master: Master, inputs: Mapping[str, int]) -> None:
        self._w, self._session, self._master, self._inputs = workspace, session, master, inputs

    def touched(self, since: Mapping[str, int]) -> DataFrame:
        """Return the records (source, record) whose history changed after the versions in ``since``."""
        changed = [
            self._changed(r, since.get(r.table, -1))
            for r in self._master.records
            if self._inputs[r.table] > since.get(r.table, -1)
        ]
        return union_all(changed).distinct()

    def _changed(self, records: RecordSet, since: int) -> DataFrame:
        reader, path = self._session.read.format("delta"), self._w.paths.history(records.table)
        version = self._inputs[records.table]
        if since < 0:
            rows = reader.option("versionAsOf", version).load(path)
        else:
            rows = (
                reader.option("readChangeFeed", "true").option("startingVersion", since + 1)
                .option("endingVersion", version).load(path)
            )  # fmt: skip
        table = self._w.table(records.table)
        return rows.selectExpr(f"{literal(records.record)} AS source", f"{record_sql(table)} AS record").distinct()

    def observations(self, among: DataFrame) -> DataFrame:
        """Return every version of the records in ``among``, with what columns it has beside their names."""
        parts = [self._standardised(r) for r in self._master.records if self._inputs[r.table] >= 0]
        return union_all(parts).join(among, ["source", "record"])

    def observations_of(self, nodes: Mapping[str, list[str]]) -> DataFrame:
        """Return every version of a few records, given by source: each history is read with their keys as literals."""
        parts = [
            self._standardised(r, among=nodes[r.record])
            for r in self._master.records
            if self._inputs[r.table] >= 0 and nodes.get(r.record)
        ]
        return union_all(parts)

    def _standardised(self, records: RecordSet, among: list[str] | None = None) -> DataFrame:
        table = self._w.table(records.table)
        read = self._session.read.format("delta")
        history = read.option("versionAsOf", self._inputs[table.table]).load(self._w.paths.history(table.table))
        current = self._session.read.format("delta").load(self._w.paths.silver(table.table))
        if among is not None:
            wanted = f"{record_sql(table)} IN ({', '.join(map(literal, among))})"
            history, current = history.where(wanted), current.where(wanted)
        return standardised(history, current, self._master, records, table)
