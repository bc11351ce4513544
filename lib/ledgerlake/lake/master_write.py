"""Writes a master's tables: the rows of resolved components replace those that stood.

Only rows that differ are written, so that marts see in the change data feed what really changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import CommitProperties, Field
from deltalake.schema import PrimitiveType

from ledgerlake.config.master_tables import links_table, versions_table
from ledgerlake.config.mastering import Master
from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.lake.tables import SILVER_PROPERTIES, value_field
from ledgerlake.lake.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

GONE = "_gone"


def prepare(workspace: Workspace, master: Master, *, anew: bool) -> None:
    """Create the tables of a master; ``anew`` empties its components, whose rows a new declaration may not explain."""
    from ledgerlake.lake.master_components import component_fields, components_path

    kept = {k: f"interval {master.retention_days} days" for k in SILVER_PROPERTIES if "Duration" in k}
    for table in (versions_table(master), links_table(master)):
        fields = [*(value_field(k) for k in table.columns), Field(c.CONTENT, PrimitiveType("string"))]
        path = workspace.paths.silver(table.table)
        workspace.storage.create(path, fields, SILVER_PROPERTIES | kept, ["is_current"])
        workspace.storage.add_columns(path, table.columns)
    path = components_path(workspace, master)
    workspace.storage.create(path, component_fields(), {})
    if anew:
        state = workspace.storage.open(path)
        assert state is not None, "just created"
        state.delete()


def replace_rows(
    workspace: Workspace, session: SparkSession, table: Table, rows: DataFrame, among: DataFrame, run_id: str
) -> int:
    """Replace the rows of ``table`` that join ``among`` by ``rows``; return how many rows changed."""
    path = workspace.paths.silver(table.table)
    columns = [f"`{n}`" for n in table.column_names]
    fresh = rows.selectExpr(*columns, f"md5(to_json(struct({', '.join(columns)}))) AS {c.CONTENT}")
    standing = session.read.format("delta").load(path).join(among.distinct(), among.columns, "left_semi")
    changed = _changes(fresh, standing, table).persist()
    try:
        number = changed.count()
        if not number:
            return 0
        _merge(session, table, path, changed, run_id)
        return number
    finally:
        changed.unpersist()


def _changes(fresh: DataFrame, standing: DataFrame, table: Table) -> DataFrame:
    """Return rows that are new or differ, and those that no longer hold (``_gone``)."""
    key = list(table.key)
    new = fresh.join(standing.select(*key, c.CONTENT), [*key, c.CONTENT], "left_anti").selectExpr(
        "*", f"false AS {GONE}"
    )
    gone = standing.join(fresh.select(*key), key, "left_anti").selectExpr("*", f"true AS {GONE}")
    return new.unionByName(gone)


def _merge(session: SparkSession, table: Table, path: str, changed: DataFrame, run_id: str) -> None:
    same = " AND ".join(f"t.`{k}` = s.`{k}`" for k in table.key)
    columns = [*table.column_names, c.CONTENT]
    changed.createOrReplaceTempView("changed")
    session.conf.set(
        "spark.databricks.delta.commitInfo.userMetadata", json.dumps({"run_id": run_id, "mastered": table.table})
    )
    session.sql(
        f"MERGE INTO delta.`{path}` t USING changed s ON {same} WHEN MATCHED AND s.{GONE} THEN DELETE"
        f" WHEN MATCHED THEN UPDATE SET {', '.join(f't.`{n}` = s.`{n}`' for n in columns)}"
        f" WHEN NOT MATCHED AND NOT s.{GONE} THEN INSERT ({', '.join(f'`{n}`' for n in columns)})"
        f" VALUES ({', '.join(f's.`{n}`' for n in columns)})"
    )


def native_merge(
    workspace: Workspace, path: str, source: pa.Table, same: str, updated: Mapping[str, str], inserted: Mapping[str, str],
) -> None:  # fmt: skip
    """Merge rows that this process holds through delta-rs."""
    target = workspace.storage.open(path)
    assert target is not None, "tables are created before they are merged into"
    merger = target.merge(source, same, source_alias="s", target_alias="t", commit_properties=CommitProperties())
    merger = merger.when_matched_update(dict(updated)) if updated else merger
    merger = merger.when_not_matched_insert(dict(inserted)) if inserted else merger
    merger.execute()
