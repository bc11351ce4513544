"""Keys that are written once: what a batch means to a table of immutable rows, in plain Python.

This page *is* the definition; the Spark implementation in ``ledgerlake.lake.stage`` is tested
against it. What is written stays. The same key again with equal content is a duplicate,
wherever and whenever it comes from; with other content it contradicts, and is refused. Two
contents of one new key in one batch contradict each other: neither is written, a person
decides. What is no upsert is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ledgerlake.core.change import Change, Op

Key = tuple[str, ...]
Row = Mapping[str, object]


@dataclass
class Absorbed:
    """What became of one batch: the rows it wrote, and how many of its changes were what."""

    written: dict[Key, Row] = field(default_factory=dict)
    duplicates: int = 0
    refused: int = 0


def absorb(standing: Mapping[Key, Row], batch: Iterable[Change]) -> Absorbed:
    """Return what a batch does to the rows that stand; positions do not matter."""
    found = Absorbed()
    contents: dict[Key, list[Row]] = {}
    for change in batch:
        if change.op is Op.UPSERT:
            contents.setdefault(change.key, []).append(change.values)
        else:
            found.refused += 1
    for key, rows in contents.items():
        if key in standing:
            again = sum(row == standing[key] for row in rows)
            found.duplicates += again
            found.refused += len(rows) - again
        elif all(row == rows[0] for row in rows):
            found.written[key] = rows[0]
            found.duplicates += len(rows) - 1
        else:
            found.refused += len(rows)
    return found
