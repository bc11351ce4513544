"""Events as JSON lines: every record on every line counts, and numbers keep each digit."""

from __future__ import annotations

import pytest
from house import SOURCES, House, counts, lines, rows_of

EVENTS = """
table: events
source: topics
resource: bank.events
key: [event_id]
columns:
  - {name: event_id, type: string, nullable: false}
  - {name: kind, type: string}
  - {name: amount, type: "decimal(18,3)", source: payload.amount}
  - {name: currency, type: string, source: payload.currency}
"""
FILE = "topics/bank.events/bank.events+0+0000000000.json.gz"


@pytest.fixture
def topic(house: House) -> House:
    return house.declare(SOURCES, EVENTS)


def test_nested_fields_are_read_and_undeclared_ones_ignored(topic: House) -> None:
    event = {"event_id": "e1", "kind": "paid", "payload": {"amount": "1.50", "currency": "EUR", "extra": 1}}

    topic.deliver(FILE, lines(event)).load()

    assert rows_of(topic.silver("events")) == [("e1", "paid", "1.500", "EUR")]


def test_amounts_written_as_json_numbers_keep_every_digit(topic: House) -> None:
    exact = '{"event_id": "e1", "payload": {"amount": 123456789012345.678, "currency": "EUR"}}\n'

    topic.deliver(FILE, exact).load()

    assert rows_of(topic.silver("events")) == [("e1", None, "123456789012345.678", "EUR")]


@pytest.mark.parametrize(
    "line",
    [
        '{"event_id": "e1"}{"event_id": "e2"}',
        '[{"event_id": "e1"}, {"event_id": "e2"}]',
        '{"event_id": "e1"',
        '"e1"',
        "null",
        "e1,paid",
    ],
)  # fmt: skip
def test_a_line_that_is_not_one_json_object_is_quarantined(topic: House, line: str) -> None:
    [record] = topic.deliver(FILE, line + "\n").load()

    assert counts(record) == {"read": 1, "quarantined": 1}
    assert topic.reasons() == ["record: not a JSON object"]
    assert topic.quarantine()[0]["raw"] == line


def test_a_released_event_keeps_its_nested_fields(topic: House) -> None:
    """The rule is mended between delivery and release: the row must come back whole."""
    strict = topic.declare(
        SOURCES, EVENTS.replace("name: kind, type: string", "name: kind, type: string, allowed: [paid]")
    )
    strict.deliver(
        FILE, lines({"event_id": "e1", "kind": "refunded", "payload": {"amount": "1.50", "currency": "EUR"}})
    ).load()
    mended = topic.declare(SOURCES, EVENTS)
    [row] = mended.quarantine()
    mended.decide("requested", row["quarantine_id"])

    mended.load(release=True)

    assert rows_of(mended.silver("events")) == [("e1", "refunded", "1.500", "EUR")]
    assert mended.quarantine() == []
