"""Hostile Debezium messages of PostgreSQL: a table of people (``id``, ``owner``, ``city``), bare envelopes.

They fit a source with ``options: {database: postgresql}`` and a table with ``changes: whole``.
Build more with :func:`envelope` and :func:`topic`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

from ledgerlake.testing.samples import Hostile

Row = Mapping[str, Any]
MARKER = "__debezium_unavailable_value"


def envelope(
    op: str, before: Row | None, after: Row | None, commit: int | None, lsn: int, snapshot: str = "false"
) -> dict[str, Any]:
    """Return one PostgreSQL change event; ``commit`` is the commit LSN that was streamed last, if any."""
    sequence = json.dumps([None if commit is None else str(commit), str(lsn)], separators=(",", ":"))
    source = {
        "version": "3.0.0.Final", "connector": "postgresql", "name": "bank", "ts_ms": 1772366400000,
        "snapshot": snapshot, "db": "bank", "sequence": sequence, "schema": "public", "table": "people",
        "txId": 555, "lsn": lsn, "xmin": None,
    }  # fmt: skip
    return {"before": before, "after": after, "source": source, "transaction": None, "op": op, "ts_ms": 1772366400123}


def topic(name: str, *messages: object, partition: int = 0, offset: int = 0) -> dict[str, bytes]:
    """Return messages as one object of a topic; text is written as it stands, all else as JSON."""
    lines = [m if isinstance(m, str) else json.dumps(m, separators=(",", ":")) for m in messages]
    return {f"{name}+{partition}+{offset:010d}.json": "".join(line + "\n" for line in lines).encode()}


def _person(key: str | None, owner: str = "Ann", city: str = "Oslo") -> dict[str, str | None]:
    return {"id": key, "owner": owner, "city": city}


_CREATED = envelope("c", None, _person("h1"), 100, 110)
_SCHEMA = {"type": "struct", "fields": [], "optional": False, "name": "bank.public.people.Envelope"}
_FLAT = {**_person("h2"), "__deleted": "false", "__op": "c", "__source_sequence": '["100","120"]', "__source_lsn": 120}
_UNORDERED = envelope("c", None, _person("h3"), 100, 130)
_UNORDERED["source"] |= {"sequence": None}

HOSTILE: tuple[Hostile, ...] = (
    Hostile("an empty object", {"empty+0+0000000000.json": b""}, "refused", "empty"),
    Hostile("a name without partition and offset", {"people.json": b"{}\n"}, "refused", "topic+partition+startOffset"),
    Hostile("gzip cut short", {"cut+0+0000000000.json.gz": gzip.compress(b"{}\n" * 99)[:-9]}, "refused", "cut short"),
    Hostile("rubbish under a gzip name", {"zip+0+0000000000.json.gz": b"\xff\xfe\xfd rubbish"}, "refused", "not a gzip stream"),
    Hostile("an Avro container", {"avro+0+0000000000.json": b"Obj\x01rest"}, "refused", "Avro"),
    Hostile("Confluent wire format", {"wire+0+0000000000.json": b"\x00\x00\x00\x00\x07x"}, "refused", "Confluent"),
    Hostile(
        "schemas where none are declared", topic("schemas", {"schema": _SCHEMA, "payload": _CREATED}), "refused",
        "`schemas: true`",
    ),
    Hostile(
        "keys beside values", topic("keys", {"key": {"id": "h1"}, "value": _CREATED}), "refused", "`message: key_value`"
    ),
    Hostile("flattened messages", topic("flat", _FLAT), "refused", "`form: flattened`"),
    Hostile("a line that is not JSON", topic("text", _CREATED, "{oops"), "quarantined", "not a JSON object"),
    Hostile("two objects on a line", topic("two", _CREATED, "{}{}"), "quarantined", "not a JSON object"),
    Hostile(
        "a schema in the middle", topic("mixed", _CREATED, {"schema": _SCHEMA, "payload": _CREATED}), "quarantined",
        "not laid out as declared",
    ),
    Hostile("an unknown op", topic("op", envelope("x", None, _person("h4"), 100, 140)), "quarantined", "unknown op"),
    Hostile("no order", topic("order", _UNORDERED), "quarantined", "no order"),
    Hostile("a row without values", topic("row", envelope("u", None, None, 100, 150)), "quarantined", "no row in after"),
    Hostile(
        "a delete without its key", topic("delete", envelope("d", None, None, 100, 160)), "quarantined",
        "REPLICA IDENTITY",
    ),
    Hostile(
        "a key that moves within an update",
        topic("moved", envelope("u", _person("h5"), _person("h6"), 100, 170)), "quarantined", "changes the key",
    ),
    Hostile(
        "a TOAST marker where rows are whole", topic("toast", envelope("u", None, _person("h7", MARKER), 100, 180)),
        "quarantined", "changes: partial",
    ),
    Hostile(
        "a TOAST marker in a new row", topic("new", envelope("c", None, _person("h8", MARKER), 100, 190)),
        "quarantined", "REPLICA IDENTITY FULL",
    ),
    Hostile(
        "a truncate in two partitions",
        {**topic("cut", _CREATED), **topic("cut", envelope("t", None, None, 100, 105), partition=1)},
        "quarantined", "several partitions",
    ),
    Hostile("a tombstone", topic("tombstone", _CREATED, "null", ""), "accepted"),
    Hostile("a logical message", topic("logical", _CREATED, envelope("m", None, None, 100, 111)), "accepted"),
    Hostile("the same change again", topic("again", _CREATED, _CREATED, offset=7), "accepted"),
)  # fmt: skip
