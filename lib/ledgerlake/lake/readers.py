"""Reading the lake as its readers may: marts at the version that a publication serves.

The newest version of a mart may be a candidate that no gate has accepted. Nothing in here
opens a mart without asking the publication records which version that is (promise: gated).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from ledgerlake.errors import NotFoundError, Where
from ledgerlake.lake.tables import Commit
from ledgerlake.lake.workspace import Workspace

SENDING, PUBLISHED, BLOCKED = "sending", "published", "blocked"


@dataclass(frozen=True)
class PublicationRecord:
    """What the control table says of one publication: ``sending``, ``published`` or ``blocked``.

    ``inputs`` and ``marts`` are Delta versions by name, -1 for a table that does not exist
    yet; ``fingerprints`` say what each mart meant then; ``partitions`` are the values it replaced,
    None for a whole mart; ``rows`` are those sent to the warehouse, ``reason`` says what blocked it.
    ``state`` names what it was made from, ``follows`` the publication that the warehouse served
    before, ``number`` its place in the pipeline's order.
    """

    publication_id: str
    run_id: str
    logical_date: str
    status: str
    at: datetime
    inputs: Mapping[str, int]
    marts: Mapping[str, int]
    fingerprints: Mapping[str, str]
    partitions: Mapping[str, tuple[str, ...] | None]
    rows: Mapping[str, int]
    reason: str = ""
    state: str = ""
    follows: str = ""
    number: int = 0

    @property
    def is_served(self) -> bool:
        """Say whether readers were ever given this publication."""
        return self.status == PUBLISHED

    def names(self, table_or_mart: str, version: int) -> bool:
        """Say whether this publication pins that version of a silver table or a mart."""
        return {**self.inputs, **self.marts}.get(table_or_mart) == version


@dataclass(frozen=True)
class HistoryEntry:
    """One commit, the batch and run that made it, and the publications that name its version."""

    commit: Commit
    batch_id: str | None
    run_id: str | None
    served_by: tuple[str, ...]
    blocked_in: tuple[str, ...]
    is_served_now: bool


def publications(workspace: Workspace) -> list[PublicationRecord]:
    """Return every publication record in the order written, blocked ones included."""
    return [p for p in all_records(workspace) if p.status != SENDING]


def all_records(workspace: Workspace) -> list[PublicationRecord]:
    """Return the same, and what runs wrote down before they asked the warehouse."""
    return [_publication(row) for row in workspace.control.read("publications")]


def served(workspace: Workspace) -> PublicationRecord | None:
    """Return the publication that readers see now, or None before the first."""
    last = workspace.control.last_publication()
    return None if last is None else _publication(last)


def published_version(workspace: Workspace, mart: str, publication_id: str | None = None) -> int:
    """Return the mart's Delta version in a publication (default: the one served now).

    Raises NotFoundError for an unknown mart, and where no publication serves it.
    """
    _known(mart, {m.mart for m in workspace.pipeline.spec.marts}, "mart")
    record = served(workspace) if publication_id is None else _named(workspace, publication_id)
    if record is None or mart not in record.marts:
        raise NotFoundError(
            "no publication serves the mart yet",
            where=Where(table=mart),
            then=f"run `ledgerlake run {workspace.pipeline.name}`; if its last run was blocked,"
            " `ledgerlake status` says why",
        )
    return record.marts[mart]


def read_published(workspace: Workspace, mart: str, publication_id: str | None = None, columns: str = "*") -> pa.Table:
    """Return the mart's rows (or only some ``columns``, as SQL) in a publication, without Spark.

    The default is the publication that is served now.

    Raises NotFoundError where nothing is published, or retention removed that version.
    """
    version = published_version(workspace, mart, publication_id)
    uri = workspace.paths.mart(mart)
    if publication_id is not None:
        _check_retained(workspace, mart, version)
    try:
        table = workspace.storage.rows(uri, version=version, columns=columns)
    except FileNotFoundError as error:  # its log is kept for longer than its files
        raise _gone(mart, version) from error
    if table is None:
        raise _gone(mart, version)
    return table


def history(workspace: Workspace, table_or_mart: str) -> list[HistoryEntry]:
    """Return the commits of a silver table or a mart, newest first, and who served each.

    Raises NotFoundError for a name the pipeline does not declare, or one never written.
    """
    tables, marts = set(workspace.pipeline.readable), {m.mart for m in workspace.pipeline.spec.marts}
    _known(table_or_mart, tables | marts, "table or mart")
    paths = workspace.paths
    uri = paths.silver(table_or_mart) if table_or_mart in tables else paths.mart(table_or_mart)
    commits = workspace.storage.commits(uri)
    if not commits:
        raise NotFoundError(
            "nothing has been written yet",
            where=Where(table=table_or_mart),
            then=f"run `ledgerlake run {workspace.pipeline.name}`",
        )
    records, now = publications(workspace), served(workspace)
    return [_entry(commit, table_or_mart, records, now) for commit in commits]


def _entry(commit: Commit, name: str, records: list[PublicationRecord], now: PublicationRecord | None) -> HistoryEntry:
    naming = [r for r in records if r.names(name, commit.version)]
    return HistoryEntry(
        commit=commit,
        batch_id=commit.note.get("batch_id"),
        run_id=commit.note.get("run_id"),
        served_by=_ids(r for r in naming if r.is_served),
        blocked_in=_ids(r for r in naming if not r.is_served),
        is_served_now=now is not None and now.names(name, commit.version),
    )


def _ids(records: Iterable[PublicationRecord]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(r.publication_id for r in records))


def _named(workspace: Workspace, publication_id: str) -> PublicationRecord:
    found = [r for r in publications(workspace) if r.is_served and r.publication_id == publication_id]
    if not found:
        raise NotFoundError(
            f"no publication {publication_id!r} was ever served",
            then="`ledgerlake status` lists the runs and their publications",
        )
    return found[-1]


def _check_retained(workspace: Workspace, mart: str, version: int) -> None:
    if version not in {commit.version for commit in workspace.storage.commits(workspace.paths.mart(mart))}:
        raise _gone(mart, version)


def _gone(mart: str, version: int) -> NotFoundError:
    return NotFoundError(
        f"version {version} is no longer in the lake",
        where=Where(table=mart),
        then="retention removed its files; read a newer publication",
    )


def _known(name: str, declared: set[str], kind: str) -> None:
    if name not in declared:
        raise NotFoundError(f"no {kind} {name!r}", then=f"use one of {sorted(declared)}")


def _publication(row: Mapping[str, Any]) -> PublicationRecord:
    fields = {name: json.loads(row[name] or "{}") for name in ("inputs", "marts", "partitions", "rows")}
    return PublicationRecord(
        publication_id=row["publication_id"],
        run_id=row["run_id"],
        logical_date=row["logical_date"],
        status=row["status"],
        at=row["recorded_at"],
        inputs=fields["inputs"],
        marts={mart: built["version"] for mart, built in fields["marts"].items()},
        fingerprints={mart: built["fingerprint"] for mart, built in fields["marts"].items()},
        partitions={m: None if v == "whole" else tuple(v) for m, v in fields["partitions"].items()},
        rows=fields["rows"],
        reason=row["reason"] or "",
        state=row["state"] or "",
        follows=row["follows"] or "",
        number=row["number"] or 0,
    )
