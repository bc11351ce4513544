"""A small house to test in: declared pipelines from text, deliveries from literal tables.

A :class:`House` owns a folder (``conf/``, ``suites/``, ``sources/``, ``lake/``), a clock that
stands still and the session's Spark. It goes through the product's own doors only: files are
delivered, extracted, loaded and run as they are in production.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

from ledgerlake.config.check import check_pipeline
from ledgerlake.config.environment import Environment
from ledgerlake.config.load import load_pipeline
from ledgerlake.config.models import Pipeline
from ledgerlake.engines.door import Engines
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.decisions import decide
from ledgerlake.ops.extract import Failure, extract
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run
from ledgerlake.ops.untaken import open_quarantine, untaken
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.secrets import ReferencedSecrets
from ledgerlake.publish import Publication, PublishOutcome
from ledgerlake.publish.nowhere import Nowhere
from pyspark.sql import DataFrame, SparkSession
from seen import Seen

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2026, 3, 1)
COUNTS = ("read", "applied", "superseded", "duplicate", "quarantined", "held")

SOURCES = """
pipeline: bank
sources:
  db:
    feed: dms
    location: db
    options: {sequence_column: seq}
  topics:
    feed: event_export
    location: topics
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""

ACCOUNTS = """
table: accounts
source: db
resource: public/accounts
key: [account_id]
columns:
  - {name: account_id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: currency, type: string, nullable: false}
  - {name: balance, type: "decimal(18,3)", nullable: false, currency: currency}
"""

PAYMENTS = """
table: payments
source: db
resource: public/payments
key: [payment_id]
columns:
  - {name: payment_id, type: string, nullable: false}
  - {name: account_id, type: string, nullable: false, references: {table: accounts, column: account_id}}
  - {name: amount, type: "decimal(18,2)", nullable: false}
"""


class Warehouse(Nowhere):
    """Keeps what was published: a port that answers at once, and can be told to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[Exception] = []

    def publish(self, publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        if self.failures:
            raise self.failures.pop()
        return super().publish(publication, may_commit)


@dataclass
class House:
    """One pipeline with its folders, clock, Spark and warehouse."""

    root: Path
    start: SparkSession | Callable[[], SparkSession] | None
    clock: FixedClock
    warehouse: Warehouse = field(default_factory=Warehouse)
    secrets: dict[str, str] = field(default_factory=dict)
    name: str = "bank"
    embedded_rows_max: int = 500_000
    _numbers: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def spark(self) -> SparkSession:
        """Return the session of all tests, started when it is first needed."""
        found = self.start() if callable(self.start) else self.start
        assert found is not None, "this house has no Spark"
        return found

    @property
    def environment(self) -> Environment:
        return Environment(
            environment="test", lake=str(self.root / "lake"), sources=str(self.root / "sources"),
            embedded_rows_max=self.embedded_rows_max,
        )  # fmt: skip

    def declare(self, pipeline: str, *tables: str, **files: str) -> House:
        """Write the declarations; ``files`` are SQL and suites by ``marts__name_sql`` / ``suite__name``."""
        folder = self.root / "conf" / "pipelines" / self.name
        _write(folder / "pipeline.yml", pipeline)
        for text in tables:
            _write(folder / "tables" / f"{text.split('table:')[1].split()[0]}.yml", text)
        for name, text in files.items():
            kind, _, rest = name.partition("__")
            target = (
                self.root / "suites" / self.name / f"{rest}.json"
                if kind == "suite"
                else folder / "marts" / f"{rest}.sql"
            )
            _write(target, text)
        return self

    def pipeline(self) -> Pipeline:
        pipeline = load_pipeline(self.root / "conf", self.root / "suites", self.name)
        assert check_pipeline(pipeline) == []
        return pipeline

    def workspace(self) -> Workspace:
        """Open the house as a new process would: nothing remembered but what is stored."""
        return Workspace(
            self.pipeline(), self.environment, ReferencedSecrets(self.secrets), self.clock, lambda *_: self.spark,
            crashes=self.root / "errors", sleep=lambda _: None,
        )  # fmt: skip

    def deliver(self, path: str, text: str | bytes) -> House:
        """Put one object where the source writes; text is dedented, ``.gz`` is compressed."""
        body = text if isinstance(text, bytes) else dedent(text).lstrip("\n").encode()
        target = self.root / "sources" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(body, mtime=0) if path.endswith(".gz") and isinstance(text, str) else body)
        return self

    def tick(self) -> str:
        """Move the clock on by a minute and name the next run."""
        self.clock.advance(timedelta(minutes=1))
        return f"run-{next(iter(self._numbers))}"

    def extract(self, day: date = DAY) -> list[Failure]:
        return extract(self.workspace(), self.tick(), day, Progress())

    def load(
        self, day: date = DAY, *, release: bool = False, expect: Callable[[list[Failure]], bool] = lambda f: not f
    ) -> list[dict[str, Any]]:
        """Extract and load what is new in a fresh process; return the batch records."""
        workspace, run_id = self.workspace(), self.tick()
        failures = extract(workspace, run_id, day, Progress())
        loader = Loader(workspace, run_id, self.clock.now(), day, Progress())
        failures += loader.load_all()
        failures += loader.release_all() if release else []
        assert expect(failures), [str(f.error) for f in failures]
        return loader.records

    def run(self, day: date = DAY) -> RunReport:
        self.clock.advance(timedelta(minutes=1))
        return run(self.workspace(), day, self.warehouse)

    def silver(self, table: str) -> Seen:
        """Return the visible rows of a table, contract columns only."""
        workspace = self.workspace()
        rows = self._read(workspace.paths.silver(table)).where("NOT _deleted")
        return rows.select(*(f"`{n}`" for n in workspace.table(table).column_names))

    def bronze(self, table: str) -> Seen:
        return self._read(self.workspace().paths.bronze(table))

    def _read(self, uri: str) -> Seen:
        rows = self.workspace().storage.rows(uri)
        assert rows is not None, f"there is no table {uri}"
        environment = self.environment.model_copy(update={"embedded_rows_max": 500_000, "engine": "auto"})
        return Seen.of(Engines(environment, lambda: self.spark), rows)

    def mart(self, mart: str) -> Seen:
        return self._read(self.workspace().paths.mart(mart))

    def quarantine(self, table: str | None = None) -> list[dict[str, Any]]:
        return open_quarantine(self.workspace(), table)

    def decide(self, action: str, *ids: str, reason: str = "") -> None:
        """Decide on what is open: ``requested`` or ``dismissed``; all of it where no ids are given."""
        workspace = self.workspace()
        chosen = [s for s in untaken(workspace).subjects() if not ids or s.id in ids]
        assert decide(workspace, chosen, action, "test", reason)[0] == chosen

    def reasons(self, table: str | None = None) -> list[str]:
        """Return the reasons of all rows in quarantine, sorted."""
        return sorted(reason for row in self.quarantine(table) for reason in row["reasons"])

    def versions(self) -> dict[str, int]:
        """Return the Delta version of every data table of the lake."""
        root, storage = self.root / "lake", self.workspace().storage
        logs = sorted(
            p for layer in ("bronze", "silver", "marts", "quarantine") for p in (root / layer).rglob("_delta_log")
        )
        return {str(p.parent.relative_to(root)): storage.version(str(p.parent)) for p in logs}


def counts(record: Mapping[str, Any]) -> dict[str, int]:
    """Return a batch record's figures that are not zero."""
    return {name: record[name] for name in COUNTS if record[name]}


def cdc(*rows: str, columns: str = "account_id,owner,currency,balance") -> str:
    """Return a DMS CSV file of changes: each row is ``Op,<columns>,seq``."""
    return "\n".join([f"Op,{columns},seq", *rows]) + "\n"


def lines(*events: Mapping[str, Any]) -> str:
    """Return events as JSON lines."""
    return "".join(json.dumps(e) + "\n" for e in events)


def rows_of(frame: DataFrame | Seen) -> list[tuple[Any, ...]]:
    """Return a frame's rows as sorted tuples, nulls last, decimals and dates by their text."""
    rows = [tuple(None if v is None else v if isinstance(v, int) else str(v) for v in row) for row in frame.collect()]
    return sorted(rows, key=lambda row: [(v is None, 0 if v is None else v) for v in row])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
