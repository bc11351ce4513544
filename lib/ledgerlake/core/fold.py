"""The reference fold: what a set of changes means, in plain Python.

This page *is* the definition. The Spark implementation in ``ledgerlake.lake`` is tested
against it. State is a join-semilattice: absorbing a change takes maxima only, so any order,
any split and any repetition of the same changes end in the same state.

Rules
- An upsert sets every column; a patch sets the columns it carries; a delete sets none.
- Each column holds the value of the newest change that carries it.
- A key is visible when its newest upsert is newer than its newest delete.
- A truncate is a delete of every key, those included that only arrive later.
- What is older than the newest delete is gone for good: a late upsert revives nothing.
- A patch alone makes no row: it waits, remembered, for the upsert that it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ledgerlake.core.change import Change, Op
from ledgerlake.errors import SourceError

NEVER = ""
"""Below every position."""


@dataclass
class KeyState:
    """What is remembered of one key: newest delete, newest upsert, and per column value and position."""

    deleted_at: str = NEVER
    based_at: str = NEVER
    cells: dict[str, tuple[str, object]] = field(default_factory=dict)

    def absorb(self, change: Change, columns: Sequence[str]) -> None:
        """Take one change in; ``columns`` are all columns of the table."""
        if change.op is Op.DELETE:
            self.deleted_at = max(self.deleted_at, change.position)
            return
        carried = columns if change.op is Op.UPSERT else tuple(change.values)
        if change.op is Op.UPSERT:
            self.based_at = max(self.based_at, change.position)
        for column in carried:
            if change.position > self.cells.get(column, (NEVER, None))[0]:
                self.cells[column] = (change.position, change.values.get(column))

    @property
    def visible(self) -> bool:
        """Say whether the key has a current row."""
        return self.based_at > self.deleted_at

    def row(self, columns: Sequence[str]) -> dict[str, object]:
        """Return the current row; a column last set before the newest delete is null."""
        cells = {c: self.cells.get(c, (NEVER, None)) for c in columns}
        return {c: value if at > self.deleted_at else None for c, (at, value) in cells.items()}


def fold(changes: Iterable[Change], columns: Sequence[str]) -> dict[tuple[str, ...], dict[str, object]]:
    """Return the visible rows by key.

    Raises :class:`SourceError` where two different changes claim one key and position:
    which of them holds cannot be known, and is not guessed.
    """
    changes = list(changes)
    truncated_at = max((c.position for c in changes if c.op is Op.TRUNCATE), default=NEVER)
    states: dict[tuple[str, ...], KeyState] = {}
    seen: dict[tuple[tuple[str, ...], str], Change] = {}
    for change in changes:
        if seen.setdefault((change.key, change.position), change) != change:
            raise SourceError(
                "two different changes of one key claim the same position",
                then="declare a finer order for the feed, or ask the source which one holds",
            )
        if change.op is not Op.TRUNCATE:
            states.setdefault(change.key, KeyState(deleted_at=truncated_at)).absorb(change, columns)
    return {key: state.row(columns) for key, state in states.items() if state.visible}
