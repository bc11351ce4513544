"""A backfill beside a live run: one waits for the other, and what comes twice is posted once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from house import DAY, House, Warehouse, counts, lines, rows_of
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.backfill import backfill
from ledgerlake.ops.progress import Progress
from ledgerlake.ports.clock import FixedClock
from ledgerlake.publish import Publication, PublishOutcome

ROOT = Path(__file__).resolve().parents[2]
EARLIER = date(2026, 2, 28)
PIPELINE = """
pipeline: bank
sources:
  topics: {feed: event_export, location: topics}
marts:
  - {mart: totals, sql: marts/totals.sql, key: [account], inputs: [{table: events}]}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
EVENTS = """
table: events
source: topics
resource: events
key: [id]
append_only: true
columns:
  - {name: id, type: string, nullable: false}
  - {name: account, type: string, nullable: false}
  - {name: amount, type: "decimal(9,2)", nullable: false}
"""
TOTALS = "SELECT account, count(*) AS events, CAST(sum(amount) AS DECIMAL(20,2)) AS amount FROM events GROUP BY account"


def deliver(bank: House, day: date, name: str, *ids: str) -> None:
    bank.deliver(
        f"topics/events/dt={day}/{name}.json", lines(*({"id": i, "account": "a", "amount": "1.00"} for i in ids))
    )


def command(bank: House) -> subprocess.CompletedProcess[str]:
    """Type ``ledgerlake backfill`` as somebody else would: in another process, on the same lake."""
    environment = bank.root / "conf/environments/local.yml"
    environment.parent.mkdir(parents=True, exist_ok=True)
    environment.write_text(f"environment: local\nlake: {bank.root / 'lake'}\nsources: {bank.root / 'sources'}\n")
    (bank.root / "dq_suites").mkdir(exist_ok=True)
    typed = ["--project", str(bank.root), "backfill", "bank", "--from", str(EARLIER), "--to", str(EARLIER)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "lib"), "COLUMNS": "300"}
    return subprocess.run(
        [sys.executable, "-m", "ledgerlake", *typed],
        capture_output=True,
        text=True,
        env=variables,
        timeout=120,
        check=False,
    )


def test_a_backfill_waits_for_the_live_run_and_then_posts_nothing_twice(house: House) -> None:
    house.clock = FixedClock(datetime.now(UTC))  # the other process has a real clock, and leases expire
    house.declare(PIPELINE, EVENTS, marts__totals=TOTALS)
    deliver(house, EARLIER, "live+0+0", "1", "2")
    assert house.run(EARLIER).status == "published"
    deliver(house, DAY, "live+0+2", "3")
    refused: list[subprocess.CompletedProcess[str]] = []

    def meanwhile(publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        """While the live run holds its lease: an earlier day is replayed under other names, with one event more."""
        deliver(house, EARLIER, "replay+5+70", "2", "1", "0", "3")
        refused.append(command(house))
        return warehouse.publish(publication, may_commit)

    warehouse = Warehouse()
    house.warehouse.publish = meanwhile  # type: ignore[method-assign]
    assert house.run().status == "published"
    assert refused[0].returncode == 75, refused[0].stdout + refused[0].stderr
    assert "bank is being written by another run" in refused[0].stdout and "wait for it to end" in refused[0].stdout

    def opened() -> Workspace:
        house.tick()
        return house.workspace()

    reports = list(backfill(opened, EARLIER, DAY, warehouse, Progress))

    assert [r.status for r in reports] == ["published", "unchanged"]
    assert counts(reports[0].batches[0]) == {"read": 4, "applied": 1, "duplicate": 3}
    assert rows_of(house.mart("totals")) == [("a", 4, "4.00")]
