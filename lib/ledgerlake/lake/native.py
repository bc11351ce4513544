"""Small batches are merged, and small tables truncated, through delta-rs: the same MERGE as in ``silver``, without Spark's writers.

For tens of thousands of changes Spark's MERGE is mostly planning, two passes and shuffles; the
native engine does the same in an eighth of the time (docs/performance.md, ADR 0007). Large
batches, large targets and tables of partial changes go through Spark. Tests hold both engines
to the same oracle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deltalake.exceptions import CommitFailedError

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.core.types import decimal_parts
from ledgerlake.errors import TransientError, Where
from ledgerlake.lake.tables import TableStorage

if TYPE_CHECKING:
    import pyarrow as pa

HELD_ROWS_MAX = 5_000
"""Up to so many changes their consequences are brought into this process and merged from here."""

TARGET_BYTES_MAX = 1 << 30
"""Target files that a native merge may have to rewrite; above it a cluster does it faster."""


def suits(table: Table, rows: int, rows_max: int) -> bool:
    """Say whether a batch of ``rows`` accepted changes is small enough, and its table whole."""
    return table.changes == "whole" and rows <= rows_max


def fits(storage: TableStorage, path: str) -> bool:
    """Say whether a table's files are small enough to be merged into from one process."""
    table = storage.open(path)
    return table is None or sum(table.get_add_actions(flatten=True)["size_bytes"].to_pylist()) <= TARGET_BYTES_MAX


def merge(
    storage: TableStorage, table: Table, bronze: str, silver: str, batch_id: str, truncated_at: str,
    key_range: tuple[str, str], note: Mapping[str, Any],
) -> bool:  # fmt: skip
    """Merge a batch's winners into silver in one commit; False where the target is too large.

    ``key_range`` are the lowest and highest first key column of the batch, as text: literal
    bounds prune the target's files. Raises :class:`TransientError` where another writer
    committed in between.
    """
    if not fits(storage, silver):
        return False
    storage.again(lambda: _merge_once(storage, table, bronze, silver, batch_id, truncated_at, key_range, note))
    return True


def _merge_once(
    storage: TableStorage, table: Table, bronze: str, silver: str, batch_id: str, truncated_at: str,
    key_range: tuple[str, str], note: Mapping[str, Any],
) -> None:  # fmt: skip
    target = storage.open(silver)
    assert target is not None, "silver is created before it is merged into"
    if target.transaction_version(f"{batch_id}-silver") is not None:
        return  # the answer to an earlier attempt was lost
    columns = [f.name for f in target.schema().fields]
    source = _winners(storage, bronze, columns, batch_id, truncated_at)
    key = " AND ".join(f't."{k}" = s."{k}"' for k in table.key)
    low, high = (native_literal(v, table.column(table.key[0]).type) for v in key_range)
    first = f't."{table.key[0]}"'
    merger = target.merge(
        source, f"{key} AND {first} >= {low} AND {first} <= {high}", source_alias="s", target_alias="t",
        commit_properties=storage.mark(f"{batch_id}-silver", note),
    )  # fmt: skip
    taken = {f'"{n}"': f's."{n}"' for n in columns}
    updated = {n: e for n, e in taken.items() if n.strip('"') not in table.key}
    newer = f"s.{c.POSITION} > t.{c.POSITION}"
    with sole_writer(Where(table=table.table, batch_id=batch_id)):
        replacing = merger if table.append_only else merger.when_matched_update(updated, predicate=newer)
        replacing.when_not_matched_insert(taken).execute()


def truncate(
    storage: TableStorage, table: Table, path: str, truncated_at: str, step: str, note: Mapping[str, Any]
) -> None:
    """Withdraw every row older than a truncate, as ``silver.truncate_sql`` does; once for each ``step``."""
    storage.again(lambda: _truncate_once(storage, table, path, truncated_at, step, note))


def _truncate_once(
    storage: TableStorage, table: Table, path: str, truncated_at: str, step: str, note: Mapping[str, Any]
) -> None:
    target = storage.open(path)
    assert target is not None, "silver is created before it is truncated"
    if target.transaction_version(step) is not None:
        return
    older = f"{c.POSITION} < '{truncated_at}' AND NOT {c.DELETED}"
    with sole_writer(Where(table=table.table)):
        target.update({c.DELETED: "true"}, predicate=older, commit_properties=storage.mark(step, note))


@contextmanager
def sole_writer(where: Where) -> Iterator[None]:
    """Turn the loss of a race for a version into a TransientError."""
    try:
        yield
    except CommitFailedError as error:
        raise raced(where) from error


def raced(where: Where) -> TransientError:
    """Return the error of a commit that found its place taken."""
    return TransientError(
        "another writer committed at the same moment", where=where, then="run again; it continues where it stopped"
    )


def replace(
    storage: TableStorage, path: str, rows: pa.Table, key: tuple[str, ...], *, gone: str, differs: str = "true",
    note: Mapping[str, Any], transaction: str | None = None,
) -> None:  # fmt: skip
    """Merge rows that this process holds: those marked ``gone`` are deleted, others written where they differ.

    ``differs`` compares a standing row (t) with a given one (s). Raises :class:`TransientError`
    where another writer committed in between.
    """
    storage.again(lambda: _replace_once(storage, path, rows, key, gone, differs, note, transaction))


def _replace_once(
    storage: TableStorage, path: str, rows: pa.Table, key: tuple[str, ...], gone: str, differs: str,
    note: Mapping[str, Any], transaction: str | None,
) -> None:  # fmt: skip
    target = storage.open(path)
    assert target is not None, "tables are created before they are merged into"
    if transaction and target.transaction_version(transaction) is not None:
        return
    values = {f'"{n}"': f's."{n}"' for n in rows.column_names if n != gone}
    merger = target.merge(
        rows, " AND ".join(f't."{k}" = s."{k}"' for k in key), source_alias="s", target_alias="t",
        commit_properties=storage.mark(transaction, note),
    )  # fmt: skip
    merger = merger.when_matched_delete(f"s.{gone}").when_matched_update(
        values, predicate=f"NOT s.{gone} AND ({differs})"
    )
    with sole_writer(Where(file=path)):
        merger.when_not_matched_insert(values, predicate=f"NOT s.{gone}").execute()


def upsert(
    storage: TableStorage, path: str, rows: pa.Table, key: tuple[str, ...], step: str, note: Mapping[str, Any]
) -> None:
    """Write rows as they are, over those of their key that stand, in one commit; once for each ``step``."""
    import pyarrow as pa

    marked_ = rows.append_column("_gone", pa.repeat(pa.scalar(False), rows.num_rows))
    replace(storage, path, marked_, key, gone="_gone", note=note, transaction=step)


def _winners(storage: TableStorage, bronze: str, columns: list[str], batch_id: str, truncated_at: str) -> pa.Table:
    """Return the batch's newest change per key in silver's columns, as ``silver.folded`` does."""
    deleted = f"({c.OP} = 'delete' OR {c.POSITION} < '{truncated_at}') AS \"{c.DELETED}\""
    selected = [deleted if n == c.DELETED else f'"{n}"' for n in columns]
    mine = f"{c.BATCH_ID} = '{batch_id}' AND {c.WINNER} AND {c.OP} <> 'truncate'"
    found = storage.rows(bronze, mine, columns=", ".join(selected))
    assert found is not None, "bronze is written before silver"
    return found


def native_literal(text: str, kind: str) -> str:
    """Return a value, given as text, as a literal of the native engine."""
    quoted = "'" + text.replace("'", "''") + "'"
    if kind == "string":
        return quoted
    if kind in ("integer", "bigint"):
        return text
    if kind == "timestamp":  # the engine's own timestamps count nanoseconds, and end in 1677 and 2262
        return f"arrow_cast({quoted}, 'Timestamp(Microsecond, Some(\"UTC\"))')"
    parts = decimal_parts(kind)
    return f"arrow_cast({quoted}, 'Decimal128({parts[0]}, {parts[1]})')" if parts else f"CAST({quoted} AS {kind})"
