"""Retention: what nobody will read again is found, shown, and on request removed and recorded.

Bronze rows, masters, manifests and control records stay for good: history, masters, ``verify``
and the next extraction are made of them. What goes are bodies of landed objects, files that no
version inside the window needs, and exports of old publications.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.core.identity import fingerprint
from ledgerlake.core.retention import (
    REPLAY_DAYS,
    LoadedBatch,
    Removal,
    Stored,
    loaded_at,
    needed_objects,
    older_than,
    removal,
    window_days,
)
from ledgerlake.feeds.registry import FEEDS
from ledgerlake.lake.control import SCHEMAS
from ledgerlake.lake.quarantine import open_rows
from ledgerlake.lake.readers import PublicationRecord, publications
from ledgerlake.lake.vacuum import unneeded_files
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.decisions import DISMISSED, RELEASED, latest
from ledgerlake.ops.untaken import object_paths

OBJECTS, EXPORTS = "landed objects", "exports"
SILVER, MASTER, MART = "silver files", "master files", "mart files"


@dataclass(frozen=True)
class Applied:
    """What one application removed."""

    run_id: str
    removals: tuple[Removal, ...]


def plan(workspace: Workspace) -> list[Removal]:
    """Return what would go now, table by table; changes nothing."""
    now = workspace.now()
    served = [p for p in publications(workspace) if p.is_served]
    found = [_landed(workspace, t, now) for t in workspace.pipeline.tables.values()]
    found += [_files(workspace, place, now, served) for place in _places(workspace)]
    return [*found, _exports(workspace, now, served)]


def apply(workspace: Workspace) -> Applied:
    """Remove what may go, holding the pipeline's lease as a run does; repeating it is safe.

    What is going to be removed is recorded before the first object goes, so that a killed
    application leaves nothing unexplained. Raises LeaseHeld while a run writes.
    """
    with workspace.leases.hold(workspace.pipeline.name) as lease, workspace.fence.guarded_by(lease):
        started = workspace.now()
        run_id = f"retention-{fingerprint([workspace.pipeline.name, started])[:10]}"
        planned = plan(workspace)
        _record(workspace, run_id, "removing", [r for r in planned if r.gone])
        done = [replace(r, gone=tuple(_removed(workspace, r.gone))) for r in planned]
        _record(workspace, run_id, "removed", done)
    return Applied(run_id, tuple(done))


def removed_objects(workspace: Workspace) -> dict[str, datetime]:
    """Return landed path → when retention removed it."""
    found: dict[str, datetime] = {}
    begun: dict[str, datetime] = {}
    for record in workspace.control.read("retention"):
        kept_in = found if record["status"] == "removed" else begun
        for path in json.loads(record["paths"] or "[]"):
            kept_in.setdefault(path, record["recorded_at"])
    unsure = {path: at for path, at in begun.items() if path not in found}  # of an application that was killed
    return found | {path: at for path, at in unsure.items() if not workspace.objects.exists(path)}


def _removed(workspace: Workspace, items: Sequence[Stored]) -> Iterator[Stored]:
    """Remove objects while the lease is held, and yield those that are gone."""
    for item in items:
        workspace.fence.check()
        workspace.objects.delete(item.path)
        yield item


def _record(workspace: Workspace, run_id: str, status: str, removals: list[Removal]) -> None:
    workspace.control.append("retention", run_id, [
        {
            "table": r.table, "kind": r.kind, "status": status, "days": r.days, "objects": len(r.gone),
            "bytes": r.size_bytes, "oldest_kept": r.oldest_kept,
            "paths": [item.path for item in r.gone] if r.kind == OBJECTS else None,
        }
        for r in removals
    ])  # fmt: skip


def _landed(workspace: Workspace, table: Table, now: datetime) -> Removal:
    """Find bodies of landed objects: read, loaded, settled, and older than what the table declares."""
    days = window_days(table.retention_days)
    if "retention_days" not in table.model_fields_set:
        return Removal(table.table, OBJECTS, days, (), None, "kept for good: the table declares no retention_days")
    log, batches = workspace.logs[table.table], _batches(workspace, table.table)
    loaded = loaded_at(batches)
    newest: dict[str, datetime] = {}
    for manifest in log.all():
        for item in manifest.objects:
            told = max(item.extracted_at, manifest.landed_at, loaded.get(item.path, manifest.landed_at))
            newest[item.path] = max(told, newest.get(item.path, told))
    rows = _open_rows(workspace, table.table)
    keep = newest.keys() - loaded.keys()
    keep |= needed_objects(batches, {r["batch_id"] for r in rows}, {r["object"] for r in rows})
    keep |= FEEDS[workspace.pipeline.spec.sources[table.source].feed].reread(log)
    stored = [
        Stored(i.path, i.size_bytes, newest[i.path])
        for i in workspace.objects.list(f"landing/{workspace.pipeline.name}/{table.table}/")
        if i.path in newest
    ]
    return removal(table.table, OBJECTS, days, stored, older_than(now, days), keep)


def _batches(workspace: Workspace, table: str) -> list[LoadedBatch]:
    records = workspace.control.latest("batches", "batch_id", lambda r: r["table"] == table).values()
    return [
        LoadedBatch(r["batch_id"], r["status"] == "finished", frozenset(object_paths(r)), r["recorded_at"])
        for r in records
    ]


def _open_rows(workspace: Workspace, table: str) -> list[dict[str, Any]]:
    """Return rows of a table in quarantine; one whose release was begun and not finished is still there."""
    rows = workspace.storage.rows(workspace.paths.quarantine(), f"\"table\" = '{table}'")
    ended = {i: r for i, r in latest(workspace).items() if r["action"] in (RELEASED, DISMISSED)}
    order = {b: r["sequence"] for b, r in workspace.control.latest("batches", "batch_id").items()}
    return open_rows(rows.to_pylist(), ended, order) if rows else []


@dataclass(frozen=True)
class _Place:
    """One Delta table: what it is called, its kind, where it stands, for how long its versions are kept."""

    name: str
    kind: str
    uri: str
    days: int


def _places(workspace: Workspace) -> Iterator[_Place]:
    paths, declared = workspace.paths, workspace.pipeline
    for table in declared.tables.values():
        days = window_days(table.retention_days)
        yield _Place(table.table, "bronze files", paths.bronze(table.table), days)
        yield _Place(table.table, SILVER, paths.silver(table.table), days)
        if table.history:
            yield _Place(f"{table.table}_history", SILVER, paths.history(table.table), days)
    for master in declared.spec.masters:
        for part in ("versions", "links", "components"):
            name = f"{master.master}_{part}"
            yield _Place(name, MASTER, paths.silver(name), window_days(master.retention_days))
    for mart in declared.spec.marts:
        yield _Place(mart.mart, MART, paths.mart(mart.mart), REPLAY_DAYS)
    yield _Place("quarantine", "quarantine files", paths.quarantine(), REPLAY_DAYS)
    for name in SCHEMAS:
        yield _Place(name, "control files", paths.control(name), REPLAY_DAYS)


def _files(workspace: Workspace, place: _Place, now: datetime, served: list[PublicationRecord]) -> Removal:
    """Find files that only versions before the window need, and before the last publication.

    The next run reads what changed since that publication, however long ago it was.
    """
    if not served:
        return Removal(place.name, place.kind, place.days, (), None, "nothing was published yet")
    cutoff = min(older_than(now, place.days), served[-1].at)
    named = _versions_named(_read_since(served, older_than(now, place.days)), place)
    listed = unneeded_files(workspace.storage, place.uri, now - cutoff, named, cutoff)
    if listed is None:
        note = "left alone: a published version cannot be opened"
        return Removal(place.name, place.kind, place.days, (), None, note)
    if not listed:
        return Removal(place.name, place.kind, place.days, (), None)
    prefix = place.uri.removeprefix(workspace.objects.uri + "/") + "/"
    stored = [
        Stored(i.path, i.size_bytes, i.modified_at)
        for i in workspace.objects.list(prefix)
        if "/_delta_log/" not in i.path
    ]
    keep = {item.path for item in stored if item.path.removeprefix(prefix) not in listed}
    return removal(place.name, place.kind, place.days, stored, cutoff, keep)


def _read_since(served: Sequence[PublicationRecord], moment: datetime) -> list[PublicationRecord]:
    """Return what readers were served at a moment and later: the publication of then was current until the next."""
    before = [p for p in served if p.at < moment]
    return [*before[-1:], *(p for p in served if p.at >= moment)]


def _versions_named(served: Iterable[PublicationRecord], place: _Place) -> set[int]:
    """Return the versions that publications serve: of marts and of what stands in silver."""
    if place.kind == MART:
        return {p.marts.get(place.name, -1) for p in served}
    return {p.inputs.get(place.name, -1) for p in served} if place.kind in (SILVER, MASTER) else set()


def _exports(workspace: Workspace, now: datetime, served: list[PublicationRecord]) -> Removal:
    """Find exports of publications that were neither written nor served inside the replay window."""
    cutoff = older_than(now, REPLAY_DAYS)
    recent = {p.publication_id for p in publications(workspace) if p.at >= cutoff}
    recent |= {p.publication_id for p in _read_since(served, cutoff)}
    stored = [
        Stored(i.path, i.size_bytes, i.modified_at)
        for i in workspace.objects.list(f"export/{workspace.pipeline.name}/")
    ]
    keep = {item.path for item in stored if item.path.split("/")[2] in recent}
    return removal(workspace.pipeline.name, EXPORTS, REPLAY_DAYS, stored, cutoff, keep)
