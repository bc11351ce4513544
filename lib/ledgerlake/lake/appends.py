"""Appends one step's rows of a batch in one marked commit, by the engine that suits their number.

Spark's own append reads the table's state anew, in jobs of its own, before it writes; for a few
rows that costs more than everything else in a load. So few rows are handed over as Arrow and
written by delta-rs (ADR 0007). Tests hold both engines to the same bronze.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from ledgerlake import arrow
from ledgerlake.errors import Where
from ledgerlake.lake.commits import marked
from ledgerlake.lake.native import sole_writer
from ledgerlake.lake.tables import TableStorage
from ledgerlake.lake.workspace import Workspace
from ledgerlake.sql.relation import Relation


def append(
    workspace: Workspace, path: str, rows: Relation, count: int, step: str, note: Mapping[str, Any], *, parts: int = 0
) -> None:  # fmt: skip
    """Append ``rows``, at most ``count`` of them, to the table at ``path``; ``step`` and ``note`` mark the commit.

    Spark writes them in ``parts`` files, where that is given.
    Raises :class:`TransientError` where another writer committed in between.
    """
    engines = workspace.engines
    if engines.holds(rows) or count <= min(engines.rows_max, arrow.ROWS_MAX):
        _append_natively(workspace.storage, path, engines.table(rows), step, note)
        return
    frame = engines.frame(rows)
    with marked(engines.session(), workspace.fence, step, note):
        (frame.coalesce(parts) if parts else frame).write.format("delta").mode("append").save(path)


def _append_natively(storage: TableStorage, path: str, rows: pa.Table, step: str, note: Mapping[str, Any]) -> None:
    if rows.num_rows:
        storage.again(lambda: _append_once(storage, path, rows, step, note))


def _append_once(storage: TableStorage, path: str, rows: pa.Table, step: str, note: Mapping[str, Any]) -> None:
    target = storage.open(path)
    assert target is not None, "tables are created before they are appended to"
    if target.transaction_version(step) is not None:
        return  # delta-rs catches a concurrent commit of the step, but would repeat a finished one
    with sole_writer(Where(file=path)):
        write_deltalake(
            target, rows, mode="append",
            schema_mode="merge",  # columns that the contract no longer has become null, as with Spark
            commit_properties=storage.mark(step, note),
        )  # fmt: skip
