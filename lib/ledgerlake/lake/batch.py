"""Loads one batch: raw changes → judged → bronze and quarantine → silver → accounted.

Each step can be killed and repeated. The order matters: quarantine, then bronze (whose commit
carries the counts), then silver (whose commit carries its metrics), then the control record.
A run that finds a bronze or silver commit of the batch goes on from there.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.core.accounting import Counts
from ledgerlake.engines.door import Engines
from ledgerlake.errors import ContractError, Where
from ledgerlake.lake import history, native, quarantine, reading, silver, snapshots, stage
from ledgerlake.lake.appends import append
from ledgerlake.lake.commits import marked
from ledgerlake.lake.tables import (
    SILVER_PROPERTIES,
    Commit,
    bronze_fields,
    bronze_properties,
    declared_meaning,
    history_fields,
    silver_fields,
    silver_properties,
)
from ledgerlake.lake.workspace import Workspace
from ledgerlake.landing.manifest import LandedObject
from ledgerlake.quality.compile import row_rules
from ledgerlake.sql.relation import Relation, joined_by, literal, quoted, values


@dataclass(frozen=True)
class Batch:
    """One exact, content-addressed unit of loading for one table."""

    batch_id: str
    kind: str  # "landed" or "release"
    table: Table
    objects: tuple[LandedObject, ...]
    extracted_at: dict[str, datetime]
    read: Callable[[Engines], Relation]


@dataclass(frozen=True)
class Outcome:
    """What a batch did: counts, versions written, and the record kept of it."""

    counts: Counts
    record: dict[str, Any]


class BatchLoader:
    """Loads batches of one pipeline; ``run_id`` and ``now`` are the run's."""

    def __init__(self, workspace: Workspace, run_id: str, now: datetime, logical_date: str) -> None:
        self._w, self._run_id, self._now, self._date = workspace, run_id, now, logical_date
        # Tables load side by side, and the two engines do not see each other's commits on every store.
        self._quarantining = threading.Lock()

    def load(self, batch: Batch) -> Outcome:
        """Bring the batch into silver; raise AccountingError where its changes are not all accounted for."""
        started, table = time.monotonic(), batch.table
        self.prepare(table)
        done = self._w.storage.commit_of(self._w.paths.bronze(table.table), batch.batch_id)
        facts = done.note["facts"] if done else self._to_bronze(batch)
        applied, silver_version = self._to_silver(batch, facts)
        if table.history and facts["accepted"]:
            self._to_history(batch, facts)
        counts = Counts(
            read=facts["read"], applied=applied, superseded=facts["accepted"] - applied,
            duplicate=facts["duplicate"], quarantined=facts["refused"] + facts["held"], held=facts["held"],
        ).check(Where(table=table.table, batch_id=batch.batch_id))  # fmt: skip
        record = self._record(batch, counts, facts, silver_version, int((time.monotonic() - started) * 1000))
        self._w.control.append("batches", self._run_id, [record])
        return Outcome(counts, record)

    def prepare(self, table: Table) -> None:
        """Create the table's bronze, silver and history where they are missing, and add columns that are new."""
        storage, paths = self._w.storage, self._w.paths
        storage.create(paths.bronze(table.table), bronze_fields(table), bronze_properties(table))
        meaning = json.dumps(declared_meaning(table))
        storage.create(paths.silver(table.table), silver_fields(table), silver_properties(table), description=meaning)
        written = [paths.bronze(table.table), paths.silver(table.table)]
        if table.history:
            storage.create(paths.history(table.table), history_fields(table), SILVER_PROPERTIES)
            written.append(paths.history(table.table))
        for uri in written:
            storage.add_columns(uri, table.columns)

    def _to_bronze(self, batch: Batch) -> dict[str, Any]:
        engines = self._w.engines
        engines.told.clear()
        raw = batch.read(engines)
        with engines.held(stage.label(self._judged(raw, batch), batch.table), "labelled") as labelled:
            ran = engines.ran(labelled)
            facts = self._measured(labelled, batch.table) | ran
            _refuse_contradiction(batch, facts["contradiction"])
            compared = self._compared(batch, labelled, facts)
            if compared is None:
                self._write(batch, labelled, facts)
                return facts
            with engines.held(compared, "compared") as judged:
                facts = self._measured(judged, batch.table) | ran
                self._write(batch, judged, facts)
                return facts

    def _measured(self, labelled: Relation, table: Table) -> dict[str, Any]:
        """Return the batch's measures, in one pass."""
        return self._w.engines.row(labelled.grouped((), *stage.measures(table), *stage.read_keys(table)))

    def _compared(self, batch: Batch, labelled: Relation, facts: dict[str, Any]) -> Relation | None:
        """Return the batch compared with what was loaded before, None where nothing can stand already."""
        table, paths = batch.table, self._w.paths
        if table.append_only:
            if facts["seen_min"] is None or self._w.storage.is_empty(paths.silver(table.table)):
                return None
            standing = reading.relation(self._w, "standing", paths.silver(table.table))
            return stage.against_silver(labelled, standing.where(silver.between(table, facts)), table)
        earlier = self._overlapping(batch, facts)
        if not earlier:
            return None
        seen = reading.relation(self._w, "seen", paths.bronze(table.table))
        among = ", ".join(literal(b) for b in earlier)
        return stage.against_bronze(labelled, seen.where(f"{c.BATCH_ID} IN ({among})"), table)

    def _judged(self, raw: Relation, batch: Batch) -> Relation:
        suite = self._w.pipeline.suite_of(batch.table)
        rules = row_rules(suite) if suite else []
        parents = {
            column.name: self._parent_keys(column.references.table, column.references.column, column.name)
            for column in batch.table.columns
            if column.references
        }
        doubt = self._doubt(batch)
        given = stage.BatchInput(batch.batch_id, batch.table, batch.extracted_at, parents, rules, doubt)
        return stage.judge(raw, self._w.engines.types(raw), given)

    def _doubt(self, batch: Batch) -> str | None:
        """Return the completeness check of snapshots; what somebody released is not doubted again."""
        rule = batch.table.snapshot
        if rule is None or not rule.complete or batch.kind != "landed":
            return None
        shown = self._w.storage.rows(
            self._w.paths.silver(batch.table.table), f"NOT {c.DELETED}", columns="count(*) AS n"
        )
        return snapshots.doubt_sql(rule, shown["n"][0].as_py() if shown else 0)

    def _parent_keys(self, parent: str, key: str, column: str) -> Relation:
        path = self._w.paths.silver(parent)
        if self._w.storage.version(path) < 0:
            return values(f"parents_{column}", (column,), [("CAST(NULL AS STRING)",)]).where("false")
        standing = reading.relation(self._w, f"parents_{column}", path).where(f"NOT {c.DELETED}")
        return standing.select(f"`{key}` AS `{column}`")

    def _overlapping(self, batch: Batch, facts: dict[str, Any]) -> list[str]:
        """Return earlier batches whose positions overlap: only there can a change stand already."""
        if not facts["accepted"]:
            return []
        return [
            b["batch_id"]
            for b in self._w.control.finished_batches(batch.table.table).values()
            if b["position_min"]
            and b["position_min"] <= facts["position_max"]
            and b["position_max"] >= facts["position_min"]
        ]

    def _write(self, batch: Batch, labelled: Relation, facts: dict[str, Any]) -> None:
        paths = self._w.paths
        note: dict[str, Any] = {"batch_id": batch.batch_id, "run_id": self._run_id}
        if facts["refused"] or facts["held"]:
            self._w.storage.create(paths.quarantine(), quarantine.fields(), quarantine.PROPERTIES)
            rows = quarantine.rows_to_quarantine(
                labelled, batch.table, batch.batch_id, self._run_id, self._now.isoformat()
            )
            if self._w.storage.commit_of(paths.quarantine(), batch.batch_id):
                # A killed attempt wrote its rows already; parents may have left since, so compare.
                held = reading.relation(self._w, "quarantined", paths.quarantine())
                mine = held.where(f"batch_id = {literal(batch.batch_id)}").select("quarantine_id")
                rows = rows.lacking(mine, "l.quarantine_id = r.quarantine_id")
            step, count = f"{batch.batch_id}-quarantine-{self._run_id}", facts["refused"] + facts["held"]
            with self._quarantining:
                append(self._w, paths.quarantine(), rows, count, step, note, parts=1)
        if facts["accepted"]:
            rows = labelled.where(f"{stage.OK} AND NOT _duplicate").select(
                f"{literal(batch.batch_id)} AS {c.BATCH_ID}", *(n for n in c.ORIGIN if n != c.BATCH_ID),
                c.OP, c.WINNER, *(f"`{n}`" for n in batch.table.column_names), c.CARRIED,
            )  # fmt: skip
            path, note = paths.bronze(batch.table.table), note | {"facts": facts}
            append(self._w, path, rows, facts["accepted"], f"{batch.batch_id}-bronze", note)

    def _to_silver(self, batch: Batch, facts: dict[str, Any]) -> tuple[int, int]:
        """Bring a bronze slice into silver; return how many changes were applied, and silver's version."""
        path = self._w.paths.silver(batch.table.table)
        before = self._truncated_before(batch.table, batch.batch_id)
        truncated_at = max(facts.get("truncated_at") or "", before)
        done = self._w.storage.commit_of(path, batch.batch_id)
        if done is None and facts["key_min"] is not None:
            self._merge(batch, facts, path, truncated_at)
            done = self._w.storage.commit_of(path, batch.batch_id)
        if truncated_at > before:  # after the merge: only rows that nothing newer has touched are left to withdraw
            self._truncate(batch, truncated_at, path)
        applied = (_affected(done) if done else 0) + int(truncated_at > before)
        return applied, self._w.storage.version(path)

    def _truncated_before(self, table: Table, batch_id: str) -> str:
        """Return the position of the newest truncate of other batches, empty where there is none."""
        others = self._w.control.finished_batches(table.table).values()
        return max((b["truncated_at"] or "" for b in others if b["batch_id"] != batch_id), default="")

    def _truncate(self, batch: Batch, truncated_at: str, path: str) -> None:
        step, note = f"{batch.batch_id}-truncate", {"truncated_by": batch.batch_id, "run_id": self._run_id}
        small = self._w.environment.embedded_rows_max > 0 and native.fits(self._w.storage, path)
        if small and batch.table.changes == "whole":
            native.truncate(self._w.storage, batch.table, path, truncated_at, step, note)
            return
        standing = self._standing_if_few(batch.table, path)
        if standing is not None:
            rows = self._w.engines.table(silver.truncated(standing, batch.table, truncated_at))
            native.upsert(self._w.storage, path, rows, batch.table.key, step, note)
            return
        session = self._w.engines.session()
        with marked(session, self._w.fence, step, note):
            session.sql(silver.truncate_sql(batch.table, path, truncated_at))

    def _merge(self, batch: Batch, facts: dict[str, Any], path: str, truncated_at: str) -> None:
        note = {"batch_id": batch.batch_id, "run_id": self._run_id}
        bronze, keys = self._w.paths.bronze(batch.table.table), (facts["key_min"], facts["key_max"])
        if native.suits(batch.table, facts["accepted"], self._w.environment.embedded_rows_max) and native.merge(
            self._w.storage, batch.table, bronze, path, batch.batch_id, truncated_at, keys, note
        ):
            return
        slice_ = reading.relation(self._w, "bronze", bronze).where(f"{c.BATCH_ID} = {literal(batch.batch_id)}")
        source = silver.folded(slice_, batch.table, truncated_at)
        engines = self._w.engines
        standing = self._standing_if_few(batch.table, path)
        if standing is not None and engines.holds(source):
            rows = engines.table(silver.joined_state(source, standing, batch.table))
            native.upsert(self._w.storage, path, rows, batch.table.key, f"{batch.batch_id}-silver", note)
            return
        session = engines.session()
        engines.frame(source).createOrReplaceTempView("folded")
        statement = silver.merge_sql(batch.table, path, "folded", keys)
        with marked(session, self._w.fence, f"{batch.batch_id}-silver", note):
            session.sql(statement)

    def _standing_if_few(self, table: Table, path: str) -> Relation | None:
        """Return silver of a table of partial changes where it is small: then its rows are joined here, and replaced."""
        if table.changes != "partial" or not reading.is_few(self._w, path):
            return None
        return reading.relation(self._w, "standing", path)

    def begin_history(self, table: Table) -> None:
        """Derive a history whole where it was declared after the table was loaded, and no batch has done it yet."""
        bronze, mark = self._w.paths.bronze(table.table), f"{table.table}-history-begun"
        if table.history is None or not self._history_lacks(table) or self._w.storage.is_empty(bronze):
            return
        self.prepare(table)
        if not self._w.storage.commit_of(self._w.paths.history(table.table), mark):
            self._derive(table, mark, None, bool(self._truncated_before(table, "")))

    def _history_lacks(self, table: Table) -> bool:
        return self._w.storage.is_empty(self._w.paths.history(table.table))

    def _to_history(self, batch: Batch, facts: dict[str, Any]) -> None:
        """Derive the versions of every key that the batch touched again; all keys after a truncate, and at first."""
        table, truncated = batch.table, facts.get("truncated_at")
        if self._w.storage.commit_of(self._w.paths.history(table.table), batch.batch_id):
            return
        ever = bool(truncated or self._truncated_before(table, batch.batch_id))
        later = self._history_lacks(table) and bool(self._w.control.finished_batches(table.table))
        whole = truncated or later
        self._derive(table, batch.batch_id, None if whole else facts["accepted"], ever)

    def _derive(self, table: Table, batch_id: str, accepted: int | None, truncated: bool) -> None:
        """Bring a history up to date for the keys of a batch of ``accepted`` changes; None: for every key."""
        engines, path = self._w.engines, self._w.paths.history(table.table)
        bronze = reading.relation(self._w, "bronze", self._w.paths.bronze(table.table))
        standing = reading.relation(self._w, "history", path)
        truncates = bronze.where("_op = 'truncate'").select(c.POSITION, c.EXTRACTED_AT) if truncated else None
        if accepted is not None:
            mine = bronze.where(f"{c.BATCH_ID} = {literal(batch_id)}")
            keys = mine.select(*map(quoted, table.key)).distinct()
            bronze, standing = (f.having(keys, joined_by(table.key)) for f in (bronze, standing))
        revised = history.revised(history.versions(bronze, truncates, table), standing, table)
        step, note = f"{batch_id}-history", {"batch_id": batch_id, "run_id": self._run_id}
        most = min(native.HELD_ROWS_MAX, self._w.environment.embedded_rows_max)
        few = accepted is not None and accepted <= most and not truncated
        if (few or engines.holds(revised)) and native.fits(self._w.storage, path):
            rows = engines.table(revised)
            key = (*table.key, c.VALID_FROM)
            native.replace(
                self._w.storage, path, rows, key, gone=history.GONE, differs=history.DIFFERS, note=note,
                transaction=step,
            )  # fmt: skip
            return
        engines.frame(revised).createOrReplaceTempView("revised")
        with marked(engines.session(), self._w.fence, step, note):
            engines.session().sql(history.merge_sql(table, path, "revised"))

    def _record(
        self, batch: Batch, counts: Counts, facts: dict[str, Any], silver_version: int, milliseconds: int
    ) -> dict[str, Any]:
        kept = ("engine", "engine_because", "position_min", "position_max", "truncated_at", "extracted_min", "extracted_max")
        return {
            **vars(counts), **{k: facts.get(k) for k in kept}, "batch_id": batch.batch_id, "table": batch.table.table,
            "kind": batch.kind, "status": "finished", "logical_date": self._date,
            "bronze_version": self._w.storage.version(self._w.paths.bronze(batch.table.table)),
            "silver_version": silver_version, "milliseconds": milliseconds,
            "objects": [{"path": o.path, "source": o.source_name, "sha256": o.content_hash, "extracted_at": o.extracted_at} for o in batch.objects],
        }  # fmt: skip


def _refuse_contradiction(batch: Batch, found: str | None) -> None:
    """Raise :class:`ContractError` for an object with a value that shows that all of it is written otherwise than declared.

    Its other values may look right and mean something else (10 for 10.00, read as cents). Released
    rows are judged one by one: somebody has looked at them.
    """
    if found is None or batch.kind != "landed":
        return
    path, _, reason = found.partition("|")
    named = next((o.source_name for o in batch.objects if o.path == path), path)
    raise ContractError(
        reason, where=Where(file=named, table=batch.table.table, batch_id=batch.batch_id),
        then="declare the unit, or the mode, in which the object is written, or have it delivered as declared",
    )  # fmt: skip


def _affected(commit: Commit) -> int:
    metrics = commit.metrics
    names = ("numTargetRowsInserted", "numTargetRowsUpdated", "num_target_rows_inserted", "num_target_rows_updated")
    return sum(int(metrics.get(n, 0)) for n in names)  # Spark's names, and delta-rs's
