"""What one line of change events says, and why it cannot be read where it cannot."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ledgerlake.feeds.decoding.records import at, json_text, record_of
from ledgerlake.feeds.salesforce.events import HEADER, RECORD_ID, is_wildcard, order_of, payload_of
from ledgerlake.feeds.salesforce.patches import Patch, Patches
from ledgerlake.feeds.salesforce.values import Payload, Values

DIVIDED = "a compound field changed: name its components in the contract"
NESTED = "a field is an object: name its components in the contract"

_OPS = {
    "CREATE": "upsert", "UNDELETE": "upsert", "UPDATE": "patch", "DELETE": "delete",
    "REFETCHED": "upsert", "REFETCHED_DELETE": "delete", "RESYNC": "truncate",
}  # fmt: skip
_OF_ANSWERS = {"REFETCHED", "REFETCHED_DELETE", "RESYNC"}
_PLAIN_ID = re.compile(r"(?!0{15})[A-Za-z0-9]{18}").fullmatch
_PLAIN = ("CREATE", "UNDELETE", "UPDATE", "DELETE")
"""Kinds of change about whose record's id nothing special is to be known; a tuple, because a kind may be anything."""
_UNKNOWN = ""
_EMPTY: Payload = {}


class Event(msgspec.Struct, gc=False):
    """What a line says of the records ``ids``, of which a refused event keeps the first; ``position`` is of the first."""

    ordinal: int
    line: bytes
    op: str | None
    position: str | None
    ids: list[str | None]
    problem: str | None
    carried: list[str] | None
    payload: Payload

    def refused(self, problem: str) -> Event:
        """Note why the event cannot be read; return it."""
        self.problem, self.ids = problem, self.ids[:1] or [None]
        return self


class EventReader:
    """Reads the events of one landed object, which are those of ``entity`` and, where ``shared``, of others."""

    def __init__(self, entity: str, patches: Patches, values: Values, *, shared: bool, rank: int) -> None:
        self._entity, self._shared = entity, shared
        self._patches, self._values = patches, values
        self._tops = values.tops | {HEADER}
        self._kinds = frozenset(_OPS if rank else _OPS.keys() - _OF_ANSWERS)
        self._rank, self._resync_rank = f"|{rank + 1 if rank else 0:06d}|00000", f"|{rank:06d}|00000"

    def event(self, ordinal: int, line: bytes) -> Event | None:
        """Return what a line says, None for an event that is no change of this object."""
        record = record_of(line)
        if record is None:
            return Event(ordinal, line, None, None, [None], "not a JSON object", None, _EMPTY)
        payload = payload_of(record, self._tops)
        header = payload.get(HEADER)
        if type(header) is not dict:
            header = _EMPTY
        event = self._plain(ordinal, line, payload, header) or self._odd(ordinal, line, payload, header)
        if event and event.op == "patch":
            self._read_patch(event, record, header)
        return event

    def _plain(self, ordinal: int, line: bytes, payload: Payload, header: Payload) -> Event | None:
        """Return a change of one record about which nothing more needs to be asked, None where it is not one."""
        kind, ids = header.get("changeType"), header.get("recordIds")
        order = order_of(header.get("commitNumber"), header.get("sequenceNumber"))
        if not order or header.get("entityName") != self._entity or kind not in _PLAIN:
            return None
        if type(ids) is not list or len(ids) != 1 or type(ids[0]) is not str or not _PLAIN_ID(ids[0]):
            return None
        return Event(ordinal, line, _OPS[kind], order + self._rank, ids, None, None, payload)

    def _odd(self, ordinal: int, line: bytes, payload: Payload, header: Payload) -> Event | None:
        """Return any other event, with what is wrong with it; None where it is no change."""
        entity, kind, ids = header.get("entityName"), _kind(header.get("changeType")), _ids(header.get("recordIds"))
        order = order_of(header.get("commitNumber"), header.get("sequenceNumber"))
        if self._is_left_out(entity, kind, order, ids):
            return None
        position = order and order + (self._resync_rank if kind == "RESYNC" else self._rank)
        event = Event(ordinal, line, _OPS.get(kind or _UNKNOWN), position, ids, None, None, payload)
        problem = self._problem(entity, kind, order, ids)
        return event.refused(problem) if problem else event

    def _read_patch(self, event: Event, record: Payload, header: Payload) -> None:
        patch = self._patch(record, header)
        event.carried = patch.carries
        if patch.empty and not event.problem and self._values.any_in(event.payload):
            event.refused("an update that names no changed field")
        elif patch.divided and not event.problem:
            event.refused(DIVIDED)

    def _patch(self, record: Payload, header: Payload) -> Patch:
        changed, nulled, diffs = header.get("changedFields"), header.get("nulledFields"), header.get("diffFields")
        diffs = diffs if type(diffs) is list else []
        if type(changed) is list:
            return self._patches.by_lists(changed, nulled if type(nulled) is list else [], diffs)
        if type(nulled) is list:
            return self._patches.by_lists([], nulled, diffs)
        return self._patches.by_fields(_sent(record), diffs)

    def _is_left_out(self, entity: Any, kind: str | None, order: str | None, ids: list[str | None]) -> bool:
        """Tell events that extraction answers by asking Salesforce, and those of others in a shared channel.

        What has no order was not asked for: it stays, and goes to quarantine.
        """
        if entity != self._entity:
            return self._shared and entity is not None
        if order is None or kind is None:
            return False
        return kind.startswith("GAP_") or (kind != "RESYNC" and any(i is not None and is_wildcard(i) for i in ids))

    def _problem(self, entity: Any, kind: str | None, order: str | None, ids: list[str | None]) -> str | None:
        if entity is None or kind is None:
            return "no ChangeEventHeader"
        if entity != self._entity:
            return "an event of another object"
        if order is None:
            return "no commitNumber or sequenceNumber"
        return "unknown changeType" if kind not in self._kinds else _problem_of_ids(kind, ids)


def _problem_of_ids(kind: str, ids: list[str | None]) -> str | None:
    if not ids:
        return "no recordIds"
    if kind != "RESYNC" and not all(i is not None and RECORD_ID.fullmatch(i) for i in ids):
        return "a record id that has not 18 characters"
    return "a record id stands twice" if len(set(ids)) < len(ids) else None


def _sent(record: Payload) -> Any:
    """Return the part of a message that holds what was sent, whatever it is."""
    found = (record.get("payload"), at(record, ("data", "payload")))
    return next((part for part in found if part is not None), record)


def _kind(given: Any) -> str | None:
    return given if given is None or type(given) is str else _UNKNOWN


def _ids(given: Any) -> list[str | None]:
    """Return record ids as text, whatever they are."""
    return [json_text(i) for i in given] if type(given) is list else []
