"""Snowflake's key hash is the one Python defines, for every type a key can have."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from ledgerlake.demo.local_snowflake import LocalSnowflake
from ledgerlake.ports.snowflake import connector
from ledgerlake.publish.keyhash import EMPTY, Key, key_hash, snowflake_key_hash
from ledgerlake.publish.names import snowflake_type
from ledgerlake.publish.session import session

TYPES = {
    "s": "string",
    "i": "integer",
    "b": "bigint",
    "f": "boolean",
    "d": "date",
    "t": "timestamp",
    "m": "decimal(18,2)",
    "n": "decimal(38,10)",
}
ROWS: list[tuple[Key, ...]] = [
    (
        "a",
        1,
        2,
        True,
        date(2026, 1, 2),
        datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        Decimal("1.5"),
        Decimal(0),
    ),
    (
        "ü✓😀'\\",
        -1,
        -(2**62),
        False,
        date(1969, 12, 31),
        datetime(1960, 1, 1, tzinfo=UTC),
        Decimal("-0.5"),
        Decimal("-1E-10"),
    ),
    (None,) * 8,
]


def test_snowflake_and_python_agree_on_every_type(server: LocalSnowflake) -> None:
    names = ", ".join(f'"{name.upper()}" {snowflake_type(kind)}' for name, kind in TYPES.items())
    casts = ", ".join(f"CAST(? AS {snowflake_type(kind)})" for kind in TYPES.values())
    with session(connector(server.parameters())) as opened:
        for sql in (
            "CREATE DATABASE HASHED",
            "CREATE SCHEMA HASHED.S",
            f"CREATE TABLE HASHED.S.T ({names})",
        ):
            opened.rows("set up", sql)
        query = f"SELECT {snowflake_key_hash(list(TYPES), TYPES)} FROM HASHED.S.T"
        assert opened.rows("hash", query) == [(EMPTY,)]
        for row in ROWS:
            opened.affected("insert", f"INSERT INTO HASHED.S.T SELECT {casts}", *map(_bind, row))
        assert opened.rows("hash", query) == [(key_hash(ROWS, list(TYPES.values())),)]


def _bind(value: Key) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value if value is None or isinstance(value, bool | int) else str(value)
