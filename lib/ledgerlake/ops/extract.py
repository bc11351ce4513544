"""Extraction: asks each source's feed what is new and lands it, source by source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from ledgerlake.core.change import DELETED
from ledgerlake.errors import LeaseLost, LedgerlakeError, Where
from ledgerlake.feeds.base import Extraction, Feed, Later
from ledgerlake.feeds.registry import FEEDS
from ledgerlake.lake import reading
from ledgerlake.lake.workspace import Workspace
from ledgerlake.landing.manifest import Manifest
from ledgerlake.ops import decisions
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.unexpected import typed
from ledgerlake.ports.failures import storage_errors

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def window_end(day: date) -> datetime:
    """Return the end of a logical date: the following midnight, UTC."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def request_for(
    workspace: Workspace, source_name: str, run_id: str, day: date, first: date | None = None
) -> Extraction:
    """Return what a feed may use to extract one source for one logical date, or for all from ``first`` to it."""
    pipeline = workspace.pipeline
    return Extraction(
        pipeline=pipeline.name,
        source_name=source_name,
        source=pipeline.spec.sources[source_name],
        tables=tuple(t for t in pipeline.tables.values() if t.source == source_name),
        environment=workspace.environment,
        lake=workspace.objects,
        secrets=workspace.secrets,
        clock=workspace.clock,
        run_id=run_id,
        logical_date=day,
        first_day=first or day,
        window_end=window_end(day),
        logs=workspace.logs,
        open_source=workspace.open_location,
        spark=workspace.spark,
        http=workspace.http,
        known_keys=lambda name: visible_keys(workspace, name),
        retried=_refused_objects(workspace, decisions.REQUESTED),
        dismissed=_refused_objects(workspace, decisions.DISMISSED),
    )


def _refused_objects(workspace: Workspace, action: str) -> frozenset[tuple[str, str]]:
    """Return the (name, content hash) of refused objects about which ``action`` was decided last."""
    chosen = decisions.with_action(workspace, action)
    if not chosen:
        return frozenset()
    refused = ((name, r.identity) for name, log in workspace.logs.items() for m in log.all() for r in m.refused)
    return frozenset(identity for name, identity in refused if decisions.object_id(name, identity) in chosen)


def visible_keys(workspace: Workspace, name: str) -> DataFrame | None:
    """Return the keys of a table's visible rows, None before its first load."""
    path, table = workspace.paths.silver(name), workspace.pipeline.tables[name]
    if workspace.storage.version(path) < 0:
        return None
    return reading.frame(workspace, path).where(f"NOT {DELETED}").select(*table.key)


@dataclass(frozen=True)
class Failure:
    """One table or source that stopped, and why; the others went on."""

    subject: str
    error: LedgerlakeError


def pending(workspace: Workspace, day: date, first: date | None = None) -> dict[str, int]:
    """Return table → number of objects (or pulls) that an extraction would land now."""
    return outlook(workspace, day, first)[0]


def outlook(workspace: Workspace, day: date, first: date | None = None) -> tuple[dict[str, int], dict[str, Later]]:
    """Return what an extraction would land now, as :func:`pending`, and what waits for later days, by table."""
    found: dict[str, int] = {}
    later: dict[str, Later] = {}
    for name, source in workspace.pipeline.spec.sources.items():
        request = request_for(workspace, name, "plan", day, first)
        found |= FEEDS[source.feed].pending(request)
        later |= request.later
    return found, later


def tell_later(later: Mapping[str, Later], progress: Progress) -> None:
    """Say in the run's steps what is there and is not taken, because its day has not come."""
    for table, waiting in sorted(later.items()):
        with progress.step("wait", table) as words:
            words.append(f"{waiting.objects} objects wait for later days, the first for {waiting.first}")


def extract(
    workspace: Workspace, run_id: str, day: date, progress: Progress, first: date | None = None
) -> list[Failure]:
    """Land everything new for ``day`` (or from ``first`` to it); a table of files that stops does not stop its neighbours."""
    failures = []
    for name in workspace.pipeline.spec.sources:
        request = request_for(workspace, name, run_id, day, first)
        feed = FEEDS[request.source.feed]
        try:
            todo = {t for t, n in feed.pending(request).items() if n}
        except Exception as error:
            failures.append(Failure(name, _stopped(workspace, error, name)))
            continue
        tell_later(request.later, progress)
        for part in _parts(request, feed):
            if not todo & {t.table for t in part.tables}:
                continue
            asked = {t.table: [decisions.object_id(t.table, i) for i in part.retried] for t in part.tables}
            try:
                subject = name if len(part.tables) > 1 else part.tables[0].table
                with progress.step("extract", subject) as words, storage_errors():
                    manifests = feed.extract(part)
                    words.append(f"{sum(len(m.objects) for m in manifests)} objects")
                    refused = sum(len(m.refused) for m in manifests)
                    if refused:
                        words.append(f"{refused} refused")
                    for table, ids in asked.items():
                        decisions.settle(workspace, run_id, "object", table, ids)
            except Exception as error:
                subject = part.tables[0].table if len(part.tables) == 1 else name
                failures.append(Failure(subject, _stopped(workspace, error, subject)))
    return failures


def _stopped(workspace: Workspace, error: Exception, subject: str) -> LedgerlakeError:
    """Return why a source or table stopped; raise what ends the whole run."""
    known = typed(error, Where(table=subject), workspace.crashes)
    if isinstance(known, LeaseLost):
        raise known
    return known


def _parts(request: Extraction, feed: Feed) -> list[Extraction]:
    """Split a source into its tables where they are independent."""
    return [request] if feed.tables_together else [replace(request, tables=(t,)) for t in request.tables]


def confirm(workspace: Workspace, run_id: str, day: date, loaded: Callable[[Manifest], bool]) -> list[Failure]:
    """Tell each source what is safely in bronze; return the sources that could not be told."""
    failures = []
    for name, source in workspace.pipeline.spec.sources.items():
        workspace.fence.check()  # what a source has been told it may forget, no later run can read again
        try:
            FEEDS[source.feed].confirm(request_for(workspace, name, run_id, day), loaded)
        except Exception as error:
            failures.append(Failure(name, _stopped(workspace, error, name)))
    return failures
