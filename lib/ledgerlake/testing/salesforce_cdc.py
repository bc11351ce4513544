"""Hostile Salesforce change events of the object ``Person__c`` (fields ``Owner__c``, ``City__c``)."""

from __future__ import annotations

import gzip
import json
from typing import Any

from ledgerlake.testing.samples import Hostile

PERSON = "a00B000000AVWaZIAX"


def event(
    change_type: str = "CREATE", commit: int = 1, *, header: dict[str, Any] | None = None, **fields: Any
) -> bytes:
    """Return one change event of a person as CometD gives it, as a JSON line; ``header`` replaces header fields."""
    given: dict[str, Any] = {
        "entityName": "Person__c", "recordIds": [PERSON], "changeType": change_type, "commitNumber": commit,
        "sequenceNumber": 1, "commitTimestamp": 1556796576000 + commit, "transactionKey": f"000267d5-{commit:04d}",
    }  # fmt: skip
    payload = {"ChangeEventHeader": given | (header or {}), **fields}
    message = {"schema": "fl8pv4oUvtbyFAwJQO2NAQ", "payload": payload, "event": {"replayId": 32873116 + commit}}
    return json.dumps(message).encode() + b"\n"


_BITMAP = {"changedFields": ["0x02"], "nulledFields": [], "diffFields": []}

HOSTILE: tuple[Hostile, ...] = (
    Hostile("empty", {"empty.jsonl": b""}, "refused", "the file is empty"),
    Hostile("cut gzip", {"cut.jsonl.gz": gzip.compress(event())[:-8]}, "refused", "cut short"),
    Hostile("not gzip", {"plain.jsonl.gz": b"\xff\xfe\xfd rubbish"}, "refused", "not a gzip stream"),
    Hostile("hidden gzip", {"packed.jsonl": gzip.compress(event(commit=1, Owner__c="Ann"))}, "accepted"),
    Hostile("cut line", {"cut.jsonl": event() + event()[:40]}, "refused", "truncated"),
    Hostile("Avro", {"events.avro": b"Obj\x01rest"}, "refused", "an Avro container"),
    Hostile("wire format", {"wire.jsonl": b"\x00\x00\x00\x00\x01rest"}, "refused", "Confluent wire format"),
    Hostile("bitmap unread", {"map.jsonl": event("UPDATE", header=_BITMAP, Owner__c="Ann")}, "refused", "field_order"),
    Hostile("gap of no record", {"gap.jsonl": event("GAP_UPDATE", header={"recordIds": []})}, "refused", "a gap event without"),
    Hostile("no JSON", {"text.jsonl": b"{not json}\n"}, "quarantined", "not a JSON object"),
    Hostile("no header", {"bare.jsonl": b'{"Owner__c": "Ann"}\n'}, "quarantined", "no ChangeEventHeader"),
    Hostile("other object", {"other.jsonl": event(header={"entityName": "Order"})}, "quarantined", "an event of another object"),
    Hostile("snapshot", {"snap.jsonl": event("SNAPSHOT")}, "quarantined", "unknown changeType"),
    Hostile("forged re-fetch", {"forged.jsonl": event("REFETCHED")}, "quarantined", "unknown changeType"),
    Hostile("no commit", {"commit.jsonl": event(header={"commitNumber": None})}, "quarantined", "no commitNumber"),
    Hostile("gap of no order", {"unordered.jsonl": event("GAP_UPDATE", header={"sequenceNumber": None})}, "quarantined", "no commitNumber"),
    Hostile("no record", {"none.jsonl": event(header={"recordIds": []})}, "quarantined", "no recordIds"),
    Hostile("short id", {"short.jsonl": event(header={"recordIds": [PERSON[:15]]})}, "quarantined", "has not 18 characters"),
    Hostile("id twice", {"twice.jsonl": event(header={"recordIds": [PERSON, PERSON]})}, "quarantined", "stands twice"),
    Hostile("changed nothing", {"nothing.jsonl": event("UPDATE", header={"changedFields": []}, City__c="Bonn")}, "quarantined", "names no changed field"),
    Hostile("part of a field", {"part.jsonl": event("UPDATE", header={"changedFields": ["City__c.Name"]})}, "quarantined", "name its components"),
    Hostile("typed values", {"typed.jsonl": event(City__c={"string": "Bonn"})}, "quarantined", "a field is an object"),
    Hostile("JSON in a text", {"text in.jsonl": event(commit=3, City__c='{"string": "Bonn"}')}, "accepted"),
    Hostile("created twice", {"again.jsonl": event(commit=1, Owner__c="Ann") + event(commit=2, Owner__c="Ann")}, "accepted"),
)  # fmt: skip
"""One object each; the table reads ``Person__c`` without ``field_order``."""
