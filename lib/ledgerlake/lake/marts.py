"""Marts: SQL over silver, rebuilt by affected partition, written as candidates.

A candidate is a new Delta version that no publication names yet. Because partitions are found
by comparing with the silver versions of the last *publication* (not of the last run), what a
blocked candidate changed is always part of the next one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledgerlake.config.models import Mart
from ledgerlake.core import change as c
from ledgerlake.core.identity import fingerprint
from ledgerlake.core.types import spark_type
from ledgerlake.feeds.frames import literal
from ledgerlake.lake.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Scope:
    """Which partitions of a mart must be rebuilt: ``whole``, or the named values (maybe none)."""

    whole: bool
    partitions: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Say whether nothing must be rebuilt."""
        return not self.whole and not self.partitions


@dataclass(frozen=True)
class Candidate:
    """A mart version that is written but not accepted; ``version`` -1: nothing was rebuilt."""

    mart: Mart
    scope: Scope
    version: int


def mart_fingerprint(mart: Mart, sql: str) -> str:
    """Return what a mart means: when it changes, the mart is rebuilt whole."""
    return fingerprint([mart.model_dump(mode="json", exclude={"suite", "description", "publish"}), sql])


class MartBuilder:
    """Builds candidates of one pipeline from pinned silver versions."""

    def __init__(
        self, workspace: Workspace, run_id: str, inputs: Mapping[str, int], last: dict[str, Any] | None
    ) -> None:
        self._w, self._run_id, self._inputs = workspace, run_id, inputs
        self._since: Mapping[str, int] = last["inputs"] if last else {}
        self._served: Mapping[str, Any] = last["marts"] if last else {}
        self.built: dict[str, Candidate] = {}

    def scope(self, mart: Mart) -> Scope:
        """Find the partitions that changes since the last publication touch."""
        served = self._served.get(mart.mart)
        if served is None or served["fingerprint"] != mart_fingerprint(mart, self._w.pipeline.sql[mart.mart]):
            return Scope(whole=True)
        touched: set[str] = set()
        for item in mart.inputs:
            if item.mart:
                upstream = self.built[item.mart].scope
                if upstream.whole or (not upstream.empty and item.partition is None):
                    return Scope(whole=True)
                touched |= set(upstream.partitions)
            elif self._inputs[item.name] != self._since.get(item.name, -1):
                if item.partition is None or item.name not in self._since:
                    return Scope(whole=True)
                touched |= self._touched(item.name, item.partition)
        return Scope(whole=False, partitions=tuple(sorted(touched)))

    def _touched(self, table: str, expression: str) -> set[str]:
        """Return partition values of changed rows, as they were and as they are (change data feed)."""
        feed = (
            self._w.spark().newSession().read.format("delta").option("readChangeFeed", "true")
            .option("startingVersion", self._since[table] + 1).option("endingVersion", self._inputs[table])
            .load(self._w.paths.silver(table))
        )  # fmt: skip
        kind = feed.selectExpr(f"{expression} AS p").dtypes[0][1]
        values = f"explode({expression})" if kind.startswith("array") else expression
        row = feed.selectExpr(f"{values} AS p").selectExpr("collect_set(CAST(p AS STRING)) AS found").first()
        assert row is not None, "an aggregate always gives one row"
        return set(row["found"])

    def build(self, mart: Mart) -> Candidate:
        """Write the mart's candidate: only the affected partitions, in one commit."""
        scope = self.scope(mart)
        if scope.empty:
            candidate = Candidate(mart, scope, self._served[mart.mart]["version"])
        else:
            session = self._session(mart)
            frame = session.sql(self._w.pipeline.sql[mart.mart])
            self._write(session, mart, frame, scope)
            candidate = Candidate(mart, scope, self._w.storage.version(self._w.paths.mart(mart.mart)))
        self.built[mart.mart] = candidate
        return candidate

    def _session(self, mart: Mart) -> SparkSession:
        """Return a session whose views are the mart's inputs at their pinned versions."""
        session = self._w.spark().newSession()
        for item in mart.inputs:
            if item.mart:
                frame = self.read(session, self.built[item.mart])
            else:
                frame = silver_rows(session, self._w, item.name, self._inputs[item.name])
            frame.createOrReplaceTempView(item.name)
        return session

    def _write(self, session: SparkSession, mart: Mart, frame: DataFrame, scope: Scope) -> None:
        predicate = None if scope.whole else self._predicate(frame, mart, scope)
        rows = frame.where(predicate) if predicate else frame
        shaped = rows.repartition(2, mart.partition_by) if mart.partition_by else rows.coalesce(1)
        note = {"run_id": self._run_id, "mart": mart.mart, "inputs": dict(self._inputs)}
        options = {"replaceWhere": predicate} if predicate else {"overwriteSchema": "true"}
        writer = (
            shaped.write.format("delta")
            .mode("overwrite")
            .options(**options, userMetadata=json.dumps(note, sort_keys=True))
        )
        (writer.partitionBy(mart.partition_by) if mart.partition_by else writer).save(self._w.paths.mart(mart.mart))

    def _predicate(self, frame: DataFrame, mart: Mart, scope: Scope) -> str:
        kind = dict(frame.dtypes)[str(mart.partition_by)]
        return partition_predicate(str(mart.partition_by), kind, scope.partitions)

    def read(self, session: SparkSession, candidate: Candidate, *, changed_only: bool = False) -> DataFrame:
        """Return the candidate's rows, or only those of the partitions it rebuilt."""
        mart = candidate.mart
        frame = (
            session.read.format("delta").option("versionAsOf", candidate.version).load(self._w.paths.mart(mart.mart))
        )
        if changed_only and not candidate.scope.whole:
            return frame.where(self._predicate(frame, mart, candidate.scope))
        return frame


def partition_predicate(column: str, kind: str, values: tuple[str, ...]) -> str:
    """Return a predicate of literals on a partition column of Spark type ``kind``."""
    items = ", ".join(f"CAST({literal(v)} AS {spark_type(kind)})" for v in values)
    return f"`{column}` IN ({items})" if values else "false"


def silver_rows(session: SparkSession, workspace: Workspace, table: str, version: int) -> DataFrame:
    """Return the visible rows of a silver table at a version: contract columns and origin."""
    frame = session.read.format("delta").option("versionAsOf", version).load(workspace.paths.silver(table))
    hidden = {c.DELETED, c.BASE_POSITION, c.DELETE_POSITION, c.COLUMN_POSITIONS}
    return frame.where(f"NOT {c.DELETED}").select(*(n for n in frame.columns if n not in hidden))
