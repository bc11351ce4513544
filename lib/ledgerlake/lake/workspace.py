"""Everything one run works with, opened once: declarations, ports, control tables, Spark on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Column, Pipeline, Table
from ledgerlake.engines.door import Engines
from ledgerlake.lake.control import ControlTables
from ledgerlake.lake.fence import Fence
from ledgerlake.lake.leases import Leases
from ledgerlake.lake.paths import LakePaths
from ledgerlake.lake.session import references, start_spark, withheld
from ledgerlake.lake.tables import TableStorage
from ledgerlake.landing.manifest import ManifestLog
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.http import Http, SystemHttp
from ledgerlake.ports.objects import ObjectStore, open_store
from ledgerlake.ports.objects import s3_client as retrying_client
from ledgerlake.ports.secrets import Secrets

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def s3_client(environment: Environment, secrets: Secrets) -> Any | None:
    """Return a boto3 client for the environment's S3, None where the lake is a local folder."""
    s3 = environment.s3
    if not environment.lake.startswith("s3"):
        return None
    named = {
        "region_name": s3.region,
        "endpoint_url": secrets.resolve(s3.endpoint) if s3.endpoint else None,
        "aws_access_key_id": secrets.resolve(s3.access_key) if s3.access_key else None,
        "aws_secret_access_key": secrets.resolve(s3.secret_key) if s3.secret_key else None,
    }
    return retrying_client(**{k: v for k, v in named.items() if v})


@dataclass
class Workspace:
    """One pipeline in one environment, with the ports that were passed in."""

    pipeline: Pipeline
    environment: Environment
    secrets: Secrets
    clock: Clock
    make_spark: Callable[[Environment, Secrets, str], SparkSession] = start_spark
    http: Http = field(default_factory=SystemHttp)
    fence: Fence = field(default_factory=Fence)
    crashes: Path = Path(".local/errors")  # where tracebacks of what nobody foresaw are kept
    sleep: Callable[[float], None] = time.sleep
    _spark_lock: threading.Lock = field(default_factory=threading.Lock)
    _spark: SparkSession | None = None

    @cached_property
    def _client(self) -> Any | None:
        return s3_client(self.environment, self.secrets)

    def open_location(self, location: str) -> ObjectStore:
        """Open a store below the environment's sources, or at an absolute URI."""
        absolute = "://" in location or location.startswith("/")
        return open_store(location if absolute else f"{self.environment.sources.rstrip('/')}/{location}", self._client)

    @cached_property
    def objects(self) -> ObjectStore:
        """Return the lake's object store."""
        return open_store(self.environment.lake, self._client)

    @cached_property
    def paths(self) -> LakePaths:
        """Return the lake's layout for this pipeline."""
        return LakePaths(self.objects.uri, self.pipeline.name)

    @cached_property
    def storage(self) -> TableStorage:
        """Return Delta tables as seen without Spark."""
        return TableStorage(self.environment, self.secrets, self.fence, self.sleep)

    @cached_property
    def control(self) -> ControlTables:
        """Return the pipeline's control tables."""
        return ControlTables(self.paths, self.storage, self.clock)

    @cached_property
    def leases(self) -> Leases:
        """Return the lake's leases."""
        return Leases(self.objects, self.clock, sleep=self.sleep)

    @cached_property
    def logs(self) -> dict[str, ManifestLog]:
        """Return the landing log of each table."""
        return {
            name: ManifestLog(self.objects, self.pipeline.name, name, self.fence.check) for name in self.pipeline.tables
        }

    def spark(self) -> SparkSession:
        """Return the one session, started when first asked for."""
        with self._spark_lock:
            if self._spark is None:
                with withheld(references(self.environment, self.pipeline.spec)):
                    self._spark = self.make_spark(self.environment, self.secrets, f"ledgerlake {self.pipeline.name}")
            return self._spark

    @cached_property
    def engines(self) -> Engines:
        """Return the door to the engines."""
        return Engines(self.environment, self.spark)

    @property
    def spark_started(self) -> bool:
        """Say whether anything needed Spark so far."""
        return self._spark is not None

    def forget(self) -> None:
        """Read manifests and control records anew when they are next asked for."""
        self.__dict__.pop("logs", None)
        self.control.forget()

    def now(self) -> datetime:
        """Return the clock's time."""
        return self.clock.now()

    def table(self, name: str) -> Table:
        """Return a table with the columns that additive schema changes brought."""
        changes = [r for r in self.control.read("schema_changes") if r["table"] == name]
        added = tuple(Column(name=r["column"].lower(), type=r["type"], source=r["column"]) for r in changes)
        return self.pipeline.tables[name].with_columns(added)
