"""Read-only questions to the warehouse, for ``ledgerlake sql``."""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from ledgerlake.errors import NOWHERE, ConfigError
from ledgerlake.ports.snowflake import Connect, statement_error

ROWS_MAX = 10_000
READS = (exp.Query, exp.Show, exp.Describe)
WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.Create, exp.Drop, exp.Into)


def run_query(connect: Connect, sql: str, *, rows_max: int = ROWS_MAX) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return (column names, at most ``rows_max`` rows) of one SELECT, SHOW or DESCRIBE.

    Raises :class:`ConfigError` for anything else, before the warehouse is asked.
    """
    require_read_only(sql)
    connection = connect()
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        return [column.name for column in cursor.description], cursor.fetchmany(rows_max)
    except Exception as error:
        raise statement_error(error, "the query", NOWHERE) from error
    finally:
        connection.close(retry=False)


def require_read_only(sql: str) -> None:
    """Raise :class:`ConfigError` unless ``sql`` is one statement that can only read."""
    try:
        statements = [s for s in sqlglot.parse(sql, read="snowflake") if s is not None]
    except SqlglotError as error:
        raise ConfigError("the query is not SQL that Snowflake reads", then="correct it") from error
    if len(statements) != 1 or not _only_reads(statements[0]):
        raise ConfigError("only one SELECT, SHOW or DESCRIBE may be run here", then="change data by a pipeline")


def _only_reads(statement: exp.Expr) -> bool:
    if isinstance(statement, exp.Command):  # SHOW of a kind the parser does not know in detail
        return statement.name.upper() == "SHOW"
    # SELECT SYSTEM$ABORT_TRANSACTION(...) is a SELECT in form only
    acts = any(call.name.upper().startswith("SYSTEM$") for call in statement.find_all(exp.Anonymous))
    return isinstance(statement, READS) and not acts and statement.find(*WRITES) is None
