"""Loading: turns landed extractions into batches and brings each into silver, parents first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from ledgerlake.config.check import table_graph
from ledgerlake.config.models import Column, Source, Table
from ledgerlake.core.accounting import Counts
from ledgerlake.core.identity import batch_id, release_batch_id
from ledgerlake.engines.door import Engines
from ledgerlake.errors import ContractError, LeaseLost, LedgerlakeError, SourceError, Where
from ledgerlake.feeds.base import Feed, Reading
from ledgerlake.feeds.decoding.faults import ObjectFault, attributed, fault_in
from ledgerlake.feeds.deliveries import declaration
from ledgerlake.feeds.files import FileFeed
from ledgerlake.feeds.registry import FEEDS
from ledgerlake.lake import quarantine, reading
from ledgerlake.lake.batch import Batch, BatchLoader
from ledgerlake.lake.drift import added_columns, missing_columns
from ledgerlake.lake.snapshots import as_snapshots, labels
from ledgerlake.lake.workspace import Workspace
from ledgerlake.landing.manifest import Manifest
from ledgerlake.ops import decisions
from ledgerlake.ops.extract import Failure
from ledgerlake.ops.parallel import run_graph
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.unexpected import typed, unexpected
from ledgerlake.ops.untaken import object_paths, open_quarantine
from ledgerlake.ports.failures import storage_failure
from ledgerlake.sql.relation import Relation


class Loader:
    """Loads everything landed and not yet finished, for one run; ``but`` are tables that must be left alone."""

    def __init__(
        self, workspace: Workspace, run_id: str, now: datetime, day: date, progress: Progress,
        but: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self._w, self._run_id, self._progress, self._but = workspace, run_id, progress, but
        self._batches = BatchLoader(workspace, run_id, now, day.isoformat())
        self.records: list[dict[str, Any]] = []

    def load_all(self) -> list[Failure]:
        """Load table by table in the order of references; return the tables that stopped."""
        return self._each_table(self._load_table)

    def release_all(self) -> list[Failure]:
        """Retry held rows whose parents have arrived, and rows that somebody asked to release."""
        return self._each_table(self._release_table)

    def prepare_all(self) -> None:
        """Create the tables of those that never got an object: marts read them as empty ones."""
        for name in self._w.pipeline.tables:
            self._batches.prepare(self._w.table(name))

    def _each_table(self, work: Callable[[str], None]) -> list[Failure]:
        threads = self._w.environment.spark.table_threads
        failures = []

        def unless_left_alone(name: str) -> None:
            if name not in self._but:
                work(name)

        for name, error in run_graph(table_graph(self._w.pipeline), unless_left_alone, threads).items():
            stopped = typed(error, Where(table=name), self._w.crashes)
            if isinstance(stopped, LeaseLost):
                raise stopped from error
            failures.append(Failure(name, stopped))
        return failures

    def _load_table(self, name: str) -> None:
        for manifest in unfinished(self._w, name):
            while manifest.objects:  # what one object's fault leaves of a delivery is loaded all the same
                with self._progress.step("load", name) as words:
                    record = self._load_manifest(manifest)
                    self.records.append(record)
                    words.append(in_words(record))
                done = set(object_paths(record))
                manifest = replace(manifest, objects=tuple(o for o in manifest.objects if o.path not in done))
        self._batches.begin_history(self._w.table(name))

    def _load_manifest(self, manifest: Manifest) -> dict[str, Any]:
        source = self._w.pipeline.spec.sources[self._w.pipeline.tables[manifest.table].source]
        feed = FEEDS[source.feed]
        identity, before = identity_of(self._w, manifest), self._quarantined_before(manifest)
        try:
            if before:
                manifest = self._probed_again(manifest, feed, source)
            table = self._effective_table(manifest, identity)
            reading = Reading(table, manifest.objects, self._w.objects, source.options)
            times = {o.path: o.extracted_at for o in manifest.objects}
            parts = self._snapshot_labels(manifest, table, feed)

            def read(engines: Engines) -> Relation:
                raw = feed.read(engines, reading)
                return as_snapshots(raw, engines.types(raw), table, parts) if parts else raw

            batch = Batch(identity, "landed", table, manifest.objects, times, read)
            record = self._batches.load(batch).record
            decisions.settle(self._w, self._run_id, "batch", manifest.table, before)
            return record
        except (ContractError, ObjectFault) as error:
            return self._quarantine_batch(manifest, identity, error)
        except LedgerlakeError:
            raise
        except Exception as error:
            return self._unreadable(manifest, identity, error)

    def _probed_again(self, manifest: Manifest, feed: Feed, source: Source) -> Manifest:
        """Return a delivery that is judged again with the layouts that its objects have by today's declaration."""
        if not isinstance(feed, FileFeed):
            return manifest
        probe = feed.probe(source, self._w.pipeline.tables[manifest.table])
        objects = []
        for item in manifest.objects:
            with attributed(item.source_name):
                objects.append(replace(item, layout=probe(item.source_name, self._w.objects.read(item.path))))
        return replace(manifest, objects=tuple(objects))

    def _quarantined_before(self, manifest: Manifest) -> set[str]:
        """Return the batches in which objects of this delivery were quarantined before."""
        mine = {o.path for o in manifest.objects}
        return {
            r["batch_id"] for r in self._w.control.read("batches")
            if r["table"] == manifest.table and r["status"] == "quarantined" and mine & set(object_paths(r))
        }  # fmt: skip

    def _snapshot_labels(self, manifest: Manifest, table: Table, feed: Feed) -> dict[str, str]:
        """Return landed path → snapshot where the table is delivered in snapshots, else nothing."""
        if table.snapshot is None:
            return {}
        finished = self._w.control.finished_batches(manifest.table).values()
        loaded = {path for record in finished for path in object_paths(record)}
        earlier = [
            m for m in self._w.logs[manifest.table].all()
            if m.sequence < manifest.sequence and any(o.path in loaded for o in m.objects)
        ]  # fmt: skip
        return labels(manifest, earlier, feed.dates(self._w.pipeline.spec.sources[table.source]))

    def _effective_table(self, manifest: Manifest, identity: str) -> Table:
        """Return the table with additive changes of this delivery applied and recorded."""
        table = self._w.table(manifest.table)
        feed = FEEDS[self._w.pipeline.spec.sources[table.source].feed]
        found = [feed.columns_of(table, item) for item in manifest.objects]
        delivered = [own_columns(self._w, table, columns) for columns in found if columns is not None]
        new: tuple[Column, ...] = added_columns(table, delivered)
        for columns in delivered:
            missing_columns(table, columns)
        rows = [{"table": table.table, "column": c.source_name, "type": c.type, "batch_id": identity} for c in new]
        self._w.control.append("schema_changes", self._run_id, rows)
        return table.with_columns(new)

    def _quarantine_batch(self, manifest: Manifest, identity: str, error: LedgerlakeError) -> dict[str, Any]:
        """Quarantine the one object that is at fault, or the whole delivery where none is, or it is a snapshot in parts."""
        culprit = [o for o in manifest.objects if o.source_name == error.where.file]
        if culprit and len(manifest.objects) > 1 and self._w.pipeline.tables[manifest.table].snapshot is None:
            manifest = replace(manifest, objects=tuple(culprit))
            identity = identity_of(self._w, manifest)
        record = vars(Counts()) | {
            "batch_id": identity, "table": manifest.table, "kind": "landed", "status": "quarantined",
            "reason": str(error), "logical_date": manifest.logical_date.isoformat(),
            "declared": declared(self._w, manifest.table),
            "objects": [{"path": o.path, "source": o.source_name} for o in manifest.objects],
        }  # fmt: skip
        before = self._quarantined_before(manifest)
        self._w.control.append("batches", self._run_id, [record])
        decisions.settle(self._w, self._run_id, "batch", manifest.table, before)
        return record

    def _unreadable(self, manifest: Manifest, identity: str, error: Exception) -> dict[str, Any]:
        """Classify what an engine said: what storage refuses stops the table, an unreadable object is quarantined."""
        where = Where(table=manifest.table, batch_id=identity)
        stopped = storage_failure(error, where)
        if stopped is not None:
            raise stopped from error
        told = fault_in(error)
        if told is not None:
            return self._quarantine_batch(manifest, identity, told)
        text = str(error)
        culprit = next((o.source_name for o in manifest.objects if o.path in text), None)
        if culprit is None:
            raise error
        kept = unexpected(error, where, self._w.crashes)
        problem = SourceError(
            f"the object cannot be read ({type(error).__name__})",
            where=replace(where, file=culprit),
            then=f"have it delivered again under a new name, or mend the table's declaration; {kept.then}",
        )
        return self._quarantine_batch(manifest, identity, problem)

    def _release_table(self, name: str) -> None:
        for identity, begun in releasing(self._w, name).items():
            self._release(name, identity, begun)  # a run was killed in the middle of it
        rows = open_quarantine(self._w, name)
        asked = decisions.with_action(self._w, decisions.REQUESTED)
        ids = sorted({r["quarantine_id"] for r in rows if r["quarantine_id"] in asked} | self._ready(name, rows))
        if not ids:
            return
        table = self._w.table(name)
        identity = release_batch_id(
            name,
            [f"{i}@{r['quarantined_at']}" for r in rows if (i := r["quarantine_id"]) in set(ids)],
            table.fingerprint,
        )
        self._mark(name, identity, ids, decisions.RELEASING)
        self._release(name, identity, ids)

    def _mark(self, name: str, identity: str, ids: list[str], action: str) -> None:
        rows = [decisions.record(decisions.Subject(i, "row", name), action, identity) for i in ids]
        self._w.control.append("decisions", self._run_id, rows)

    def _release(self, name: str, identity: str, ids: list[str]) -> None:
        """Load rows as a batch of their own; they count as released once it is finished."""
        table, path = self._w.table(name), self._w.paths.quarantine()
        rows = self._w.storage.rows(path, f"\"table\" = '{name}'")
        times = {
            r["object"]: r["extracted_at"] for r in (rows.to_pylist() if rows else []) if r["quarantine_id"] in set(ids)
        }
        batch = Batch(
            identity,
            "release",
            table,
            (),
            times,
            lambda _: quarantine.raw_changes(reading.relation(self._w, "quarantine", path), table, ids),
        )
        with self._progress.step("release", name) as words:
            record = self._batches.load(batch).record
            self._mark(name, identity, ids, decisions.RELEASED)
            self.records.append(record)
            words.append(in_words(record))

    def _ready(self, name: str, rows: list[dict[str, Any]]) -> set[str]:
        """Return held rows all of whose parents exist now; asks only if there are held rows."""
        held = [r for r in rows if r["state"] == "held"]
        table = self._w.table(name)
        references = [c for c in table.columns if c.references]
        if not held or not self._parents_moved(table, held):
            return set()
        standing = reading.relation(self._w, "quarantine", self._w.paths.quarantine())
        changes = quarantine.raw_changes(standing, table, [r["quarantine_id"] for r in held])
        ids = standing.where("state = 'held'").select(
            "quarantine_id", "object AS _of_object", "ordinal AS _of_ordinal", "op AS _of_op"
        )
        same = "l._object = r._of_object AND l._ordinal = r._of_ordinal AND l._op = r._of_op"
        ready = changes.left_join(ids, same).where("quarantine_id IS NOT NULL")
        for column in references:
            assert column.references is not None
            path = self._w.paths.silver(column.references.table)
            parent = reading.relation(self._w, f"parent_{column.name}", path).where("NOT _deleted")
            keys = parent.select(f"CAST(`{column.references.column}` AS STRING) AS _of_parent")
            there = ready.having(keys, f"l.`{column.name}` = r._of_parent")
            ready = ready.where(f"`{column.name}` IS NULL").union(there)
        return {row["quarantine_id"] for row in self._w.engines.rows(ready.select("quarantine_id").distinct())}

    def _parents_moved(self, table: Table, held: list[dict[str, Any]]) -> bool:
        """Say whether a parent was loaded after the rows were held: else nothing can have arrived."""
        parents = {c.references.table for c in table.columns if c.references}
        own, runs = self._w.control.finished_batches(table.table), {r["run_id"] for r in held}
        since = min(own[r["batch_id"]]["sequence"] if r["batch_id"] in own else 0 for r in held)
        return any(
            b["applied"] and (b["sequence"] > since or b["run_id"] in runs)
            for p in parents
            for b in self._w.control.finished_batches(p).values()
        )


def own_columns(workspace: Workspace, table: Table, columns: dict[str, str]) -> dict[str, str]:
    """Return the payload without the columns that are the feed's own."""
    source = workspace.pipeline.spec.sources[table.source]
    own = FEEDS[source.feed].own_columns(source)
    return {n: t for n, t in columns.items() if n not in own}


def identity_of(workspace: Workspace, manifest: Manifest) -> str:
    """Return the batch id of an extraction: its exact deliveries and what the table declares."""
    fingerprint = workspace.pipeline.tables[manifest.table].fingerprint
    contents = [(o.source_name, o.content_hash + (f"#{o.delivery}" if o.delivery > 1 else "")) for o in manifest.objects]
    return batch_id(manifest.table, contents, fingerprint)


def declared(workspace: Workspace, table: str) -> str:
    """Return the fingerprint of all that a delivery of a table is judged by."""
    own = workspace.pipeline.tables[table]
    return declaration(workspace.pipeline.spec.sources[own.source], own)


def unfinished(workspace: Workspace, table: str) -> list[Manifest]:
    """Return extractions with those of their objects that are to be loaded; manifests and control tables only.

    Loaded is loaded. What was quarantined is judged again when the declaration that it was judged
    by has changed, or when somebody asked for it.
    """
    settled = _settled(workspace, table)
    left = (replace(m, objects=tuple(o for o in m.objects if o.path not in settled)) for m in workspace.logs[table].all())
    return [m for m in left if m.objects]


def is_loaded(workspace: Workspace, manifest: Manifest) -> bool:
    """Say whether everything that an extraction landed is in bronze or in quarantine."""
    recorded = {
        path
        for r in workspace.control.read("batches")
        if r["table"] == manifest.table and r["status"] in ("finished", "quarantined")
        for path in object_paths(r)
    }
    return all(o.path in recorded for o in manifest.objects)


def _settled(workspace: Workspace, table: str) -> set[str]:
    now, last = declared(workspace, table), decisions.latest(workspace)
    settled: set[str] = set()
    for record in workspace.control.read("batches"):
        if record["table"] != table or record["status"] not in ("finished", "quarantined"):
            continue
        action = last.get(record["batch_id"], {}).get("action")
        again = action != decisions.DISMISSED and (record["declared"] != now or action == decisions.REQUESTED)
        if record["status"] == "finished" or not again:
            settled |= set(object_paths(record))
    return settled


def requested(workspace: Workspace) -> set[str]:
    """Return the rows that somebody asked to release and that no batch has taken since."""
    actions = (decisions.REQUESTED, decisions.RELEASING)
    return {i for i, r in decisions.latest(workspace).items() if r["kind"] == "row" and r["action"] in actions}


def releasing(workspace: Workspace, table: str) -> dict[str, list[str]]:
    """Return batch id → rows of releases that were begun and not finished."""
    begun: dict[str, list[str]] = {}
    for i, row in sorted(decisions.latest(workspace).items()):
        if row["action"] == decisions.RELEASING and row["table"] == table:
            begun.setdefault(row["batch_id"], []).append(i)
    return begun


def in_words(record: dict[str, Any]) -> str:
    """Return a batch's counts as one phrase."""
    if record["status"] == "quarantined":
        return f"batch quarantined: {record['reason']}"
    names = ("read", "applied", "superseded", "duplicate", "quarantined")
    held = f" ({record['held']} held)" if record["held"] else ""
    spark = f" · by Spark: {because}" if (because := record.get("engine_because")) and record["engine"] == "spark" else ""
    return " · ".join(f"{record[n]:,} {n}" for n in names) + held + spark
