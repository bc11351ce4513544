"""The database behind a query source: connection, parallel reads, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from ledgerlake.config.models import Table
from ledgerlake.errors import ConfigError, LedgerlakeError, SourceError, TransientError, Where
from ledgerlake.feeds.base import Extraction
from ledgerlake.sql.relation import literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_CLOCK = (
    "SELECT now() AS now, (SELECT min(xact_start) FROM pg_stat_activity"
    " WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()) AS oldest"
)
_DRIVER_SAYS = re.compile(r"PSQLException: ([^\n]*)")
_AWAY = ("onnection", "terminating", "I/O error", "shutting down", "starting up", "too many clients")


@dataclass(frozen=True)
class Database:
    """A PostgreSQL over JDBC; every read is a query of its own, in a transaction of its own."""

    spark: SparkSession
    url: str
    properties: dict[str, str]

    def read(self, query: str, predicates: list[str] | None = None) -> DataFrame:
        """Return a query's rows; each predicate is read by a connection of its own, in parallel."""
        if predicates:
            return self.spark.read.jdbc(self.url, f"({query}) AS q", predicates=predicates, properties=self.properties)
        return self.spark.read.jdbc(self.url, f"({query}) AS q", properties=self.properties)

    def times(self) -> tuple[datetime, datetime | None]:
        """Return the server's time and the start of its oldest writing transaction, both in UTC."""
        row = self.read(_CLOCK).first()
        assert row is not None, "a query without FROM gives one row"
        return row["now"].astimezone(UTC), row["oldest"].astimezone(UTC) if row["oldest"] else None

    def lowest(self, table: Table, watermark: str) -> datetime | None:
        """Return the table's lowest watermark in UTC, None where it is empty."""
        row = self.read(f"SELECT min({quoted(watermark)}) AS low FROM {table.resource}").first()
        return row["low"].astimezone(UTC) if row and row["low"] else None


def connect(request: Extraction, fetch_rows: int) -> Database:
    """Return the source's database; raise :class:`ConfigError` where the environment does not name it."""
    name = request.source.connection
    declared = request.environment.connections.get(name or "")
    if declared is None or "jdbc_url" not in declared:
        raise ConfigError(
            f"the environment has no connection {name!r} with a `jdbc_url`",
            then=f"add `connections: {{{name}: {{jdbc_url: env:…}}}}`",
        )
    known = {k: request.secrets.resolve(v) for k, v in declared.items()}
    url = known.pop("jdbc_url")
    return Database(request.spark(), url, {"driver": "org.postgresql.Driver", "fetchsize": str(fetch_rows), **known})


def by_key(keys: tuple[str, ...], parts: int) -> list[str]:
    """Return predicates that deal rows out evenly by a hash of their key, whatever its type."""
    text = f"concat_ws('|', {', '.join(f'{quoted(k)}::text' for k in keys)})"
    rest = f"(hashtextextended({text}, 0) % {parts} + {parts}) % {parts}"
    return [f"{rest} = {n}" for n in range(parts)] if parts > 1 else []


def by_time(column: str, low: datetime | None, high: datetime, parts: int) -> list[str]:
    """Return predicates of equal ranges of time; the first and last are open, so nothing falls outside."""
    if parts == 1 or low is None or low >= high:
        return []
    step: timedelta = (high - low) / parts
    cuts = [f"'{(low + step * n).isoformat()}'" for n in range(1, parts)]
    name = quoted(column)
    inner = [f"{name} >= {a} AND {name} < {b}" for a, b in pairwise(cuts)]
    return [f"{name} < {cuts[0]}", *inner, f"{name} >= {cuts[-1]}"]


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def database_errors(request: Extraction, table: Table) -> Iterator[None]:
    """Classify what the driver says without printing it: its messages can hold values."""
    try:
        yield
    except LedgerlakeError:
        raise
    except Exception as error:
        raise _source_error(error, request, table) from error


def _source_error(error: Exception, request: Extraction, table: Table) -> Exception:
    said = _DRIVER_SAYS.search(str(error))  # the rest is a stack trace, full of class names
    where = Where(table=table.table)
    if said and any(word in said[1] for word in _AWAY):
        return TransientError(
            f"the database behind source {request.source_name!r} cannot be reached",
            where=where,
            then="check that it runs and that the network path is open, then run again",
        )
    return SourceError(
        f"the query on {table.resource} was refused",
        where=where,
        then=f"check that these columns exist: {', '.join(literal(c.source_name) for c in table.columns)}",
    )
