"""Statements, and what the plugin itself wrote of them: ``wal2json_plugin.jsonl``, by wal2json 2.5 on PostgreSQL 15.

The plugin is not part of the test server. What it wrote was kept once, and holds the renderer
(``wal2json_rendered``) to it; where ``LEDGERLAKE_WAL2JSON_SERVER`` names a server that has the
plugin, as a libpq connection string, its lines are asked for and compared live.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

import psycopg
from ledgerlake.demo.ledgerbox.settlements_db import Endpoint
from psycopg.conninfo import conninfo_to_dict

SERVER = os.environ.get("LEDGERLAKE_WAL2JSON_SERVER", "")
KEPT = Path(__file__).with_suffix(".jsonl")
OPTIONS = ("format-version", "2", "include-lsn", "1", "include-xids", "1")
SCHEMA = (
    "CREATE TYPE mood AS ENUM ('glad', 'sad')",
    """CREATE TABLE kinds (
        id bigint PRIMARY KEY, little smallint, whole integer, amount numeric(18,3), free numeric, single real,
        double double precision, agreed boolean, letters text, limited varchar(20), fixed char(5), day date, clock time,
        moment timestamp(3), at timestamptz, took interval, token uuid, doc json, docb jsonb, raw bytea, tags text[],
        numbers int[], host inet, mood mood, flags bit(3), object oid
    )""",
    "ALTER TABLE kinds ALTER letters SET STORAGE EXTERNAL",
    'CREATE TABLE "Odd Names" ("Key" text, "a ""quoted"" one" text, PRIMARY KEY ("Key"))',
    "CREATE TABLE whole (id int PRIMARY KEY, letters text, amount numeric(10,2))",
    "ALTER TABLE whole REPLICA IDENTITY FULL",
    "ALTER TABLE whole ALTER letters SET STORAGE EXTERNAL",
    "CREATE TABLE named (a int NOT NULL, b text NOT NULL, c text)",
    "CREATE UNIQUE INDEX by_name ON named (b)",
    "ALTER TABLE named REPLICA IDENTITY USING INDEX by_name",
    "CREATE PUBLICATION lake FOR ALL TABLES",
)
LONG = "repeat('0123456789', 300)"
TRANSACTIONS = (
    f"""INSERT INTO kinds VALUES (
        1, -32768, 2147483647, 123456789012345.678, 0.10000000000000000001, 1.5, 0.1, true, {LONG}, 'é ü 漢 😀', 'ab',
        '2026-02-28', '23:59:59.5', '2026-02-28 10:30:00.123', '2026-02-28 10:30:00.123456+02', '1 day 02:03',
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{{"a": [1, 2.50]}}', '{{"b": null}}', '\\x00ff', '{{a,"b c",NULL}}',
        '{{1,2}}', '10.0.0.1/8', 'glad', B'101', 42)""",
    "INSERT INTO kinds (id) VALUES (2)",
    "INSERT INTO kinds (id, amount, free, single, double) VALUES (3, -0.001, 'NaN', 'Infinity', '-Infinity')",
    "INSERT INTO kinds (id, free, double, moment, day) VALUES (4, 1e20, 1e-7, 'infinity', '0044-03-15 BC')",
    r"""INSERT INTO kinds (id, letters, agreed) VALUES (5, E'quote " backslash \\ slash / tab \t line \n return \r \x01', false)""",
    "INSERT INTO kinds (id, letters) VALUES (6, '')",
    "UPDATE kinds SET amount = 1, agreed = NOT agreed WHERE id = 1",  # leaves the long text alone
    "UPDATE kinds SET id = 7 WHERE id = 2; UPDATE kinds SET letters = 'short' WHERE id = 1",
    "DELETE FROM kinds WHERE id IN (5, 6); SAVEPOINT s; DELETE FROM kinds; ROLLBACK TO SAVEPOINT s",
    'INSERT INTO "Odd Names" VALUES (\'k\', \'v\'); UPDATE "Odd Names" SET "Key" = \'k2\'; DELETE FROM "Odd Names"',
    f"INSERT INTO whole VALUES (1, {LONG}, 1.10), (2, 'b', NULL)",
    "UPDATE whole SET amount = 2 WHERE id = 1; UPDATE whole SET id = 3 WHERE id = 2; DELETE FROM whole WHERE id = 3",
    "INSERT INTO named VALUES (1, 'x', 'c'); UPDATE named SET c = 'd'; UPDATE named SET b = 'y'; DELETE FROM named",
    "TRUNCATE whole, named",
    "INSERT INTO whole VALUES (9, 'after', 0)",
)


def play(database: Endpoint) -> None:
    """Run the transactions, one after the other."""
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        for statements in TRANSACTIONS:
            with connection.transaction():
                connection.execute(statements.encode())


def server() -> Endpoint:
    """Return the server that has the plugin."""
    told = conninfo_to_dict(SERVER)
    return Endpoint(*(str(told[name]) for name in ("host", "port", "user", "dbname")))  # type: ignore[arg-type]


def create_slot(database: Endpoint) -> None:
    """Make a slot of the plugin's with the database's name; :func:`postgres.fresh` drops it."""
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'wal2json')", (database.dbname,))


def asked(database: Endpoint) -> list[str]:
    """Return the plugin's lines of all that the slot has seen."""
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        marks = ", ".join(["%s"] * len(OPTIONS))
        asks = f"SELECT data FROM pg_logical_slot_get_changes(%s, NULL, NULL, {marks})"
        return [row[0] for row in connection.execute(asks.encode(), (database.dbname, *OPTIONS))]


def comparable(lines: Iterable[str]) -> list[str]:
    """Return lines without what differs from run to run, and without transactions that change nothing.

    The LSN of a row is where it was written, which pgoutput does not tell and the feed does not read.
    """
    found: list[str] = []
    for line in lines:
        if '"action":"C"' in line and '"action":"B"' in found[-1]:
            found.pop()
        else:
            found.append(re.sub(r'"(xid|lsn|nextlsn)":("[^"]*"|\d+)', r'"\1":0', line))
    return found


def transactions(lines: Iterable[str]) -> list[bytes]:
    """Return the plugin's lines transaction by transaction."""
    found: list[list[str]] = []
    for line in lines:
        if json.loads(line)["action"] == "B":
            found.append([])
        found[-1].append(line + "\n")
    return ["".join(some).encode() for some in found]
