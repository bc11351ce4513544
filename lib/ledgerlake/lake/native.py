"""Small batches are appended and merged through delta-rs: the same MERGE as in ``silver``, without Spark's writers.

For tens of thousands of changes Spark's MERGE is mostly planning, two passes and shuffles; the
native engine does the same in an eighth of the time (docs/performance.md, ADR 0007). Large
batches, large targets and tables of partial changes go through Spark. Tests hold both engines
to the same oracle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.core.types import decimal_parts
from ledgerlake.errors import TransientError, Where
from ledgerlake.lake.tables import TableStorage, _rs_uri

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

TARGET_BYTES_MAX = 1 << 30
"""Target files that a native merge may have to rewrite; above it a cluster does it faster."""


APPEND_ROWS_MAX = 20_000
"""Rows that pass through this process's memory on their way into a table; above it Spark writes them itself."""


def suits(table: Table, rows: int, rows_max: int) -> bool:
    """Say whether a batch of ``rows`` accepted changes is small enough, and its table whole."""
    return table.changes == "whole" and rows <= rows_max


def merge(
    storage: TableStorage, table: Table, bronze: str, silver: str, batch_id: str, truncated_at: str,
    key_range: tuple[str, str], note: Mapping[str, Any],
) -> bool:  # fmt: skip
    """Merge a batch's winners into silver in one commit; False where the target is too large.

    ``key_range`` are the lowest and highest first key column of the batch, as text: literal
    bounds prune the target's files. Raises :class:`TransientError` where another writer
    committed in between.
    """
    target = storage.open(silver)
    assert target is not None, "silver is created before it is merged into"
    if sum(target.get_add_actions(flatten=True)["size_bytes"].to_pylist()) > TARGET_BYTES_MAX:
        return False
    columns = [f.name for f in target.schema().fields]
    source = _winners(storage, bronze, columns, batch_id, truncated_at)
    key = " AND ".join(f't."{k}" = s."{k}"' for k in table.key)
    low, high = (_literal(v, table.column(table.key[0]).type) for v in key_range)
    first = f't."{table.key[0]}"'
    merger = target.merge(
        source, f"{key} AND {first} >= {low} AND {first} <= {high}", source_alias="s", target_alias="t",
        commit_properties=_marked(f"{batch_id}-silver", note),
    )  # fmt: skip
    taken = {f'"{n}"': f's."{n}"' for n in columns}
    updated = {n: e for n, e in taken.items() if n.strip('"') not in table.key}
    newer = f"s.{c.POSITION} > t.{c.POSITION}"
    try:
        merger.when_matched_update(updated, predicate=newer).when_not_matched_insert(taken).execute()
    except CommitFailedError as error:
        raise TransientError(
            "another writer committed to silver at the same moment",
            where=Where(table=table.table, batch_id=batch_id),
            then="run again; the batch continues where it stopped",
        ) from error
    return True


def append(storage: TableStorage, uri: str, rows: DataFrame, step: str, note: Mapping[str, Any]) -> None:
    """Append a few rows of a Spark frame in one commit, marked as ``lake.commits`` marks Spark's own; none: no commit.

    Spark reads the state of a table anew for each write; for small batches that costs more than
    everything else. Raises :class:`TransientError` where another writer committed in between.
    """
    import pyarrow as pa

    batches = rows._collect_as_arrow()
    if not batches:
        return
    try:
        write_deltalake(
            _rs_uri(uri), pa.Table.from_batches(batches), mode="append", storage_options=storage.options,
            commit_properties=_marked(step, note),
        )  # fmt: skip
    except CommitFailedError as error:
        raise TransientError(
            "another writer committed at the same moment",
            where=Where(file=uri),
            then="run again; the batch continues where it stopped",
        ) from error


def _marked(step: str, note: Mapping[str, Any]) -> CommitProperties:
    return CommitProperties(
        custom_metadata={"userMetadata": json.dumps(note, sort_keys=True, default=str)},
        app_transactions=[Transaction(step, 1)],
    )


def _winners(storage: TableStorage, bronze: str, columns: list[str], batch_id: str, truncated_at: str) -> pa.Table:
    """Return the batch's newest change per key in silver's columns, as ``silver.folded`` does."""
    deleted = f"({c.OP} = 'delete' OR {c.POSITION} < '{truncated_at}') AS \"{c.DELETED}\""
    selected = [deleted if n == c.DELETED else f'"{n}"' for n in columns]
    mine = f"{c.BATCH_ID} = '{batch_id}' AND {c.WINNER} AND {c.OP} <> 'truncate'"
    found = storage.rows(bronze, mine, columns=", ".join(selected))
    assert found is not None, "bronze is written before silver"
    return found


def _literal(text: str, kind: str) -> str:
    """Return a value, given as text, as a literal of the native engine."""
    quoted = "'" + text.replace("'", "''") + "'"
    if kind == "string":
        return quoted
    if kind in ("integer", "bigint"):
        return text
    parts = decimal_parts(kind)
    return f"arrow_cast({quoted}, 'Decimal128({parts[0]}, {parts[1]})')" if parts else f"CAST({quoted} AS {kind})"
