"""Candidates: mart versions that are written and that no publication names yet.

Only the partitions of the candidate's scope are replaced, in one commit. Few rows are computed
by Spark and written by delta-rs, as small batches are (ADR 0007).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import write_deltalake
from pyarrow import compute

from ledgerlake.config.models import Mart
from ledgerlake.errors import LedgerlakeError, SourceError, Where
from ledgerlake.lake import reading
from ledgerlake.lake.commits import note_text
from ledgerlake.lake.native import raced, sole_writer
from ledgerlake.lake.reading import Partitions
from ledgerlake.lake.tables import REPLAY_WINDOW, _rs_uri
from ledgerlake.lake.workspace import Workspace
from ledgerlake.sql.relation import Relation, literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_NO_PARTITION = "ledgerlake: no partition value"
_TOO_LONG = ("File name too long", "os error 36", "KeyTooLong")


@dataclass(frozen=True)
class Scope:
    """Which partitions of a mart must be rebuilt: ``whole``, or the named values (maybe none)."""

    whole: bool
    partitions: tuple[str, ...] = ()
    unplaced: bool = False  # rows changed that have no partition value; the SQL must leave them out

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


def has_columns(workspace: Workspace, mart: Mart, types: Mapping[str, str]) -> bool:
    """Say whether the mart stands with these columns and types: only then can a part of it be replaced."""
    return reading.types(workspace, workspace.paths.mart(mart.mart)) == dict(types)


def placed(workspace: Workspace, mart: Mart, rows: Relation, types: Mapping[str, str]) -> DataFrame:
    """Return a mart's rows as Spark's; one without a partition value, which could never be found again, fails when read."""
    frame, by = workspace.engines.frame(rows), mart.partition_by
    if by is None:
        return frame
    return frame.selectExpr(*(_always_placed(n, t) if n == by else f"`{n}`" for n, t in types.items()))


def held_if_few(workspace: Workspace, mart: Mart, rows: Relation, types: Mapping[str, str]) -> pa.Table | None:
    """Return a mart's rows in this process, None where they are many or must be written by Spark.

    Raises SourceError where a row has no partition value.
    """
    by = mart.partition_by
    if by and not reading.placed_by_name(types[by]):
        return None
    held = workspace.engines.table_if_few(rows)
    if held is not None and by and _lacks(held[by]):
        raise unplaced(mart)
    return held


def _lacks(values: pa.ChunkedArray) -> bool:
    """Say whether a row has no partition value; Delta keeps an empty text as none."""
    empty = pa.types.is_string(values.type) and compute.any(compute.equal(values, "")).as_py()
    return bool(values.null_count or empty)


def write(
    workspace: Workspace, mart: Mart, only: Partitions | None, rows: DataFrame | pa.Table, note: Mapping[str, Any],
    base: int,
) -> None:  # fmt: skip
    """Write the rows that fall into ``only`` (None: all), in one commit marked with ``note``, right after ``base``.

    ``rows`` are all of the mart's, held or ``placed``; ``base`` is the version that the scope was
    found from (-1: there is no table yet). Raises SourceError where a row has no partition value,
    TransientError where another writer committed in between.
    """
    if isinstance(rows, pa.Table):
        inside = rows.filter(inside_of(rows, only)) if only else rows
        with told(mart):
            workspace.storage.again(lambda: _written_once(workspace, mart, inside, only, note, base))
        return
    kind = dict(rows.dtypes).get(str(mart.partition_by), "")
    some = rows.where(f"{only.predicate} OR {reading.unplaced_sql(only.column, kind)}") if only else rows
    with told(mart):
        _by_spark(workspace, mart, some, only, note, base)


def inside_of(rows: pa.Table, only: Partitions) -> pa.ChunkedArray:
    """Return for each row whether it stands in one of the named partitions."""
    return compute.is_in(rows[only.column].cast(pa.string()), pa.array(only.values, pa.string()))


@contextmanager
def told(mart: Mart) -> Iterator[None]:
    """Turn what an engine says of a partition value that cannot be one into an error of the mart."""
    try:
        yield
    except LedgerlakeError:
        raise
    except Exception as error:
        if _NO_PARTITION in str(error):
            raise unplaced(mart) from error
        if any(sign in str(error) for sign in _TOO_LONG):
            raise SourceError(
                "a partition value is too long: it is the name of a folder", where=Where(table=mart.mart, column=mart.partition_by),
                then="partition by something short: a day, a month, a code",
            ) from error  # fmt: skip
        raise


def _by_spark(
    workspace: Workspace, mart: Mart, rows: DataFrame, only: Partitions | None, note: Mapping[str, Any], base: int
) -> None:
    workspace.fence.check()
    shaped = rows.repartition(2, mart.partition_by) if mart.partition_by else rows.coalesce(1)
    scope = {"replaceWhere": only.predicate} if only else {"overwriteSchema": "true"}
    given = {**REPLAY_WINDOW, **scope}
    writer = shaped.write.format("delta").mode("overwrite").options(**given, userMetadata=note_text(note))
    path = workspace.paths.mart(mart.mart)
    (writer.partitionBy(mart.partition_by) if mart.partition_by else writer).save(path)
    newest = workspace.storage.commits(path, 1)[0]
    if (newest.version, newest.note.get("run_id")) != (base + 1, note["run_id"]):
        raise raced(Where(table=mart.mart))  # what was committed is no version that anybody serves


def _written_once(
    workspace: Workspace, mart: Mart, rows: pa.Table, only: Partitions | None, note: Mapping[str, Any], base: int
) -> None:
    path = workspace.paths.mart(mart.mart)
    if any(k.version == base + 1 and dict(k.note) == json.loads(note_text(note)) for k in workspace.storage.commits(path, 1)):
        return  # the answer to an earlier attempt was lost
    target = workspace.storage.open(path, base) if base >= 0 else None
    with sole_writer(Where(table=mart.mart)):
        write_deltalake(
            _rs_uri(path) if target is None else target, rows, mode="overwrite",
            partition_by=[mart.partition_by] if mart.partition_by else [],
            predicate=only.native_predicate if only else None, schema_mode=None if only else "overwrite",
            storage_options=workspace.storage.options, commit_properties=workspace.storage.mark(None, note),
            configuration=REPLAY_WINDOW,
        )  # fmt: skip


def read(workspace: Workspace, candidate: Candidate, name: str = "candidate", *, changed_only: bool = False) -> Relation:
    """Return the candidate's rows, or only those of the partitions it rebuilt, as an input called ``name``."""
    only = _changed(workspace, candidate) if changed_only else None
    return reading.relation(workspace, name, workspace.paths.mart(candidate.mart.mart), candidate.version, only)


def few_changed(workspace: Workspace, candidate: Candidate) -> pa.Table | None:
    """Return the rows of the partitions it rebuilt without Spark, None where they are many."""
    uri = workspace.paths.mart(candidate.mart.mart)
    return reading.few(workspace, uri, candidate.version, _changed(workspace, candidate))


def unplaced(mart: Mart) -> SourceError:
    """Return the error of a mart whose SQL gives rows without a partition value."""
    return SourceError(
        "the SQL gives rows without a partition value", where=Where(table=mart.mart, column=mart.partition_by),
        then="leave such rows out in the mart's SQL, or give them a value there and in `partition:`",
    )  # fmt: skip


def _changed(workspace: Workspace, candidate: Candidate) -> Partitions | None:
    if candidate.scope.whole:
        return None
    types = reading.types(workspace, workspace.paths.mart(candidate.mart.mart), candidate.version)
    return partitions_of(candidate.mart, candidate.scope, types)


def partitions_of(mart: Mart, scope: Scope, types: Mapping[str, str]) -> Partitions:
    """Return the named partitions of a scope that is not the whole mart; ``types`` are those of the mart's columns."""
    column = str(mart.partition_by)
    return Partitions(column, types[column], scope.partitions)


def _always_placed(name: str, kind: str) -> str:
    return f"CASE WHEN {reading.unplaced_sql(name, kind)} THEN CAST(raise_error({literal(_NO_PARTITION)}) AS {kind}) ELSE `{name}` END AS `{name}`"
