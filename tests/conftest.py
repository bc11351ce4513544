"""One Spark session for all tests, and a house for each test that wants a lake (see ``house``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from house import ACCOUNTS, NOON, SOURCES, House
from hypothesis import HealthCheck, settings
from ledgerlake.config.environment import Environment, SparkSettings
from ledgerlake.lake.session import start_spark
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.secrets import ReferencedSecrets
from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[1]
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Return the one session of a test run, started as the product starts it, sized for tiny tables."""
    os.environ.setdefault("LEDGERLAKE_TOOLS", str(ROOT / ".tools"))
    scratch = tmp_path_factory.mktemp("spark")
    tiny = {
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",  # compiling costs more than tiny tables ever win back
        "spark.sql.adaptive.enabled": "false",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.ui.retainedExecutions": "1",
        "spark.ui.retainedJobs": "1",
        "spark.ui.retainedStages": "1",
    }
    sized = SparkSettings(master="local[2]", driver_memory="1g", shuffle_partitions=1, settings=tiny)
    environment = Environment(environment="test", lake=str(scratch), sources=str(scratch), spark=sized)
    session = start_spark(environment, ReferencedSecrets({}), "ledgerlake tests")
    yield session
    session.stop()


@pytest.fixture
def houses(tmp_path: Path, spark: SparkSession) -> Iterator[Callable[[str], House]]:
    """Return a maker of houses beside each other, for tests that compare two lakes."""

    def build(name: str) -> House:
        return House(tmp_path / name, spark, FixedClock(NOON))

    yield build
    # Delta remembers every table it ever saw, some megabytes each: without this the heap fills up.
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


@pytest.fixture
def house(houses: Callable[[str], House]) -> House:
    """Return an empty house: declare tables, deliver files, load."""
    return houses("house")


@pytest.fixture
def bank(house: House) -> House:
    """Return a house with one table of accounts, delivered as DMS CSV files."""
    return house.declare(SOURCES, ACCOUNTS)
