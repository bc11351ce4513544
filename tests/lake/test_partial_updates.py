"""Events that carry only some columns: absent keeps, null clears, and order of arrival is no matter."""

from __future__ import annotations

import pytest
from house import SOURCES, House, counts, lines, rows_of

PROFILES = """
table: profiles
source: topics
resource: bank.profiles
key: [id]
changes: partial
feed:
  op_field: op
  ops: {put: upsert, set: patch, drop: delete}
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string, nullable: false}
  - {name: limit, type: integer, max: "1000"}
  - {name: city, type: string}
"""


def file(offset: int) -> str:
    return f"topics/bank.profiles/bank.profiles+0+{offset:010d}.json.gz"


@pytest.fixture
def topic(house: House) -> House:
    return house.declare(SOURCES, PROFILES)


def put(**values: object) -> dict[str, object]:
    return {"op": "put", "id": "a", "owner": "Ann"} | values


def patch(**values: object) -> dict[str, object]:
    return {"op": "set", "id": "a"} | values


DROP = {"op": "drop", "id": "a"}


def test_a_late_patch_still_sets_the_columns_that_nothing_newer_has_set(topic: House) -> None:
    topic.deliver(file(0), lines(put(limit=1, city="Bonn"))).load()
    topic.deliver(file(20), lines(patch(limit=3))).load()

    late = topic.deliver(file(10), lines(patch(limit=2, city="Kiel"))).load()

    assert counts(late[0]) == {"read": 1, "applied": 1}
    assert rows_of(topic.silver("profiles")) == [("a", "Ann", 3, "Kiel")]


def test_absent_keeps_and_null_clears(topic: House) -> None:
    topic.deliver(file(0), lines(put(limit=1, city="Bonn"), patch(city=None))).load()

    assert rows_of(topic.silver("profiles")) == [("a", "Ann", 1, None)]


def test_a_patch_before_its_row_makes_no_row_but_is_remembered(topic: House) -> None:
    topic.deliver(file(10), lines(patch(city="Kiel"))).load()
    assert rows_of(topic.silver("profiles")) == []

    topic.deliver(file(0), lines(put(limit=1, city="Bonn"))).load()

    assert rows_of(topic.silver("profiles")) == [("a", "Ann", 1, "Kiel")]


def test_what_was_set_before_a_delete_does_not_come_back_with_the_key(topic: House) -> None:
    topic.deliver(file(10), lines(DROP, put(limit=5))).load()

    topic.deliver(file(0), lines(put(limit=1, city="Bonn"), patch(city="Kiel"))).load()

    assert rows_of(topic.silver("profiles")) == [("a", "Ann", 5, None)]


def test_a_patch_is_judged_only_on_what_it_carries(topic: House) -> None:
    [record] = topic.deliver(file(0), lines(put(), patch(limit=5000), patch(owner=None), patch(city="Kiel"))).load()

    assert counts(record) == {"read": 4, "applied": 1, "superseded": 1, "quarantined": 2}
    assert topic.reasons() == ["limit: above 1000", "owner: null"]


def test_a_whole_row_without_a_column_that_may_not_be_null_is_refused(topic: House) -> None:
    [record] = topic.deliver(file(0), lines({"op": "put", "id": "a", "limit": 1})).load()

    assert counts(record) == {"read": 1, "quarantined": 1}
    assert topic.reasons() == ["owner: null"]


def test_an_event_that_does_not_say_what_it_does_is_refused(topic: House) -> None:
    [record] = topic.deliver(file(0), lines(put(op="merge"), {"id": "a", "city": "Kiel"})).load()

    assert counts(record) == {"read": 2, "quarantined": 2}
    assert topic.reasons() == ["record: unknown operation"] * 2
