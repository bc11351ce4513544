"""What a typical small run makes Spark do, so that the archive holds the classes it needs."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ledgerlake.arrow import into_spark, out_of_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.scheduler.mode": "FAIR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
_PAYMENTS = (
    "SELECT id, concat('p', id) AS name, CAST(id AS decimal(18,2)) AS amount, date'2026-01-01' AS day,"
    " to_timestamp('2026-01-01 00:00:00') AS at, array('a') AS tags FROM range(1000)"
)


def train(folder: Path) -> None:
    """Read, write, merge and query small tables in ``folder`` in the ways the lake does."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("ledgerlake set-up")
    for key, value in {**_SETTINGS, "spark.local.dir": str(folder / "spark")}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    _read_deliveries(spark, folder)
    _keep_tables(spark, str(folder / "silver"))
    _query(spark, str(folder / "silver"))
    spark.stop()


def _read_deliveries(spark: SparkSession, folder: Path) -> None:
    rows = spark.sql(_PAYMENTS).drop("tags")
    for form in ("csv", "parquet"):
        rows.write.format(form).option("header", "true").save(str(folder / form))
        read = spark.read.format(form).schema(rows.schema).option("header", "true").load(str(folder / form))
        read.selectExpr("*", "input_file_name() AS object").collect()
    crossed = into_spark(spark, out_of_spark(rows), rows.schema, parts=2)
    crossed.selectExpr("to_json(struct(*)) AS raw").collect()
    bodies = spark.read.format("binaryFile").load(str(folder / "csv")).select("path", "content")
    bodies.mapInArrow(lambda batches: batches, bodies.schema).collect()


def _keep_tables(spark: SparkSession, path: str) -> None:
    rows = spark.sql(_PAYMENTS)
    rows.write.format("delta").partitionBy("day").option("delta.enableChangeDataFeed", "true").save(path)
    rows.selectExpr("*", "id + 500 AS later").drop("id").withColumnRenamed("later", "id").createOrReplaceTempView(
        "changes"
    )
    spark.sql(
        f"MERGE INTO delta.`{path}` t USING changes s ON t.id <=> s.id AND t.day = date'2026-01-01'"
        " WHEN MATCHED AND s.id % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    rows.limit(10).write.format("delta").mode("append").save(path)
    rows.write.format("delta").mode("overwrite").option("replaceWhere", "day = date'2026-01-01'").save(path)
    feed = spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 0).load(path)
    feed.groupBy("_change_type").count().collect()
    spark.sql(f"DESCRIBE HISTORY delta.`{path}`").collect()


def _query(spark: SparkSession, path: str) -> None:
    spark.read.format("delta").option("versionAsOf", 1).load(path).createOrReplaceTempView("payments")
    spark.sql(
        "WITH ranked AS (SELECT *, row_number() OVER (PARTITION BY name ORDER BY at DESC, id DESC) AS n FROM payments)"
        " SELECT r.day, sum(r.amount) AS amount, count(DISTINCT r.id) AS n, max_by(r.name, struct(r.at, r.id)) AS last"
        " FROM ranked r LEFT JOIN changes c ON r.id = c.id WHERE r.n = 1 GROUP BY r.day ORDER BY r.day"
    ).collect()
    spark.sql("SELECT id, explode(tags) AS tag FROM payments UNION ALL SELECT id, name FROM payments").cache().count()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ledgerlake-training-") as temporary:
        os.chdir(temporary)
        train(Path(temporary))
