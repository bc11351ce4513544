"""Delta tables as relations, read by the engine that suits their size.

A table (or a part of it) of few rows is read into this process; any other is scanned by Spark. Both
give the same columns, types and rows; tests hold them to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import DeltaTable
from pyarrow import compute

from ledgerlake.core import change as c
from ledgerlake.core.types import contract_type, spark_type
from ledgerlake.engines.embedded.arrow_kinds import schema_of
from ledgerlake.errors import NotFoundError, Where
from ledgerlake.lake.native import native_literal
from ledgerlake.lake.workspace import Workspace
from ledgerlake.sql.relation import Relation, literal, quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BYTES_MAX = 256 << 20
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


def relation(
    workspace: Workspace, name: str, uri: str, version: int | None = None, only: Partitions | None = None
) -> Relation:
    """Return a table (the newest, or at ``version``; all of it, or ``only`` some partitions) as an input called ``name``."""
    table = workspace.storage.open(uri, version)
    rows = _few(workspace, table, uri, only) if table else None
    if rows is not None:
        return Relation.of(name, rows, rows.column_names)
    reader = workspace.engines.session().read.format("delta")
    found = (reader if version is None else reader.option("versionAsOf", version)).load(uri)
    whole = Relation.of(name, found, found.columns)
    return whole.where(only.predicate) if only else whole


def frame(
    workspace: Workspace, uri: str, version: int | None = None, only: Partitions | None = None
) -> DataFrame:
    """Return the same as a frame of Spark's."""
    return workspace.engines.frame(relation(workspace, "rows", uri, version, only))


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


def changes(workspace: Workspace, uri: str, first: int, last: int, name: str = "changes") -> Relation:
    """Return the table's change data feed of versions ``first`` to ``last``: its columns, kind and version of commit."""
    names = [*types(workspace, uri, last), CHANGE_TYPE, COMMIT_VERSION]
    rows = _few_changes(workspace, uri, first, last, names)
    if rows is None:
        feed = workspace.engines.session().read.format("delta").option("readChangeFeed", "true")
        found = feed.option("startingVersion", first).option("endingVersion", last).load(uri)
        return Relation.of(name, found, found.columns).select(*map(quoted, names))
    return Relation.of(name, rows, names)


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
    own = types(workspace, uri, last) | {CHANGE_TYPE: "string", COMMIT_VERSION: "bigint"}
    schema = schema_of({n: own[n] for n in columns})
    return pa.Table.from_batches(batches).cast(schema) if batches else schema.empty_table()


def silver_rows(workspace: Workspace, table: str, version: int, name: str = "") -> Relation:
    """Return the visible rows of a silver table (or all of a history) at a version: contract columns and origin."""
    rows = relation(workspace, name or table, workspace.paths.silver(table), version)
    hidden = {c.DELETED, c.BASE_POSITION, c.DELETE_POSITION, c.COLUMN_POSITIONS, c.CONTENT}
    visible = rows.where(f"NOT {c.DELETED}") if c.DELETED in rows.columns else rows
    return visible.select(*(quoted(n) for n in rows.columns if n not in hidden))


def types(workspace: Workspace, uri: str, version: int | None = None) -> dict[str, str]:
    """Return a table's columns and their Spark types, as ``DataFrame.dtypes`` says them."""
    schema = json.loads(_opened(workspace, uri, version).schema().to_json())
    return {field["name"]: _spark_name(field["type"]) for field in schema["fields"]}


_PLAIN = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint"}


def _spark_name(kind: Any) -> str:
    """Return Spark's name of a type as Delta's log says it."""
    if isinstance(kind, str):
        return _PLAIN.get(kind, kind).replace(" ", "")
    if kind["type"] == "array":
        return f"array<{_spark_name(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_spark_name(kind['keyType'])},{_spark_name(kind['valueType'])}>"
    inside = ",".join(f"{field['name']}:{_spark_name(field['type'])}" for field in kind["fields"])
    return f"struct<{inside}>"


def _opened(workspace: Workspace, uri: str, version: int | None) -> DeltaTable:
    table = workspace.storage.open(uri, version)
    if table is None:
        raise NotFoundError("no such table", where=Where(file=uri), then="run the pipeline")
    return table


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
    return workspace.engines.rows_max
