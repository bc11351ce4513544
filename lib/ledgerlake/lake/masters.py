"""Masters: golden versions and links of the customers (or whatever is mastered) that a run touched.

Runs after the tables are loaded and before marts are built. What was touched comes from the
histories' change data feeds since the versions that were mastered last. A component is resolved
whole and its rows replace what stood, so repeating a killed run changes nothing (ADR 0010).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledgerlake.config.master_tables import id_column, links_table, versions_table
from ledgerlake.config.mastering import Master, RecordSet
from ledgerlake.config.models import Table
from ledgerlake.feeds.frames import literal, union_all
from ledgerlake.lake.master_components import Components
from ledgerlake.lake.master_records import content_hash, own_id_sql, record_sql, resolve, standardised
from ledgerlake.lake.master_write import prepare, replace_rows
from ledgerlake.lake.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Since:
    """The history versions that were mastered last; empty: everything is mastered anew."""

    inputs: dict[str, int]


class MasterBuilder:
    """Brings a pipeline's masters up to date with their histories."""

    def __init__(self, workspace: Workspace, run_id: str) -> None:
        self._w, self._run_id = workspace, run_id

    def pending(self, master: Master) -> bool:
        """Say whether histories or the declaration changed since; a look at control tables and versions."""
        return self._since(master).inputs != self._inputs(master)

    def build(self, master: Master) -> dict[str, int]:
        """Master what changed and remember it; return how many records were touched and rows changed."""
        inputs = self._inputs(master)
        rows = self._build(master, inputs, self._since(master))
        self._remember(master, inputs, rows)
        return rows

    def _inputs(self, master: Master) -> dict[str, int]:
        tables = sorted({r.table for r in master.records})
        return {t: self._w.storage.version(self._w.paths.history(t)) for t in tables}

    def _since(self, master: Master) -> Since:
        last = self._w.control.latest("masters", "master").get(master.master)
        if last is None or last["fingerprint"] != content_hash(master):
            return Since({})
        return Since(json.loads(last["inputs"]))

    def _remember(self, master: Master, inputs: dict[str, int], rows: dict[str, int]) -> None:
        self._w.control.append("masters", self._run_id, [
            {"master": master.master, "fingerprint": content_hash(master), "inputs": inputs, "rows": rows}
        ])  # fmt: skip

    def _build(self, master: Master, inputs: dict[str, int], since: Since) -> dict[str, int]:
        session = self._w.spark().newSession()
        session.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
        prepare(self._w, master, anew=not since.inputs)
        touched = self._touched(session, master, inputs, since).persist()
        try:
            seen = self._observations(session, master, inputs, touched)
            members = Components(self._w, session, master, self._run_id).grown_by(touched, seen)
            observations = self._observations(session, master, inputs, members)
            resolved = resolve(observations, master).persist()
            try:
                return {"records touched": touched.count()} | self._write(session, master, members, resolved)
            finally:
                resolved.unpersist()
        finally:
            touched.unpersist()

    def _write(self, session: SparkSession, master: Master, members: DataFrame, resolved: DataFrame) -> dict[str, int]:
        ids = members.selectExpr(f"{own_id_sql(master)} AS {id_column(master)}")
        nodes = members.select("source", "record")
        written = {}
        for part, table, among in (("version", versions_table(master), ids), ("link", links_table(master), nodes)):
            rows = resolved.where(f"{part} IS NOT NULL").select(f"{part}.*")
            written[f"{part}s changed"] = replace_rows(self._w, session, table, rows, among, self._run_id)
        return written

    def _touched(self, session: SparkSession, master: Master, inputs: dict[str, int], since: Since) -> DataFrame:
        """Return the records (source, record) whose history changed."""
        found = [
            self._changed(session, r, inputs[r.table], since.inputs.get(r.table, -1))
            for r in master.records
            if inputs[r.table] > since.inputs.get(r.table, -1)
        ]
        return union_all(found).distinct()

    def _changed(self, session: SparkSession, records: RecordSet, version: int, since: int) -> DataFrame:
        reader, path = session.read.format("delta"), self._w.paths.history(records.table)
        if since < 0:
            rows = reader.option("versionAsOf", version).load(path)
        else:
            rows = (
                reader.option("readChangeFeed", "true").option("startingVersion", since + 1)
                .option("endingVersion", version).load(path)
            )  # fmt: skip
        table = self._w.table(records.table)
        return rows.selectExpr(f"{literal(records.record)} AS source", f"{record_sql(table)} AS record").distinct()

    def _observations(
        self, session: SparkSession, master: Master, inputs: dict[str, int], among: DataFrame
    ) -> DataFrame:
        """Return every version of the records in ``among``, with what columns it has beside their names."""
        parts = [
            self._standardised(session, master, r, self._w.table(r.table), inputs[r.table])
            for r in master.records
            if inputs[r.table] >= 0
        ]
        return union_all(parts).join(among, ["source", "record"])

    def _standardised(
        self, session: SparkSession, master: Master, records: RecordSet, table: Table, version: int
    ) -> DataFrame:
        read = session.read.format("delta")
        history = read.option("versionAsOf", version).load(self._w.paths.history(table.table))
        current = session.read.format("delta").load(self._w.paths.silver(table.table))
        return standardised(history, current, master, records, table)
