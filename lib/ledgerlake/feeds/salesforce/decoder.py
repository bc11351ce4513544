"""Raw changes from Salesforce's change events.

A change of several records is one row a record; ``_position`` is
``commitNumber|sequenceNumber|rank|place in recordIds``. ``rank`` is 0 for events; what was
fetched for a gap ranks above its event, and a later fetch above an earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.changes import Changes
from ledgerlake.feeds.decoding.frame import Decode
from ledgerlake.feeds.decoding.records import raw_of
from ledgerlake.feeds.salesforce.events import FieldOrder
from ledgerlake.feeds.salesforce.patches import Patches
from ledgerlake.feeds.salesforce.reader import DIVIDED, NESTED, Event, EventReader
from ledgerlake.feeds.salesforce.values import Values
from ledgerlake.landing.manifest import LandedObject

FETCHED, ANSWERED = "refetched", "answered"
"""With the rank, and with each request, in the layout of an object that holds what Salesforce answered."""


@dataclass(frozen=True)
class ChangeEvents:
    """Decodes the events of one table's object; ``shared``: events of other objects stand between them."""

    table: Table
    entity: str
    order: FieldOrder
    shared: bool

    def __call__(self, item: LandedObject) -> Decode:
        """Open an object: its layout tells whether it was delivered, or fetched and when."""
        values = Values(self.table)
        patches = Patches(self.table, self.order)
        reader = EventReader(self.entity, patches, values, shared=self.shared, rank=rank_of(item))

        def decode(first: int, lines: Sequence[bytes]) -> Changes:
            events = [e for n, line in enumerate(lines, first) if (e := reader.event(n, line))]
            return _changes(events, values, self.table)

        return decode


def rank_of(item: LandedObject) -> int:
    """Return 0 for a delivered object; answers count upwards."""
    return int(item.layout[0][1]) if item.layout else 0


def _changes(events: Sequence[Event], values: Values, table: Table) -> Changes:
    """Return a row for each record of each event; only here is seen which fields are objects."""
    texts, nested = values.texts([e.payload for e in events], [e.line for e in events])
    for n in nested:
        if events[n].problem in (None, DIVIDED):
            events[n].refused(NESTED)
    ids, fields = [i or None for e in events for i in e.ids], iter(texts)
    rows, positions = events, [e.position for e in events]
    if len(ids) > len(events):  # a row for each record
        numbers, places = zip(*((n, place) for n, e in enumerate(events) for place in range(len(e.ids))), strict=True)
        rows, fields = [events[n] for n in numbers], (column.take(pa.array(numbers)) for column in texts)
        positions = [e.position and f"{e.position[:-5]}{place:05d}" for e, place in zip(rows, places, strict=True)]
    problems = [e.problem for e in rows]
    return Changes(
        ordinals=[e.ordinal for e in rows],
        ops=[e.op for e in rows],
        positions=positions,
        values=[ids if c.source_name == "Id" else next(fields) for c in table.columns],
        problems=problems,
        raws=[raw_of(e.line) if e.problem else None for e in rows] if any(problems) else None,
        carried=[e.carried for e in rows],
    )
