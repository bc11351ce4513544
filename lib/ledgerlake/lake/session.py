"""The one Spark session of a process, sized for the environment, from jars resolved at set-up."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledgerlake.config.base import Model
from ledgerlake.config.environment import Environment
from ledgerlake.errors import TransientError
from ledgerlake.ports.secrets import Secrets
from ledgerlake.setup.launch import launch_environment, tools_folder

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
    # Dates before 1582 are written as they are: one calendar, the proleptic Gregorian one, everywhere.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
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
_JVM = (
    "-XX:ReservedCodeCacheSize=256m",  # the quick level's own default is too small and is swept for ever
    "-XX:-DontCompileHugeMethods",  # Spark's generated readers are huge, and would be interpreted for ever
    "-XX:+UseParallelGC",
    "-Duser.timezone=UTC",
)
_HADOOP = "spark.hadoop."
_VARIABLE = re.compile(r"\benv:([A-Za-z_][A-Za-z0-9_]*)")
_COMPILED = {"quick": ("-XX:TieredStopAtLevel=1",), "full": ()}


def start_spark(environment: Environment, secrets: Secrets, app_name: str) -> SparkSession:
    """Start (or return) the session; on EMR the image supplies jars and most settings."""
    from pyspark.sql import SparkSession

    local = environment.spark.master is not None
    builder = SparkSession.builder.appName(app_name)
    settings = dict(_ALWAYS) | {"spark.sql.shuffle.partitions": str(environment.spark.shuffle_partitions)}
    if local:
        builder = builder.master(str(environment.spark.master))
        settings |= _LOCAL | _local_settings(environment)
    settings |= environment.spark.settings
    hadoop = {k: secrets.resolve(v) for k, v in settings.items() if k.startswith(_HADOOP)}
    for key, value in settings.items():
        if key not in hadoop:
            builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise TransientError(
            "Spark does not start", then="run `make setup`; Java 17 and the jars must be there"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    _configure_storage(session, hadoop | _s3_settings(environment, secrets))
    return session


def _configure_storage(session: SparkSession, settings: dict[str, str]) -> None:
    """Set storage's settings, keys among them, in the running JVM.

    Given to the builder they would stand in the JVM's command line, which every user of the
    machine can read.
    """
    context: Any = session.sparkContext._jsc
    for key, value in settings.items():
        context.hadoopConfiguration().set(key.removeprefix(_HADOOP), value)


def references(*declared: Model) -> set[str]:
    """Return the environment variables that declarations name as secrets."""
    return {name for model in declared for name in _VARIABLE.findall(model.model_dump_json())}


@contextmanager
def withheld(variables: Iterable[str]) -> Iterator[None]:
    """Take environment variables away inside the block: a child started in it does not inherit them."""
    kept = {name: os.environ.pop(name) for name in variables if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _local_settings(environment: Environment) -> dict[str, str]:
    """Prepare the launch of a local JVM; its options must be set before pyspark starts it."""
    tools = tools_folder()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    quiet = Path(__file__).with_name("log4j2.properties")
    options = (*_JVM, *_COMPILED[environment.spark.compilation], f"-Dlog4j2.configurationFile=file:{quiet}")
    on_s3 = environment.lake.startswith("s3")
    os.environ.update(
        launch_environment(tools, driver_memory=environment.spark.driver_memory, java_options=options, s3=on_s3)
    )
    scratch = tools.parent / ".local"
    return {"spark.local.dir": str(scratch / "spark"), "spark.sql.warehouse.dir": str(scratch / "warehouse")}


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
