"""Where things stand in a line: wrapper, schema, envelope; and how to tell a line's layout.

A layout is (message, schemas, form). The first message of an object is compared with the
declared layout when the object lands; every further line is checked when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ledgerlake.config.models import Column, Table
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.csv_names import refuse_other_spelling
from ledgerlake.feeds.debezium.options import ORDER_FIELDS, DebeziumSource
from ledgerlake.feeds.decoding.bodies import pieces
from ledgerlake.feeds.decoding.records import Path, Record, at, path_of

Layout = tuple[str, bool, str]


class Paths:
    """Where a declared layout has things: ``document``, ``root`` and ``key`` from the top of a line, all else below ``root``."""

    def __init__(self, source: DebeziumSource) -> None:
        wrapped, flat = source.message == "key_value", source.form == "flattened"
        payload: Path = ("payload",) if source.schemas else ()
        self.document: Path = ("value",) if wrapped else ()
        self.root = self.document + payload
        self.key: Path | None = ("key", *payload) if wrapped else None
        self.after: Path = () if flat else ("after",)
        self.before: Path = () if flat else ("before",)
        self.op = "__op" if flat else "op"
        self.deleted = "__deleted" if flat else None
        self.order = tuple(map(path_of, source.order_fields if flat else ORDER_FIELDS[source.database]))
        names = ("schema" if source.database == "postgresql" else "db", "table")
        self.named: tuple[Path, ...] = tuple((f"__{n}",) if flat else ("source", n) for n in names)
        """Where a message names its schema (MySQL: database) and its table."""
        self.server: Path | None = None if flat or source.server_id is None else ("source", "server_id")

    def full(self, column: Column) -> Path:
        """Return where a row has a column, from the top of a line."""
        return self.root + self.after + path_of(column.source_name)


def columns_of(table: Table) -> list[Path]:
    """Return where each column of the contract stands in a row."""
    return [path_of(c.source_name) for c in table.columns]


def foreign_schema(table: Table, source: DebeziumSource) -> Path | None:
    """Return what, below the document, is present only in lines that are not laid out as declared: a schema's type."""
    own = source.form == "flattened" and any(path[0] == "schema" for path in columns_of(table))
    return None if source.schemas or own else ("schema", "type")


def layout_of(line: Mapping[str, Any]) -> Layout | None:
    """Return the layout of a parsed line; None where it holds no message (a tombstone)."""
    wrapped = set(line) <= {"key", "value", "headers"} and "value" in line
    document = line["value"] if wrapped else line
    if not isinstance(document, Mapping):
        return None
    schemas = set(document) == {"schema", "payload"}
    record = document["payload"] if schemas else document
    if not isinstance(record, Mapping):
        return None
    envelope = "op" in record and ("after" in record or "before" in record or "message" in record)
    return ("key_value" if wrapped else "value", schemas, "envelope" if envelope else "flattened")


def verify_layout(name: str, body: bytes, source: DebeziumSource, table: Table) -> None:
    """Raise :class:`SourceError` where the object's first message is not laid out as declared, or spells a column otherwise."""
    first = _first_message(name, body)
    if first is None:
        return
    seen, record = first
    declared = (source.message, source.schemas, source.form)
    if seen != declared:
        message, schemas, form = seen
        raise SourceError(
            "the messages are laid out otherwise than declared: they look like"
            f" `message: {message}`, `schemas: {str(schemas).lower()}`, `form: {form}`",
            where=Where(file=name),
        )
    paths = Paths(source)
    row = at(record, paths.root + paths.after)
    if type(row) is dict:
        refuse_other_spelling(name, row, [path[0] for path in columns_of(table)])


def _first_message(name: str, body: bytes) -> tuple[Layout, Record] | None:
    """Return the layout of the first message that can be read, and the message; what cannot is left to the reader."""
    for line in next(pieces(name, body)).split(b"\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        found = layout_of(record) if isinstance(record, dict) else None
        if found:
            return found, record
    return None


def is_tombstone(record: Record | None, line: bytes, source: DebeziumSource) -> bool:
    """Say whether a line's value is null: that tells Kafka to forget a key, not us.

    The line has nothing at its root. One that is merely laid out otherwise is no tombstone.
    """
    if record is None:
        return line.strip(b" ") in (b"", b"null")
    document: Any = record
    if source.message == "key_value":
        if _ends_at(record, "value", {"value", "key", "headers"}):
            return True
        document = record.get("value")
    return source.schemas and _ends_at(document, "payload", {"payload", "schema"})


def _ends_at(document: Any, name: str, allowed: set[str]) -> bool:
    return type(document) is dict and name in document and document[name] is None and document.keys() <= allowed
