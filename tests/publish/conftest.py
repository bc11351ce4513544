"""One local Snowflake for the whole session; each test has a database of its own in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cutting_proxy import CuttingProxy
from ledgerlake.demo.local_snowflake import LocalSnowflake
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.snowflake import Connect, connector
from ledgerlake.publish import Publication, PublishedColumn, SnowflakePublisher, TableSlice, Target
from ledgerlake.publish.keyhash import key_hash

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
COLUMNS = (
    PublishedColumn("invoice_id", "string"),
    PublishedColumn("booked_on", "date"),
    PublishedColumn("amount", "decimal(18,2)"),
    PublishedColumn("order", "bigint"),  # a reserved word on purpose
)
SCHEMA = pa.schema(
    [
        ("invoice_id", pa.string()),
        ("booked_on", pa.date32()),
        ("amount", pa.decimal128(18, 2)),
        ("order", pa.int64()),
    ]
)
Invoice = tuple[str, date, Decimal | None, int | None]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSnowflake]:
    with LocalSnowflake(tmp_path_factory.mktemp("snowflake")) as running:
        yield running


numbers = itertools.count(1)


@dataclass
class Warehouse:
    """A target with a publisher, and a reader beside it who looks through the BI views."""

    server: LocalSnowflake
    folder: Path
    target: Target
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))

    def connect(self, **overrides: object) -> Connect:
        return connector(self.server.parameters(**overrides))

    def publisher(self, connect: Connect | None = None, attempts: int = 1) -> SnowflakePublisher:
        return SnowflakePublisher(
            connect or self.connect(),
            self.target,
            self.clock,
            sleep=lambda _: None,
            attempts=attempts,
        )

    def read(self, sql: str) -> list[tuple[object, ...]]:
        connection = self.connect()()
        try:
            cursor = connection.cursor()
            cursor.execute(sql.format(bi=f"{self.target.database}.{self.target.bi_schema}", db=self.target.database))
            return cursor.fetchall()
        finally:
            connection.close(retry=False)

    def invoices(self) -> list[tuple[object, ...]]:
        return self.read("SELECT INVOICE_ID, AMOUNT FROM {bi}.INVOICES ORDER BY INVOICE_ID")

    def leftovers(self) -> list[tuple[object, ...]]:
        return self.read("SELECT TABLE_NAME FROM {db}.INFORMATION_SCHEMA.TABLES WHERE STARTSWITH(TABLE_NAME, 'PUBLICATION_STAGE_')")

    def slice(self, rows: Sequence[Invoice], *days: str, **changes: object) -> TableSlice:
        file = self.folder / f"part-{next(numbers)}.parquet"
        names = [c.name for c in COLUMNS]
        pq.write_table(
            pa.Table.from_pylist([dict(zip(names, r, strict=True)) for r in rows], schema=SCHEMA),
            file,
        )
        facts: dict[str, object] = {
            "table": "invoices",
            "columns": COLUMNS,
            "key": ("invoice_id", "booked_on"),
            "partition_column": "booked_on" if days else None,
            "partitions": days,
            "files": (file,),
            "expected_rows": len(rows),
            "control_totals": {"amount": sum((r[2] or Decimal(0) for r in rows), Decimal(0))},
            "key_hash": key_hash([r[:2] for r in rows], ("string", "date")),
        }
        return TableSlice(**{**facts, **changes})  # type: ignore[arg-type]

    def publication(self, *slices: TableSlice, name: str = "", pipeline: str = "billing") -> Publication:
        """Return the publication that follows what is served now."""
        self.clock.advance(timedelta(minutes=1))
        before = self.publisher().newest(pipeline)
        return Publication(
            publication_id=name or f"pub-{next(numbers):08d}-rest-of-the-id",
            follows=before.publication_id if before else "",
            number=before.number + 1 if before else 1,
            pipeline=pipeline,
            run_id="run-1",
            logical_date=date(2026, 3, 1),
            code_version="1.0.0",
            config_fingerprint="f00d",
            delta_versions={"invoices": 7},
            suite_results_json='{"success": true}',
            slices=slices,
        )


@pytest.fixture
def warehouse(server: LocalSnowflake, tmp_path: Path) -> Warehouse:
    return Warehouse(server, tmp_path, Target(f"FIN{next(numbers)}", "MART", "BI"))


@pytest.fixture
def proxy(server: LocalSnowflake) -> Iterator[CuttingProxy]:
    with CuttingProxy(int(str(server.parameters()["port"]))) as running:
        yield running


@pytest.fixture
def fragile(warehouse: Warehouse, proxy: CuttingProxy) -> Callable[[int], SnowflakePublisher]:
    """A publisher behind the proxy, with short timeouts; the network heals while it backs off."""

    def build(attempts: int) -> SnowflakePublisher:
        connect = warehouse.connect(port=proxy.port, network_timeout=1, login_timeout=1)
        return SnowflakePublisher(
            connect,
            warehouse.target,
            warehouse.clock,
            sleep=lambda _: proxy.heal(),
            attempts=attempts,
        )

    return build
