"""Delta tables without Spark: create, look at versions and commits, add columns.

delta-rs answers in milliseconds what would otherwise start a JVM, so every command that only
looks goes through here, and so does the creation of empty tables.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, QueryBuilder, Schema, Transaction
from deltalake.exceptions import TableNotFoundError

from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Column, Table
from ledgerlake.core import change as c
from ledgerlake.core.retention import REPLAY_DAYS
from ledgerlake.core.types import contract_type
from ledgerlake.errors import ContractError, LedgerlakeError, SourceError, StorageUnavailable, Where
from ledgerlake.lake.commits import note_text
from ledgerlake.lake.fence import Fence
from ledgerlake.ports.failures import storage_errors
from ledgerlake.ports.secrets import Secrets

T = TypeVar("T")
_ATTEMPTS, _BACKOFF_S = 6, 0.1

REPLAY_WINDOW = {
    "delta.deletedFileRetentionDuration": f"interval {REPLAY_DAYS} days",
    "delta.logRetentionDuration": f"interval {REPLAY_DAYS} days",
}
SILVER_PROPERTIES = REPLAY_WINDOW | {"delta.enableChangeDataFeed": "true"}  # in it marts find what to rebuild
WRITTEN_ONCE = {"delta.appendOnly": "true"}  # the engine itself refuses updates and deletes


@dataclass(frozen=True)
class Commit:
    """One commit of a Delta table, newest facts first when listed."""

    version: int
    at: datetime
    operation: str
    metrics: Mapping[str, Any]
    note: Mapping[str, Any]  # what ledgerlake wrote into the commit: batch_id, run_id, counts


class TableStorage:
    """Opens Delta tables of one environment through delta-rs."""

    def __init__(
        self, environment: Environment, secrets: Secrets, fence: Fence | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._environment, self._secrets, self.fence, self._sleep = environment, secrets, fence or Fence(), sleep

    @cached_property
    def options(self) -> dict[str, str]:
        """Return delta-rs storage options; empty for local folders and plain AWS."""
        s3 = self._environment.s3
        found = {"AWS_REGION": s3.region} if self._environment.lake.startswith("s3") else {}
        if s3.endpoint:
            found |= {
                "AWS_ENDPOINT_URL": self._secrets.resolve(s3.endpoint),
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": self._secrets.resolve(s3.access_key or ""),
                "AWS_SECRET_ACCESS_KEY": self._secrets.resolve(s3.secret_key or ""),
            }
        return found

    def again(self, work: Callable[[], T]) -> T:
        """Return what ``work`` gives, which is safe to repeat, and repeat it where the storage fails.

        delta-rs repeats requests that were refused, but not answers that break off. Raises
        :class:`~ledgerlake.errors.StorageUnavailable` where it fails again and again.
        """
        for attempt in range(1, _ATTEMPTS):
            try:
                with storage_errors():
                    return work()
            except StorageUnavailable:
                self._sleep(_BACKOFF_S * 2**attempt)
        with storage_errors():
            return work()

    def open(self, uri: str, version: int | None = None) -> DeltaTable | None:
        """Return the table, or None where none exists yet."""

        def opened() -> DeltaTable | None:
            try:
                return DeltaTable(_rs_uri(uri), version=version, storage_options=self.options)
            except TableNotFoundError:
                return None

        try:
            return self.again(opened)
        except LedgerlakeError:
            raise
        except Exception as error:  # the engine knows one exception type for everything
            if "Json error" not in str(error):
                raise
            raise SourceError(
                "the Delta log of a table cannot be read", where=Where(file=uri),
                then="look into its folder _delta_log: a newest file that is cut short was never committed; move it away"
                " and run the same command again. An older one has to be restored from the bucket's versions",
            ) from error  # fmt: skip

    def version(self, uri: str) -> int:
        """Return the table's current version, -1 where it does not exist."""
        table = self.open(uri)
        return -1 if table is None else table.version()

    def standing(self, uri: str) -> tuple[str, int]:
        """Return the id that a table got when it was created, and its version; empty and -1 where it does not exist."""
        table = self.open(uri)
        return ("", -1) if table is None else (str(table.metadata().id), table.version())

    def mark(self, step: str | None, note: Mapping[str, Any]) -> CommitProperties:
        """Return what marks a commit of delta-rs as ``lake.commits`` marks one of Spark.

        Asked right before the commit: it may only be made by a run that still holds its lease, and
        only as the version after the one that was read (no commit is tried again on top of another).
        """
        self.fence.check()
        return CommitProperties(
            custom_metadata={"userMetadata": note_text(note)}, max_commit_retries=0,
            app_transactions=[Transaction(step, 1)] if step else None,
        )  # fmt: skip

    def is_empty(self, uri: str) -> bool:
        """Say whether the table has no data file, or does not exist."""
        table = self.open(uri)
        return table is None or not table.file_uris()

    def create(
        self, uri: str, fields: list[Field], properties: Mapping[str, str], partition_by: list[str] | None = None,
        description: str | None = None,
    ) -> None:  # fmt: skip
        """Create an empty table unless it exists."""
        if self.open(uri) is None:
            self.fence.check()
            self.again(lambda: DeltaTable.create(
                _rs_uri(uri), Schema(fields), mode="ignore", partition_by=partition_by,
                configuration=dict(properties), storage_options=self.options, description=description,
            ))  # fmt: skip

    def add_columns(self, uri: str, columns: tuple[Column, ...]) -> list[str]:
        """Add the nullable columns that the table lacks; return their names.

        Raises :class:`ContractError` where a column is of another type than is declared: engines
        would cast what they write to the table's type, and cut it.
        """
        table = self.open(uri)
        assert table is not None, "tables are created before columns are added"
        present = {f.name: str(getattr(f.type, "type", f.type)).replace(" ", "") for f in table.schema().fields}
        for col in (col for col in columns if col.name in present and present[col.name] != col.kind.delta):
            raise ContractError(
                f"the column is loaded as {contract_type(present[col.name]) or present[col.name]} and declared as {col.type}",
                where=Where(column=col.name), then="declare the type that is loaded, or load the table anew",
            )  # fmt: skip
        missing = [col for col in columns if col.name not in present]
        if missing:
            self.fence.check()
            table.alter.add_columns([value_field(col) for col in missing])
        return [col.name for col in missing]

    def rows(self, uri: str, where: str = "true", version: int | None = None, columns: str = "*") -> pa.Table | None:
        """Return the rows for which the SQL condition holds, None where no table exists.

        Raises FileNotFoundError where retention has removed the version's files.
        Asked through delta-rs's own engine: its hand-over to pyarrow datasets leaves threads
        behind that abort about every third process at exit (deltalake 1.6, pyarrow 26).
        """
        table = self.open(uri, version)
        return None if table is None else self.select(table, uri, where, columns)

    def select(self, table: DeltaTable, uri: str, where: str = "true", columns: str = "*") -> pa.Table:
        """Return the same of a table that is open already."""

        def asked() -> Any:
            return QueryBuilder().register("rows", table).execute(f"SELECT {columns} FROM rows WHERE {where}").read_all()

        try:
            found = self.again(asked)
        except LedgerlakeError:
            raise
        except Exception as error:  # the engine knows one exception type for everything
            if "Object Store error" in str(error):
                raise FileNotFoundError(uri) from error
            raise
        return pa.table(found)

    def commits(self, uri: str, limit: int | None = None) -> list[Commit]:
        """Return the table's commits, newest first."""
        table = self.open(uri)
        return [_commit(entry) for entry in self.again(lambda: table.history(limit))] if table else []

    def commit_of(self, uri: str, batch_id: str, limit: int = 50) -> Commit | None:
        """Return the commit that applied a batch, if it did: how a killed run finds its place."""
        return next((k for k in self.commits(uri, limit) if k.note.get("batch_id") == batch_id), None)


def _rs_uri(uri: str) -> str:
    return "s3://" + uri.removeprefix("s3a://") if uri.startswith("s3a://") else uri


def _commit(entry: Mapping[str, Any]) -> Commit:
    try:
        note = json.loads(entry.get("userMetadata") or "{}")
    except json.JSONDecodeError:
        note = {}
    metrics = entry.get("operationMetrics") or {}
    return Commit(
        version=int(entry["version"]),
        at=datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
        operation=str(entry.get("operation", "")),
        metrics=metrics if isinstance(metrics, dict) else json.loads(metrics),
        note=note if isinstance(note, dict) else {},
    )


def value_field(column: Column) -> Field:
    """Return the Delta field of a contract column; always nullable, deletes carry only keys."""
    from deltalake.schema import PrimitiveType

    return Field(column.name, PrimitiveType(column.kind.delta), nullable=True)


def _text(name: str) -> Field:
    from deltalake.schema import PrimitiveType

    return Field(name, PrimitiveType("string"))


def origin_fields() -> list[Field]:
    """Return the fields that lead a row back to its source."""
    from deltalake.schema import PrimitiveType

    kinds = {c.ORDINAL: "long", c.EXTRACTED_AT: "timestamp"}
    return [Field(n, PrimitiveType(kinds.get(n, "string"))) for n in c.ORIGIN]


def declared_meaning(table: Table) -> dict[str, Any]:
    """Return what a table's rows mean beside their columns; silver keeps it, and a later run must declare the same."""
    return {"key": list(table.key), "changes": table.changes, "append_only": table.append_only}


def bronze_fields(table: Table) -> list[Field]:
    """Return the schema of a bronze table: origin first, where Delta keeps file statistics."""
    from deltalake.schema import ArrayType, PrimitiveType

    own = [_text(c.OP), Field(c.WINNER, PrimitiveType("boolean"))]
    carried = [Field(c.CARRIED, ArrayType(PrimitiveType("string"), contains_null=True))]
    return origin_fields() + own + [value_field(col) for col in table.columns] + carried


def bronze_properties(table: Table) -> dict[str, str]:
    """Return the properties of a bronze table: nothing is ever removed, and its log outlives the replay window."""
    return WRITTEN_ONCE | {"delta.logRetentionDuration": f"interval {table.retention_days} days"}


def silver_properties(table: Table) -> Mapping[str, str]:
    """Return the Delta properties of a table's silver."""
    return SILVER_PROPERTIES | WRITTEN_ONCE if table.append_only else SILVER_PROPERTIES


def silver_fields(table: Table) -> list[Field]:
    """Return the schema of a silver table: key, state and values, then origin."""
    from deltalake.schema import MapType, PrimitiveType

    keys = [value_field(table.column(k)) for k in table.key]
    rest = [value_field(col) for col in table.columns if col.name not in table.key]
    own = [Field(c.DELETED, PrimitiveType("boolean"))]
    partial = [
        _text(c.BASE_POSITION), _text(c.DELETE_POSITION),
        Field(c.COLUMN_POSITIONS, MapType(PrimitiveType("string"), PrimitiveType("string"), value_contains_null=True)),
    ]  # fmt: skip
    return keys + own + origin_fields() + rest + (partial if table.changes == "partial" else [])


def history_fields(table: Table) -> list[Field]:
    """Return the schema of a history table: versions with their bounds, and the origin of each."""
    from deltalake.schema import PrimitiveType

    effective = table.history.effective if table.history else None
    bound = value_field(table.column(effective)).type if effective else PrimitiveType("string")
    own = [Field(c.VALID_FROM, bound), Field(c.VALID_TO, bound), Field(c.CURRENT, PrimitiveType("boolean"))]
    own += [Field(n, PrimitiveType("timestamp")) for n in (c.VALID_FROM_AT, c.VALID_TO_AT)]
    return [value_field(col) for col in table.columns] + origin_fields() + own
