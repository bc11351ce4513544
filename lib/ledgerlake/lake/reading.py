"""Delta tables as Spark frames, read by the engine that suits their size.

A table (or a part of it) of few rows is read by delta-rs and handed over as Arrow; any other is
scanned by Spark. Both give the same columns, types and rows; tests hold them to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable
from pyarrow import compute

from ledgerlake import arrow
from ledgerlake.core import change as c
from ledgerlake.core.types import contract_type, spark_type
from ledgerlake.errors import NotFoundError, Where
from ledgerlake.feeds.frames import literal
from ledgerlake.lake.native import native_literal
from ledgerlake.lake.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

BYTES_MAX = 16 << 20
"""Bytes, of files or of changes, that are read into this process at most."""

CHANGE_TYPE, COMMIT_VERSION = "_change_type", "_commit_version"

_PLACED_BY_NAME = ("string", "integer", "bigint", "date")
"""Types whose partition values both engines spell alike in Delta's log (delta-rs breaks negative decimals)."""


def placed_by_name(kind: str) -> bool:
    """Say whether both engines spell partition values of a Spark type alike."""
    return contract_type(kind) in _PLACED_BY_NAME


def unplaced_sql(column: str, kind: str) -> str:
    """Return what holds for rows without a partition value; Delta keeps an empty text as none."""
    return f"coalesce(`{column}`, '') = ''" if kind == "string" else f"`{column}` IS NULL"


@dataclass(frozen=True)
class Partitions:
    """Named partitions of a table: ``values`` as text, of a column of Spark type ``kind``."""

    column: str
    kind: str
    values: tuple[str, ...]

    @property
    def predicate(self) -> str:
        """Return what holds for their rows, in Spark's SQL, of literals only."""
        items = ", ".join(f"CAST({literal(v)} AS {spark_type(self.kind)})" for v in self.values)
        return f"`{self.column}` IN ({items})" if self.values else "false"

    @property
    def native_predicate(self) -> str | None:
        """Return the same in the SQL of delta-rs, None where it reads such values differently."""
        if not placed_by_name(self.kind):
            return None
        items = ", ".join(native_literal(v, str(contract_type(self.kind))) for v in self.values)
        return f'"{self.column}" IN ({items})' if self.values else "false"


def frame(
    session: SparkSession, workspace: Workspace, uri: str, version: int | None = None, only: Partitions | None = None
) -> DataFrame:
    """Return a table (the newest, or at ``version``; all of it, or ``only`` some partitions) as a frame."""
    table = workspace.storage.open(uri, version)
    rows = _few(workspace, table, uri, only) if table else None
    if table and rows is not None:
        return arrow.into_spark(session, rows, _schema(table))
    reader = session.read.format("delta")
    found = (reader if version is None else reader.option("versionAsOf", version)).load(uri)
    return found.where(only.predicate) if only else found


def few(workspace: Workspace, uri: str, version: int | None = None, only: Partitions | None = None) -> pa.Table | None:
    """Return the table's rows where they are few, else None."""
    table = workspace.storage.open(uri, version)
    return _few(workspace, table, uri, only) if table else None


def _few(workspace: Workspace, table: DeltaTable, uri: str, only: Partitions | None) -> pa.Table | None:
    condition = only.native_predicate if only else "true"
    if condition is None or not _is_small(table, workspace, only):
        return None
    return workspace.storage.select(table, uri, condition)


def is_few(workspace: Workspace, uri: str, version: int | None = None) -> bool:
    """Say whether the table exists and has few rows."""
    table = workspace.storage.open(uri, version)
    return table is not None and _is_small(table, workspace, None)


def changes(session: SparkSession, workspace: Workspace, uri: str, first: int, last: int) -> DataFrame:
    """Return the table's change data feed of versions ``first`` to ``last``: its columns, kind and version of commit."""
    from pyspark.sql.types import LongType, StringType

    known = _schema(_opened(workspace, uri, last)).add(CHANGE_TYPE, StringType()).add(COMMIT_VERSION, LongType())
    rows = _few_changes(workspace, uri, first, last, known.names)
    if rows is not None:
        return arrow.into_spark(session, rows, known)
    feed = session.read.format("delta").option("readChangeFeed", "true")
    return feed.option("startingVersion", first).option("endingVersion", last).load(uri).select(*known.names)


def _few_changes(workspace: Workspace, uri: str, first: int, last: int, columns: list[str]) -> pa.Table | None:
    table = workspace.storage.open(uri)
    assert table is not None, "a table that changed is there"
    most, batches, count, size = rows_max(workspace), [], 0, 0
    if not most:
        return None
    for batch in pa.RecordBatchReader.from_stream(table.load_cdf(first, last)):
        count, size = count + batch.num_rows, size + batch.nbytes
        if count > most or size > BYTES_MAX:
            return None
        batches.append(batch.select(columns))
    return pa.Table.from_batches(batches) if batches else None


def silver_rows(session: SparkSession, workspace: Workspace, table: str, version: int) -> DataFrame:
    """Return the visible rows of a silver table (or all of a history) at a version: contract columns and origin."""
    rows = frame(session, workspace, workspace.paths.silver(table), version)
    hidden = {c.DELETED, c.BASE_POSITION, c.DELETE_POSITION, c.COLUMN_POSITIONS, c.CONTENT}
    visible = rows.where(f"NOT {c.DELETED}") if c.DELETED in rows.columns else rows
    return visible.select(*(n for n in rows.columns if n not in hidden))


def types(workspace: Workspace, uri: str, version: int | None = None) -> dict[str, str]:
    """Return a table's columns and their Spark types, as ``DataFrame.dtypes`` says them, without starting Spark."""
    return {f.name: f.dataType.simpleString() for f in _schema(_opened(workspace, uri, version)).fields}


def _opened(workspace: Workspace, uri: str, version: int | None) -> DeltaTable:
    table = workspace.storage.open(uri, version)
    if table is None:
        raise NotFoundError("no such table", where=Where(file=uri), then="run the pipeline")
    return table


def _schema(table: DeltaTable) -> StructType:
    from pyspark.sql.types import StructType

    return StructType.fromJson(json.loads(table.schema().to_json()))


def _is_small(table: DeltaTable, workspace: Workspace, only: Partitions | None) -> bool:
    """Say whether the files' own statistics promise few rows."""
    files = pa.table(table.get_add_actions(flatten=True))
    if only:
        placed = files[f"partition.{only.column}"]
        try:
            wanted = pa.array(only.values, pa.string()).cast(placed.type)
        except pa.ArrowInvalid:  # text that only Spark reads as such a value
            return False
        files = files.filter(compute.is_in(placed, wanted))
    counts = files["num_records"].to_pylist()
    small = sum(files["size_bytes"].to_pylist()) <= BYTES_MAX
    return small and None not in counts and 0 < rows_max(workspace) >= sum(counts)


def rows_max(workspace: Workspace) -> int:
    """Return how many rows this process takes, none where the native engine is turned off."""
    return min(arrow.ROWS_MAX, workspace.environment.native_merge_rows_max)
