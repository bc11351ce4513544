"""A replication slot on a real PostgreSQL: start-up checks, initial rows, bounded pulls, confirmation."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from house import DAY, NOON, rows_of
from ledgerlake.demo.ledgerbox.settlements_db import Endpoint
from ledgerlake.errors import LedgerlakeError
from ledgerlake.feeds.postgres.slot_checks import verified_slot
from ledgerlake.feeds.postgres.slot_session import Slot, SlotSession, format_lsn
from ledgerlake.ops.extract import pending
from ledgerlake.ports.clock import FixedClock
from ledgerlake.testing.postgres_slot import HOSTILE, SETUP
from ledgerlake.testing.samples import Hostile
from postgres import DbHouse, fresh, postgres
from pyspark.sql import SparkSession

PIPELINE = """
pipeline: bank
sources:
  wal: {feed: postgres_slot, connection: db, options: {slot: SLOT, publication: lake, OPTIONS}}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: wal
resource: public.people
key: [id]
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
CREATE = "create_slot: true"
NEXT = DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    with postgres() as endpoint:
        yield endpoint


@pytest.fixture
def database(server: Endpoint) -> Iterator[Endpoint]:
    with fresh(server, SETUP) as endpoint:
        yield endpoint


def house_of(path: Path, spark: Any, endpoint: Endpoint, options: str = CREATE) -> DbHouse:
    house = DbHouse(path / "house", spark, FixedClock(NOON), endpoint=endpoint)
    house.declare(PIPELINE.replace("SLOT", endpoint.dbname).replace("OPTIONS", options), PEOPLE)
    return house


def execute(endpoint: Endpoint, *statements: str) -> None:
    with psycopg.connect(endpoint.dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]


def confirmed(endpoint: Endpoint) -> str:
    with psycopg.connect(endpoint.dsn) as connection:
        slot = SlotSession(connection).slot(endpoint.dbname)
    assert slot is not None
    return format_lsn(slot.confirmed)


def refusal(house: DbHouse) -> str:
    [failure] = house.extract()
    assert failure.error.exit_code == 3
    return str(failure.error)


@pytest.mark.parametrize("sample", [s for s in HOSTILE if s.outcome == "refused"], ids=lambda s: s.name)
def test_a_hostile_set_up_is_refused_before_anything_is_read(
    sample: Hostile, database: Endpoint, tmp_path: Path
) -> None:
    execute(database, *(body.decode() for body in sample.files.values()))
    house = house_of(tmp_path, None, database)
    assert sample.says in refusal(house)
    assert house.workspace().logs["people"].all() == []


def test_hostile_changes_end_as_the_samples_say(database: Endpoint, tmp_path: Path, spark: SparkSession) -> None:
    house = house_of(tmp_path, spark, database)
    house.load()
    loaded = [s for s in HOSTILE if s.outcome != "refused"]
    execute(database, *(body.decode() for s in loaded for body in s.files.values()))
    [record] = house.load(NEXT)
    reasons = house.reasons("people")
    assert len(reasons) == record["quarantined"] == sum(s.outcome == "quarantined" for s in loaded)
    assert all(any(s.says in r for r in reasons) for s in loaded if s.outcome == "quarantined")
    assert {r[0]: r[1] for r in rows_of(house.silver("people"))} == {"k1": "Ann", "t1": "Ann", "u1": None, "f1": "Bob"}


def test_a_missing_slot_is_refused_unless_it_may_be_created(database: Endpoint, tmp_path: Path) -> None:
    said = refusal(house_of(tmp_path, None, database, "create_slot: false"))
    assert "does not exist" in said
    assert "create_slot: true" in said


class Shown(SlotSession):
    """A session that shows one slot."""

    def __init__(self, slot: Slot) -> None:
        self._shown = slot

    def slot(self, name: str) -> Slot:
        return self._shown


GOOD = Slot("pgoutput", here=True, lost=False, active=False, confirmed=1)


@pytest.mark.parametrize(
    ("slot", "says", "exit_code"),
    [
        (replace(GOOD, plugin="wal2json"), "uses the plugin 'wal2json'", 3),
        (replace(GOOD, here=False), "belongs to another database", 3),
        (replace(GOOD, lost=True), "changes are lost", 3),
        (replace(GOOD, active=True), "read by somebody else", 75),
    ],
)
def test_a_slot_that_cannot_serve_is_refused(slot: Slot, says: str, exit_code: int) -> None:
    with pytest.raises(LedgerlakeError, match=says) as caught:
        verified_slot(Shown(slot), "lake", create=True)
    assert caught.value.exit_code == exit_code


def test_rows_that_stand_in_the_table_come_first(database: Endpoint, tmp_path: Path, spark: SparkSession) -> None:
    execute(database, "INSERT INTO people VALUES ('a', 'Ann', E'Os\\tlo\\n\\\\N'), ('b', NULL, '')")
    house = house_of(tmp_path, spark, database)
    house.load()
    assert rows_of(house.silver("people")) == [("a", "Ann", "Os\tlo\n\\N"), ("b", None, "")]
    execute(database, "UPDATE people SET owner = 'Bob' WHERE id = 'b'", "DELETE FROM people WHERE id = 'a'")
    house.load(NEXT)
    assert rows_of(house.silver("people")) == [("b", "Bob", "")]


def test_a_column_that_is_not_published_is_not_copied_either(database: Endpoint, tmp_path: Path) -> None:
    execute(
        database, "ALTER TABLE people ADD secret text", "INSERT INTO people VALUES ('a', 'Ann', 'Oslo', 'pin')",
        "ALTER PUBLICATION lake SET TABLE people (id, owner, city)",
    )  # fmt: skip
    house = house_of(tmp_path, None, database)
    assert house.extract() == []
    [manifest] = house.workspace().logs["people"].all()
    [item] = manifest.objects
    assert item.layout == (("id", "string"), ("owner", "string"), ("city", "string"))
    assert b"pin" not in gzip.decompress((house.root / "lake" / item.path).read_bytes())


def test_without_an_initial_snapshot_only_changes_are_read(database: Endpoint, tmp_path: Path) -> None:
    execute(database, "INSERT INTO people VALUES ('a', 'Ann', 'Oslo')")
    house = house_of(tmp_path, None, database, f"{CREATE}, initial: none")
    assert house.extract() == []
    assert house.workspace().logs["people"].all()[0].objects == ()


def test_a_snapshot_that_would_wait_too_long_is_worth_another_try(database: Endpoint, tmp_path: Path) -> None:
    house = house_of(tmp_path, None, database, "create_slot: false, snapshot_wait_s: 0")
    execute(database, f"SELECT pg_create_logical_replication_slot('{database.dbname}', 'pgoutput')")
    with psycopg.connect(database.dsn) as slow:
        slow.execute("INSERT INTO people VALUES ('a', 'Ann', 'Oslo')")
        [failure] = house.extract()
    assert failure.error.exit_code == 75
    assert "no complete snapshot" in str(failure.error)


def test_a_pipeline_runs_from_yaml_and_moves_the_slot_only_then(
    database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    house = house_of(tmp_path, spark, database)
    assert house.run().status == "published"
    execute(database, "INSERT INTO people VALUES ('a', 'Ann', 'Oslo')")
    before = confirmed(database)
    house.extract(NEXT)
    assert confirmed(database) == before
    assert house.run(NEXT).status == "published"
    assert confirmed(database) == house.workspace().logs["people"].latest_cursor()["lsn"] != before
    assert house.run(NEXT).status == "unchanged"


def test_a_new_column_in_the_middle_arrives_with_its_type(
    database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    house = house_of(tmp_path, spark, database)
    house.load()
    execute(
        database, "INSERT INTO people VALUES ('a', 'Ann', 'Oslo')", "UPDATE people SET owner = 'Anna'",
        "ALTER TABLE people ADD level numeric(7,3)", "INSERT INTO people VALUES ('b', 'Bob', 'Bonn', 1.5)",
    )  # fmt: skip
    house.load(NEXT)
    assert rows_of(house.silver("people")) == [("a", "Anna", "Oslo", None), ("b", "Bob", "Bonn", "1.500")]
    assert dict(house.silver("people").dtypes)["level"] == "decimal(7,3)"


def test_a_backlog_is_read_in_bounded_pulls_of_whole_transactions(
    database: Endpoint, tmp_path: Path, spark: SparkSession
) -> None:
    house = house_of(tmp_path, spark, database, f"{CREATE}, changes_max: 10, object_mb: 1")
    house.load()
    for n in range(3):
        execute(
            database, f"INSERT INTO people SELECT '{n}-' || i, repeat('x', 200000), NULL FROM generate_series(1, 12) i"
        )
    seen = []
    while pending(house.workspace(), NEXT)["people"]:
        house.run(NEXT)
        seen.append(len(rows_of(house.silver("people"))))
    assert seen == [12, 24, 36, 36]  # the last pull finds that nothing is left
    assert max(len(m.objects) for m in house.workspace().logs["people"].all()) > 1


def test_changes_that_somebody_else_took_from_the_slot_are_missed_loudly(database: Endpoint, tmp_path: Path) -> None:
    house = house_of(tmp_path, None, database)
    assert house.extract() == []
    execute(
        database, "INSERT INTO people VALUES ('a', 'Ann', 'Oslo')",
        f"SELECT pg_replication_slot_advance('{database.dbname}', pg_current_wal_flush_lsn())",
    )  # fmt: skip
    [failure] = house.extract(NEXT)
    assert "those between are lost" in str(failure.error)
    house_of(tmp_path, None, database, f"{CREATE}, resynced_at: {confirmed(database)}")
    assert house.extract(NEXT) == []


def test_a_slot_that_vanished_is_not_made_anew_silently(database: Endpoint, tmp_path: Path) -> None:
    house = house_of(tmp_path, None, database)
    assert house.extract() == []
    execute(database, f"SELECT pg_drop_replication_slot('{database.dbname}')")
    [failure] = house.extract(NEXT)
    assert "does not exist" in str(failure.error)


def test_a_database_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    [failure] = house_of(tmp_path, None, Endpoint("127.0.0.1", 1, "nobody", "nothing")).extract()
    assert failure.error.exit_code == 75


def test_a_refusal_of_the_database_holds_no_values(database: Endpoint, tmp_path: Path) -> None:
    execute(database, "CREATE ROLE reader LOGIN", "GRANT SELECT ON people TO reader")
    reader = Endpoint(database.host, database.port, "reader", database.dbname)
    said = refusal(house_of(tmp_path, None, reader))
    assert "SQLSTATE 42501" in said
    assert "REPLICATION" in said
