"""The benchmark's data: a target of payments in 30 days, and JSON batches of changes to it.

Columns: id, day, account, currency, amount, fee, status, note, updated_at (nine in all). Keys
grow with time. A *time-local* batch updates and extends the newest day, a *random* one
touches keys all over the table.
"""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAYS, FIRST_DAY = 30, date(2026, 1, 1)
UPDATES_SHARE = 0.1
TYPES = {
    "id": "string", "day": "date", "account": "string", "currency": "string", "amount": "decimal(18,2)",
    "fee": "decimal(18,2)", "status": "string", "note": "string", "updated_at": "timestamp",
}  # fmt: skip


def key(number: int) -> str:
    """Return the id of the ``number``-th payment; ids sort as their payments happened."""
    return f"p_{number:012d}"


def target(spark: SparkSession, rows: int) -> DataFrame:
    """Return ``rows`` payments, oldest first."""
    per_day = rows // DAYS
    return spark.range(0, rows, 1, 8).selectExpr(
        "concat('p_', lpad(id, 12, '0')) AS id",
        f"date_add(DATE '{FIRST_DAY}', CAST(least(id div {per_day}, {DAYS - 1}) AS INT)) AS day",
        "concat('a_', id % 5000) AS account", "CASE WHEN id % 3 = 0 THEN 'EUR' ELSE 'USD' END AS currency",
        "CAST((id % 100000) / 100 AS DECIMAL(18,2)) AS amount", "CAST(0.10 AS DECIMAL(18,2)) AS fee",
        "'captured' AS status", "concat('payment number ', id, ' of the benchmark') AS note",
        f"timestamp_seconds({int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())} + id) AS updated_at",
    )  # fmt: skip


def changes(rows: int, batch_rows: int, round_: int, *, local: bool, seed: int = 7) -> list[dict[str, str]]:
    """Return one batch: 10% updates and 90% inserts (time-local), or updates all over (random)."""
    chance = random.Random(f"{seed}/{round_}/{local}")
    first_new = rows + round_ * batch_rows
    newest = rows - rows // DAYS
    found = []
    for n in range(batch_rows):
        update = not local or n < batch_rows * UPDATES_SHARE
        number = chance.randrange(0 if not local else newest, rows) if update else first_new + n
        day = FIRST_DAY + timedelta(days=min(number // (rows // DAYS), DAYS - 1))
        at = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(hours=round_, microseconds=n)
        found.append({
            "id": key(number), "day": day.isoformat(), "account": f"a_{number % 5000}", "currency": "EUR" if number % 3 == 0 else "USD",
            "amount": f"{chance.randrange(100, 10_000_000) / 100:.2f}", "fee": "0.20", "status": "captured" if not update else "refunded",
            "note": f"payment number {number} of the benchmark", "updated_at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        })  # fmt: skip
    return found


def write_batch(records: list[dict[str, str]], folder: Path, offset: int) -> Path:
    """Write a batch as a Kafka-connect object of gzipped JSON lines; return its path."""
    path = folder / "payments" / f"payments+0+{offset:010d}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "\n".join(json.dumps(r) for r in records) + "\n"
    path.write_bytes(gzip.compress(body.encode(), compresslevel=1, mtime=0))
    return path
