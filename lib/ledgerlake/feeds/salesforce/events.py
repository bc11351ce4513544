"""What a Salesforce change event says beside its values: pure Python, no Spark.

Sources: Salesforce Change Data Capture Developer Guide, "ChangeEventHeader Fields", "Gap Events",
"Overflow Events"; Pub/Sub API guide, "Event Deserialization Considerations" (bitmaps).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.decoding.bodies import NO_LIMITS, Limits
from ledgerlake.feeds.decoding.lines import lines_in
from ledgerlake.feeds.decoding.records import Record, path_of, record_of

HEADER = "ChangeEventHeader"
ROOTS = ("", "payload.", "data.payload.")
"""Where a record's fields stand: payload only, the event, or CometD's message around it."""
FieldOrder = Sequence["str | Mapping[str, Sequence[str]]"]
"""The fields of the event's Avro schema in order; a compound field with its components."""
RECORD_ID = re.compile(r"[A-Za-z0-9]{18}")

_BITMAP = re.compile(r"(?:(?P<parent>\d+)-)?0x(?P<bits>[0-9A-Fa-f]*)")
_EMPTY: Record = {}
_COMMIT, _SEQUENCE = re.compile(r"[0-9]{1,19}"), re.compile(r"[0-9]{1,10}")
_TELLING = re.compile(rb'GAP_|\*"|"0{15}|-?0x|"diffFields"\s*:\s*\[\s*"')


@dataclass(frozen=True, order=True)
class Refetch:
    """One request to ask Salesforce: for a record, or (``record_id`` empty) for the whole object.

    ``after`` is ``commitNumber|sequenceNumber`` of the event that could not be read: what is
    fetched ranks above it. ``reason`` is the change type, or the name of a declared resync.
    """

    after: str
    record_id: str
    reason: str

    @property
    def kind(self) -> Literal["record", "object"]:
        """Say what is to be fetched."""
        return "record" if self.record_id else "object"

    @property
    def name(self) -> str:
        """Return the request's identity: one event asks once, however often it is delivered."""
        return f"{self.after}|{self.record_id or self.reason}"


def order_of(commit: object, sequence: object) -> str | None:
    """Return the order of an event as text of fixed width, None where its numbers are missing."""
    if type(commit) is int and type(sequence) is int and 0 <= commit < 10**19 and 0 <= sequence < 10**10:
        return "%019d|%010d" % (commit, sequence)  # noqa: UP031 (of every event: a third faster than an f-string)
    if not (_COMMIT.fullmatch(str(commit)) and _SEQUENCE.fullmatch(str(sequence))):
        return None
    return f"{int(str(commit)):019d}|{int(str(sequence)):010d}"


def is_wildcard(record_id: str) -> bool:
    """Say whether an id stands for many records: ``001*``, or the empty id of overflow events."""
    return record_id.endswith("*") or record_id.startswith("0" * 15)


def names_in(order: FieldOrder) -> list[tuple[str, tuple[str, ...]]]:
    """Return each field of the schema with its components, in order."""
    pairs = [(f, ()) if isinstance(f, str) else next((n, tuple(c)) for n, c in f.items()) for f in order]
    return [(name, tuple(parts)) for name, parts in pairs]


def decoded(entries: Sequence[str], order: FieldOrder) -> list[str]:
    """Return the fields that bitmaps name; plain names are returned as they are.

    Raises :class:`SourceError` where a bitmap names what ``order`` does not hold.
    """
    fields, found = names_in(order), []
    for entry in entries:
        bitmap = _BITMAP.fullmatch(entry)
        if bitmap is None:
            found.append(entry)
            continue
        if not fields:
            raise SourceError("bitmaps in changedFields, and no `feed: {field_order: […]}` to read them by")
        names, beyond = _named(bitmap, fields)
        if beyond:
            raise SourceError("a bitmap names a field that `field_order` does not hold: the schema has changed")
        found += names
    return found


def named(entries: Sequence[str], order: FieldOrder) -> list[str]:
    """Return the fields that a list of a landed event names: by its bitmaps alone, where it has any.

    Extraction proved the bitmaps by the ``field_order`` of its day (:func:`decoded`); what a later
    one does not hold is not named. Without one, entries are names. The first bitmap of a level counts.
    """
    fields, bitmaps = names_in(order), [b for b in map(_BITMAP.fullmatch, entries) if b]
    if not fields or not bitmaps:
        return list(entries)
    levels = {bitmap["parent"]: bitmap for bitmap in reversed(bitmaps)}
    return [name for bitmap in levels.values() for name in _named(bitmap, fields)[0]]


def _named(bitmap: re.Match[str], fields: list[tuple[str, tuple[str, ...]]]) -> tuple[list[str], bool]:
    """Return the names at a bitmap's places, and whether it has places beyond the last name."""
    names, prefix = tuple(name for name, _ in fields), ""
    if bitmap["parent"] is not None:
        name, names = fields[int(bitmap["parent"])] if int(bitmap["parent"]) < len(fields) else ("", ())
        prefix = f"{name}."
    bits = int(bitmap["bits"] or "0", 16)
    return [prefix + name for place, name in enumerate(names) if bits >> place & 1], bool(bits >> len(names))


@dataclass(frozen=True)
class Found:
    """What an extraction must know of one object: requests to Salesforce, and the newest order seen."""

    refetches: tuple[Refetch, ...]
    newest: str


def examine(
    name: str, body: bytes, entity: str, order: FieldOrder, sources: Sequence[str], limits: Limits = NO_LIMITS
) -> Found:
    """Read an object's events; ``sources`` are the contract's field paths.

    Raises :class:`SourceError` for an object whose frame is broken or whose bitmaps cannot be
    read. A line that is no event is left for quarantine.
    """
    refetches, newest = set(), ""
    tops = {path_of(s)[0] for s in sources} | {HEADER}
    for number, line in enumerate(lines_in(name, body, limits), 1):
        payload = payload_of(record_of(line) or _EMPTY, tops)
        header = payload.get(HEADER)
        if not isinstance(header, dict) or header.get("entityName") != entity:
            continue
        after = order_of(header.get("commitNumber"), header.get("sequenceNumber"))
        newest = max(newest, after or "")
        if after and _TELLING.search(line):
            try:
                refetches |= set(_refetches(header, payload, after, order, sources))
            except SourceError as error:
                raise SourceError(error.what, where=Where(file=name, line=number), then="see field_order") from None
    return Found(tuple(sorted(refetches)), newest)


def payload_of(record: Record, tops: Set[str]) -> Record:
    """Return the part of a record that holds header and fields, the names in ``tops``; see :data:`ROOTS`.

    What stands at several places is taken as one, empty where it stands at none.
    """
    data = record.get("data")
    found = None if tops.isdisjoint(record) else record
    for part in (record.get("payload"), data.get("payload") if type(data) is dict else None):
        if type(part) is dict and not tops.isdisjoint(part):
            found = part if found is None else _over(found, part)
    return _EMPTY if found is None else found


def _over(first: Any, second: Any) -> Any:
    """Return an event that stands at several places as one: what is null in the first is taken from the second."""
    if type(first) is dict and type(second) is dict:
        return {**second, **{name: _over(value, second.get(name)) for name, value in first.items()}}
    return second if first is None else first


def _refetches(
    header: Mapping[str, Any], payload: Mapping[str, Any], after: str, order: FieldOrder, sources: Sequence[str]
) -> Iterator[Refetch]:
    kind, ids = str(header.get("changeType")), [str(i) for i in header.get("recordIds") or ()]
    if kind == "GAP_OVERFLOW" or any(is_wildcard(i) for i in ids):
        yield Refetch(after, "", kind)
        return
    lists = {n: [str(e) for e in header.get(n) or ()] for n in ("changedFields", "nulledFields", "diffFields")}
    named = {n: decoded(entries, order) for n, entries in lists.items()}
    if kind == "UPDATE" and any(_BITMAP.fullmatch(e) for e in lists["changedFields"]):
        _verify_schema(payload, order)
    if kind.startswith("GAP_") or (kind == "UPDATE" and set(named["diffFields"]) & set(sources)):
        if not ids or not all(map(RECORD_ID.fullmatch, ids)):
            raise SourceError("a gap event without record ids of 18 characters")
        yield from (Refetch(after, record_id, kind) for record_id in ids)


def _verify_schema(payload: Mapping[str, Any], order: FieldOrder) -> None:
    """Decoded Pub/Sub events hold every field of the schema: others than declared shift the bitmaps."""
    if set(payload) != {name for name, _ in names_in(order)}:
        raise SourceError("the event's fields are not those of `field_order`: the schema has changed")
