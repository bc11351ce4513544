"""Exports what a publication sends: the changed partitions as Parquet, counted, totalled and hashed on the way.

Few rows are written from this process, others by Spark in one pass; the counts that the
warehouse must confirm are the same either way.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import compute, parquet

from ledgerlake.config.models import Mart
from ledgerlake.core.types import contract_type, decimal_parts
from ledgerlake.errors import SourceError, Where
from ledgerlake.lake import candidates, reading
from ledgerlake.lake.candidates import Candidate
from ledgerlake.lake.workspace import Workspace
from ledgerlake.publish.keyhash import key_hash, spark_key_hash
from ledgerlake.publish.model import PublishedColumn, TableSlice

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class _Facts:
    """What is known of exported rows: their number, the sums of decimal columns, the hash of all keys."""

    rows: int
    totals: dict[str, Decimal]
    key_hash: str


def exported(workspace: Workspace, publication_id: str, candidate: Candidate, aside: Path) -> TableSlice:
    """Export the partitions that a candidate rebuilt and return what to load and what must then hold.

    What the warehouse's driver must find on this machine is fetched into the folder ``aside``.
    """
    mart = candidate.mart
    known = reading.types(workspace, workspace.paths.mart(mart.mart), candidate.version)
    types = {name: _published_type(mart, name, kind) for name, kind in known.items()}
    folder = workspace.paths.export(publication_id, mart.mart)
    rows = candidates.few_changed(workspace, candidate)
    facts = _natively(workspace, folder, rows.select(list(types)), mart, types) if rows is not None else None
    if facts is None:
        frame = workspace.engines.frame(candidates.read(workspace, candidate, changed_only=True))
        facts = _by_spark(folder, frame.select(*types), mart, types)
    return TableSlice(
        table=mart.mart, columns=tuple(PublishedColumn(n, t) for n, t in types.items()), key=mart.key,
        partition_column=None if candidate.scope.whole else mart.partition_by,
        partitions=candidate.scope.partitions, files=_files(workspace, folder, aside), expected_rows=facts.rows,
        control_totals=facts.totals, key_hash=facts.key_hash,
    )  # fmt: skip


def _by_spark(folder: str, frame: DataFrame, mart: Mart, types: dict[str, str]) -> _Facts:
    from pyspark.sql import Observation
    from pyspark.sql import functions as f

    totals, measured = _totalled(types), Observation()
    counted = frame.observe(
        measured, f.count(f.lit(1)).alias("rows"), f.expr(spark_key_hash(mart.key, types)).alias("key_hash"),
        *(f.expr(f"CAST(coalesce(sum(`{n}`), 0) AS STRING)").alias(n) for n in totals),
    )  # fmt: skip
    counted.coalesce(1).write.mode("overwrite").parquet(folder)
    found: dict[str, Any] = measured.get
    return _Facts(found["rows"], {n: Decimal(found[n]) for n in totals}, found["key_hash"])


def _natively(workspace: Workspace, folder: str, rows: pa.Table, mart: Mart, types: dict[str, str]) -> _Facts | None:
    """Export rows from here; None where a key is a moment that Python does not know (after the year 9999)."""
    plain = rows.cast(pa.schema([_plain(field) for field in rows.schema]))
    try:
        keys = key_hash(zip(*(plain[k].to_pylist() for k in mart.key), strict=True), [types[k] for k in mart.key])
    except (OverflowError, ValueError):
        return None
    body = io.BytesIO()
    parquet.write_table(plain, body, compression="snappy")
    below = _in_store(workspace, folder)
    for left in list(workspace.objects.list(below)):  # what an attempt that was killed wrote
        workspace.objects.delete(left.path)
    workspace.objects.write(f"{below}part-00000.parquet", body.getvalue())
    totals = {n: compute.sum(plain[n]).as_py() or Decimal(0) for n in _totalled(types)}
    return _Facts(plain.num_rows, totals, keys)


def _plain(field: pa.Field) -> pa.Field:
    """Return a column as every reader of Parquet knows it: Arrow's views of text are its own, moments are UTC."""
    if pa.types.is_string_view(field.type):
        return field.with_type(pa.string())
    return field.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(field.type) else field


def _totalled(types: dict[str, str]) -> list[str]:
    return [n for n, kind in types.items() if decimal_parts(kind)]


def _files(workspace: Workspace, folder: str, aside: Path) -> tuple[Path | str, ...]:
    root = workspace.objects.uri
    names = [i.path for i in workspace.objects.list(_in_store(workspace, folder)) if i.path.endswith(".parquet")]
    if not root.startswith("s3"):
        return tuple(Path(root) / n for n in names)
    if workspace.pipeline.spec.publication.external_stage:
        return tuple(f"{root}/{n}".replace("s3a://", "s3://") for n in names)
    return tuple(_fetched(workspace, n, aside) for n in names)


def _in_store(workspace: Workspace, folder: str) -> str:
    """Return a folder's prefix as the lake's object store names it."""
    return folder.removeprefix(workspace.objects.uri + "/") + "/"


def _fetched(workspace: Workspace, name: str, aside: Path) -> Path:
    target = aside / name.replace("/", "-")
    target.write_bytes(workspace.objects.read(name))
    return target


def _published_type(mart: Mart, column: str, spark_name: str) -> str:
    known = contract_type(spark_name)
    if known is None:
        raise SourceError(
            f"the column has type {spark_name}, which is not published",
            where=Where(table=mart.mart, column=column), then="cast it in the mart's SQL, money to decimal(p,s)",
        )  # fmt: skip
    return known
