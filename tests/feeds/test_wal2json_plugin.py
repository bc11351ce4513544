"""What the plugin itself wrote: rendered lines equal it byte for byte, and the feed rebuilds the tables from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import wal2json_plugin as plugin
from house import NOON, House, rows_of
from ledgerlake.demo.ledgerbox.settlements_db import Endpoint
from ledgerlake.feeds.postgres.slot_session import SlotSession
from ledgerlake.ports.clock import FixedClock
from postgres import fresh, postgres, rows_in
from pyspark.sql import SparkSession
from wal2json_rendered import seen

PIPELINE = """
pipeline: bank
sources:
  wal: {feed: wal2json, location: wal}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
TABLE = """
table: {0}
source: wal
resource: public.{0}
key: [{1}]
changes: partial
keys_can_change: true
columns:
{2}"""
COLUMNS = {
    "kinds": {
        "id": "bigint", "whole": "integer", "amount": "decimal(18,3)", "agreed": "boolean", "letters": "string",
        "limited": "string", "day": "string", "moment": "string", "at": "timestamp", "token": "string", "doc": "string", "tags": "string",
    },
    "whole": {"id": "integer", "letters": "string", "amount": "decimal(10,2)"},
    "named": {"b": "string", "a": "integer", "c": "string"},
}  # fmt: skip


@pytest.fixture(scope="module")
def played() -> Iterator[Endpoint]:
    """Yield a database in which the transactions ran, seen by a slot."""
    with postgres() as server, fresh(server, *plugin.SCHEMA) as database:
        in_utc(database)
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            SlotSession(connection).create_slot(database.dbname)
        plugin.play(database)
        yield database


def in_utc(database: Endpoint) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database.dbname} SET timezone TO 'UTC'".encode())


def test_rendered_lines_are_the_plugins_byte_for_byte(played: Endpoint) -> None:
    lines = b"".join(seen(played)).decode().splitlines()
    assert plugin.comparable(lines) == plugin.comparable(plugin.KEPT.read_text().splitlines())


@pytest.mark.skipif(not plugin.SERVER, reason="LEDGERLAKE_WAL2JSON_SERVER names no server that has the plugin")
def test_the_plugin_still_writes_the_lines_that_were_kept() -> None:
    with fresh(plugin.server(), *plugin.SCHEMA) as database:
        in_utc(database)
        plugin.create_slot(database)
        plugin.play(database)
        assert plugin.comparable(plugin.asked(database)) == plugin.comparable(plugin.KEPT.read_text().splitlines())


def test_the_plugins_own_lines_rebuild_the_servers_tables(
    played: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    tables = {name: declared(name) for name in COLUMNS}
    house = House(tmp_path, spark, FixedClock(NOON)).declare(PIPELINE, *tables.values())
    lines = plugin.KEPT.read_text().splitlines()
    for number, transaction in enumerate(reversed(plugin.transactions(lines))):
        house.deliver(f"wal/{number}.json", transaction)
    house.load()

    for name, columns in COLUMNS.items():
        assert house.reasons(name) == []
        shown = ", ".join(f"{c}::text" if t == "string" else c for c, t in columns.items())
        assert rows_of(house.silver(name).select(*columns)) == rows_in(played, name, shown)


def declared(name: str) -> str:
    types = list(COLUMNS[name].items())
    lines = [f'  - {{name: {c}, type: "{t}"{", nullable: false" * (n == 0)}}}' for n, (c, t) in enumerate(types)]
    return TABLE.format(name, types[0][0], "\n".join(lines))
