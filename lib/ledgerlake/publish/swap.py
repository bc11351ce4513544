"""The one transaction in which readers are given a publication: DML only, checked before commit."""

from __future__ import annotations

from datetime import datetime

from ledgerlake.errors import PublishError, Where
from ledgerlake.publish import ledger
from ledgerlake.publish.model import Publication, TableSlice, Target
from ledgerlake.publish.names import qualified, quoted
from ledgerlake.publish.partitions import scopes
from ledgerlake.publish.session import Session
from ledgerlake.publish.staging import staging_name


def swap(session: Session, target: Target, publication: Publication, at: datetime) -> None:
    """Replace every slice and record the publication; the caller holds the transaction.

    Raises :class:`PublishError` where a table does not hold exactly what it was given,
    :class:`~ledgerlake.errors.LeaseLost` where another publication is served than the one it follows.
    """
    ledger.take_turn(session, target, publication)
    for part in publication.slices:
        _replace(session, target, part, staging_name(publication, part))
    ledger.record(session, target, publication, at)


def _replace(session: Session, target: Target, part: TableSlice, staging: str) -> None:
    where = Where(table=part.table)
    table = qualified(target.database, target.schema, part.table)
    for clause, binds in scopes(part):
        session.affected("make room for the slice", f"DELETE FROM {table}{clause}", *binds, where=where)
    columns = ", ".join(quoted(c.name) for c in part.columns)
    source = qualified(target.database, target.schema, staging)
    sql = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {source}"
    inserted = session.affected("insert the slice", sql, where=where)
    # counted again in place: a statement the network made the driver send twice shows here
    held = sum(
        int(session.rows("count the slice", f"SELECT COUNT(*) FROM {table}{clause}", *binds, where=where)[0][0])
        for clause, binds in scopes(part)
    )
    if (inserted, held) != (part.expected_rows, part.expected_rows):
        raise PublishError(
            f"{part.expected_rows} rows expected, {inserted} inserted, {held} in place",
            where=where,
            then="nothing was committed; publish again",
        )
