"""Which files of a Delta table no version inside a window needs, as delta-rs answers it.

delta-rs is only asked (``dry_run``), never told to delete: its own vacuum writes two commits, and
the versions of silver are what publications are named by, so an idle pipeline would be published
again. What it lists is deleted by the object store instead.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from ledgerlake.core.retention import versions_to_pin
from ledgerlake.lake.tables import TableStorage

_PROPERTY = "delta.deletedFileRetentionDuration"


def unneeded_files(
    storage: TableStorage, uri: str, window: timedelta, named: set[int], cutoff: datetime
) -> set[str] | None:
    """Return files, relative to the table, that only versions older than ``window`` need.

    ``named`` are versions that somebody still reads, however old. Empty where there is no table;
    None where one of those versions cannot be opened any more, so nothing can be told safely.

    Where the log remembers removed files for the whole window, files that no commit names (left
    by killed writes) and old change data are listed too; else only files that the log says were
    removed before it: an unnamed file might belong to a version inside the window. delta-rs
    counts the window back from the machine's clock; callers compare ages with their own.
    """
    table = storage.open(uri)
    if table is None:
        return set()
    remembered = _remembered(table)
    replaced = {v for v in named if 0 <= v < table.version()}
    pinned = versions_to_pin(replaced, {k.version: k.at for k in storage.commits(uri)}, cutoff) if replaced else []
    hours = math.ceil(max(window, remembered) / timedelta(hours=1))
    try:
        listed = table.vacuum(
            hours, dry_run=True, enforce_retention_duration=True, full=remembered >= window, keep_versions=pinned
        )
    except DeltaError:
        if pinned:
            return None
        raise
    return {path for path in listed if path.endswith(".parquet")}


def _remembered(table: DeltaTable) -> timedelta:
    """Return for how long the table's log is known to remember removed files; zero where it does not say."""
    found = re.fullmatch(r"interval (\d+) days?", table.metadata().configuration.get(_PROPERTY) or "")
    return timedelta(days=int(found[1]) if found else 0)
