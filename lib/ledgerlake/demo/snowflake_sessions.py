"""Sessions of the local Snowflake: ``fakesnow``'s, with exact numbers and errors that quote no data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from snowflake.connector.errors import DatabaseError, ProgrammingError

from ledgerlake.demo.snowflake_numbers import QUOTIENT, exact_numbers, mark_bare, quotient
from ledgerlake.ports.snowflake import local_text

STATEMENT_FAILED_ERRNO = 100183


class ExactCursor(FakeSnowflakeCursor):
    """A cursor whose numbers are Snowflake's and whose errors quote no data."""

    def _transform(self, expression: Any, params: Any) -> Any:
        mark_bare(expression)
        transformed = super()._transform(expression, params)
        exact_numbers(transformed, self._types_of)
        return transformed

    def _types_of(self, query: str) -> Sequence[str] | None:
        # beside the session: a query that does not bind would abort its transaction
        with self._duck_conn.cursor() as beside:
            try:
                if self._conn.schema_set:
                    beside.execute(f"SET schema = '{self._conn.database}.{self._conn._schema}'")
                return [str(row[1]) for row in beside.execute(f"DESCRIBE {query}").fetchall()]
            except duckdb.Error:
                return None

    def execute(self, *args: Any, **kwargs: Any) -> FakeSnowflakeCursor:
        """Run one statement; whatever is wrong with it becomes an error of the statement."""
        try:
            return super().execute(*args, **kwargs)
        except DatabaseError as error:
            raise ProgrammingError(
                msg=local_text(str(error.raw_msg)), errno=error.errno, sqlstate=error.sqlstate or "n/a"
            ) from None
        except Exception as error:  # else the stand-in answers 500, and the connector asks for a minute
            raise ProgrammingError(msg=local_text(str(error)), errno=STATEMENT_FAILED_ERRNO, sqlstate="22000") from None


class ExactConnection(FakeSnowflakeConnection):
    """A session with exact cursors."""

    def cursor(self, cursor_class: Any = None) -> FakeSnowflakeCursor:
        """Return a new cursor of this session."""
        return ExactCursor(conn=self, duck_conn=self._duck_conn)


class ExactSnow(FakeSnow):
    """One set of databases for all sessions, so that they see each other's commits."""

    def __init__(self, folder: Path) -> None:
        super().__init__(db_path=folder)
        self.duck_conn.create_function(QUOTIENT, quotient, ["VARCHAR", "VARCHAR", "INTEGER"], "VARCHAR")

    def connect(self, database: str | None = None, schema: str | None = None, nop_regexes: Any = None, **kwargs: Any) -> Any:  # fmt: skip
        """Open a session."""
        return ExactConnection(
            self.duck_conn.cursor(), self.results_cache, database, schema, db_path=self.db_path,
            nop_regexes=nop_regexes, **kwargs,
        )  # fmt: skip
