"""A real PostgreSQL to test against, what happens in it, and a house that reads it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
from house import DAY, House
from ledgerlake.config.environment import Environment, SparkSettings
from ledgerlake.demo.ledgerbox.settlements_db import Endpoint, SettlementsDb
from ledgerlake.lake.batch import BatchLoader
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.extract import confirm, extract
from ledgerlake.ops.load import Loader, is_loaded
from ledgerlake.ops.progress import Progress
from ledgerlake.ports.objects import ObjectStore
from ledgerlake.ports.secrets import ReferencedSecrets

Connection = psycopg.Connection[Any]


@contextmanager
def postgres() -> Iterator[Endpoint]:
    """Serve an empty cluster with wal_level = logical, in a folder that the server's user may enter."""
    with tempfile.TemporaryDirectory(prefix="ledgerlake-pg-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        with SettlementsDb(Path(name) / "data").running() as database:
            yield database.endpoint


@contextmanager
def fresh(endpoint: Endpoint, *schema: str) -> Iterator[Endpoint]:
    """Make a database of its own with a schema, and drop it with its slots at the end."""
    name = f"t{uuid4().hex[:16]}"
    with psycopg.connect(endpoint.dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        own = Endpoint(endpoint.host, endpoint.port, endpoint.user, name)
        try:
            with psycopg.connect(own.dsn, autocommit=True) as connection:
                for statement in schema:
                    connection.execute(statement)
            yield own
        finally:
            admin.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", (name,)
            )
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass
class DbHouse(House):
    """A house whose environment has a connection named ``db`` to the endpoint."""

    endpoint: Endpoint | None = None

    @property
    def environment(self) -> Environment:
        return super().environment.model_copy(
            update={
                "connections": {"db": {"dsn": "env:DSN"}, "jdbc": {"jdbc_url": "env:JDBC_URL"}},
                "spark": SparkSettings(table_threads=1),
            }
        )

    def workspace(self) -> Workspace:
        assert self.endpoint is not None
        self.secrets |= {"DSN": self.endpoint.dsn, "JDBC_URL": self.endpoint.jdbc_url}
        return super().workspace()


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it happens."""


@dataclass
class Fuse:
    """Kills the job the ``nth`` time that it comes to the step ``at``."""

    at: str = ""
    nth: int = 0

    def burn(self, step: str) -> None:
        self.nth -= step == self.at
        if step == self.at and self.nth == 0:
            raise Killed(step)


@dataclass
class DyingSecrets:
    """Secrets that are asked once for each connection: so a job can be killed before each."""

    inner: ReferencedSecrets
    fuse: Fuse

    def resolve(self, reference: str) -> str:
        self.fuse.burn("connect")
        return self.inner.resolve(reference)


@dataclass
class DyingObjects:
    """A lake whose writes can be the last thing a job does, or does not do."""

    inner: ObjectStore
    fuse: Fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        kind = "manifest" if "/_manifests/" in path else "object"
        self.fuse.burn(f"before {kind}")
        written = self.inner.write(path, body, if_absent=if_absent)
        self.fuse.burn(f"after {kind}")
        return written


def dying_loader(fuse: Fuse) -> type[BatchLoader]:
    """Return a loader that can be killed before bronze, silver and the control record."""

    class Dying(BatchLoader):
        def _to_bronze(self, *args: Any) -> Any:
            fuse.burn("before bronze")
            return super()._to_bronze(*args)

        def _to_silver(self, *args: Any) -> Any:
            fuse.burn("before silver")
            return super()._to_silver(*args)

        def _record(self, *args: Any) -> Any:
            fuse.burn("before the record")
            return super()._record(*args)

    return Dying


def job(house: House, fuse: Fuse, day: date = DAY) -> list[dict[str, Any]]:
    """Run extraction, loading and confirmation as a run does, in a fresh process that may be killed."""
    workspace, run_id = house.workspace(), house.tick()
    workspace.secrets = DyingSecrets(workspace.secrets, fuse)  # type: ignore[arg-type]
    workspace.objects = DyingObjects(workspace.objects, fuse)  # type: ignore[assignment]
    loaded = lambda m: is_loaded(workspace, m)  # noqa: E731
    confirm(workspace, run_id, day, loaded)
    loader = Loader(workspace, run_id, house.clock.now(), day, Progress())
    loader._batches = dying_loader(fuse)(workspace, run_id, house.clock.now(), day.isoformat())
    loader.load_all()
    failures = extract(workspace, run_id, day, Progress())
    failures += loader.load_all()
    confirm(workspace, run_id, day, loaded)
    fuse.burn("after advancing")
    assert not failures, [str(f.error) for f in failures]
    return loader.records


BIG = "(SELECT string_agg(md5(%s || i::text), '') FROM generate_series(1, 100) i)"
SMALL = "%s || '-é\"\\'"


@dataclass
class Workload:
    """Random transactions on one table (id, title, body, price, paid, at), some of them concurrent.

    Concurrent transactions write disjoint keys, commit in another order than they wrote, and a
    quarter rolls back. ``moves_body`` says that a key change writes the body anew (without
    REPLICA IDENTITY FULL the log would not carry it).
    """

    dsn: str
    table: str
    random: Random
    moves_body: bool
    hard: bool = True  # with deletes, key changes and truncates

    def run(self, rounds: int) -> None:
        connections = [psycopg.connect(self.dsn) for _ in range(3)]
        try:
            for _ in range(rounds):
                self._round(connections)
        finally:
            for connection in connections:
                connection.close()

    def _round(self, connections: list[Connection]) -> None:
        open_ = self.random.sample(connections, self.random.randrange(1, 4))
        turns = [c for c in open_ for _ in range(self.random.randrange(1, 7))]
        self.random.shuffle(turns)
        lanes = {id(c): n for n, c in enumerate(open_)}
        for connection in turns:
            self._statement(connection, [i for i in range(1, 31) if i % len(open_) == lanes[id(connection)]])
        for connection in self.random.sample(open_, len(open_)):
            connection.rollback() if self.random.random() < 0.25 else connection.commit()
        if self.hard and self.random.random() < 0.04:
            connections[0].execute(f"TRUNCATE {self.table}")  # type: ignore[arg-type]
            self._statement(connections[0], list(range(1, 31)))
            connections[0].commit()

    def _statement(self, connection: Connection, keys: list[int]) -> None:
        random = self.random
        key, other, word = random.choice(keys), random.choice(keys), random.choice(["a", "bb", "ccc"])
        body = BIG if random.random() < 0.6 else SMALL
        price = random.choice([None, "1.500", "-0.001", "123456789012345.678"])
        kinds = ["put", "put", "title", "title", "price", *(["drop", "move", "subtransaction"] if self.hard else [])]
        kind = random.choice(kinds)
        run = lambda sql, *values: connection.execute(f"{sql}", values)  # noqa: E731
        now = "at = clock_timestamp()"
        if kind == "put":
            run(
                f"INSERT INTO {self.table} (id, title, body, price, paid, at)"
                f" VALUES (%s, %s, {body}, %s, %s, clock_timestamp()) ON CONFLICT (id) DO UPDATE SET"
                f" title = excluded.title, body = excluded.body, price = excluded.price, {now}",
                key, word, word, price, random.choice([None, True, False]),
            )  # fmt: skip
        elif kind == "title":
            run(f"UPDATE {self.table} SET title = %s, {now} WHERE id = %s", word, key)
        elif kind == "price":
            run(f"UPDATE {self.table} SET price = %s, paid = NOT paid, {now} WHERE id IN (%s, %s)", price, key, other)
        elif kind == "drop":
            run(f"DELETE FROM {self.table} WHERE id = %s", key)
        elif kind == "move":
            fresh_body, words = (f", body = {body}", (word,)) if self.moves_body else ("", ())
            run(
                f"UPDATE {self.table} SET id = %s{fresh_body}, {now} WHERE id = %s"
                f" AND NOT EXISTS (SELECT FROM {self.table} WHERE id = %s)",
                other, *words, key, other,
            )  # fmt: skip
        else:
            run("SAVEPOINT s")
            run(f"UPDATE {self.table} SET title = 'undone' WHERE id = %s", key)
            run("ROLLBACK TO SAVEPOINT s")


def rows_in(endpoint: Endpoint, table: str, columns: str = "id, title, body, price, paid, at") -> list[tuple[Any, ...]]:
    """Return what the server holds, as :func:`house.rows_of` shows a frame."""
    with psycopg.connect(endpoint.dsn) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(f"SELECT {columns} FROM {table}").fetchall()  # type: ignore[arg-type]
    return sorted(tuple(_shown(v) for v in row) for row in found)


def _shown(value: Any) -> Any:
    if hasattr(value, "tzinfo"):
        value = value.replace(tzinfo=None)
    return value if value is None or isinstance(value, int) else str(value)
