"""Hostile databases for a slot on ``public.people`` of columns id (key), owner, city.

A slot has no files: what is hostile is how the source is set up and what is done in it. The one
file of each sample is SQL, to be run after :data:`SETUP`; ``refused`` samples must stop the
extraction, the others must load. They expect a table whose keys do not change and whose changes
are whole, a slot that is created by the extraction, and a publication called ``lake``.
"""

from __future__ import annotations

from typing import Literal

from ledgerlake.testing.samples import Hostile

SETUP = """
CREATE TABLE people (id text PRIMARY KEY, owner text, city text);
ALTER TABLE people ALTER city SET STORAGE EXTERNAL;
CREATE PUBLICATION lake FOR TABLE people;
"""
_BIG = "repeat('x', 5000)"


def _sample(name: str, outcome: Literal["refused", "quarantined", "accepted"], says: str, *sql: str) -> Hostile:
    return Hostile(name, {f"{name.replace(' ', '_')}.sql": ";\n".join(sql).encode()}, outcome, says)


HOSTILE: tuple[Hostile, ...] = (
    _sample("no publication", "refused", "does not exist", "DROP PUBLICATION lake"),
    _sample("publication without the table", "refused", "lacks public.people", "ALTER PUBLICATION lake DROP TABLE people"),
    _sample("publication without deletes", "refused", "leaves out", "ALTER PUBLICATION lake SET (publish = 'insert')"),
    _sample("hidden column", "refused", "['city']", "ALTER PUBLICATION lake SET TABLE people (id, owner)"),
    _sample("filtered rows", "refused", "filters the rows", "ALTER PUBLICATION lake SET TABLE people WHERE (id > 'b')"),
    _sample("no table", "refused", "does not exist in the database", "DROP TABLE people"),
    _sample("no primary key", "refused", "no replica identity", "ALTER TABLE people DROP CONSTRAINT people_pkey"),
    _sample("no identity", "refused", "no replica identity", "ALTER TABLE people REPLICA IDENTITY NOTHING"),
    _sample(
        "identity without the key", "refused", "no replica identity",
        "ALTER TABLE people ALTER owner SET NOT NULL", "CREATE UNIQUE INDEX other ON people (owner)",
        "ALTER TABLE people REPLICA IDENTITY USING INDEX other",
    ),
    _sample(
        "key change in a table whose keys do not change", "quarantined", "keys_can_change",
        "INSERT INTO people VALUES ('k1', 'Ann', 'Oslo')", "UPDATE people SET id = 'k2' WHERE id = 'k1'",
    ),
    _sample(
        "large value left out", "quarantined", "declare `changes: partial`",
        f"INSERT INTO people VALUES ('t1', 'Ann', {_BIG})", "UPDATE people SET owner = 'Bob' WHERE id = 't1'",
    ),
    _sample(
        "rolled back", "accepted", "",
        "BEGIN", "INSERT INTO people VALUES ('r1', 'Ann', 'Oslo')", "ROLLBACK",
    ),
    _sample("message", "accepted", "", "SELECT pg_logical_emit_message(true, 'prefix', 'content')"),
    _sample("unchanged row", "accepted", "", "INSERT INTO people VALUES ('u1')", "UPDATE people SET id = id WHERE id = 'u1'"),
    _sample(
        "large value left out under full identity", "accepted", "",
        "ALTER TABLE people REPLICA IDENTITY FULL",
        f"INSERT INTO people VALUES ('f1', 'Ann', {_BIG})", "UPDATE people SET owner = 'Bob' WHERE id = 'f1'",
    ),
)  # fmt: skip
