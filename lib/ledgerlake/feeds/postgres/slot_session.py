"""One session with the database behind a replication slot: what is asked of it, in SQL.

Text must mean the same each time a change is read, so the session fixes how PostgreSQL prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledgerlake.errors import ConfigError, SourceError, TransientError
from ledgerlake.feeds.base import Extraction

if TYPE_CHECKING:
    import psycopg

_PRINTING = (
    "SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601';"
    " SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'"
)
_SLOT = (
    "SELECT plugin, database = current_database(), wal_status, active, confirmed_flush_lsn::text"
    " FROM pg_replication_slots WHERE slot_name = %s"
)
_PUBLICATION = "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication WHERE pubname = %s"
# As JSON, because column lists and row filters came with PostgreSQL 15 only.
_PUBLISHED = """
SELECT (SELECT array_agg(x) FROM jsonb_array_elements_text(to_jsonb(t) -> 'attnames') x), to_jsonb(t) ->> 'rowfilter'
FROM pg_publication_tables t WHERE pubname = %s AND schemaname || '.' || tablename = %s
"""
_IDENTITY = """
SELECT c.relreplident::text, coalesce((
    SELECT array_agg(a.attname::text) FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END), '{}')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname || '.' || c.relname = %s
"""
_COLUMNS = """
SELECT a.attname::text, a.atttypid::int8, a.atttypmod FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname || '.' || c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum
"""
_PEEK = "SELECT data FROM pg_logical_slot_peek_binary_changes(%s, %s::pg_lsn, %s, 'proto_version', '1', 'publication_names', %s)"
_ADVANCE = (
    "SELECT pg_replication_slot_advance(slot_name, %s::pg_lsn) FROM pg_replication_slots"
    " WHERE slot_name = %s AND confirmed_flush_lsn < %s::pg_lsn"
)
_WRITERS = """
SELECT coalesce(array_agg(DISTINCT l.transactionid::text), '{}')
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'transactionid' AND l.granted AND coalesce(a.datname, current_database()) = current_database()
"""
_FETCH_ROWS = 1_000
_POLLS_PER_S = 10


@dataclass(frozen=True)
class Slot:
    """A slot as the server shows it; ``confirmed`` is the LSN below which it has forgotten everything."""

    plugin: str
    here: bool
    lost: bool
    active: bool
    confirmed: int


@dataclass(frozen=True)
class Identity:
    """How a table's old rows are known: ``kind`` d, i, f or n, and the columns of the key or index."""

    kind: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """What a publication sends of a table: columns (name, type OID, modifier), all rows or some."""

    columns: tuple[tuple[str, int, int], ...]
    filtered: bool


class SlotSession:
    """A connection to the database, for the length of one step."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def slot(self, name: str) -> Slot | None:
        """Return the slot, None where there is none."""
        row = self._row(_SLOT, name)
        return Slot(str(row[0]), bool(row[1]), row[2] == "lost", bool(row[3]), parse_lsn(row[4])) if row else None

    def create_slot(self, name: str) -> None:
        """Create the slot: from here on the server keeps all changes for it."""
        self._connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))

    def publishes_all(self, publication: str) -> bool | None:
        """Say whether the publication sends all four kinds of change, None where it does not exist."""
        row = self._row(_PUBLICATION, publication)
        return bool(row[0]) if row else None

    def published(self, publication: str, resource: str) -> Published | None:
        """Return what the publication sends of a table, None where it lacks the table."""
        row = self._row(_PUBLISHED, publication, resource)
        if row is None:
            return None
        everything = tuple(self.columns(resource))
        sent = everything if row[0] is None else tuple(c for c in everything if c[0] in row[0])
        return Published(sent, filtered=row[1] is not None)

    def identity(self, resource: str) -> Identity | None:
        """Return the replica identity of ``schema.table``, None where it does not exist."""
        row = self._row(_IDENTITY, resource)
        return Identity(str(row[0]), tuple(row[1])) if row else None

    def flushed(self) -> int:
        """Return the LSN up to which the server's log is on disk."""
        row = self._row("SELECT pg_current_wal_flush_lsn()::text")
        assert row is not None, "a function always gives a row"
        return parse_lsn(row[0])

    def peek(self, slot: str, publication: str, until: int, changes_max: int) -> Iterator[bytes]:
        """Yield messages of whole transactions, in commit order; the slot stays where it is.

        Stops after the transaction in which ``changes_max`` messages or ``until`` were reached.
        The server spools the answer to its disk; here a thousand messages are held at a time.
        """
        with self._connection.transaction(), self._connection.cursor("ledgerlake_peek", binary=True) as cursor:
            cursor.itersize = _FETCH_ROWS
            cursor.execute(_PEEK, (slot, format_lsn(until), changes_max, publication))
            for (data,) in cursor:
                yield bytes(data)

    def await_writers(self, wait_s: int) -> bool:
        """Wait until every transaction that writes now has ended; say whether they did within ``wait_s``.

        A commit is in the log a moment before others see its rows, and holds its lock until they
        do: only what this waits for is sure to be in a snapshot taken afterwards.
        """
        earlier = self._writers()
        for _ in range(wait_s * _POLLS_PER_S):
            if not earlier & self._writers():
                break
            self._connection.execute("SELECT pg_sleep(%s)", (1 / _POLLS_PER_S,))
        return not earlier & self._writers()

    def _writers(self) -> set[str]:
        row = self._row(_WRITERS)
        assert row is not None, "an aggregate always gives one row"
        return set(row[0])

    @contextmanager
    def one_snapshot(self) -> Iterator[None]:
        """Let everything read inside see the database at one moment."""
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield

    def columns(self, resource: str) -> list[tuple[str, int, int]]:
        """Return a table's columns in order: name, type OID and modifier."""
        return list(self._connection.execute(_COLUMNS, (resource,)).fetchall())

    def rows(self, resource: str, columns: Sequence[str]) -> Iterator[tuple[str | None, ...]]:
        """Yield a table's rows as text, as the log would print them; one row is held at a time."""
        from psycopg import sql

        statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(*resource.split("."))
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            yield from copy.rows()

    def advance(self, slot: str, lsn: int) -> None:
        """Let the server forget what was committed before ``lsn``; never moves backwards."""
        text = format_lsn(lsn)
        self._connection.execute(_ADVANCE, (text, slot, text))

    def _row(self, statement: str, *values: str) -> Any:
        return self._connection.execute(statement, values).fetchone()


@contextmanager
def session(request: Extraction) -> Iterator[SlotSession]:
    """Open a session; database errors leave as the house's own, without the driver's text.

    Raises :class:`TransientError` where the database cannot be reached or the slot is in use,
    :class:`SourceError` where it refuses.
    """
    psycopg = _driver()
    name = request.source_name
    try:
        with psycopg.connect(_dsn(request), autocommit=True) as connection:
            connection.execute(_PRINTING)
            yield SlotSession(connection)
    except psycopg.OperationalError as error:
        raise TransientError(
            f"the database behind source {name!r} cannot be reached, or its slot is in use",
            then="check that it runs, that the network path is open and that nobody else reads the slot; then run again",
        ) from error
    except psycopg.Error as error:
        raise SourceError(
            f"the database behind source {name!r} refused (SQLSTATE {error.sqlstate})",
            then="the user needs REPLICATION and SELECT on the tables, the server wal_level = logical",
        ) from error


def _driver() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise ConfigError("the driver psycopg is not installed", then="install ledgerlake[postgres]") from error
    return psycopg


def _dsn(request: Extraction) -> str:
    declared = request.environment.connections.get(request.source.connection or "")
    if declared is None or "dsn" not in declared:
        raise ConfigError(
            f"the environment has no connection {request.source.connection!r} with a `dsn`",
            then=f"add `connections: {{{request.source.connection}: {{dsn: env:…}}}}`",
        )
    return request.secrets.resolve(declared["dsn"])


def parse_lsn(text: str) -> int:
    """Return the number that an LSN of the form ``16/B374D848`` stands for."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def format_lsn(lsn: int) -> str:
    """Return an LSN as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
