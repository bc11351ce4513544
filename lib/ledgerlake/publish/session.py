"""One Snowflake session: statements with binds in, rows out, errors in ledgerlake's terms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ledgerlake.errors import NOWHERE, LedgerlakeError, TransientError, Where
from ledgerlake.ports.snowflake import (
    Connect,
    SnowflakeConnection,
    SnowflakeCursor,
    statement_error,
)

Row = tuple[Any, ...]


class Session:
    """Runs statements on one connection; every statement is named, so that errors say which."""

    def __init__(self, connection: SnowflakeConnection) -> None:
        self._connection, self._ended = connection, False
        self._open = False  # a transaction may be open on the server

    def rows(self, doing: str, sql: str, *binds: object, where: Where = NOWHERE) -> list[Row]:
        """Run ``sql`` with ``?`` binds and return its rows.

        Raises :class:`PublishError` or, for the network and locks, :class:`TransientError`.
        """
        return self._execute(doing, sql, binds, where).fetchall()

    def affected(self, doing: str, sql: str, *binds: object, where: Where = NOWHERE) -> int:
        """Run a DML statement and return how many rows it changed."""
        return int(self._execute(doing, sql, binds, where).rowcount or 0)

    def _execute(self, doing: str, sql: str, binds: tuple[object, ...], where: Where) -> SnowflakeCursor:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql, binds or None)
        except Exception as error:  # the connector lets urllib3's and its own errors out alike
            raise statement_error(error, doing, where) from error
        return cursor

    def begin(self) -> None:
        """Begin a transaction; it lasts until :meth:`commit` or a rollback."""
        self._open = True  # before the request: its answer may be lost
        self.rows("begin", "BEGIN")

    def commit(self) -> None:
        """Commit; a :class:`TransientError` here means that the outcome is unknown."""
        self.rows("commit", "COMMIT")
        self._open = False

    def roll_back(self) -> None:
        """Roll back what is open; best effort, as Snowflake does it itself for a dead session."""
        if self._open:
            self._open = False
            with suppress(LedgerlakeError):
                self.rows("roll back", "ROLLBACK")

    def end(self) -> None:
        """Roll back and end the session, once; its locks are free then."""
        if not self._ended:
            self._ended = True
            self.roll_back()
            with suppress(Exception):  # the network may be gone
                self._connection.close(retry=False)


@contextmanager
def session(connect: Connect, orphans: list[Session] | None = None) -> Iterator[Session]:
    """Open a session for the block and end it, which rolls back what was not committed.

    A session left by a :class:`TransientError` may be out of reach with its transaction open and
    its locks held, so it is put into ``orphans``; the next session opened ends them first.
    """
    opened = Session(connect())
    waiting = [] if orphans is None else orphans
    end_all(waiting)
    try:
        yield opened
    except TransientError:
        waiting.append(opened)
        raise
    finally:
        if orphans is None or opened not in orphans:
            opened.end()


def end_all(orphans: list[Session]) -> None:
    """End the sessions and empty the list; one out of reach is left to Snowflake's time-out."""
    while orphans:
        orphans.pop().end()
