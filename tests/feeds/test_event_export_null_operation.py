"""What an event without an operation means is declared, never guessed."""

from __future__ import annotations

import pytest
from house import SOURCES, House, lines, rows_of

NOTES = """
table: notes
source: topics
resource: notes
key: [id]
feed: {op_field: meta.op, ops: {put: upsert, drop: delete%s}}
columns:
  - {name: id, type: string, nullable: false}
  - {name: text, type: string}
"""
EVENTS = [
    {"id": "a", "text": "kept", "meta": {"op": "put"}},
    {"id": "b", "text": "null", "meta": {"op": None}},
    {"id": "c", "text": "absent", "meta": {}},
    {"id": "d", "text": "no meta"},
    {"id": "e", "text": "the word", "meta": {"op": "null"}},
]


@pytest.mark.parametrize("word", ["null", "~"])
def test_null_as_an_operation_is_what_it_is_declared_to_be(house: House, word: str) -> None:
    house.declare(SOURCES, NOTES % f", {word}: upsert")
    house.deliver("topics/notes/notes+0+0000000000.json", lines(*EVENTS)).load()

    assert [row[0] for row in rows_of(house.silver("notes"))] == ["a", "b", "c", "d"]
    assert house.reasons() == ["record: unknown operation"]  # the word null is not null


def test_null_may_mean_a_delete(house: House) -> None:
    house.declare(SOURCES, NOTES % ", null: delete")
    house.deliver("topics/notes/notes+0+0000000000.json", lines(EVENTS[0], {"id": "a", "text": None})).load()

    assert rows_of(house.silver("notes")) == []


def test_null_that_is_not_declared_is_refused(house: House) -> None:
    house.declare(SOURCES, NOTES % "")
    house.deliver("topics/notes/notes+0+0000000000.json", lines(*EVENTS)).load()

    assert [row[0] for row in rows_of(house.silver("notes"))] == ["a"]
    assert house.reasons() == ["record: unknown operation"] * 4
