"""wal2json's lines as raw changes: a table's rows take their commit from the mark before them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.changes import Changes
from ledgerlake.feeds.decoding.frame import Decode
from ledgerlake.feeds.decoding.records import Record, record_of
from ledgerlake.feeds.postgres.row_changes import RowChanges, Values, commit_text, position_of
from ledgerlake.landing.manifest import LandedObject

_NOT_ROWS = ("B", "C", "M")
_UNNAMED = "a column has no name, or stands twice"


@dataclass(frozen=True)
class Wal2JsonLines:
    """Decodes one table's rows; marks, messages and rows of other tables are left out.

    The place counts the table's own rows, so that it stays the same however the plugin filters
    other tables. A transaction that stands twice in an object is counted from its own mark.
    """

    table: Table

    def __call__(self, item: LandedObject) -> Decode:
        """Open an object; what begins in one chunk of lines goes on in the next."""
        rows_of = _Transactions(self.table)

        def decode(first: int, lines: Sequence[bytes]) -> Changes:
            rows = [row for n, line in enumerate(lines, first) for row in rows_of(n, line)]
            return Changes.of_rows(rows, len(self.table.columns))

        return decode


class _Transactions:
    def __init__(self, table: Table) -> None:
        self._schema, self._name = table.resource.split(".")
        self._changes = RowChanges(table)
        # Types of a fixed size are never TOASTed: only the absence of others can mean "unchanged".
        self._large = [c.source_name for c in table.columns if c.type == "string" or c.type.startswith("decimal")]
        self._commit: str | None = None
        self._place = 0

    def __call__(self, ordinal: int, line: bytes) -> Iterable[tuple[Any, ...]]:
        record = record_of(line) or {}
        action = record.get("action")
        if action == "B":
            self._commit, self._place = commit_text(record.get("lsn")), 0
            return ()
        if action is not None and not self._is_own(record, action):
            return ()
        self._place += 1  # what cannot be read may be the table's, and is not passed over
        return self._row(ordinal, position_of(self._commit, self._place), line, record, action)

    def _is_own(self, record: Record, action: str) -> bool:
        return action not in _NOT_ROWS and record.get("table") == self._name and record.get("schema") == self._schema

    def _row(
        self, ordinal: int, position: str | None, line: bytes, record: Record, action: str | None
    ) -> Iterable[tuple[Any, ...]]:
        columns, identity = record.get("columns"), record.get("identity")
        new, old = _values(columns), _values(identity)
        unreadable, unchanged = None, None
        if action not in ("I", "U", "D", "T"):
            unreadable = "unknown action"
        elif action in ("I", "U") and columns is None:
            unreadable = "no columns"
        elif action == "D" and identity is None:
            unreadable = "no identity"
        elif (new is None and columns is not None) or (old is None and identity is not None):
            unreadable = _UNNAMED
        elif action == "U" and new is not None:
            unchanged = [name for name in self._large if name not in new]
        return self._changes.of(ordinal, position, line, action, new, old, unchanged, unreadable)


def _values(pairs: Any) -> Values | None:
    """Return names and values as a mapping; None where they make none."""
    if pairs is None:
        return None
    try:
        values = {pair["name"]: pair["value"] for pair in pairs}
    except KeyError:
        values = {pair.get("name"): pair.get("value") for pair in pairs}
    except TypeError:
        return None
    named = len(values) == len(pairs) and "" not in values and None not in values
    return values if named else None
