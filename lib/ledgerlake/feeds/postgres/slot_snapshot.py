"""The initial load of a slot's tables: their rows at one moment, ranked below everything the slot sends.

The slot exists before the snapshot, so nothing falls between them. What the slot sends may be in
the snapshot already: it comes again, newer, and ends in the same row.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledgerlake.errors import TransientError
from ledgerlake.feeds.postgres.slot_landing import TableLanding
from ledgerlake.feeds.postgres.slot_session import SlotSession


def land_snapshot(
    database: SlotSession, publication: str, landings: Sequence[TableLanding], slot_begins: int, wait_s: int
) -> None:
    """Land the published columns of tables that were never landed; ``slot_begins`` is the slot's first LSN.

    Raises :class:`TransientError` where transactions still run after ``wait_s``: they may have
    committed below that LSN without being visible yet.
    """
    if not landings:
        return
    if not database.await_writers(wait_s):
        raise TransientError(
            f"transactions have been writing for more than {wait_s} s, so no complete snapshot can be taken",
            then="run again when long transactions have ended; the slot keeps all changes meanwhile",
        )
    with database.one_snapshot():
        for landing in landings:
            published = database.published(publication, landing.table.resource)
            assert published is not None, "verified before"
            landing.relate(published.columns)
            names = [name for name, _, _ in published.columns]
            for row in database.rows(landing.table.resource, names):
                landing.add_snapshot_row(slot_begins, dict(zip(names, row, strict=True)))
