"""Traces: from a row, a batch or a publication back to source objects, and to the run behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ledgerlake.config.models import Mart, Table
from ledgerlake.config.personal import MASK, personal_columns
from ledgerlake.core import change as c
from ledgerlake.core.types import spark_type
from ledgerlake.errors import NotFoundError, Where
from ledgerlake.lake import reading
from ledgerlake.lake.readers import all_records, publications, served
from ledgerlake.lake.reading import silver_rows
from ledgerlake.lake.silver import value_literal
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.retention import removed_objects
from ledgerlake.sql.relation import literal, quoted

ROWS_MAX = 20
Facts = dict[str, Any]


def trace_batch(workspace: Workspace, batch_id: str) -> Facts:
    """Return a batch's counts, objects and versions, and the publications that serve it."""
    record = workspace.control.latest("batches", "batch_id").get(batch_id)
    if record is None:
        raise NotFoundError("no such batch", where=Where(batch_id=batch_id), then="`ledgerlake status` lists batches")
    serving = [
        p.publication_id
        for p in publications(workspace)
        if p.is_served and p.inputs.get(record["table"], -1) >= (record["silver_version"] or 0)
    ]
    names, removed = ("read", "applied", "superseded", "duplicate", "quarantined", "held"), removed_objects(workspace)
    objects = [o | {"removed_by_retention": removed.get(o["path"])} for o in json.loads(record["objects"] or "[]")]
    return {
        "batch_id": batch_id, "table": record["table"], "kind": record["kind"], "status": record["status"],
        "run_id": record["run_id"], "logical_date": record["logical_date"], "reason": record["reason"],
        "counts": {n: record[n] for n in names}, "source_extract_time": [record["extracted_min"], record["extracted_max"]],
        "positions": [record["position_min"], record["position_max"]],
        "delta_versions": {"bronze": record["bronze_version"], "silver": record["silver_version"]},
        "objects": objects, "first_published_by": serving[0] if serving else None,
    }  # fmt: skip


def trace_publication(workspace: Workspace, publication_id: str) -> Facts:
    """Return everything behind a publication: run, code, configuration, checks, versions, batches."""
    records = all_records(workspace)
    found = [p for p in records if p.publication_id == publication_id]
    if not found:
        raise NotFoundError(
            "no such publication", where=Where(file=publication_id), then="`ledgerlake status` lists publications"
        )
    record = found[-1]
    before = [p for p in records[: records.index(record)] if p.is_served]
    since = before[-1].inputs if before else {}
    batches = [
        {
            "batch_id": b["batch_id"],
            "table": b["table"],
            "read": b["read"],
            "applied": b["applied"],
            "objects": len(json.loads(b["objects"] or "[]")),
        }
        for b in workspace.control.finished_batches().values()
        if since.get(b["table"], -1) < (b["silver_version"] or 0) <= record.inputs.get(b["table"], -1)
    ]
    run = workspace.control.latest("runs", "run_id").get(record.run_id, {})
    names = ("owner", "type", "columns", "on_fail", "success", "unexpected_count", "observed", "why", "sample_keys")
    checks = [{n: k[n] for n in names} for k in workspace.control.read("checks") if k["run_id"] == record.run_id]
    return {
        "publication_id": publication_id, "status": record.status, "pipeline": workspace.pipeline.name,
        "logical_date": record.logical_date, "recorded_at": record.at, "run_id": record.run_id,
        "code_version": run.get("code_version"), "config_fingerprint": run.get("config_fingerprint"),
        "reason": record.reason, "rows_published": record.rows,
        "partitions": {m: "whole" if v is None else list(v) for m, v in record.partitions.items()},
        "delta_versions": {**record.marts} | {f"silver.{t}": v for t, v in record.inputs.items()},
        "batches": batches, "checks": checks,
    }  # fmt: skip


def trace_row(workspace: Workspace, name: str, key: str) -> Facts:
    """Return a row's origin: of a silver table its changes, of a mart also the rows it was made from.

    ``key`` are the key's values in order, joined by commas. Starts Spark.
    """
    values = tuple(key.split(","))
    if name in workspace.pipeline.tables:
        return _silver_trace(workspace, workspace.table(name), values)
    marts = {m.mart: m for m in workspace.pipeline.spec.marts}
    if name not in marts:
        known = [*workspace.pipeline.tables, *marts]
        raise NotFoundError(f"no table or mart {name!r}", where=Where(table=name), then=f"use one of {known}")
    return _mart_trace(workspace, marts[name], values)


def _silver_trace(workspace: Workspace, table: Table, values: tuple[str, ...]) -> Facts:
    _same_length(table.key, values, table.table)
    kinds = {k: spark_type(table.column(k).type) for k in table.key}
    where = " AND ".join(f"`{k}` = {value_literal(v, kinds[k])}" for k, v in zip(table.key, values, strict=True))
    bronze = reading.relation(workspace, "bronze", workspace.paths.bronze(table.table)).where(where)
    rows = workspace.engines.rows(bronze.first(ROWS_MAX, c.POSITION))
    if not rows:
        raise NotFoundError(
            "no change of this key was ever loaded",
            where=Where(table=table.table),
            then="check the key; `ledgerlake quarantine list` may hold it",
        )
    standing = reading.relation(workspace, "silver", workspace.paths.silver(table.table))
    current = state = workspace.engines.row(standing.where(where))
    changes = _origins(workspace, table, rows)
    return {
        "table": table.table, "key": dict(zip(table.key, values, strict=True)),
        "current": {n: MASK if table.column(n).pii != "none" else state.get(n) for n in table.column_names} if current else None,
        "deleted": bool(state.get(c.DELETED, False)), "current_batch": state.get(c.BATCH_ID), "changes": changes,
    }  # fmt: skip


def _origins(workspace: Workspace, table: Table, rows: list[Facts]) -> list[Facts]:
    removed = removed_objects(workspace)
    sources = {
        o["path"]: o["source"]
        for b in workspace.control.finished_batches(table.table).values()
        for o in json.loads(b["objects"] or "[]")
    }
    return [
        {
            "position": row[c.POSITION], "op": row.get(c.OP), "batch_id": row[c.BATCH_ID], "object": row[c.OBJECT],
            "source": sources.get(row[c.OBJECT]), "ordinal": row[c.ORDINAL], "source_extract_time": row[c.EXTRACTED_AT],
            "object_removed_by_retention": removed.get(row[c.OBJECT]),
        }
        for row in rows
    ]  # fmt: skip


def _mart_trace(workspace: Workspace, mart: Mart, values: tuple[str, ...]) -> Facts:
    _same_length(mart.key, values, mart.mart)
    last = served(workspace)
    if last is None or mart.mart not in last.marts:
        raise NotFoundError(
            "nothing of this mart is published yet", where=Where(table=mart.mart), then="run the pipeline"
        )
    shown = reading.relation(workspace, "mart", workspace.paths.mart(mart.mart), last.marts[mart.mart])
    where = " AND ".join(f"CAST(`{k}` AS STRING) = {literal(v)}" for k, v in zip(mart.key, values, strict=True))
    found = workspace.engines.row(shown.where(where))
    if not found:
        raise NotFoundError(
            "the published mart has no such row",
            where=Where(table=mart.mart),
            then=f"give the key as {','.join(mart.key)}",
        )
    personal = personal_columns(workspace.pipeline, mart)
    return {
        "mart": mart.mart, "row": {n: MASK if n in personal and v is not None else v for n, v in found.items()}, "publication_id": last.publication_id, "run_id": last.run_id,
        "delta_version": last.marts[mart.mart],
        "made_from": [_contribution(workspace, mart, i, found, last.inputs) for i in _table_inputs(workspace, mart)],
    }  # fmt: skip


def _table_inputs(workspace: Workspace, mart: Mart) -> list[Any]:
    """Return the silver inputs of a mart, those of the marts below it included."""
    found = [i for i in mart.inputs if i.table]
    for item in mart.inputs:
        if item.mart:
            found += _table_inputs(workspace, workspace.pipeline.mart(item.mart))
    return found


def _contribution(
    workspace: Workspace, mart: Mart, item: Any, row: Facts, versions: Mapping[str, int]
) -> Facts:
    """Return the rows of one input that fall on the mart row: equal key columns, same partition."""
    if (
        item.name not in workspace.pipeline.tables
    ):  # a history or a master, made of tables that can be traced themselves
        return {"table": item.name, "matched_on": [], "rows": [], "more": True}
    table = workspace.table(item.name)
    rows = silver_rows(workspace, item.name, versions[item.name])
    shared = [k for k in mart.key if k in table.column_names]
    tests = [f"CAST(`{k}` AS STRING) = {literal(str(row[k]))}" for k in shared]
    if mart.partition_by and item.partition and mart.partition_by not in shared:
        kind = workspace.engines.types(rows.select(f"{item.partition} AS p"))["p"]
        value = literal(str(row[mart.partition_by]))
        tests.append(
            f"exists({item.partition}, p -> CAST(p AS STRING) = {value})"
            if kind.startswith("array")
            else f"CAST({item.partition} AS STRING) = {value}"
        )
    matching = rows.where(" AND ".join(tests)) if tests else rows
    origin = matching.select(*map(quoted, table.key), *(n for n in c.ORIGIN if n not in table.key))
    picked = workspace.engines.rows(origin.first(ROWS_MAX + 1, *table.key))
    shown = picked[:ROWS_MAX]
    return {
        "table": item.name, "matched_on": [*shared, *([mart.partition_by] if mart.partition_by else [])],
        "rows": [{k: r[k] for k in table.key} | o for r, o in zip(shown, _origins(workspace, table, shown), strict=True)],
        "more": len(picked) > ROWS_MAX,
    }  # fmt: skip


def _same_length(key: tuple[str, ...], values: tuple[str, ...], name: str) -> None:
    if len(key) != len(values):
        raise NotFoundError(
            f"the key has {len(key)} columns, {len(values)} given",
            where=Where(table=name),
            then=f"give --key {','.join(key)}",
        )
