"""Replay: silver rebuilt from bronze as of a moment, compared with the live table row for row.

Bronze holds every accepted change once, so folding all of it must give what silver became batch
by batch. The comparison is an order-independent hash over every row's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.errors import NotFoundError, Where
from ledgerlake.lake.silver import folded
from ledgerlake.lake.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Comparison:
    """The live table and its rebuild: rows and hash of each, and how many keys differ."""

    table: str
    as_of: datetime | None
    live_rows: int
    rebuilt_rows: int
    live_hash: str
    rebuilt_hash: str
    differing_keys: int

    @property
    def equal(self) -> bool:
        """Say whether live and rebuilt are the same, row for row."""
        return (self.live_rows, self.live_hash) == (self.rebuilt_rows, self.rebuilt_hash)


def compare(workspace: Workspace, name: str, as_of: datetime | None = None) -> Comparison:
    """Rebuild a silver table from bronze and compare; ``as_of`` (UTC) picks both versions."""
    table = workspace.table(name)
    bronze = _version_at(workspace, workspace.paths.bronze(name), as_of, name)
    silver = _version_at(workspace, workspace.paths.silver(name), as_of, name)
    session = workspace.spark().newSession()
    live = _state(_load(session, workspace.paths.silver(name), silver), table)
    rebuilt = _state(rebuild(_load(session, workspace.paths.bronze(name), bronze), table), table)
    (live_rows, live_hash), (rows, hash_) = _measure(live), _measure(rebuilt)
    differ = 0 if (live_rows, live_hash) == (rows, hash_) else _differing(live, rebuilt, table)
    return Comparison(name, as_of, live_rows, rows, live_hash, hash_, differ)


def rebuild(bronze: DataFrame, table: Table) -> DataFrame:
    """Return the state of every key by folding all of its changes at once."""
    row = bronze.where("_op = 'truncate'").selectExpr(f"max({c.POSITION}) AS at").first()
    assert row is not None, "an aggregate always gives one row"
    states = folded(bronze, table, row["at"])
    if table.changes == "partial":
        return states
    newest = states.groupBy(*table.key).agg(_newest([n for n in states.columns if n not in table.key]))
    return newest.select(*table.key, "newest.*")


def _newest(columns: list[str]):  # type: ignore[no-untyped-def]
    from pyspark.sql import functions as f

    return f.expr(f"max_by(struct({', '.join(f'`{n}`' for n in columns)}), {c.POSITION}) AS newest")


def _version_at(workspace: Workspace, uri: str, as_of: datetime | None, name: str) -> int:
    commits = workspace.storage.commits(uri)
    found = [k.version for k in commits if as_of is None or k.at <= as_of]
    if not found:
        raise NotFoundError(
            "the table has no version at that moment", where=Where(table=name), then="see `ledgerlake history`"
        )
    return max(found)


def _load(session: SparkSession, path: str, version: int) -> DataFrame:
    return session.read.format("delta").option("versionAsOf", version).load(path)


def _state(frame: DataFrame, table: Table) -> DataFrame:
    present = [n for n in table.column_names if n in frame.columns]
    values = ", ".join(f"`{n}`" for n in present)
    return frame.selectExpr(
        *(f"`{k}`" for k in table.key), f"xxhash64({values}, {c.DELETED}, {c.POSITION}, {c.CHANGE_ID}) AS h"
    )


def _measure(state: DataFrame) -> tuple[int, str]:
    row = state.selectExpr("count(1) AS n", "CAST(coalesce(sum(CAST(h AS DECIMAL(38,0))), 0) AS STRING) AS h").first()
    assert row is not None, "an aggregate always gives one row"
    return row["n"], row["h"]


def _differing(live: DataFrame, rebuilt: DataFrame, table: Table) -> int:
    key = list(table.key)
    joined = live.join(rebuilt.withColumnRenamed("h", "r"), key, "full")
    return joined.where("NOT (h <=> r)").count()
