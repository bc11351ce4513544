"""PostgreSQL itself as the oracle: each feed must end with exactly the rows that the server holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

import psycopg
import pytest
import wal2json_plugin as plugin
from house import DAY, NOON, rows_of
from ledgerlake.demo.ledgerbox.settlements_db import Endpoint
from ledgerlake.feeds.postgres.slot_session import SlotSession, format_lsn
from ledgerlake.ops.extract import pending
from ledgerlake.ports.clock import FixedClock
from postgres import DbHouse, Fuse, Killed, Workload, fresh, job, postgres, rows_in
from pyspark.sql import SparkSession
from wal2json_rendered import seen

COLUMNS = """
  - {name: id, type: bigint, nullable: false}
  - {name: title, type: string}
  - {name: body, type: string}
  - {name: price, type: "decimal(18,3)"}
  - {name: paid, type: boolean}
  - {name: at, type: timestamp, nullable: false}
"""
NOTES = f"""
table: notes
source: wal
resource: public.notes
key: [id]
changes: partial
keys_can_change: true
columns:{COLUMNS}"""
LEDGER = f"""
table: ledger
source: wal
resource: public.ledger
key: [id]
keys_can_change: true
columns:{COLUMNS}"""
SLOT = """
pipeline: bank
sources:
  wal:
    feed: postgres_slot
    connection: db
    options: {slot: SLOT, publication: lake, create_slot: true, changes_max: 5000, object_mb: 1}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
WAL2JSON = """
pipeline: bank
sources:
  wal: {feed: wal2json, location: wal}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
TABLE = "(id bigint PRIMARY KEY, title text, body text, price numeric(18,3), paid boolean, at timestamptz NOT NULL)"
SCHEMA = (
    f"CREATE TABLE notes {TABLE}",
    f"CREATE TABLE ledger {TABLE}",
    "CREATE TABLE strangers (id int PRIMARY KEY)",
    "ALTER TABLE notes ALTER body SET STORAGE EXTERNAL",  # large values are moved out uncompressed
    "ALTER TABLE ledger ALTER body SET STORAGE EXTERNAL",
    "ALTER TABLE ledger REPLICA IDENTITY FULL",
    "CREATE PUBLICATION lake FOR TABLE notes, ledger, strangers",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    with postgres() as endpoint:
        yield endpoint


@pytest.fixture
def database(server: Endpoint) -> Iterator[Endpoint]:
    with fresh(server, *SCHEMA) as endpoint:
        yield endpoint


def house_of(path: Path, spark: SparkSession, endpoint: Endpoint, pipeline: str, *tables: str) -> DbHouse:
    house = DbHouse(path / "house", spark, FixedClock(NOON), endpoint=endpoint)
    house.declare(pipeline.replace("SLOT", endpoint.dbname), *tables)
    return house


def busy(endpoint: Endpoint, seed: int, rounds: int) -> None:
    """Let both tables live for a while; the other table of the publication as well."""
    Workload(endpoint.dsn, "notes", Random(seed), moves_body=True).run(rounds)
    Workload(endpoint.dsn, "ledger", Random(seed + 1), moves_body=False).run(rounds)
    with psycopg.connect(endpoint.dsn) as connection:
        connection.execute("INSERT INTO strangers SELECT coalesce(max(id), 0) + 1 FROM strangers")


def assert_same_as_server(house: DbHouse, endpoint: Endpoint) -> None:
    for table, ops in {
        "notes": ["delete", "patch", "truncate", "upsert"],
        "ledger": ["delete", "truncate", "upsert"],
    }.items():
        assert house.reasons(table) == []
        assert sorted(r["_op"] for r in house.bronze(table).select("_op").distinct().collect()) == ops
        assert rows_of(house.silver(table)) == rows_in(endpoint, table)


def confirmed(endpoint: Endpoint) -> int:
    with psycopg.connect(endpoint.dsn) as connection:
        slot = SlotSession(connection).slot(endpoint.dbname)
    assert slot is not None
    return slot.confirmed


KILLS = (
    *(("connect", n) for n in (1, 2, 3)),  # before confirming the last run, before peeking, before advancing
    *((f"{when} object", n) for when in ("before", "after") for n in (1, 2)),  # in the middle of the peek
    *((f"{when} manifest", n) for when in ("before", "after") for n in (1, 2)),  # between the tables
    *((f"before {step}", n) for n, step in ((1, "bronze"), (2, "silver"), (1, "the record"))),
    ("after advancing", 1),
)


def test_the_slot_rebuilds_the_servers_tables_through_kills_at_every_step(
    database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    house = house_of(tmp_path, spark, database, SLOT, NOTES, LEDGER)
    busy(database, 1, 60)
    assert house.extract(DAY) == []  # makes the slot and lands the rows that stand in the tables

    for number, (step, nth) in enumerate(KILLS, 1):
        busy(database, number * 100, 12)
        assert dies(house, Fuse(step, nth), DAY + timedelta(days=number)), f"no {nth}. {step}"

    assert read_to_the_end(house, DAY + timedelta(days=100))
    assert_same_as_server(house, database)
    cursor = house.workspace().logs["notes"].latest_cursor()
    assert format_lsn(confirmed(database)) == cursor["lsn"]


def dies(house: DbHouse, fuse: Fuse, day: date) -> bool:
    try:
        job(house, fuse, day)
    except Killed:
        return True
    return False


def read_to_the_end(house: DbHouse, day: date) -> bool:
    """Run a day's jobs until no bounded pull is left over."""
    for _ in range(20):
        if not any(pending(house.workspace(), day).values()):
            return True
        job(house, Fuse(), day)
    return False


@pytest.mark.parametrize("seed", [1, 2])
def test_wal2json_files_rebuild_the_servers_tables_in_any_order(
    seed: int, database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        SlotSession(connection).create_slot(database.dbname)
    busy(database, seed * 100, 120)
    house = house_of(tmp_path, spark, database, WAL2JSON, NOTES, LEDGER)
    assert_rebuilt(house, database, seen(database), Random(seed))


@pytest.mark.skipif(not plugin.SERVER, reason="LEDGERLAKE_WAL2JSON_SERVER names no server that has the plugin")
def test_files_of_the_plugin_itself_rebuild_the_servers_tables_in_any_order(
    tmp_path: Path, spark: SparkSession
) -> None:
    with fresh(plugin.server(), *SCHEMA) as database:
        plugin.create_slot(database)
        busy(database, 1, 120)
        sent = plugin.transactions(plugin.asked(database))
        assert_rebuilt(house_of(tmp_path, spark, database, WAL2JSON, NOTES, LEDGER), database, sent, Random(1))


def assert_rebuilt(house: DbHouse, database: Endpoint, transactions: list[bytes], random: Random) -> None:
    """Deliver transactions shuffled, a fifth of them twice, in three files."""
    repeated = [*transactions, *random.sample(transactions, len(transactions) // 5)]
    random.shuffle(repeated)

    for number in range(3):
        house.deliver(f"wal/{number}.json", b"".join(repeated[number::3]))
        house.load()

    assert_same_as_server(house, database)
