"""Writes a master's tables: the rows of resolved components replace those that stood.

Only rows that differ are written, so that marts see in the change data feed what really changed.
Small numbers of rows merge through delta-rs, large ones through Spark (ADR 0007).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType

from ledgerlake.config.master_tables import links_table, versions_table
from ledgerlake.config.mastering import Master
from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.lake import native
from ledgerlake.lake.commits import note_text
from ledgerlake.lake.master_records import Row, row_schema
from ledgerlake.lake.tables import SILVER_PROPERTIES, value_field
from ledgerlake.lake.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

GONE = "_gone"
COMPONENT_COLUMNS = ("source", "record", "key", "component")


def components_path(workspace: Workspace, master: Master) -> str:
    """Return where a master's components are kept."""
    return workspace.paths.silver(f"{master.master}_components")


def prepare(workspace: Workspace, master: Master, *, anew: bool) -> None:
    """Create the tables of a master; ``anew`` empties them: a new declaration may not explain what stands."""
    for table in (versions_table(master), links_table(master)):
        fields = [*(value_field(k) for k in table.columns), Field(c.CONTENT, PrimitiveType("string"))]
        path = workspace.paths.silver(table.table)
        workspace.storage.create(path, fields, SILVER_PROPERTIES, ["is_current"])
        workspace.storage.add_columns(path, table.columns)
    path = components_path(workspace, master)
    workspace.storage.create(path, [Field(n, PrimitiveType("string")) for n in COMPONENT_COLUMNS], {})
    if anew:
        for name in (f"{master.master}_components", versions_table(master).table, links_table(master).table):
            path = workspace.paths.silver(name)
            _opened(workspace, path).delete(commit_properties=workspace.storage.mark(None, {"mastered": name}))


def replace_rows(
    workspace: Workspace, session: SparkSession, table: Table, rows: DataFrame, among: DataFrame, run_id: str
) -> int:
    """Replace the rows of ``table`` that join ``among`` by ``rows``, in Spark; return how many changed."""
    path, note = workspace.paths.silver(table.table), {"run_id": run_id, "mastered": table.table}
    standing = session.read.format("delta").load(path).join(among.distinct(), among.columns, "left_semi")
    changed = _changes(rows, standing, table).persist()
    try:
        number = changed.count()
        if number:
            changed.createOrReplaceTempView("changed")
            spark_merge(workspace, session, path, "changed", table.key, note)
        return number
    finally:
        changed.unpersist()


def _changes(fresh: DataFrame, standing: DataFrame, table: Table) -> DataFrame:
    """Return rows that are new or differ, and those that no longer hold (``_gone``)."""
    key = list(table.key)
    same = [*key, c.CONTENT]
    new = fresh.join(standing.select(*same), same, "left_anti").selectExpr("*", f"false AS {GONE}")
    gone = standing.join(fresh.select(*key), key, "left_anti").selectExpr("*", f"true AS {GONE}")
    return new.unionByName(gone)


def replace_here(workspace: Workspace, table: Table, rows: list[Row], among: str, run_id: str) -> int:
    """Replace the rows of ``table`` for which the condition ``among`` holds by ``rows``, without Spark."""
    path = workspace.paths.silver(table.table)
    found = workspace.storage.rows(path, among)
    standing = {_key(r, table): r for r in (found.to_pylist() if found else [])}
    fresh = {_key(r, table): r for r in rows}
    new = [r for k, r in fresh.items() if k not in standing or standing[k][c.CONTENT] != r[c.CONTENT]]
    gone = [r for k, r in standing.items() if k not in fresh]
    if new or gone:
        changed = [r | {GONE: False} for r in new] + [r | {GONE: True} for r in gone]
        schema = row_schema(table).append(pa.field(GONE, pa.bool_()))
        note = {"run_id": run_id, "mastered": table.table}
        source = pa.Table.from_pylist(changed, schema)
        native.replace(workspace.storage, path, source, table.key, gone=GONE, note=note)
    return len(new) + len(gone)


def _key(row: Row, table: Table) -> tuple[Any, ...]:
    return tuple(row[k] for k in table.key)


def spark_merge(
    workspace: Workspace, session: SparkSession, path: str, source: str, key: tuple[str, ...], note: Mapping[str, Any]
) -> None:
    """Merge the view ``source`` (the table's columns and ``_gone``) through Spark."""
    columns = [n for n in session.table(source).columns if n != GONE]
    same = " AND ".join(f"t.`{k}` = s.`{k}`" for k in key)
    workspace.fence.check()
    session.conf.set("spark.databricks.delta.commitInfo.userMetadata", note_text(note))
    session.sql(
        f"MERGE INTO delta.`{path}` t USING {source} s ON {same} WHEN MATCHED AND s.{GONE} THEN DELETE"
        f" WHEN MATCHED THEN UPDATE SET {', '.join(f't.`{n}` = s.`{n}`' for n in columns)}"
        f" WHEN NOT MATCHED AND NOT s.{GONE} THEN INSERT ({', '.join(f'`{n}`' for n in columns)})"
        f" VALUES ({', '.join(f's.`{n}`' for n in columns)})"
    )


def _opened(workspace: Workspace, path: str) -> DeltaTable:
    table = workspace.storage.open(path)
    assert table is not None, "tables are created before they are written"
    return table
