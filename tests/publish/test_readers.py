"""No reader sees half of a publication: a second session looks after every statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from conftest import Warehouse
from ledgerlake.ports.snowflake import SnowflakeConnection, SnowflakeCursor

DAY = date(2026, 1, 1)
VIEWS = "SELECT (SELECT LISTAGG(INVOICE_ID) FROM {bi}.INVOICES), (SELECT LISTAGG(INVOICE_ID) FROM {bi}.CREDITS)"


class WatchedCursor:
    """A real cursor; ``after`` is told of every statement it has run."""

    def __init__(self, cursor: SnowflakeCursor, after: Callable[[str], None]) -> None:
        self._cursor, self._after = cursor, after

    @property
    def rowcount(self) -> int | None:
        return self._cursor.rowcount

    @property
    def description(self) -> Any:
        return self._cursor.description

    def execute(self, command: str, params: Sequence[object] | None = None) -> object:
        self._cursor.execute(command, params)
        self._after(command)
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._cursor.fetchall()

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        return self._cursor.fetchmany(size)


class WatchedConnection:
    def __init__(self, connection: SnowflakeConnection, after: Callable[[str], None]) -> None:
        self._connection, self._after = connection, after

    def cursor(self) -> SnowflakeCursor:
        return WatchedCursor(self._connection.cursor(), self._after)

    def close(self, retry: bool = True) -> None:
        self._connection.close(retry)


def test_two_tables_change_for_readers_in_one_moment(warehouse: Warehouse) -> None:
    old = [("old", DAY, Decimal("5.00"), 5)]
    new = [("new", DAY, Decimal("1.10"), 1)]

    def both(rows: list[tuple[str, date, Decimal, int]]) -> Any:
        slices = (
            warehouse.slice(rows, "2026-01-01"),
            warehouse.slice(rows, "2026-01-01", table="credits"),
        )
        return warehouse.publication(*slices)

    warehouse.publisher().publish(both(old))
    seen: list[tuple[str, tuple[object, ...]]] = []
    connect = warehouse.connect()

    def watched() -> SnowflakeConnection:
        return WatchedConnection(connect(), lambda sql: seen.append((sql.split()[0], warehouse.read(VIEWS)[0])))

    warehouse.publisher(watched).publish(both(new))

    words = [word for word, _ in seen]
    commit = words.index("COMMIT")
    assert words.count("DELETE") == 2 and "DELETE" in words[:commit]
    assert {view for _, view in seen[:commit]} == {("old", "old")}
    assert {view for _, view in seen[commit:]} == {("new", "new")}
    between = words[words.index("BEGIN") + 1 : commit]
    assert set(between) == {"UPDATE", "DELETE", "INSERT", "SELECT"}  # DDL would commit the open transaction
