"""Salesforce Change Data Capture: change events as JSON lines, as CometD and the Pub/Sub API give them.

Updates are patches of ``changedFields ∪ nulledFields``. Order is (commitNumber, sequenceNumber);
``replayId`` is opaque and orders nothing. Gap and overflow events carry no data: extraction
asks Salesforce for the records and lands the answer; requests that Salesforce did not answer
wait in the manifest's cursor. Source: Salesforce Change Data Capture Developer Guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from pydantic import Field

from ledgerlake.config.models import Source, Table
from ledgerlake.engines.door import Engines
from ledgerlake.errors import ConfigError, SourceError, Where
from ledgerlake.feeds import deliveries
from ledgerlake.feeds.base import Extraction, FileOptions, Options, Reading
from ledgerlake.feeds.decoding.bodies import Limits, limits_of
from ledgerlake.feeds.decoding.frame import decoded
from ledgerlake.feeds.file_order import day_of
from ledgerlake.feeds.files import FileFeed, Probe
from ledgerlake.feeds.landed import landing_path, write_manifest
from ledgerlake.feeds.salesforce.decoder import ANSWERED, FETCHED, ChangeEvents
from ledgerlake.feeds.salesforce.events import Found, Refetch, examine, names_in
from ledgerlake.feeds.salesforce.refetch import Org, fetch, rest_field
from ledgerlake.landing.manifest import LandedObject, Layout, Manifest, ManifestLog
from ledgerlake.ports.http import Retries
from ledgerlake.ports.objects import content_hash
from ledgerlake.sql.relation import Relation

_BEFORE_ALL = f"{0:019d}|{0:010d}"


class SalesforceSource(FileOptions):
    """How the org is asked for what events do not tell; only with a ``connection``."""

    api_version: str = Field(default="62.0", pattern=r"^\d{2}\.0$")
    attempts: int = Field(default=5, ge=1, le=10)


class SalesforceTable(Options):
    """Per table: the object, and how its events are to be read.

    ``field_order`` are the fields of the event's Avro schema (for bitmaps), ``rest_fields`` name
    the record's field for a component that is called differently, ``shared_channel`` says that
    events of other objects stand in the same files. A new word in ``resync`` reloads the object.
    """

    object: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    field_order: tuple[str | dict[str, tuple[str, ...]], ...] = ()
    rest_fields: dict[str, str] = Field(default_factory=dict)
    shared_channel: bool = False
    resync: str | None = None


class SalesforceFeed(FileFeed):
    """Reads change events, and asks Salesforce where they say that something is missing."""

    kind = "salesforce_cdc"
    tells_partial = True
    source_options = SalesforceSource
    table_options = SalesforceTable

    def check(self, source: Source, table: Table) -> None:
        """Check options: patches, the record id as key, a field order that is one, known components."""
        own = SalesforceTable(**table.feed)
        if table.changes != "partial":
            raise ValueError("updates carry only some fields: the table needs `changes: partial`")
        if [table.column(k).source_name for k in table.key if k in table.column_names] != ["Id"]:
            raise ValueError("the key must be one column with `source: Id`")
        if any(c.format != "auto" for c in table.columns):
            raise ValueError("the feed recognises Salesforce's times itself: leave `format` out")
        if own.field_order and own.field_order[0] != "ChangeEventHeader":
            raise ValueError("`field_order` lists the whole schema: ChangeEventHeader comes first")
        compounds = {name for name, parts in names_in(own.field_order) if parts}
        if compounds & {c.source_name for c in table.columns}:
            raise ValueError(f"compound fields {sorted(compounds)}: name their components (`source: Compound.Part`)")
        if source.connection:
            self._check_connected(table, own)
        elif own.resync:
            raise ValueError("`resync` asks Salesforce: the source needs `connection:`")

    def _check_connected(self, table: Table, own: SalesforceTable) -> None:
        for column in table.columns:
            try:
                rest_field(column.source_name, own.rest_fields)
            except SourceError as error:
                raise ValueError(f"{error.what}: {error.then}") from None

    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of an object's frame and bitmaps."""
        return _Examiner(table, limits_of(source.options)).probe

    def dates(self, source: Source) -> Callable[[str], date | None]:
        """Return how a name tells its day."""
        return day_of

    def pending(self, request: Extraction) -> dict[str, int]:
        """Count new objects and requests that Salesforce has not answered yet."""
        files = super().pending(request)
        return {
            t.table: files[t.table] + len(_waiting(request.logs[t.table]) | _declared(t, request))
            for t in request.tables
        }

    def extract(self, request: Extraction) -> list[Manifest]:
        """Land new objects, and what Salesforce answers about gaps; a table at a time."""
        landed = [self._extract_table(request, t) for t in request.tables]
        return [m for m in landed if m]

    def _extract_table(self, request: Extraction, table: Table) -> Manifest | None:
        log, examiner = request.logs[table.table], _Examiner(table, limits_of(request.source.options))
        copied = deliveries.copy(self, request, table, examiner.probe)
        newest = max([_newest(log), *(f.newest for f in examiner.found)])
        asked = {r for f in examiner.found for r in f.refetches} | _waiting(log)
        asked |= {Refetch(newest or _BEFORE_ALL, "", r.reason) for r in _declared(table, request)} - asked
        asked = {r for r in asked if r.name not in _answered(log)}
        answer, left = _ask(request, table, sorted(asked))
        cursor = {"newest": newest, "refetch": [[r.after, r.record_id, r.reason] for r in sorted(left)]}
        copied.objects += answer
        return _record(request, table, copied, cursor)

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Decode each event once; gap and overflow events are no changes."""
        own = SalesforceTable(**reading.table.feed)
        decoder = ChangeEvents(reading.table, own.object, own.field_order, shared=own.shared_channel)
        return decoded(engines, reading, decoder)


class _Examiner:
    """Probes objects and keeps what was found in those that may be landed."""

    def __init__(self, table: Table, limits: Limits) -> None:
        self._table, self._own, self._limits = table, SalesforceTable(**table.feed), limits
        self.found: list[Found] = []

    def probe(self, name: str, body: bytes) -> Layout:
        sources = [c.source_name for c in self._table.columns]
        self.found.append(examine(name, body, self._own.object, self._own.field_order, sources, self._limits))
        return ()


def _ask(request: Extraction, table: Table, asked: list[Refetch]) -> tuple[list[LandedObject], set[Refetch]]:
    """Fetch what is asked for and land the answer; return it with the requests that are left."""
    if not asked:
        return [], set()
    own = SalesforceTable(**table.feed)
    fetched = fetch(_org(request, table), table, own.object, asked, own.rest_fields)
    if not fetched.done:
        return [], set(asked)
    body = b"".join(line + b"\n" for line in fetched.lines)
    digest = content_hash(body)
    name = f"_refetched/{digest[:16]}.jsonl"
    path = landing_path(request.pipeline, table.table, digest, name)
    request.lake.write(path, body, if_absent=True)
    rank = (FETCHED, str(2 * _answers(request.logs[table.table]) + 2))
    layout = (rank, *((ANSWERED, r.name) for r in fetched.done))
    landed = LandedObject(path, name, digest, len(body), request.clock.now(), layout)
    return [landed], set(asked) - set(fetched.done)


def _org(request: Extraction, table: Table) -> Org:
    name = request.source.connection
    if name is None:
        raise SourceError(
            "gap events: changes whose data Salesforce did not send, and no way to ask for them",
            where=Where(table=table.table),
            then=f"declare `connection:` for the source {request.source_name!r} and run again",
        )
    declared = request.environment.connections.get(name)
    if declared is None or not {"base_url", "access_token"} <= set(declared):
        raise ConfigError(
            f"the environment has no connection {name!r} with base_url and access_token",
            then=f"add `connections: {{{name}: {{base_url: https://…, access_token: env:…}}}}`",
        )
    options = SalesforceSource(**request.source.options)
    base, token = (request.secrets.resolve(declared[k]) for k in ("base_url", "access_token"))
    return Org(request.http, Retries(options.attempts), base, token, options.api_version)


def _record(request: Extraction, table: Table, copied: deliveries.Copied, cursor: dict[str, Any]) -> Manifest | None:
    """Write a manifest where anything arrived, or where another request waits than before."""
    before: Mapping[str, Any] = request.logs[table.table].latest_cursor()
    if not copied and before.get("refetch", []) == cursor["refetch"]:
        return None
    return write_manifest(request, table, copied.objects, copied.refused, cursor, seen=copied.seen)


def _waiting(log: ManifestLog) -> set[Refetch]:
    return {Refetch(*r) for r in log.latest_cursor().get("refetch", ())}


def _newest(log: ManifestLog) -> str:
    return str(log.latest_cursor().get("newest", ""))


def _answers(log: ManifestLog) -> int:
    return sum(1 for m in log.all() for o in m.objects if o.layout)


def _answered(log: ManifestLog) -> set[str]:
    """Return the requests that were fulfilled: a gap event delivered again asks nothing."""
    return {name for m in log.all() for o in m.objects for said, name in o.layout if said == ANSWERED}


def _declared(table: Table, request: Extraction) -> set[Refetch]:
    """Return the declared resync, unless it waits already or was done."""
    word, log = SalesforceTable(**table.feed).resync, request.logs[table.table]
    reason = f"resync:{word}"
    seen = {name.rpartition("|")[2] for name in _answered(log)} | {r.reason for r in _waiting(log)}
    return set() if word is None or reason in seen else {Refetch("", "", reason)}
