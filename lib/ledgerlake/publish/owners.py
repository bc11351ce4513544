"""Whose a table in the warehouse is: each belongs to one pipeline, recorded before it is first written."""

from __future__ import annotations

from ledgerlake.errors import PublishError, Where
from ledgerlake.publish.model import Publication, Target
from ledgerlake.publish.names import OWNERS, bare, qualified, quoted
from ledgerlake.publish.session import Session


def claim(session: Session, target: Target, publication: Publication) -> None:
    """Record the publication's pipeline as owner of its tables.

    Raises :class:`PublishError` where a table is another pipeline's, or stands there without an
    owner: somebody else made it.
    """
    table = qualified(target.database, target.schema, OWNERS)
    columns = '"TABLE_NAME" VARCHAR, "PIPELINE" VARCHAR'
    session.rows("create the record of owners", f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    known = _known(session, table)
    standing = _standing(session, target)
    for part in publication.slices:
        name = bare(part.table)
        owners = known.get(name, set())
        if not owners:
            if name in standing:
                raise _refused(part.table, "the table exists and no pipeline is recorded as its owner")
            sql = f'INSERT INTO {table} ("TABLE_NAME", "PIPELINE") SELECT ?, ?'
            session.affected("record the owner", sql, name, publication.pipeline)
    for part in publication.slices:
        others = _known(session, table)[bare(part.table)] - {publication.pipeline}
        if others:
            raise _refused(part.table, f"the table belongs to the pipeline {sorted(others)[0]}")


def _known(session: Session, table: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, pipeline in session.rows("read the owners", f'SELECT "TABLE_NAME", "PIPELINE" FROM {table}'):
        found.setdefault(str(name), set()).add(str(pipeline))
    return found


def _standing(session: Session, target: Target) -> set[str]:
    sql = f"SELECT TABLE_NAME FROM {quoted(target.database)}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = ?"
    return {str(row[0]).upper() for row in session.rows("list the tables", sql, bare(target.schema))}


def _refused(table: str, what: str) -> PublishError:
    then = f"publish into a schema of its own, rename the mart, or have an administrator correct {OWNERS}"
    return PublishError(what, where=Where(table=table), then=then)
