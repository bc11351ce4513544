"""Small batches merge through delta-rs: the same MERGE as in ``silver``, without starting Spark jobs.

For tens of thousands of changes Spark's MERGE is mostly planning, two passes and shuffles; the
native engine does the same in an eighth of the time (docs/performance.md, ADR 0007). Large
batches, large targets and tables of partial changes go through Spark. Tests hold both engines
to the same oracle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.core.types import decimal_parts
from ledgerlake.errors import TransientError, Where
from ledgerlake.lake.tables import TableStorage

if TYPE_CHECKING:
    import pyarrow as pa

TARGET_BYTES_MAX = 1 << 30
"""Target files that a native merge may have to rewrite; above it a cluster does it faster."""


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
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": json.dumps(note, sort_keys=True, default=str)},
            app_transactions=[Transaction(f"{batch_id}-silver", 1)],
        ),
    )  # fmt: skip
    taken = {f'"{n}"': f's."{n}"' for n in columns}
    updated = {n: e for n, e in taken.items() if n.strip('"') not in table.key}
    newer = f"s.{c.POSITION} > t.{c.POSITION}"
    try:
        replacing = merger if table.append_only else merger.when_matched_update(updated, predicate=newer)
        replacing.when_not_matched_insert(taken).execute()
    except CommitFailedError as error:
        raise TransientError(
            "another writer committed to silver at the same moment",
            where=Where(table=table.table, batch_id=batch_id),
            then="run again; the batch continues where it stopped",
        ) from error
    return True


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
