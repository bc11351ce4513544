"""Hostile dumps; names begin with the form that must be declared: ``lines``, ``array`` or ``parquet``."""

from __future__ import annotations

import gzip

from ledgerlake.testing.samples import Hostile

_LINE = b'{"id": "1", "owner": "Ann", "city": "Bonn"}\n'

HOSTILE: tuple[Hostile, ...] = (
    Hostile("lines:empty file", {"people.jsonl": b""}, "refused", "the file is empty"),
    Hostile("lines:cut gzip", {"people.jsonl.gz": gzip.compress(_LINE * 50, mtime=0)[:-9]}, "refused", "cut short"),
    Hostile("lines:an Avro container", {"people.jsonl": b"Obj\x01rest"}, "refused", "Avro"),
    Hostile("lines:two objects on a line", {"people.jsonl": b'{"id": "1"}{"id": "2"}\n'}, "quarantined", "not a JSON object"),
    Hostile("lines:a broken line", {"people.jsonl": b'{"id": "1"\n'}, "quarantined", "not a JSON object"),
    Hostile("lines:no key", {"people.jsonl": b'{"owner": "Ann"}\n'}, "quarantined", "id: null"),
    Hostile("array:broken", {"people.json": b'[{"id": "1"}, {"id"'}, "refused", "not a JSON document"),
    Hostile("array:an object", {"people.json": b'{"id": "1"}'}, "refused", "no array at"),
    Hostile("array:of numbers", {"people.json": b"[1, 2]"}, "refused", "something other than objects"),
    Hostile("parquet:truncated", {"people.parquet": b"PAR1\x15\x04"}, "refused", "not a whole Parquet file"),
)  # fmt: skip
