"""The publication ledger in Snowflake: which publications readers have been given, and from what.

Its row is written in the transaction that moves the data, so that it alone decides whether a
publication happened: after a lost answer, on a repeat, and for an auditor.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from ledgerlake.errors import LeaseLost, PublishError
from ledgerlake.ports.snowflake import is_missing
from ledgerlake.publish.model import LedgerRow, Publication, Target
from ledgerlake.publish.names import LOCKS, qualified
from ledgerlake.publish.session import Row, Session

COLUMNS = (
    ("PUBLICATION_ID", "VARCHAR"),
    ("FOLLOWS", "VARCHAR"),  # the publication that it replaces, empty for the first
    ("NUMBER", "NUMBER(19,0)"),  # its place in the pipeline's order, whatever clocks said
    ("PIPELINE", "VARCHAR"),
    ("RUN_ID", "VARCHAR"),
    ("LOGICAL_DATE", "DATE"),
    ("PUBLISHED_AT", "TIMESTAMP_NTZ(6)"),  # UTC
    ("CODE_VERSION", "VARCHAR"),
    ("CONFIG_FINGERPRINT", "VARCHAR"),
    ("DELTA_VERSIONS", "VARCHAR"),  # JSON: table → Delta version
    ("SUITE_RESULTS", "VARCHAR"),  # JSON, as the gate recorded it
    ("TABLES", "VARCHAR"),  # JSON: table → rows, partitions
)


def create(session: Session, target: Target, pipeline: str) -> None:
    """Create the ledger, and the row by which a pipeline's transactions queue up, where they are missing."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS)
    session.rows("create the publication ledger", f"CREATE TABLE IF NOT EXISTS {_table(target)} ({columns})")
    own = '"PIPELINE" VARCHAR, "PUBLICATION_ID" VARCHAR'
    session.rows("create the publication locks", f"CREATE TABLE IF NOT EXISTS {_locks(target)} ({own})")
    sql = (
        f'INSERT INTO {_locks(target)} ("PIPELINE", "PUBLICATION_ID") SELECT ?, \'\''
        f' WHERE NOT EXISTS (SELECT 1 FROM {_locks(target)} WHERE "PIPELINE" = ?)'
    )
    session.affected("enter the pipeline", sql, pipeline, pipeline)


def holds(session: Session, target: Target, publication_id: str) -> bool:
    """Say whether the publication is recorded; a ledger that does not exist yet records none."""
    sql = f'SELECT COUNT(*) FROM {_table(target)} WHERE "PUBLICATION_ID" = ?'
    return any(row[0] for row in _rows_if_present(session, sql, publication_id))


def record(session: Session, target: Target, publication: Publication, at: datetime) -> None:
    """Write the publication's row inside the open transaction."""
    names = ", ".join(f'"{name}"' for name, _ in COLUMNS)
    values = ", ".join(f"CAST(? AS {kind})" for _, kind in COLUMNS)
    sql = f"INSERT INTO {_table(target)} ({names}) SELECT {values}"
    session.affected("record the publication", sql, *_values(publication, at))


def take_turn(session: Session, target: Target, publication: Publication) -> None:
    """Begin the open transaction as the successor of the publication that is served.

    The update of the pipeline's one row makes transactions of a pipeline queue up, so that what is
    read then cannot change before the commit. Raises :class:`LeaseLost` where readers have
    been given another publication than the one that this was built to follow.
    """
    sql = f'UPDATE {_locks(target)} SET "PUBLICATION_ID" = ? WHERE "PIPELINE" = ?'
    session.affected("take the turn", sql, publication.publication_id, publication.pipeline)
    standing = newest(session, target, publication.pipeline)
    if (standing.publication_id if standing else "") != publication.follows:
        raise LeaseLost(
            "another run published in the meantime", then="run the same command again; it builds on what is served now"
        )


def newest(session: Session, target: Target, pipeline: str) -> LedgerRow | None:
    """Return the pipeline's newest publication, None before the first."""
    return next(iter(_publications(session, target, pipeline, " LIMIT 1")), None)


def published(session: Session, target: Target, pipeline: str) -> list[LedgerRow]:
    """Return the pipeline's publications, newest first."""
    return _publications(session, target, pipeline, "")


def _publications(session: Session, target: Target, pipeline: str, limit: str) -> list[LedgerRow]:
    fields = ", ".join(_field(name, kind) for name, kind in COLUMNS)
    order = f'ORDER BY "NUMBER" DESC{limit}'
    sql = f'SELECT {fields} FROM {_table(target)} WHERE "PIPELINE" = ? {order}'
    return [_parse(row) for row in _rows_if_present(session, sql, pipeline)]


def _field(name: str, kind: str) -> str:
    # moments as text: a driver may hand them over without microseconds or with a zone of its own
    moment = kind.startswith("TIMESTAMP")
    return f"TO_VARCHAR(\"{name}\", 'YYYY-MM-DD HH24:MI:SS.FF6')" if moment else f'"{name}"'


def _rows_if_present(session: Session, sql: str, *binds: object) -> list[Row]:
    try:
        return session.rows("look into the publication ledger", sql, *binds)
    except PublishError as error:
        if is_missing(error.__cause__):
            return []
        raise


def _values(publication: Publication, at: datetime) -> tuple[str, ...]:
    tables = {
        part.table: {
            "rows": part.expected_rows,
            "partitions": _partitions(part.partition_column, part.partitions),
        }
        for part in publication.slices
    }
    return (
        publication.publication_id,
        publication.follows,
        str(publication.number),
        publication.pipeline,
        publication.run_id,
        publication.logical_date.isoformat(),
        at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        publication.code_version,
        publication.config_fingerprint,
        json.dumps(dict(publication.delta_versions), sort_keys=True),
        publication.suite_results_json,
        json.dumps(tables, sort_keys=True),
    )


def _partitions(column: str | None, values: tuple[str, ...]) -> list[str] | str:
    return "all" if column is None else list(values)


def _parse(row: Row) -> LedgerRow:
    fields = {name.lower(): value for (name, _), value in zip(COLUMNS, row, strict=True)}
    fields["number"] = int(fields["number"])
    fields["published_at"] = datetime.fromisoformat(fields["published_at"]).replace(tzinfo=UTC)
    return LedgerRow(**fields)


def _table(target: Target) -> str:
    return qualified(target.database, target.schema, target.ledger_table)


def _locks(target: Target) -> str:
    return qualified(target.database, target.schema, LOCKS)
