"""A topic may hold the messages of several tables: one that names another table is never taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.feeds.debezium.options import DebeziumTable

_PARTS_OF_TOPIC = 3  # server.schema.table


class TableNames:
    """Says which messages of one object are its table's.

    The table's name is declared, or the last parts of a topic ``server.schema.table``; else the first
    message of an object says it for all of them. A message that names none is taken.
    """

    def __init__(self, table: Table) -> None:
        declared = DebeziumTable(**table.feed).table
        self.are_shared = declared is not None
        """Whether messages of others are expected, and left out."""
        topic = table.resource.rpartition("/")[2].split(".")
        told = declared.split(".") if declared else topic[-2:] if len(topic) == _PARTS_OF_TOPIC else None
        self._own: Sequence[Any] | None = told

    def is_own(self, named: Sequence[Any]) -> bool:
        """Say whether a message that names this schema and table is the table's."""
        if named[1] is None:
            return True
        if self._own is None:
            self._own = list(named)
        return named[1] == self._own[1] and named[0] in (None, self._own[0])
