"""Where pipelines run: the shapes of ``conf/environments/<name>.yml``; unknown keys are errors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledgerlake.config.models import Model, Name
from ledgerlake.ports.snowflake import SnowflakeSettings


class SparkSettings(Model):
    """How the session is sized; ``settings`` are passed to Spark as they are.

    ``compilation`` is for local sessions: ``quick`` stops at Java's first compiler, because days of
    thousands of changes end before better code would pay; ``full`` reads millions two to three
    times as fast.
    """

    master: str | None = "local[2]"
    driver_memory: str = "2g"
    shuffle_partitions: int = 2
    table_threads: int = 2
    compilation: Literal["quick", "full"] = "quick"
    settings: dict[str, str] = Field(default_factory=dict)


class S3Settings(Model):
    """Only for S3-compatible servers other than AWS: endpoint and key references."""

    endpoint: str | None = None
    region: str = "us-east-1"
    access_key: str | None = None
    secret_key: str | None = None


class EmrSettings(Model):
    """What `ledgerlake submit` needs to know of EMR Serverless."""

    application_id: str
    execution_role: str
    package_uri: str
    log_uri: str
    region: str = "us-east-1"
    timeout_minutes: int = 60
    max_attempts: int = 2
    settings: dict[str, str] = Field(default_factory=dict)


class Environment(Model):
    """One place the pipelines run: lake, sources, warehouse, Spark.

    ``engine`` says what runs SQL and writes tables: this process where there are few rows and Spark
    where there are many (``auto``), or one of the two always. ``embedded_rows_max`` is the number of
    rows, of a table or of a batch, that this process takes; 0 leaves everything to Spark.
    """

    environment: Name
    lake: str
    sources: str
    snowflake: SnowflakeSettings | Literal["local"] = "local"
    snowflake_folder: str | None = None
    connections: dict[Name, dict[str, str]] = Field(default_factory=dict)
    spark: SparkSettings = SparkSettings()
    engine: Literal["auto", "embedded", "spark"] = "auto"
    embedded_rows_max: int = Field(default=500_000, ge=0)
    s3: S3Settings = S3Settings()
    emr: EmrSettings | None = None
