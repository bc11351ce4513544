"""PostgreSQL read directly through a logical replication slot, with the built-in plugin pgoutput.

Peek, land, load into bronze, and only then advance: the server keeps every change until it is
safe. What comes again after a kill is recognised by its LSN. One slot serves all tables of a
source, so they are extracted together. See docs/feeds/postgres_slot.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from ledgerlake.config.models import Source, Table
from ledgerlake.engines.door import Engines
from ledgerlake.feeds.base import Extraction, Feed, Options, Reading
from ledgerlake.feeds.decoding.frame import decoded
from ledgerlake.feeds.landed import write_manifest
from ledgerlake.feeds.postgres.pgoutput import decode
from ledgerlake.feeds.postgres.slot_checks import verified_slot, verify_no_gap, verify_publication, verify_table
from ledgerlake.feeds.postgres.slot_landing import SlotReader, TableLanding
from ledgerlake.feeds.postgres.slot_lines import SlotLines
from ledgerlake.feeds.postgres.slot_session import SlotSession, format_lsn, parse_lsn, session
from ledgerlake.feeds.postgres.slot_snapshot import land_snapshot
from ledgerlake.landing.manifest import LandedObject, Manifest, ManifestLog
from ledgerlake.sql.relation import Relation


class SlotSource(Options):
    """The slot and its publication; ``changes_max`` bounds one extraction, ``object_mb`` one object.

    ``initial`` says whether a table's present rows are landed before its first changes, for which
    transactions that are writing are waited for at most ``snapshot_wait_s``.
    ``resynced_at`` accepts a gap in the log below this LSN, after the tables were loaded anew.
    """

    slot: str = Field(pattern=r"^[a-z0-9_]{1,63}$")
    publication: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    create_slot: bool = False
    initial: Literal["snapshot", "none"] = "snapshot"
    snapshot_wait_s: int = Field(default=10, ge=0, le=3600)
    changes_max: int = Field(default=1_000_000, ge=1, le=2_000_000_000)
    object_mb: int = Field(default=32, ge=1)
    resynced_at: str | None = Field(default=None, pattern=r"^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$")


class PostgresSlotFeed(Feed):
    """Reads the changes of a live PostgreSQL."""

    kind = "postgres_slot"
    tells_partial = True
    tells_key_changes = True
    source_options = SlotSource
    tables_together = True

    def check(self, source: Source, table: Table) -> None:
        """Check that the resource names a schema and a table, and that there is a connection."""
        SlotSource(**source.options)
        if table.resource.count(".") != 1:
            raise ValueError(f"the resource {table.resource!r} must be schema.table")
        if source.connection is None:
            raise ValueError("a postgres_slot source needs `connection:`")

    def pending(self, request: Extraction) -> dict[str, int]:
        """One pull for each table whose day has not been landed, or whose last pull met its bound."""
        return {t.table: int(_is_due(request, request.logs[t.table])) for t in request.tables}

    def extract(self, request: Extraction) -> list[Manifest]:
        """Peek at what was committed since the last time and land it; the slot stays where it is."""
        options = SlotSource(**request.source.options)
        with session(request) as database:
            begins = _verify(database, request, options)
            reader = SlotReader({t.resource: _landing(request, options, t) for t in request.tables})
            new = [k for k in reader.landings.values() if not k.landed_until]
            if options.initial == "snapshot":
                land_snapshot(database, options.publication, new, begins, options.snapshot_wait_s)
            until = database.flushed()
            peeked = database.peek(options.slot, options.publication, until, options.changes_max)
            reader.take_all(decode(data) for data in peeked)
        complete = reader.messages < options.changes_max
        read_until = max(until, reader.read_until) if complete else reader.read_until
        return [_write(request, landing, read_until, complete) for landing in reader.landings.values()]

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return the columns the table had when the object's changes were made."""
        return dict(item.layout) or None

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Decode the landed lines."""
        return decoded(engines, reading, SlotLines(reading.table))

    def confirm(self, request: Extraction, loaded: Callable[[Manifest], bool]) -> None:
        """Advance the slot to the LSN up to which every table's changes are in bronze."""
        safe = min((_loaded_until(request.logs[t.table], loaded) for t in request.tables), default=0)
        if safe:
            with session(request) as database:
                database.advance(SlotSource(**request.source.options).slot, safe)


def _is_due(request: Extraction, log: ManifestLog) -> bool:
    return not log.covers(request.logical_date) or not log.latest_cursor().get("complete", True)


def _verify(database: SlotSession, request: Extraction, options: SlotSource) -> int:
    """Check everything that could lose changes unseen; return the LSN at which the slot begins."""
    landed = [lsn for t in request.tables if (lsn := _landed_until(request.logs[t.table]))]
    slot = verified_slot(database, options.slot, create=options.create_slot and not landed)
    verify_no_gap(slot, options.slot, landed, parse_lsn(options.resynced_at or "0/0"))
    verify_publication(database, options.publication)
    for table in request.tables:
        verify_table(database, options.publication, table)
    return slot.confirmed


def _landing(request: Extraction, options: SlotSource, table: Table) -> TableLanding:
    landed = _landed_until(request.logs[table.table])
    return TableLanding(request, table, options.slot, options.object_mb << 20, landed)


def _landed_until(log: ManifestLog) -> int:
    """Return the LSN below which everything committed was landed, 0 before the first extraction."""
    return parse_lsn(str(log.latest_cursor().get("lsn", "0/0")))


def _loaded_until(log: ManifestLog, loaded: Callable[[Manifest], bool]) -> int:
    """Return the LSN below which everything committed was loaded: manifests count in order."""
    until = 0
    for manifest in log.all():
        if not loaded(manifest):
            break
        until = parse_lsn(str(manifest.cursor.get("lsn", "0/0")))
    return until


def _write(request: Extraction, landing: TableLanding, read_until: int, complete: bool) -> Manifest:
    """Write the table's manifest; its cursor never moves backwards."""
    until = format_lsn(max(read_until, landing.landed_until))
    return write_manifest(request, landing.table, landing.objects, [], {"lsn": until, "complete": complete})
