"""Salesforce change events: any order, any split and any repetition of the same events end in one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from convergence import Acts, Format, Sent, assert_converges
from histories import Act, drawn, interleaved
from house import House
from ledgerlake.core.change import Change, Op

PIPELINE = """
pipeline: bank
sources:
  crm: {feed: salesforce_cdc, location: crm}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: crm
resource: person
key: [id]
changes: partial
feed:
  object: Person__c
  field_order: [ChangeEventHeader, Owner__c, {Home__c: [Street, City]}]
columns:
  - {name: id, source: Id, type: string, nullable: false}
  - {name: owner, source: Owner__c, type: string}
  - {name: city, source: Home__c.City, type: string}
"""
KINDS = {"put": "CREATE", "back": "UNDELETE", "set": "UPDATE", "drop": "DELETE"}
BITS = {"owner": "0x02", "city": "2-0x02"}
NAMES = {"owner": "Owner__c", "city": "Home__c.City"}


class Salesforce(Format):
    """Decoded Pub/Sub events: every field is present, lists are names or bitmaps by turns.

    Every fourth event is of two records: of the history's own, and of its twin.
    """

    pipeline, table = PIPELINE, PEOPLE

    def play(self, acts: Acts) -> list[Sent]:
        return [_sent(number, act, turn) for turn, (number, act) in enumerate(acts, 1)]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return {f"crm/person/person+0+{number}.jsonl": b"".join(json.dumps(s.record).encode() + b"\n" for s in pile)}


def _sent(number: int, act: Act, turn: int) -> Sent:
    ids = [f"001{number:012d}{end}" for end in ("AAA", "AAB")[: 1 + (turn % 4 == 0)]]
    commit, sequence = 10426208028536 + turn // 3, turn % 3 + 1
    values: dict[str, Any] = {"owner": act.owner, "city": act.city}
    carried = act.carried if act.kind == "set" else () if act.kind == "drop" else tuple(values)
    header = {
        "entityName": "Person__c", "recordIds": ids, "changeType": KINDS[act.kind], "commitNumber": commit,
        "sequenceNumber": sequence, **_lists(act, values, bitmaps=turn % 2 == 0),
    }  # fmt: skip
    shown = {c: values[c] if c in carried else None for c in values}
    home = {"Street": None, "City": shown["city"]} if shown["city"] else None
    op = {"set": Op.PATCH, "drop": Op.DELETE}.get(act.kind, Op.UPSERT)
    changes = tuple(
        Change((i,), op, f"{commit:019d}|{sequence:010d}|000000|{n:05d}", {c: values[c] for c in carried})
        for n, i in enumerate(ids)
    )
    return Sent({"ChangeEventHeader": header, "Owner__c": shown["owner"], "Home__c": home}, changes)


def _lists(act: Act, values: dict[str, Any], *, bitmaps: bool) -> dict[str, list[str]]:
    names, empty = BITS if bitmaps else NAMES, {"changedFields": [], "nulledFields": [], "diffFields": []}
    if act.kind != "set":
        return dict(empty)
    nulled = [names[c] for c in act.carried if values[c] is None]
    return empty | {"changedFields": [names[c] for c in act.carried], "nulledFields": nulled}


def test_every_delivery_of_the_same_change_events_converges(houses: Callable[[str], House]) -> None:
    histories = drawn("put", "put", "set", "set", "drop", "set")
    for acts in histories[::2]:  # a create after a delete is an undelete
        acts[:] = [Act("back", *_rest(a)) if a.kind == "put" and n else a for n, a in enumerate(acts)]
    assert_converges(houses, Salesforce(), interleaved(histories, Random(1)))


def _rest(act: Act) -> tuple[str | None, str | None, tuple[str, ...]]:
    return act.owner, act.city, act.carried
