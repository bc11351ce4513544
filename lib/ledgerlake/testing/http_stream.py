"""Hostile answers of a streaming service with people (``id``, ``owner``, ``city``).

``files`` hold one answer each under the day that is asked for; ``HOSTILE`` fits a source that
asks for three records with ``records: exactly`` and ``end_event: done``. ``refused`` means that
nothing of the day is landed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ledgerlake.testing.samples import Hostile

DONE = b"event: done\ndata: {}\n\n"


def data(*records: Mapping[str, object]) -> bytes:
    """Return records as server-sent events."""
    return b"".join(b"data: " + json.dumps(dict(r)).encode() + b"\n\n" for r in records)


ANN, BOB, EVE = ({"id": i, "owner": o, "city": "Bonn"} for i, o in (("1", "Ann"), ("2", "Bob"), ("3", "Eve")))

HOSTILE: tuple[Hostile, ...] = (
    Hostile("too few", {"2026-03-01": data(ANN, BOB) + DONE}, "refused", "2 of 3 records"),
    Hostile("no end", {"2026-03-01": data(ANN, BOB, EVE)}, "refused", "no end of the stream"),
    Hostile("too many", {"2026-03-01": data(ANN, BOB, EVE, ANN) + DONE}, "refused", "more than the 3 records"),
    Hostile("cut event", {"2026-03-01": data(ANN, BOB) + b'data: {"id": "3"'}, "refused", "in the middle of an event"),
    Hostile("error object", {"2026-03-01": data(ANN) + b'data: {"error": "out of memory"}\n\n'}, "refused", "holds an error"),
    Hostile("error event", {"2026-03-01": data(ANN) + b"event: error\ndata: x\n\n"}, "refused", "reports an error"),
    Hostile("unknown event", {"2026-03-01": data(ANN) + b"event: delta\ndata: {}\n\n"}, "refused", "unknown type 'delta'"),
    Hostile("web page", {"2026-03-01": b"<html><body>Welcome</body></html>\n"}, "refused", "no server-sent event"),
    Hostile("nothing", {"2026-03-01": b""}, "refused", "0 of 3 records"),
    Hostile("after the end", {"2026-03-01": data(ANN, BOB) + DONE + data(EVE)}, "refused", "after the end"),
    Hostile("no JSON", {"2026-03-01": data(ANN, BOB) + b"data: {broken\n\n" + DONE}, "quarantined", "not a JSON object"),
    Hostile("two objects", {"2026-03-01": data(ANN, BOB) + b'data: {"id": "3"}, "x": {}\n\n' + DONE}, "quarantined", "not a JSON object"),
    Hostile("NaN", {"2026-03-01": data(ANN, BOB) + b'data: {"id": NaN}\n\n' + DONE}, "quarantined", "not a JSON object"),
    Hostile("id twice", {"2026-03-01": data(ANN, BOB, BOB | {"owner": "Rob"}) + DONE}, "quarantined", "two different changes"),
    Hostile("no id", {"2026-03-01": data(ANN, BOB, {"owner": "Eve"}) + DONE}, "quarantined", "id: null"),
    Hostile("not UTF-8", {"2026-03-01": data(ANN, BOB) + b'data: {"id": "3", "owner": "\xff"}\n\n' + DONE}, "quarantined", "not UTF-8"),
    Hostile("same twice", {"2026-03-01": data(ANN, BOB, BOB) + DONE}, "accepted"),
    Hostile("unusual but whole", {"2026-03-01": b": keep-alive\n\n" + b'id: 7\nretry: 10\ndata: {"id": "1",\ndata: "owner": "Ann"}\r\n\r\n' + b"event: ping\ndata: 1\n\n" + data(BOB, EVE) + DONE}, "accepted"),
)  # fmt: skip
"""One day each."""
