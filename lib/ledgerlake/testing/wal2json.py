"""Hostile wal2json input for a table ``public.people`` of columns id (key), owner, city.

>>> from ledgerlake.testing.wal2json import HOSTILE

Each sample is one object below the source's location; ``outcome`` and ``says`` tell what a
pipeline must make of it.
"""

from __future__ import annotations

import json
from typing import Any

from ledgerlake.testing.samples import Hostile

COMMIT = "0/16B3748"


def pairs(**values: Any) -> list[dict[str, Any]]:
    """Return columns as wal2json writes them: name, type, value."""
    return [{"name": n, "type": "text", "value": v} for n, v in values.items()]


def row(action: str, columns: Any = None, identity: Any = None, table: str = "people", **more: Any) -> dict[str, Any]:
    """Return one change of ``public.<table>``."""
    found = {"action": action, "schema": "public", "table": table} | more
    found |= {"columns": columns} if columns is not None else {}
    return found | ({"identity": identity} if identity is not None else {})


def transaction(*rows: dict[str, Any], lsn: str = COMMIT, xid: int = 700) -> list[dict[str, Any]]:
    """Return rows between the marks of their transaction, as include-lsn and include-xids give them."""
    mark = {"xid": xid, "lsn": lsn, "nextlsn": lsn}
    return [{"action": "B"} | mark, *({"xid": xid} | r for r in rows), {"action": "C"} | mark]


def body(*records: dict[str, Any] | str) -> bytes:
    """Return records, or lines as they are, as one object."""
    lines = [r if isinstance(r, str) else json.dumps(r, separators=(",", ":"), ensure_ascii=False) for r in records]
    return "".join(f"{line}\n" for line in lines).encode()


ANN = pairs(id="a", owner="Ann", city="Oslo")
INSERT = row("I", ANN)
_BEGIN, _, _COMMIT = transaction(INSERT)


def _sample(name: str, outcome: Any, says: str, content: bytes, file: str = "") -> Hostile:
    return Hostile(name, {file or f"{name.replace(' ', '_')}.json": content}, outcome, says)


def _refused(name: str, says: str, content: bytes, file: str = "") -> Hostile:
    return _sample(name, "refused", says, content, file)


def _quarantined(name: str, says: str, *rows: dict[str, Any]) -> Hostile:
    return _sample(name, "quarantined", says, body(*transaction(*rows)))


HOSTILE: tuple[Hostile, ...] = (
    _refused("empty file", "empty", b""),
    _refused("cut line", "not whole", body(*transaction(INSERT))[:-9]),
    _refused("begins inside a transaction", "outside a transaction", body(INSERT, _COMMIT)),
    _refused("ends inside a transaction", "ends in the middle of a transaction", body(_BEGIN, INSERT)),
    _refused("commit without begin", "begins in the middle of a transaction", body(_COMMIT)),
    _refused("begin inside a transaction", "in the middle of another", body(_BEGIN, INSERT, _BEGIN, INSERT, _COMMIT)),
    _refused("line that is not json", "not whole", body(_BEGIN, '{"action":"I",', _COMMIT)),
    _refused("two marks on one line", "not whole", body(_BEGIN, INSERT, '{"action":"C"}{"action":"B"}', INSERT, _COMMIT)),
    _refused("no lsn", "include-lsn", body({"action": "B"}, INSERT, {"action": "C"})),
    _refused("no schemas", "include-schemas", body(_BEGIN, {"action": "I", "table": "people", "columns": ANN}, _COMMIT)),
    _refused("row of another transaction", "does not belong", body(_BEGIN, INSERT | {"xid": 1}, _COMMIT)),
    _refused("commit of another transaction", "does not belong", body(_BEGIN, INSERT, _COMMIT | {"xid": 1})),
    _refused("format version 1", "format-version 1", body({"change": [{"kind": "insert"}]})),
    _refused("not a number", "not whole", body(_BEGIN, '{"action":"I","schema":"public","table":"people","columns":NaN}', _COMMIT)),
    _refused("not utf8", "UTF-8", b'{"action":"B","lsn":"0/1"}\n\xff\n'),
    _refused("not gzip", "not a gzip stream", b"\xff\xfe\xfd rubbish", "plain.json.gz"),
    _quarantined("unknown action", "unknown action", row("X", ANN)),
    _quarantined("insert without columns", "no columns", row("I")),
    _quarantined("delete without identity", "no identity", row("D")),
    _quarantined("delete without key", "the key is missing", row("D", identity=pairs(owner="Ann"))),
    _quarantined("insert without key", "the key is missing", row("I", pairs(owner="Ann", city="Oslo"))),
    _quarantined("column twice", "stands twice", row("I", [*ANN, *pairs(city="Bern")])),
    _quarantined("key change in a table whose keys do not change", "keys_can_change", row("U", ANN, pairs(id="b"))),
    _sample("rows of another table", "accepted", "", body(*transaction(row("I", pairs(x="1"), table="pets")))),
    _sample("messages", "accepted", "", body({"action": "M", "transactional": False, "prefix": "p", "content": "x"})),
    _sample("empty transaction", "accepted", "", body(*transaction())),
)  # fmt: skip
"""Every sample expects a table whose keys do not change and whose changes are whole."""
