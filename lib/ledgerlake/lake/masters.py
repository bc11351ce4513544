"""Masters: golden versions and links of the customers (or whatever is mastered) that a run touched.

Runs after the tables are loaded and before marts are built. What was touched comes from the
histories' change data feeds since the versions that were mastered last. A component is resolved
whole and its rows replace what stood, so repeating a killed run changes nothing (ADR 0010).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ledgerlake.config.master_tables import id_column, links_table, versions_table
from ledgerlake.config.mastering import Master
from ledgerlake.core.mastering.identity import own_id
from ledgerlake.lake import native
from ledgerlake.lake.master_components import Components, keys_of
from ledgerlake.lake.master_histories import Histories
from ledgerlake.lake.master_records import content_hash, mastered_rows, own_id_sql, resolve
from ledgerlake.lake.master_write import prepare, replace_here, replace_rows
from ledgerlake.lake.workspace import Workspace
from ledgerlake.sql.relation import Relation

HERE_RECORDS_MAX = 20_000
"""Up to so many touched records are mastered in the driver: starting Spark's stages costs more than resolving them."""


@dataclass(frozen=True)
class Since:
    """The history versions that were mastered last; empty: everything is mastered anew."""

    inputs: dict[str, int]


@dataclass(frozen=True)
class Outcome:
    """What one round of mastering did, and from which history versions."""

    master: Master
    inputs: dict[str, int]
    rows: dict[str, int]


class MasterBuilder:
    """Brings a pipeline's masters up to date with their histories."""

    def __init__(self, workspace: Workspace, run_id: str) -> None:
        self._w, self._run_id = workspace, run_id

    def pending(self, master: Master) -> bool:
        """Say whether histories or the declaration changed since; a look at control tables and versions."""
        return self._since(master).inputs != self._inputs(master)

    def build(self, master: Master) -> dict[str, int]:
        """Master what changed and remember it; return how many records were touched and rows changed."""
        outcome = self.work(master)
        self.remember(outcome)
        return outcome.rows

    def work(self, master: Master) -> Outcome:
        """Write the rows of what changed since it was remembered last; doing so again changes nothing."""
        inputs = self._inputs(master)
        return Outcome(master, inputs, self._build(master, inputs, self._since(master)))

    def remember(self, outcome: Outcome) -> None:
        """Record the history versions that are mastered: the next run begins after them."""
        self._w.control.append("masters", self._run_id, [
            {
                "master": outcome.master.master, "fingerprint": content_hash(outcome.master),
                "inputs": outcome.inputs, "rows": outcome.rows,
            }
        ])  # fmt: skip

    def _inputs(self, master: Master) -> dict[str, int]:
        tables = sorted({r.table for r in master.records})
        return {t: self._w.storage.version(self._w.paths.history(t)) for t in tables}

    def _since(self, master: Master) -> Since:
        last = self._w.control.latest("masters", "master").get(master.master)
        if last is None or last["fingerprint"] != content_hash(master):
            return Since({})
        return Since(json.loads(last["inputs"]))

    def _build(self, master: Master, inputs: dict[str, int], since: Since) -> dict[str, int]:
        if all(version < 0 for version in inputs.values()):
            return {"records touched": 0}
        prepare(self._w, master, anew=not since.inputs)
        histories = Histories(self._w, master, inputs)
        with self._w.engines.held(histories.touched(since.inputs), "touched") as touched:
            number = self._w.engines.row(touched.grouped((), "count(1) AS n"))["n"]
            small = number <= min(HERE_RECORDS_MAX, self._w.engines.rows_max) and self._fits(master)
            written = self._here(master, histories, touched) if small else self._in_spark(master, histories, touched)
            return {"records touched": number} | written

    def _fits(self, master: Master) -> bool:
        names = (f"{master.master}_{part}" for part in ("components", "versions", "links"))
        return all(native.fits(self._w.storage, self._w.paths.silver(n)) for n in names)

    def _here(self, master: Master, histories: Histories, touched: Relation) -> dict[str, int]:
        """Master a few records in this process."""
        nodes = {(r["source"], r["record"]) for r in self._w.engines.rows(touched)}
        if not nodes:  # a history may move without a record: a new column, a commit without rows
            return {"versions changed": 0, "links changed": 0}
        seen = histories.observed(nodes)
        new = {(*node, "") for node in nodes} | {row for o in seen for row in keys_of(o)}
        members = Components(self._w, master, self._run_id).grown_here(new)
        seen += histories.observed(members.keys() - nodes)
        of_component: dict[str, list[Any]] = {}
        for observation in seen:
            of_component.setdefault(members[observation["source"], observation["record"]], []).append(observation)
        made = [mastered_rows(o, master.plan, id_column(master)) for o in of_component.values()]
        ids = ", ".join(f"'{own_id(master.plan, n)}'" for n in sorted(members))
        return {
            f"{what} changed": replace_here(self._w, table, [r for m in made for r in m[part]], f"{column} IN ({ids})", self._run_id)
            for what, table, part, column in (
                ("versions", versions_table(master), 0, id_column(master)),
                ("links", links_table(master), 1, f"own_{id_column(master)}"),
            )
        }  # fmt: skip

    def _in_spark(self, master: Master, histories: Histories, touched: Relation) -> dict[str, int]:
        """Master any number of records in Python workers."""
        engines, session = self._w.engines, self._w.engines.session()
        session.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
        components = Components(self._w, master, self._run_id)
        observed = engines.frame(histories.observations(touched))
        members = components.grown_in_spark(session, engines.frame(touched), observed)
        named = Relation.of("members", members, members.columns)
        keyed = histories.observations(named).left_join(
            named.select("source AS _m_source", "record AS _m_record", "component"),
            "l.source = r._m_source AND l.record = r._m_record",
        )
        resolved = resolve(engines.frame(keyed.without("_m_source", "_m_record")), master).persist()
        try:
            ids = members.selectExpr(f"{own_id_sql(master)} AS {id_column(master)}")
            owns = ids.withColumnRenamed(id_column(master), f"own_{id_column(master)}")
            written = {}
            for part, table, among in (("version", versions_table(master), ids), ("link", links_table(master), owns)):
                rows = resolved.where(f"{part} IS NOT NULL").select(f"{part}.*")
                written[f"{part}s changed"] = replace_rows(self._w, session, table, rows, among, self._run_id)
            return written
        finally:
            resolved.unpersist()
