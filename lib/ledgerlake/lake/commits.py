"""Marks one Delta commit as belonging to a batch, so that it lands exactly once and is found again.

``txnAppId``/``txnVersion`` make a repeated commit a no-op even when its first response was
lost. The app id is distinct per batch and step: Delta skips versions at or below the last one
*silently*, so sharing an id would make an out-of-order backfill vanish.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ledgerlake.lake.fence import Fence

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_APP, _VERSION = "spark.databricks.delta.write.txnAppId", "spark.databricks.delta.write.txnVersion"
_NOTE = "spark.databricks.delta.commitInfo.userMetadata"


def note_text(note: Mapping[str, Any]) -> str:
    """Return a note as it stands in a commit, in either engine's."""
    return json.dumps(note, sort_keys=True, default=str)


@contextmanager
def marked(session: SparkSession, fence: Fence, step: str, note: Mapping[str, Any]) -> Iterator[None]:
    """Mark the one commit made inside; ``note`` must hold what a resumed run needs to know.

    Raises :class:`~ledgerlake.errors.LeaseLost` where the run must not write any more.
    """
    fence.check()
    settings = {_APP: step, _VERSION: "1", _NOTE: note_text(note)}
    for key, value in settings.items():
        session.conf.set(key, value)
    try:
        yield
    finally:
        for key in settings:
            session.conf.unset(key)
