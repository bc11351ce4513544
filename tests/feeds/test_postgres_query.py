"""The high-watermark query against a real PostgreSQL: late commits, deletes, parallel reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import psycopg
import pytest
from house import NOON, House, rows_of
from ledgerlake.demo.ledgerbox.settlements_db import Endpoint
from ledgerlake.feeds.query.database import by_key, by_time
from ledgerlake.ports.clock import FixedClock
from postgres import DbHouse, Fuse, Killed, Workload, fresh, job, postgres, rows_in
from pyspark.sql import SparkSession

PIPELINE = """
pipeline: bank
sources:
  db: {feed: query, connection: jdbc, options: {OPTIONS}}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
NOTES = """
table: notes
source: db
resource: public.notes
key: [id]
feed: {watermark: at, DELETES}
columns:
  - {name: id, type: bigint, nullable: false}
  - {name: title, type: string}
  - {name: body, type: string}
  - {name: price, type: "decimal(18,3)"}
  - {name: paid, type: boolean}
  - {name: at, type: timestamp, nullable: false}
"""
SCHEMA = "CREATE TABLE notes (id bigint PRIMARY KEY, title text, body text, price numeric(18,3), paid boolean, at timestamptz NOT NULL)"
DAY = date(2100, 1, 1)
"""A logical date whose end lies after everything that the server's clock can stamp."""
EVERY_DAY = "deletes: {every_days: 1, max_share: 1.0}"


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    with postgres() as endpoint:
        yield endpoint


@pytest.fixture
def database(server: Endpoint) -> Iterator[Endpoint]:
    with fresh(server, SCHEMA) as endpoint:
        yield endpoint


def house_of(
    path: Path, spark: SparkSession, endpoint: Endpoint, deletes: str = EVERY_DAY, options: str = "overlap_minutes: 0"
) -> DbHouse:
    house = DbHouse(path / "house", spark, FixedClock(NOON), endpoint=endpoint)
    house.declare(PIPELINE.replace("OPTIONS", options), NOTES.replace("DELETES", deletes))
    return house


def on(number: int) -> date:
    return DAY + timedelta(days=number)


def ids(house: House) -> list[int]:
    return sorted(r["id"] for r in house.silver("notes").select("id").collect())


def insert(connection: psycopg.Connection, *keys: int) -> None:
    for key in keys:
        connection.execute("INSERT INTO notes (id, at) VALUES (%s, clock_timestamp())", (key,))


@pytest.mark.parametrize("partition_by", ["key", "watermark"])
def test_the_query_and_its_key_comparison_rebuild_the_servers_table(
    partition_by: str, database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    options = f"overlap_minutes: 60, partitions: 3, partition_by: {partition_by}"
    house = house_of(tmp_path, spark, database, options=options)
    for number in range(3):
        Workload(database.dsn, "notes", Random(number), moves_body=True).run(40)
        house.load(on(number))
        assert rows_of(house.silver("notes")) == rows_in(database, "notes")
    assert house.reasons("notes") == []


KILLS = ("before manifest", "after manifest", "before bronze", "before silver", "before the record")


def test_the_query_rebuilds_the_servers_table_through_kills_at_every_step(
    database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    house = house_of(tmp_path, spark, database)
    for number, step in enumerate(KILLS):
        Workload(database.dsn, "notes", Random(number), moves_body=True).run(12)
        with pytest.raises(Killed, match=step):
            job(house, Fuse(step, 1), on(number))

    job(house, Fuse(), on(len(KILLS)))

    assert rows_of(house.silver("notes")) == rows_in(database, "notes")
    assert house.reasons("notes") == []


def test_a_row_that_commits_late_is_not_lost_even_without_overlap(
    database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    house = house_of(tmp_path, spark, database)
    with psycopg.connect(database.dsn) as slow, psycopg.connect(database.dsn, autocommit=True) as quick:
        insert(quick, 1)
        insert(slow, 2)
        insert(quick, 3)
        house.load(on(0))
        assert ids(house) == [1]
        slow.commit()
    house.load(on(1))
    assert ids(house) == [1, 2, 3]


def test_a_window_that_ends_in_the_servers_future_loses_nothing(
    database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    house = house_of(tmp_path, spark, database)
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        insert(connection, 1)
        house.load(on(0))
        insert(connection, 2)
        house.load(on(1))
    assert ids(house) == [1, 2]


def test_a_deleted_key_that_comes_back_is_there_again(database: Endpoint, tmp_path: Path, spark: SparkSession) -> None:
    house = house_of(tmp_path, spark, database)
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        insert(connection, 1, 2)
        house.load(on(0))
        connection.execute("DELETE FROM notes WHERE id = 1")
        [record] = house.load(on(1))
        assert (ids(house), record["applied"]) == ([2], 1)
        insert(connection, 1)
        house.load(on(2))
    assert ids(house) == [1, 2]


def test_keys_are_compared_as_often_as_declared(database: Endpoint, tmp_path: Path, spark: SparkSession) -> None:
    house = house_of(tmp_path, spark, database, deletes="deletes: {every_days: 2, max_share: 1.0}")
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        insert(connection, 1, 2)
        house.load(on(0))
        connection.execute("DELETE FROM notes WHERE id = 1")
        house.load(on(1))
        assert ids(house) == [1, 2]
        house.load(on(2))
    assert ids(house) == [2]


def test_a_table_that_looks_emptied_by_accident_stops(database: Endpoint, tmp_path: Path, spark: SparkSession) -> None:
    house = house_of(tmp_path, spark, database, deletes="deletes: {every_days: 1}")
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        insert(connection, *range(10))
        house.load(on(0))
        connection.execute("DELETE FROM notes WHERE id < 3")
    [failure] = house.extract(on(1))
    assert "3 of 10 keys are gone from public.notes" in str(failure.error)
    assert failure.error.exit_code == 3
    assert len(ids(house)) == 10


def test_a_database_that_is_away_is_worth_another_try(tmp_path: Path, spark: SparkSession) -> None:
    house = house_of(tmp_path, spark, Endpoint("127.0.0.1", 1, "nobody", "nothing"))
    [failure] = house.extract(on(0))
    assert failure.error.exit_code == 75


def test_a_column_that_does_not_exist_is_named(database: Endpoint, tmp_path: Path, spark: SparkSession) -> None:
    house = house_of(tmp_path, spark, database)
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE notes DROP COLUMN price")
    [failure] = house.extract(on(0))
    assert failure.error.exit_code == 3
    assert "'price'" in str(failure.error)


def test_a_row_changed_without_moving_its_watermark_is_quarantined(
    database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    house = house_of(tmp_path, spark, database, options="overlap_minutes: 60")
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        insert(connection, 1)
        house.load(on(0))
        connection.execute("UPDATE notes SET title = 'unseen'")
    house.load(on(1))
    assert house.reasons("notes") == ["position: contradicts a change loaded before"]


def test_ranges_of_time_leave_no_moment_out() -> None:
    low, high = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
    assert by_time("at", low, high, 3) == [
        "\"at\" < '2026-03-02T00:00:00+00:00'",
        "\"at\" >= '2026-03-02T00:00:00+00:00' AND \"at\" < '2026-03-03T00:00:00+00:00'",
        "\"at\" >= '2026-03-03T00:00:00+00:00'",
    ]
    assert by_time("at", None, high, 3) == by_time("at", high, low, 3) == by_time("at", low, high, 1) == []


def test_every_key_falls_into_exactly_one_partition(server: Endpoint) -> None:
    parts = by_key(("a", "b"), 4)
    counted = " + ".join(f"({p})::int" for p in parts)
    with psycopg.connect(server.dsn) as connection:
        query = f"SELECT count(*), sum({counted}) FROM (SELECT i AS a, 'x' || i AS b FROM generate_series(1, 999) i) q"
        assert connection.execute(query).fetchone() == (999, 999)  # type: ignore[arg-type]
