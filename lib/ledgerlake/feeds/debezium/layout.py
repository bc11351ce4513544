"""Where things stand in a line: wrapper, schema, envelope; and how to tell a line's layout.

A layout is (message, schemas, form). The first message of an object is compared with the
declared layout when the object lands; every further line is checked when it is read.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.debezium.options import ORDER_FIELDS, DebeziumSource

Layout = tuple[str, bool, str]
_PROBED_BYTES = 1 << 22
"""How much of a compressed object is opened to see its first message."""


class Paths:
    """The dotted paths of a declared layout, from the top of a line."""

    def __init__(self, source: DebeziumSource) -> None:
        wrapped, flat = source.message == "key_value", source.form == "flattened"
        payload = "payload." if source.schemas else ""
        self.document = "value." if wrapped else ""
        self.root = self.document + payload
        self.key = "key." + payload if wrapped else None
        self.after = self.root if flat else self.root + "after."
        self.before = self.root if flat else self.root + "before."
        self.op = self.root + ("__op" if flat else "op")
        self.deleted = self.root + "__deleted" if flat else None
        names = source.order_fields if flat else ORDER_FIELDS[source.database]
        self.order = tuple(self.root + n for n in names)
        self.server = None if flat or source.server_id is None else self.root + "source.server_id"
        self.schema_type = self.document + "schema.type"

    def all(self, table: Table) -> list[str]:
        """Return every path that reading a table needs, each once."""
        keys = [table.column(k).source_name for k in table.key]
        found = [self.after + c.source_name for c in table.columns] + [self.before + k for k in keys]
        found += [self.key + k for k in keys] if self.key else []
        found += [self.op, *self.order, *filter(None, (self.deleted, self.server))]
        return list(dict.fromkeys(found))


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


def verify_layout(name: str, body: bytes, source: DebeziumSource) -> None:
    """Raise :class:`SourceError` where the object's first message is not laid out as declared."""
    seen = _first_layout(name, body)
    declared = (source.message, source.schemas, source.form)
    if seen and seen != declared:
        message, schemas, form = seen
        raise SourceError(
            "the messages are laid out otherwise than declared: they look like"
            f" `message: {message}`, `schemas: {str(schemas).lower()}`, `form: {form}`",
            where=Where(file=name),
        )


def _first_layout(name: str, body: bytes) -> Layout | None:
    """Return the layout of the first message that can be read; what cannot is left to the reader."""
    text = zlib.decompressobj(wbits=31).decompress(body, _PROBED_BYTES) if name.endswith(".gz") else body
    start = 0
    while start < min(len(text), _PROBED_BYTES):
        end = text.find(b"\n", start)
        line = text[start : end if end >= 0 else len(text)]
        start = end + 1 if end >= 0 else len(text)
        try:
            record = json.loads(line)
        except ValueError:
            continue
        found = layout_of(record) if isinstance(record, dict) else None
        if found:
            return found
    return None
