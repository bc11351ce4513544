"""The changes that a slot's extraction landed: lines ``{commit_lsn, place, action, new, old, unchanged}``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.changes import Changes
from ledgerlake.feeds.decoding.frame import Decode
from ledgerlake.feeds.decoding.records import record_of
from ledgerlake.feeds.postgres.row_changes import RowChanges, commit_text, position_of
from ledgerlake.landing.manifest import LandedObject

_UNREADABLE = "not a line of this feed"


@dataclass(frozen=True)
class SlotLines:
    """Decodes one table's changes."""

    table: Table

    def __call__(self, item: LandedObject) -> Decode:
        """Open an object; every line tells its commit and its place."""
        changes_of, columns = RowChanges(self.table).of, len(self.table.columns)
        commit = lru_cache(maxsize=1)(commit_text)

        def decode(first: int, lines: Sequence[bytes]) -> Changes:
            rows: list[tuple[Any, ...]] = []
            for ordinal, line in enumerate(lines, first):
                r = record_of(line)
                if r is None or r.get("action") is None:
                    rows += changes_of(ordinal, None, line, None, None, None, None, _UNREADABLE)
                    continue
                position = position_of(commit(r["commit_lsn"]), r["place"])
                rows += changes_of(ordinal, position, line, r["action"], r.get("new"), r.get("old"), r.get("unchanged"))
            return Changes.of_rows(rows, columns)

        return decode
