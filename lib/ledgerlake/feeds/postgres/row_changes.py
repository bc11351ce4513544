"""What PostgreSQL's logical decoding says of one row, as raw changes; wal2json and the slot share it.

A decoded row has an action (I, U, D or T), its new values by the source's column (nulls
included), its old ones (the replica identity, where one was sent) and the large (TOAST) values
that the server left out. A left-out value is not null: the stored one stays. With ``REPLICA
IDENTITY FULL`` it stands among the old ones, and the change is whole. Source: PostgreSQL
documentation, "Logical Replication Message Formats" and "ALTER TABLE … REPLICA IDENTITY".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.records import raw_of

LEFT_OUT = (
    "an unchanged large value is left out; declare `changes: partial`, or set REPLICA IDENTITY FULL at the source"
)
LEFT_OUT_AT_KEY_CHANGE = "a key change leaves out an unchanged large value; set REPLICA IDENTITY FULL at the source"
KEY_CHANGED = "a key changed in a table whose keys do not; declare `keys_can_change: true`"
NO_KEY = "the key is missing; the table needs a primary key or a replica identity at the source"

Values = Mapping[str, Any]
"""Value by the source's column."""
_NOTHING: Values = {}


def commit_text(lsn: str | None) -> str | None:
    """Return the commit's part of a position: the 16 hexadecimal digits of an LSN like ``16/B374D848``.

    Commit order is the order in which transactions take effect; the LSN of a row is only the
    order in which it was written, and interleaved transactions mix those.
    """
    if lsn is None:
        return None
    high, _, low = lsn.upper().partition("/")
    return f"{high:0>8}{low:0>8}"


def position_of(commit: str | None, place: int) -> str | None:
    """Return the position of a row: its commit's text, and its place in the transaction."""
    return None if commit is None else f"{commit}|{place:012d}"


class RowChanges:
    """Turns decoded rows of one table into rows for :meth:`Changes.of_rows`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._sources = [c.source_name for c in table.columns]
        self._key = [table.column(k).source_name for k in table.key]
        self._key_places = [self._sources.index(name) for name in self._key]
        self._take = itemgetter(*self._sources) if len(self._sources) > 1 else None

    def of(
        self, ordinal: int, position: str | None, line: bytes, action: str | None,
        new: Values | None, old: Values | None, unchanged: Sequence[str] | None, unreadable: str | None = None,
    ) -> list[tuple[Any, ...]]:  # fmt: skip
        """Return the changes of a row: one, or at a key change a delete and an upsert at one position.

        ``unreadable`` says why the record cannot be read, where it cannot.
        """
        if not (unreadable or old or unchanged) and new and action in ("I", "U"):
            values = self._whole(new)
            if all(values[n] is not None for n in self._key_places):
                return [(ordinal, "upsert", position, None, None, None, *values)]
        return self._judged(ordinal, position, line, action, new or _NOTHING, old or _NOTHING, unchanged or (), unreadable)  # fmt: skip

    def _whole(self, new: Values) -> tuple[Any, ...]:
        try:
            return self._take(new) if self._take else (new[self._sources[0]],)
        except KeyError:
            return tuple(map(new.get, self._sources))

    def _judged(
        self, ordinal: int, position: str | None, line: bytes, action: str | None,
        new: Values, old: Values, unchanged: Sequence[str], unreadable: str | None,
    ) -> list[tuple[Any, ...]]:  # fmt: skip
        before = [old[k] if k in old else new.get(k) for k in self._key]
        moved = action == "U" and before != [new.get(k) for k in self._key]
        missing = {name for name in unchanged if name in self._sources and name not in old}
        problem = unreadable or self._problem(action, before, new, moved=moved, left_out=bool(missing))
        written = tuple(
            value if (value := new.get(n)) is not None or action != "U" or n in new else old.get(n)
            for n in self._sources
        )
        if problem:
            return [(ordinal, "upsert", position, problem, raw_of(line), None, *written)]
        if action == "T":
            return [(ordinal, "truncate", position, None, None, None, *(None for _ in self._sources))]
        carried = [c.name for c in self._table.columns if c.source_name not in missing] if missing else None
        upsert = (ordinal, "patch" if missing else "upsert", position, None, None, carried, *written)
        keys = dict(zip(self._key, before, strict=True))
        delete = (ordinal, "delete", position, None, None, None, *map(keys.get, self._sources))
        return [delete] if action == "D" else [delete, upsert] if moved else [upsert]

    def _problem(
        self, action: str | None, before: Sequence[Any], new: Values, *, moved: bool, left_out: bool
    ) -> str | None:
        if action == "T":
            return None
        if action == "D":
            return NO_KEY if None in before else None
        if any(new.get(k) is None for k in self._key):
            return NO_KEY
        if moved and not self._table.keys_can_change:
            return KEY_CHANGED
        if moved and left_out:
            return LEFT_OUT_AT_KEY_CHANGE
        return LEFT_OUT if left_out and self._table.changes == "whole" else None
