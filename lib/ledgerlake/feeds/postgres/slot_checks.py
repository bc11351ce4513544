"""What must be true of the database before a slot is read, else changes would be missed unseen."""

from __future__ import annotations

from ledgerlake.config.models import Table
from ledgerlake.errors import SourceError, TransientError, Where
from ledgerlake.feeds.postgres.slot_session import Identity, Slot, SlotSession, format_lsn


def verified_slot(session: SlotSession, name: str, *, create: bool) -> Slot:
    """Return the slot, created if ``create`` allows it; raise :class:`SourceError` where it cannot serve."""
    slot = session.slot(name)
    if slot is None and create:
        session.create_slot(name)
        slot = session.slot(name)
    if slot is None:
        raise SourceError(
            f"the replication slot {name!r} does not exist",
            then=f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput'), or set `create_slot: true`",
        )
    if slot.plugin != "pgoutput":
        raise SourceError(f"the slot {name!r} uses the plugin {slot.plugin!r}", then="create a slot with pgoutput")
    if not slot.here:
        raise SourceError(f"the slot {name!r} belongs to another database", then="correct the connection's dsn")
    if slot.lost:
        raise SourceError(
            f"the server removed log that the slot {name!r} still needed; changes are lost",
            then="drop and create the slot, load the tables anew, and raise max_slot_wal_keep_size",
        )
    if slot.active:
        raise TransientError(f"the slot {name!r} is read by somebody else", then="run again when they have finished")
    return slot


def verify_no_gap(slot: Slot, name: str, landed_until: list[int], resynced_at: int) -> None:
    """Raise :class:`SourceError` where the slot has forgotten changes that were never landed.

    The slot only moves when ledgerlake moves it. If it is ahead of what was landed, somebody
    else read it or made it anew.
    """
    behind = [lsn for lsn in landed_until if lsn < slot.confirmed and resynced_at < slot.confirmed]
    if behind:
        raise SourceError(
            f"the slot {name!r} begins at {format_lsn(slot.confirmed)}, but changes were landed only up to"
            f" {format_lsn(min(behind))}: those between are lost",
            then=f"load the tables anew, then set `resynced_at: {format_lsn(slot.confirmed)}`",
        )


def verify_publication(session: SlotSession, publication: str) -> None:
    """Raise :class:`SourceError` where the publication is missing or leaves kinds of change out."""
    complete = session.publishes_all(publication)
    if complete is None:
        raise SourceError(
            f"the publication {publication!r} does not exist", then=f"CREATE PUBLICATION {publication} FOR TABLE …"
        )
    if not complete:
        raise SourceError(
            f"the publication {publication!r} leaves out inserts, updates, deletes or truncates",
            then=f"ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate')",
        )


def verify_table(session: SlotSession, publication: str, table: Table) -> None:
    """Raise :class:`SourceError` where a table's changes would be incomplete or without a key."""
    where = Where(table=table.table)
    identity = session.identity(table.resource)
    if identity is None:
        raise SourceError(f"{table.resource} does not exist in the database", where=where, then="correct `resource`")
    published = session.published(publication, table.resource)
    if published is None:
        raise SourceError(
            f"the publication {publication!r} lacks {table.resource}", where=where,
            then=f"ALTER PUBLICATION {publication} ADD TABLE {table.resource}",
        )  # fmt: skip
    if published.filtered:
        raise SourceError(
            f"the publication {publication!r} filters the rows of {table.resource}", where=where,
            then="publish the table without WHERE; filter in a mart",
        )  # fmt: skip
    hidden = sorted({c.source_name for c in table.columns} - {name for name, _, _ in published.columns})
    if hidden:
        raise SourceError(f"the publication leaves out the columns {hidden}", where=where, then="publish them")
    _verify_identity(identity, table)


def _verify_identity(identity: Identity, table: Table) -> None:
    keys = {table.column(k).source_name for k in table.key}
    if identity.kind == "f" or (identity.kind in "di" and keys <= set(identity.columns)):
        return
    raise SourceError(
        f"{table.resource} has no replica identity with the key {sorted(keys)}: its updates and deletes would be lost",
        where=Where(table=table.table),
        then=f"give it that primary key, or ALTER TABLE {table.resource} REPLICA IDENTITY FULL",
    )
