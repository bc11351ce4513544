"""The ways to bring one batch into a table of payments, each with a target of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ledgerlake.bench.data import TYPES, target
from ledgerlake.config.load import load_environment, load_pipeline
from ledgerlake.core import change as c
from ledgerlake.lake import reading
from ledgerlake.lake.session import start_spark
from ledgerlake.lake.tables import SILVER_PROPERTIES, silver_fields
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.extract import extract
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress
from ledgerlake.ports.clock import SystemClock
from ledgerlake.ports.secrets import ReferencedSecrets
from ledgerlake.quality.evaluate import evaluate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAY = date(2026, 2, 28)
DEFAULTS = {
    "spark.sql.shuffle.partitions": "200",
    "spark.databricks.delta.snapshotPartitions": "50",
    "spark.databricks.delta.merge.materializeSource": "auto",
}


@dataclass(frozen=True)
class Contender:
    """One way to load: ``load(batch file)`` brings the batch in and returns when it is committed."""

    name: str
    load: Callable[[Path], None]


def parsed(spark: SparkSession, batch: Path) -> DataFrame:
    """Read a batch with its declared types, as a plain reader does."""
    schema = ", ".join(f"{n} STRING" for n in TYPES)
    return (
        spark.read.schema(schema).json(str(batch)).selectExpr(*(f"CAST({n} AS {t}) AS {n}" for n, t in TYPES.items()))
    )


def folded(spark: SparkSession, batch: Path) -> DataFrame:
    """Read a batch and keep the newest change per key: what every MERGE needs first."""
    values = ", ".join(n for n in TYPES if n != "id")
    newest = parsed(spark, batch).groupBy("id").agg(_expr(f"max_by(struct({values}), updated_at) AS v"))
    return newest.selectExpr("id", *(f"v.{n} AS {n}" for n in TYPES if n != "id")).select(*TYPES)


def _expr(text: str):  # type: ignore[no-untyped-def]
    from pyspark.sql import functions as f

    return f.expr(text)


def plain_contenders(spark: SparkSession, folder: Path, rows: int) -> list[Contender]:
    """Return reading, blind append, MERGE with defaults, MERGE tuned, and delta-rs merge."""

    def make(name: str) -> str:
        path = str(folder / name)
        target(spark, rows).repartition(DAYS_FILES, "day").write.format("delta").partitionBy("day").save(path)
        return path

    append, default, tuned, native = (make(n) for n in ("append", "merge_default", "merge_tuned", "delta_rs"))
    plain = spark.newSession()
    for name, value in DEFAULTS.items():
        plain.conf.set(name, value)
    return [
        Contender("read the batch", lambda b: parsed(spark, b).write.format("noop").mode("overwrite").save()),
        Contender(
            "blind append", lambda b: parsed(spark, b).coalesce(2).write.format("delta").mode("append").save(append)
        ),
        Contender("MERGE, defaults", lambda b: _merge(plain, b, default, "")),
        Contender("MERGE, tuned", lambda b: _merge(spark, b, tuned, _days(spark, b))),
        Contender("delta-rs merge", lambda b: _merge_native(b, native)),
    ]


DAYS_FILES = 30


def _days(spark: SparkSession, batch: Path) -> str:
    days = sorted(str(r[0]) for r in parsed(spark, batch).select("day").distinct().collect())
    return f" AND t.day IN ({', '.join(f'DATE {d!r}' for d in days)})"


def _merge(spark: SparkSession, batch: Path, path: str, pruning: str) -> None:
    folded(spark, batch).createOrReplaceTempView("batch")
    spark.sql(
        f"MERGE INTO delta.`{path}` t USING batch s ON t.id = s.id AND t.day = s.day{pruning}"
        " WHEN MATCHED AND s.updated_at > t.updated_at THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )


def _merge_native(batch: Path, path: str) -> None:
    import gzip
    from decimal import Decimal

    import pyarrow as pa
    from deltalake import DeltaTable

    newest: dict[str, dict[str, str]] = {}
    for line in gzip.decompress(batch.read_bytes()).splitlines():
        record = json.loads(line)
        if record["updated_at"] >= newest.get(record["id"], record)["updated_at"]:
            newest[record["id"]] = record
    rows = [
        r
        | {
            "day": date.fromisoformat(r["day"]),
            "amount": Decimal(r["amount"]),
            "fee": Decimal(r["fee"]),
            "updated_at": datetime.fromisoformat(r["updated_at"]).astimezone(UTC),
        }
        for r in newest.values()
    ]
    kinds = {"date": pa.date32(), "timestamp": pa.timestamp("us", tz="UTC"), "decimal(18,2)": pa.decimal128(18, 2)}
    schema = pa.schema([(n, kinds.get(t, pa.string())) for n, t in TYPES.items()])
    days = ", ".join(f"'{d}'" for d in sorted({str(r["day"]) for r in rows}))
    merger = DeltaTable(path).merge(
        pa.Table.from_pylist(rows, schema=schema),
        f"t.id = s.id AND t.day = s.day AND t.day IN ({days})",
        source_alias="s",
        target_alias="t",
    )
    merger.when_matched_update_all("s.updated_at > t.updated_at").when_not_matched_insert_all().execute()


def write_project(folder: Path) -> None:
    """Write the project of the gated contender: one table, one suite, no marts."""
    columns = "".join(
        f"  - {{name: {n}, type: '{t}', nullable: {'false' if n in ('id', 'day', 'amount') else 'true'}{', currency: currency' if t.startswith('decimal') else ''}}}\n"
        for n, t in TYPES.items()
    )
    expectation = {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "account"},
        "meta": {"ledgerlake": {"on_fail": "block"}},
    }
    bounds = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "amount", "min_value": 0},
        "meta": {"ledgerlake": {"on_fail": "block"}},
    }
    files = {
        "conf/environments/local.yml": "environment: local\nlake: lake\nsources: sources\nsnowflake_folder: snowflake\nspark: {driver_memory: 4g, shuffle_partitions: 2, table_threads: 2}\n",
        "conf/pipelines/bench/pipeline.yml": "pipeline: bench\nsources:\n  events: {feed: event_export, location: .}\npublication: {database: BENCH, schema: BENCH, bi_schema: BENCH_BI}\n",
        "conf/pipelines/bench/tables/payments.yml": f"table: payments\nsource: events\nresource: payments\nkey: [id]\nsuite: payments\ncolumns:\n{columns}",
        "dq_suites/bench/payments.json": json.dumps(
            {"name": "payments", "expectations": [expectation, bounds], "meta": {}}
        ),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def open_project(folder: Path) -> Workspace:
    """Open the benchmark's project as a run does."""
    pipeline = load_pipeline(folder / "conf", folder / "dq_suites", "bench")
    return Workspace(
        pipeline, load_environment(folder / "conf", "local"), ReferencedSecrets({}), SystemClock(), start_spark
    )


def gated(folder: Path, rows: int) -> Contender:
    """Return this pipeline's load: land, judge, bronze, merge, suite, accounts, control records."""
    workspace = open_project(folder)
    _fill_silver(workspace, rows)

    def load(_batch: Path) -> None:  # the sources' folder is listed, as in a run
        w = open_project(folder)
        assert not extract(w, "bench", DAY, Progress()), "the batch must land"
        loader = Loader(w, "bench", w.now(), DAY, Progress())
        failures = loader.load_all()
        assert not failures, str(failures)
        version = w.storage.version(w.paths.silver("payments"))
        fresh = reading.relation(w, "payments", w.paths.silver("payments"), version)
        mine = fresh.where(f"{c.BATCH_ID} = '{loader.records[-1]['batch_id']}'")
        assert evaluate(w.engines, mine, w.pipeline.suites["payments"]).success, "the suite must pass"

    return Contender("gated load (ledgerlake)", load)


def _fill_silver(workspace: Workspace, rows: int) -> None:
    table, path = workspace.table("payments"), workspace.paths.silver("payments")
    workspace.storage.create(path, silver_fields(table), SILVER_PROPERTIES)
    origin = {
        c.DELETED: "false",
        c.BATCH_ID: "'b-initial'",
        c.POSITION: "'000000|00000000000000000000'",
        c.OBJECT: "'initial'",
        c.ORDINAL: "0L",
        c.EXTRACTED_AT: "updated_at",
        c.CHANGE_ID: "'initial'",
    }
    order = [f.name for f in silver_fields(table)]
    frame = target(workspace.spark(), rows).selectExpr("*", *(f"{e} AS {n}" for n, e in origin.items())).select(*order)
    frame.repartitionByRange(DAYS_FILES, "id").write.format("delta").mode("append").save(path)
