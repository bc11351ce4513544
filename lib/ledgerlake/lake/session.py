"""The one Spark session of a process, sized for the environment, from jars resolved at set-up."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ledgerlake.config.models import Environment
from ledgerlake.errors import TransientError
from ledgerlake.ports.secrets import Secrets

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_ALWAYS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",  # types are tried, and what does not fit is quarantined
    "spark.speculation": "false",  # two attempts of one writing task have lost data before
    "spark.databricks.delta.merge.materializeSource": "none",  # sources are immutable bronze slices
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.scheduler.mode": "FAIR",
}
_LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


def start_spark(environment: Environment, secrets: Secrets, app_name: str) -> SparkSession:
    """Start (or return) the session; on EMR the image supplies jars and most settings."""
    from pyspark.sql import SparkSession

    local = environment.spark.master is not None
    builder = SparkSession.builder.appName(app_name)
    settings = dict(_ALWAYS) | {"spark.sql.shuffle.partitions": str(environment.spark.shuffle_partitions)}
    if local:
        builder = builder.master(str(environment.spark.master))
        settings |= _LOCAL | _local_settings(environment)
    settings |= _s3_settings(environment, secrets) | environment.spark.settings
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise TransientError(
            "Spark does not start", then="run `make setup`; Java 17 and the jars must be there"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return session


def _local_settings(environment: Environment) -> dict[str, str]:
    tools = tools_folder()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    java = (tools / "java_home").read_text().strip() if (tools / "java_home").is_file() else ""
    if java and "JAVA_HOME" not in os.environ:
        os.environ["JAVA_HOME"] = java
    jars = sorted(str(p) for p in (tools / "jars").glob("*.jar"))
    if not environment.lake.startswith("s3"):
        jars = [j for j in jars if "aws-java-sdk" not in j and "hadoop-aws" not in j]
    options = [
        "-Xshare:auto",
        "-XX:TieredStopAtLevel=1",
        "-XX:ReservedCodeCacheSize=256m",
        "-XX:+UseParallelGC",
        "-Duser.timezone=UTC",
    ]
    archive = tools / "spark.jsa"
    if archive.is_file():
        options.append(f"-XX:SharedArchiveFile={archive}")
    quiet = Path(__file__).with_name("log4j2.properties")
    options.append(f"-Dlog4j2.configurationFile=file:{quiet}")
    # The driver's options must be on the command line that launches it, before Spark reads settings.
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        f'--driver-memory {environment.spark.driver_memory} --driver-java-options "{" ".join(options)}"'
        f" --jars {','.join(jars)} pyspark-shell"
    )
    return {"spark.local.dir": str(tools.parent / ".local" / "spark")}


def tools_folder() -> Path:
    """Return where set-up put Java, jars and the class-data-sharing archive."""
    return Path(os.environ.get("LEDGERLAKE_TOOLS", Path.cwd() / ".tools")).absolute()


def _s3_settings(environment: Environment, secrets: Secrets) -> dict[str, str]:
    s3 = environment.s3
    if not s3.endpoint:
        return {}
    return {
        "spark.hadoop.fs.s3a.endpoint": secrets.resolve(s3.endpoint),
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.hadoop.fs.s3a.access.key": secrets.resolve(s3.access_key or ""),
        "spark.hadoop.fs.s3a.secret.key": secrets.resolve(s3.secret_key or ""),
    }
