"""One mart, any moment: as known at, as effective at, both; by the mart's own SQL, and never unpublished rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from house import House, lines
from ledgerlake.config.check import check_pipeline
from ledgerlake.config.load import load_pipeline
from ledgerlake.errors import ConfigError, NotFoundError
from ledgerlake.ops.as_of import Moments, as_of, built_from, chosen

PIPELINE = """
pipeline: bank
sources:
  topics: {feed: event_export, location: topics}
marts:
  - mart: balances
    sql: marts/balances.sql
    key: [account]
    inputs: [{mart: entries}]
    suite: balances
  - mart: entries
    sql: marts/entries.sql
    key: [id]
    inputs: [{table: events, known: _extracted_at, effective: held_at}, {table: names, KNOWN}]
    publish: false
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
EVENTS = """
table: events
source: topics
resource: events
key: [id]
append_only: true
columns:
  - {name: id, type: string, nullable: false}
  - {name: account, type: string, nullable: false}
  - {name: amount, type: "decimal(9,2)", nullable: false}
  - {name: held_at, type: timestamp, nullable: false}
"""
NAMES = """
table: names
source: topics
resource: names
key: [account]
append_only: true
columns:
  - {name: account, type: string, nullable: false}
  - {name: name, type: string}
"""
ENTRIES = "SELECT e.id, e.account, n.name, e.amount FROM events e LEFT JOIN names n ON n.account = e.account"
BALANCES = (
    "SELECT account, max(name) AS name, CAST(sum(amount) AS DECIMAL(20,2)) AS balance FROM entries GROUP BY account"
)
SUITE = """{"name": "balances", "expectations": [
  {"type": "expect_column_values_to_be_between", "kwargs": {"column": "balance", "min_value": 0}}], "meta": {}}"""
MORNING, EVENING = datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 1, 18, tzinfo=UTC)


def event(id_: str, amount: str, held: str) -> dict[str, str]:
    return {"id": id_, "account": "a", "amount": amount, "held_at": held}


def deliver(bank: House, path: str, at: datetime, *rows: dict[str, str]) -> None:
    bank.deliver(f"topics/{path}.json", lines(*rows))
    os.utime(bank.root / "sources" / "topics" / f"{path}.json", (at.timestamp(), at.timestamp()))


@pytest.fixture
def bank(house: House) -> House:
    """Return a bank whose first morning is published."""
    pipeline = PIPELINE.replace("KNOWN", "known: _extracted_at")
    house.declare(pipeline, EVENTS, NAMES, marts__entries=ENTRIES, marts__balances=BALANCES, suite__balances=SUITE)
    deliver(
        house,
        "events/e+0+0",
        MORNING,
        event("1", "10.00", "2026-02-01T00:00:00Z"),
        event("2", "5.00", "2026-03-01T00:00:00Z"),
    )
    deliver(house, "names/n+0+0", MORNING, {"account": "b", "name": "Bob"})
    assert house.run().status == "published"
    return house


def asked(
    bank: House, known: datetime | None = None, effective: datetime | None = None, mart: str = "balances"
) -> list[Any]:
    workspace = bank.workspace()
    answer = as_of(workspace, mart, Moments(known, effective)).first(1_000, "account")
    return [tuple(row.values()) for row in workspace.engines.rows(answer)]


def test_a_mart_answers_as_known_and_as_effective_at_any_moment_and_only_what_is_published(bank: House) -> None:
    first = [tuple(r) for r in bank.mart("balances").collect()]
    deliver(bank, "events/e+0+2", EVENING, event("3", "-2.00", "2026-02-15T00:00:00Z"))
    deliver(bank, "names/n+0+1", EVENING, {"account": "a", "name": "Ann"})
    assert bank.run().status == "published"
    now = [tuple(r) for r in bank.mart("balances").collect()]

    assert asked(bank) == asked(bank, known=EVENING) == now == [("a", "Ann", Decimal("13.00"))]
    assert asked(bank, known=MORNING) == first == [("a", None, Decimal("15.00"))]
    assert asked(bank, effective=datetime(2026, 2, 20, tzinfo=UTC)) == [("a", "Ann", Decimal("8.00"))]
    assert asked(bank, MORNING, datetime(2026, 2, 20, tzinfo=UTC)) == [("a", None, Decimal("10.00"))]
    assert asked(bank, known=datetime(2026, 2, 1, tzinfo=UTC)) == []

    deliver(bank, "events/e+0+3", EVENING, event("4", "-99.00", "2026-03-01T00:00:00Z"))
    assert bank.run().status == "blocked"
    assert asked(bank) == now, "what no gate has passed is no answer"
    one_key_or_a_condition(bank)


def one_key_or_a_condition(bank: House) -> None:
    entries = bank.pipeline().mart("entries")
    workspace = bank.workspace()
    frame = as_of(workspace, "entries", Moments(known_at=MORNING))

    assert [r["id"] for r in workspace.engines.rows(chosen(frame, entries, "2", None))] == ["2"]
    assert [r["id"] for r in workspace.engines.rows(chosen(frame, entries, None, "amount > 6"))] == ["1"]
    with pytest.raises(ConfigError, match="the key has 1 columns"):
        chosen(frame, entries, "1,2", None)
    with pytest.raises(ConfigError, match="does not fit the mart"):
        chosen(frame, entries, None, "nonsense > 6")


def test_an_unknown_mart_and_an_unpublished_pipeline_are_told(house: House) -> None:
    pipeline = PIPELINE.replace("KNOWN", "known: _extracted_at")
    house.declare(pipeline, EVENTS, NAMES, marts__entries=ENTRIES, marts__balances=BALANCES, suite__balances=SUITE)

    with pytest.raises(NotFoundError, match="no mart 'balance'"):
        as_of(house.workspace(), "balance", Moments())
    with pytest.raises(NotFoundError, match="nothing is published yet"):
        as_of(house.workspace(), "balances", Moments())


def test_an_input_that_does_not_say_since_when_it_is_known_is_refused(house: House) -> None:
    pipeline = PIPELINE.replace(", KNOWN", "").replace(", effective: held_at", "")
    house.declare(pipeline, EVENTS, NAMES, marts__entries=ENTRIES, marts__balances=BALANCES, suite__balances=SUITE)

    with pytest.raises(ConfigError, match="not declared: entries reads names"):
        as_of(house.workspace(), "balances", Moments(known_at=MORNING))
    with pytest.raises(ConfigError, match="effective is not declared by any input"):
        as_of(house.workspace(), "balances", Moments(effective_at=MORNING))
    assert [m.mart for m in built_from(house.pipeline(), "balances")] == ["entries", "balances"]


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("known: _extracted_at,", "known: account,", "`known: account` is no time of events that every row has"),
        ("effective: held_at", "effective: account", "`effective: account` is no time of events"),
        ("append_only: true", "description: x", "`known` on events, whose rows are replaced"),
        ("{mart: entries}", "{mart: entries, known: _extracted_at}", "belong to tables"),
    ],
)  # fmt: skip
def test_declarations_that_cannot_answer_are_refused(
    houses: Callable[[str], House], tmp_path: Path, was: str, becomes: str, says: str
) -> None:
    pipeline = PIPELINE.replace("KNOWN", "known: _extracted_at")
    house = houses("house").declare(
        pipeline.replace(was, becomes), EVENTS.replace(was, becomes), NAMES,
        marts__entries=ENTRIES, marts__balances=BALANCES, suite__balances=SUITE,
    )  # fmt: skip

    try:
        found = [str(f) for f in check_pipeline(load_pipeline(house.root / "conf", house.root / "suites", "bank"))]
    except ConfigError as error:
        found = [str(error)]
    assert any(says in f and "pipeline.yml:" in f for f in found), found
