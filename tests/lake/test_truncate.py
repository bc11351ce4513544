"""A truncate withdraws every row that is older, whenever and in whichever batch it arrives."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from house import SOURCES, House, counts, lines, rows_of

EVENTS = """
table: people
source: topics
resource: bank.people
key: [id]
changes: {changes}
feed:
  op_field: op
  ops: {ops}
columns:
  - {{name: id, type: string, nullable: false}}
  - {{name: owner, type: string}}
  - {{name: city, type: string}}
"""
WHOLE = EVENTS.format(changes="whole", ops="{put: upsert, drop: delete, wipe: truncate}")
PARTIAL = EVENTS.format(changes="partial", ops="{put: upsert, set: patch, drop: delete, wipe: truncate}")
WIPE = {"op": "wipe"}


def put(key: str, owner: str) -> dict[str, str]:
    return {"op": "put", "id": key, "owner": owner, "city": "Bonn"}


def at(offset: int, *events: dict[str, str]) -> tuple[str, bytes]:
    body = gzip.compress(lines(*events).encode(), mtime=0)
    return f"topics/bank.people/bank.people+0+{offset:010d}.json.gz", body


# Offsets: 0 a · 1 b · 2 wipe · 3 b again · 4 c; a is gone, whatever comes first.
FILES = {0: [put("a", "Ann"), put("b", "Bob")], 2: [WIPE], 3: [put("b", "Ben"), put("c", "Cid")]}


@pytest.mark.parametrize("table", [WHOLE, PARTIAL], ids=["whole", "partial"])
@pytest.mark.parametrize("order", [(0, 2, 3), (3, 2, 0), (2, 3, 0)])
def test_what_is_older_than_a_truncate_is_gone_in_any_order(house: House, table: str, order: tuple[int, ...]) -> None:
    house.declare(SOURCES, table)

    records = [house.deliver(*at(offset, *FILES[offset])).load()[0] for offset in order]

    assert rows_of(house.silver("people")) == [("b", "Ben", "Bonn"), ("c", "Cid", "Bonn")]
    assert all(r["read"] == r["applied"] + r["superseded"] for r in records)


def test_a_patch_from_before_a_truncate_is_lost_and_one_from_after_it_waits(house: House) -> None:
    house.declare(SOURCES, PARTIAL)
    late = {"op": "set", "id": "a", "owner": "Late"}

    house.deliver(*at(5, {"op": "set", "id": "a", "city": "Kiel"})).load()
    house.deliver(*at(2, WIPE)).load()
    house.deliver(*at(1, late)).load()
    house.deliver(*at(4, {"op": "put", "id": "a", "owner": "Ann", "city": None})).load()

    assert rows_of(house.silver("people")) == [("a", "Ann", "Kiel")]


def test_a_second_older_truncate_changes_nothing(house: House) -> None:
    house.declare(SOURCES, WHOLE).deliver(*at(2, WIPE)).load()
    house.deliver(*at(3, *FILES[3])).load()

    [record] = house.deliver(*at(1, WIPE)).load()

    assert counts(record) == {"read": 1, "superseded": 1}
    assert len(rows_of(house.silver("people"))) == 2


@pytest.mark.parametrize("table", [WHOLE, PARTIAL], ids=["whole", "partial"])
def test_silver_rebuilt_from_bronze_knows_truncates(houses: Callable[[str], House], table: str) -> None:
    from ledgerlake.ops.replay import compare

    house = houses("rebuilt").declare(SOURCES, table)
    for offset in (3, 0, 2):
        house.deliver(*at(offset, *FILES[offset])).load()

    assert compare(house.workspace(), "people").equal


def test_a_truncate_that_is_delivered_again_is_a_duplicate(house: House) -> None:
    house.declare(SOURCES, WHOLE).deliver(*at(0, put("a", "Ann"), WIPE)).load()
    [again] = house.deliver(*at(1, WIPE, put("b", "Bob"))).load()
    assert counts(again) == {"read": 2, "applied": 1, "duplicate": 1}
    assert house.bronze("people").where("_op = 'truncate'").count() == 1
