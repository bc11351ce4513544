"""The rows of a chunk's messages, column by column: texts for the contract, unchanged values, what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.feeds.debezium.kinds import Converts
from ledgerlake.feeds.debezium.layout import Paths
from ledgerlake.feeds.debezium.messages import Row
from ledgerlake.feeds.debezium.toast import Markers
from ledgerlake.feeds.debezium.values import Convert, Unreadable
from ledgerlake.feeds.decoding.changes import Texts
from ledgerlake.feeds.decoding.records import texts_of


@dataclass
class Columns:
    """What was found in a chunk's rows."""

    texts: list[Texts] = field(default_factory=list)
    """One item for each column of the contract."""
    unchanged: dict[int, list[str]] = field(default_factory=dict)
    """Number of a row → its columns that hold the marker for unchanged values; their text is null."""
    unreadable: dict[int, str] = field(default_factory=dict)
    """Number of a row → what is wrong with the first of its values that cannot be read."""


class ColumnsReader:
    """Reads the rows of a table column by column, since most columns need nothing but a look at all their values."""

    def __init__(self, table: Table, paths: Paths, markers: Markers) -> None:
        self._columns = [(c.name, paths.full(c)) for c in table.columns]
        self._markers = markers

    def __call__(self, rows: Sequence[Row], lines: Sequence[bytes], converts: Sequence[Converts]) -> Columns:
        """Return the texts of rows; ``converts`` are each row's conversions, or all rows' where there is one."""
        found = Columns()
        for number, ((name, path), values) in enumerate(zip(self._columns, zip(*rows, strict=True), strict=True)):
            shown = self._shown(name, values, found)
            own = [convert for each in converts if (convert := each[number])]
            found.texts.append(_converted(shown, lines, own, found) if own else texts_of(shown, lines, path))
        return found

    def _shown(self, name: str, values: Sequence[Any], found: Columns) -> Sequence[Any]:
        """Return values with null for markers, which are noted."""
        if not self._markers.among(values):
            return values
        marked = [i for i, value in enumerate(values) if value in self._markers]
        shown = list(values)
        for i in marked:
            shown[i] = None
            found.unchanged.setdefault(i, []).append(name)
        return shown


def _converted(values: Sequence[Any], lines: Sequence[bytes], converts: list[Convert], found: Columns) -> Texts:
    try:
        if len(converts) == 1:
            return list(map(converts[0], values, lines))
        return [convert(value, line) for convert, value, line in zip(converts, values, lines, strict=True)]
    except Unreadable:
        each = converts * len(values) if len(converts) == 1 else converts
        return [_or_null(i, *one, found) for i, one in enumerate(zip(each, values, lines, strict=True))]


def _or_null(number: int, convert: Convert, value: Any, line: bytes, found: Columns) -> str | None:
    """Return a value's text; null, with a note why, where it cannot be read."""
    try:
        return convert(value, line)
    except Unreadable as problem:
        found.unreadable.setdefault(number, str(problem))
        return None
