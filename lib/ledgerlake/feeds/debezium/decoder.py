"""From the lines of an object to raw changes: lines become messages one by one, their rows texts column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.feeds.debezium.columns import Columns, ColumnsReader
from ledgerlake.feeds.debezium.kinds import Converts, declared, described
from ledgerlake.feeds.debezium.layout import Paths
from ledgerlake.feeds.debezium.messages import Messages
from ledgerlake.feeds.debezium.options import DebeziumSource
from ledgerlake.feeds.debezium.toast import Markers
from ledgerlake.feeds.decoding.changes import Changes
from ledgerlake.feeds.decoding.frame import Decode
from ledgerlake.feeds.decoding.records import raw_of
from ledgerlake.landing.manifest import LandedObject

_TOAST_WHOLE = "unchanged TOAST values are not in the message: declare `changes: partial`, or set REPLICA IDENTITY FULL"
_TOAST_NEW = "a new row lacks unchanged TOAST values (its key changed): set REPLICA IDENTITY FULL"
_OPS: dict[str | None, str] = {"d": "delete", "t": "truncate"}


@dataclass(frozen=True)
class DebeziumLines:
    """Decodes the lines of one table; ``partitions``: of how many a batch's objects are."""

    table: Table
    source: DebeziumSource
    partitions: int

    def __call__(self, item: LandedObject) -> Decode:
        """Open an object: all that table and source declare is prepared here, once."""
        table, source = self.table, self.source
        markers = Markers(source.unavailable_placeholder if source.database == "postgresql" else None)
        message_of = Messages(table, source, markers, self.partitions)
        columns_of = ColumnsReader(table, Paths(source), markers)
        one_for_all = [declared(table, source)]
        converts_of = _by_schema(described(table, source)) if source.schemas else lambda _: one_for_all

        def decode(first: int, lines: Sequence[bytes]) -> Changes:
            messages = [m for ordinal, line in enumerate(lines, first) if (m := message_of(ordinal, line))]
            if not messages:
                return Changes.of_rows((), len(table.columns))
            ordinals, texts, ops, positions, problems, schemas, rows = zip(*messages, strict=True)
            columns = columns_of(rows, texts, converts_of(schemas))
            amiss = _problems(table, ops, problems, columns)
            raws = [p and raw_of(line) for p, line in zip(amiss, texts, strict=True)] if amiss else None
            carried = _carried(table, ops, columns)
            return Changes(ordinals, _named(ops, columns), positions, columns.texts, amiss, raws, carried)

        return decode


def _by_schema(converts_of: Callable[[Any], Converts]) -> Callable[[Sequence[Any]], list[Converts]]:
    """Return how to find the conversions of messages from their schemas: one item where all have the same."""

    def of_all(schemas: Sequence[Any]) -> list[Converts]:
        found = [converts_of(schema) for schema in schemas]
        return found[:1] if all(each is found[0] for each in found) else found

    return of_all


def _named(ops: Sequence[str | None], columns: Columns) -> list[str]:
    """Return the operations; a row that lacks unchanged values is a patch."""
    named = [_OPS.get(op, "upsert") for op in ops]
    for number in columns.unchanged:
        if named[number] == "upsert":
            named[number] = "patch"
    return named


def _problems(
    table: Table, ops: Sequence[str | None], problems: Sequence[str | None], columns: Columns
) -> list[str | None] | None:
    """Return what is wrong with each message: with the whole, else with the first of its values."""
    found = list(problems)
    for number in columns.unchanged:
        found[number] = found[number] or _lacking(table, ops[number])
    for number, problem in columns.unreadable.items():
        found[number] = found[number] or problem
    return found if any(found) else None


def _lacking(table: Table, op: str | None) -> str | None:
    if op in ("c", "r"):
        return _TOAST_NEW
    return _TOAST_WHOLE if table.changes == "whole" else None


def _carried(table: Table, ops: Sequence[str | None], columns: Columns) -> list[list[str] | None] | None:
    """Return the columns that a patch carries: all but those that hold the marker."""
    if table.changes == "whole" or not columns.unchanged:
        return None
    found: list[list[str] | None] = [None] * len(ops)
    for number, names in columns.unchanged.items():
        if ops[number] == "u":
            found[number] = [n for n in table.column_names if n not in names]
    return found
