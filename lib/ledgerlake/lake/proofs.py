"""What a mart's declaration says is proved on what was built: its key, and the partitions that changes touch.

A key that stands twice doubles whatever is joined to it. A ``partition:`` that does not fit the
mart leaves stale rows for ever, while every run says that it published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ledgerlake.config.models import Mart
from ledgerlake.errors import ConfigError, Where
from ledgerlake.feeds.frames import union_all
from ledgerlake.lake import candidates, reading
from ledgerlake.lake.candidates import Candidate
from ledgerlake.lake.reading import Partitions
from ledgerlake.lake.workspace import Workspace
from ledgerlake.sql.relation import Relation

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def uncovered(
    workspace: Workspace, rows: DataFrame | pa.Table, partition_by: str, values: Sequence[Relation]
) -> str | None:
    """Return a partition of a mart that no input's expression gives, None where all are given.

    ``values`` have one column ``p`` of text each.
    """
    given = union_all(list(values)).distinct()
    if isinstance(rows, pa.Table):
        built = set(pc.unique(rows[partition_by]).cast(pa.string()).to_pylist())
        return min(built - {r["p"] for r in workspace.engines.rows(given)}, default=None) if built else None
    places = rows.selectExpr(f"CAST(`{partition_by}` AS STRING) AS p").distinct()
    row = places.join(workspace.engines.frame(given), "p", "left_anti").first()
    return None if row is None else str(row["p"])


def differing_outside(
    workspace: Workspace, rows: DataFrame | pa.Table, uri: str, base: int, only: Partitions
) -> str | None:
    """Return a partition outside of ``only`` in which a mart's SQL gives other rows than stand at ``base``, None without one."""
    held = reading.few(workspace, uri, base) if isinstance(rows, pa.Table) else None
    if isinstance(rows, pa.Table) and held is not None:
        return _differing_here(rows, held, only)
    if isinstance(rows, pa.Table):
        rows = workspace.engines.frame(Relation.of("rebuilt", rows, rows.column_names))
    return _differing_in_spark(rows, reading.frame(workspace, uri, base), only)


def _differing_here(rows: pa.Table, standing: pa.Table, only: Partitions) -> str | None:
    fresh, old = (_outside(t.select(rows.column_names).cast(rows.schema), only) for t in (rows, standing))
    if fresh.equals(old):
        return None
    counted = Counter(zip(*(c.to_pylist() for c in fresh.columns), strict=True))
    counted.subtract(Counter(zip(*(c.to_pylist() for c in old.columns), strict=True)))
    place = rows.column_names.index(only.column)
    return min((str(row[place]) for row, n in counted.items() if n), default=None)


def _outside(rows: pa.Table, only: Partitions) -> pa.Table:
    some = rows.filter(pc.invert(candidates.inside_of(rows, only)))
    return some.sort_by([(n, "ascending") for n in some.column_names]).combine_chunks()


def _differing_in_spark(rows: DataFrame, standing: DataFrame, only: Partitions) -> str | None:
    """Count and hash the rows of both with opposite signs, so that one pass over both tells."""
    place = f"CAST(`{only.column}` AS STRING) AS p"
    columns = ", ".join(f"`{n}`" for n in rows.columns)

    def signed(frame: DataFrame, sign: str) -> DataFrame:
        outside = frame.where(f"NOT coalesce({only.predicate}, false)")
        return outside.selectExpr(place, f"{sign} AS n", f"CAST(xxhash64({columns}) AS DECIMAL(38,0)) * {sign} AS h")

    both = signed(rows, "1").unionByName(signed(standing, "-1"))
    sums = both.groupBy("p").agg({"n": "sum", "h": "sum"}).where("`sum(n)` <> 0 OR `sum(h)` <> 0")
    row = sums.first()
    return None if row is None else str(row["p"])


def unfound(mart: Mart, expressions: Mapping[str, str], partition: str) -> ConfigError:
    """Return the error of a mart whose ``partition:`` expressions do not find a partition that changed."""
    said = "; ".join(f"{name}: {text}" for name, text in expressions.items())
    return ConfigError(
        f"rows of {mart.mart} change in its partition {mart.partition_by} = {partition}, which `partition:` of its"
        f" inputs does not give ({said})",
        where=Where(table=mart.mart, column=mart.partition_by),
        then="correct the expression so that it gives the mart's own partition values (an array where a row touches"
        " several), or leave `partition:` out: the mart is rebuilt whole then",
    )  # fmt: skip


def repeated_keys(workspace: Workspace, candidate: Candidate) -> int:
    """Return how many keys of what a candidate rebuilt stand more than once in it, or have no value.

    Where the key holds the partition, only rebuilt partitions can hold it twice; else all are looked at.
    """
    mart = candidate.mart
    changed_only = mart.partition_by in mart.key or mart.partition_by is None
    rows = (
        candidates.few_changed(workspace, candidate)
        if changed_only
        else reading.few(workspace, workspace.paths.mart(mart.mart), candidate.version)
    )
    if rows is not None:
        return _repeated(rows, mart.key)
    frame = workspace.engines.frame(candidates.read(workspace, candidate, changed_only=changed_only))
    missing = " OR ".join(f"`{k}` IS NULL" for k in mart.key)
    counted = frame.groupBy(*(f"`{k}`" for k in mart.key)).count()
    return counted.where(f"`count` > 1 OR {missing}").count()


def _repeated(rows: pa.Table, key: Sequence[str]) -> int:
    if not rows.num_rows:
        return 0
    counts = rows.select(list(key)).group_by(list(key)).aggregate([([], "count_all")])
    wrong = pc.greater(counts["count_all"], 1)
    for name in key:
        wrong = pc.or_(wrong, pc.is_null(counts[name]))
    return int(pc.sum(wrong).as_py() or 0)
