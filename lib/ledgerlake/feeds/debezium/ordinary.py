"""Most lines are alike: a row with its order, laid out as declared. These are read in one step.

Only the fields that a table needs are parsed, at a third of the time that all of them take.
Whatever is not ordinary, a delete for one, is left to :mod:`ledgerlake.feeds.debezium.messages`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import astuple

from ledgerlake.config.models import Table
from ledgerlake.feeds.debezium.layout import Paths, columns_of, foreign_schema
from ledgerlake.feeds.debezium.options import DebeziumSource
from ledgerlake.feeds.decoding.records import Path, at

Values = tuple[Any, ...]
Ordinary: TypeAlias = "tuple[_Message, Any]"
"""The message and its schema."""
_Message: TypeAlias = "tuple[str, Values, Values, Any, Values]"
"""Op code, values of the order fields, the row's, the server's id, schema and table."""

WITH_ROW = ("c", "u", "r")
_PLAIN = {str, int, type(None)}
_ALIVE: tuple[Any, ...] = (None, "false")
_NO_SCHEMA: tuple[list[Any], ...] = ([], [None])


def ordinary_reader(table: Table, source: DebeziumSource) -> Callable[[bytes], Ordinary | None]:
    """Return how to read a line; None for one that is not ordinary."""
    wrapped, schemas = source.message == "key_value", source.schemas
    kind, message_of = (_flattened if source.form == "flattened" else _envelope)(table, source)
    if schemas:
        kind = msgspec.defstruct("Document", [("schema", msgspec.Raw), ("payload", kind)], gc=False)
    if wrapped:
        kind = msgspec.defstruct("Keyed", [("value", kind)], gc=False)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(kind, float_hook=str).decode

    def read(line: bytes) -> Ordinary | None:
        try:
            found = decode(line)
            if not line.isascii():
                line.decode()  # fields that nobody needs are not looked at otherwise
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        found = found.value if wrapped else found
        message = message_of(found.payload if schemas else found)
        if message is None or not _PLAIN.issuperset(map(type, message[1])):
            return None
        return message, found.schema if schemas else None

    return read


def _envelope(table: Table, source: DebeziumSource) -> tuple[type, Callable[[Any], _Message | None]]:
    columns, keys = columns_of(table), [table.column_names.index(k) for k in table.key]
    after, row_of = _fields(columns)
    before, key_of = _fields([columns[k] for k in keys])
    paths = Paths(source)
    facts, facts_of = _fields([*(path[1:] for path in (*paths.order, *paths.named)), ("server_id",)])
    order = len(paths.order)
    fields: list[Any] = [("op", str), ("after", after), ("source", facts), ("before", before | None, None)]
    none = [] if source.schemas else [("schema", None, None)]
    kind = msgspec.defstruct("Envelope", [*fields, *none], gc=False)

    def message_of(found: Any) -> _Message | None:
        op, row = found.op, row_of(found.after)
        if op not in WITH_ROW or (op == "u" and found.before is not None and moved(key_of(found.before), row)):
            return None
        facts = facts_of(found.source)
        return op, facts[:order], row, facts[-1], facts[order:-1]

    def moved(old: Values, row: Values) -> bool:
        now = [row[k] for k in keys]
        return any(b is not None and (type(b), b) != (type(n), n) for b, n in zip(old, now, strict=True))

    return kind, message_of


def _flattened(table: Table, source: DebeziumSource) -> tuple[type, Callable[[Any], _Message | None]]:
    paths, columns = Paths(source), columns_of(table)
    schema = foreign_schema(table, source)
    facts = [*paths.order, *paths.named, (paths.op,), (str(paths.deleted),), *([schema] if schema else ())]
    kind, values_of = _fields([*columns, *facts])
    row, order = slice(len(columns)), slice(len(columns), len(columns) + len(paths.order))
    named = slice(order.stop, order.stop + len(paths.named))

    def message_of(found: Any) -> _Message | None:
        values = values_of(found)
        op, deleted, *strange = values[named.stop :]
        if op not in WITH_ROW or deleted not in _ALIVE or strange not in _NO_SCHEMA:
            return None
        return op, values[order], values[row], None, values[named]

    return kind, message_of


def _fields(paths: Sequence[Path]) -> tuple[type, Callable[[Any], Values]]:
    """Return the type of an object of which some paths are needed, and how to take these from it."""
    heads = list(dict.fromkeys(path[0] for path in paths))
    names = {f"field_{n}": head for n, head in enumerate(heads)}
    kind = msgspec.defstruct("Fields", [(name, Any, None) for name in names], rename=names, gc=False)
    deep = [(n, path[1:]) for n, path in enumerate(paths) if len(path) > 1]
    taken = itemgetter(*(heads.index(path[0]) for path in paths)) if len(heads) < len(paths) else tuple

    def values_of(found: Any) -> Values:
        values: Values = taken(astuple(found))
        for n, below in deep:
            if values[n] is not None:
                values = (*values[:n], at(values[n], below), *values[n + 1 :])
        return values

    return kind, values_of if deep or len(heads) < len(paths) else astuple
