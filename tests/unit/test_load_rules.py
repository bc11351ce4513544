"""Row rules: what a contract makes of raw values. One batch of literal rows is judged once by each engine."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Table
from ledgerlake.engines.door import Engines
from ledgerlake.engines.embedded.arrow_kinds import columns_of
from ledgerlake.feeds.decoding.changes import changes_schema
from ledgerlake.lake.stage import BatchInput, judge
from ledgerlake.sql.relation import Relation

TABLE = Table.model_validate(
    {
        "table": "payments", "source": "db", "resource": "r", "key": ["id"], "currencies": {"GGP": 2},
        "columns": [
            {"name": "id", "type": "string", "nullable": False, "pattern": "^p"},
            {"name": "currency", "type": "string"},
            {"name": "amount", "type": "decimal(18,3)", "currency": "currency", "min": "0"},
            {"name": "minor", "type": "decimal(18,3)", "currency": "currency", "unit": "minor"},
            {"name": "cents", "type": "decimal(18,2)", "currency": "currency", "unit": "minor"},
            {"name": "count", "type": "integer", "max": "10"},
            {"name": "rate", "type": "decimal(18,4)", "allowed": ["1.5", "2"]},
            {"name": "status", "type": "string", "allowed": ["open", "paid"]},
            {"name": "booked_on", "type": "date"},
            {"name": "booked_at", "type": "timestamp"},
            {"name": "seen_at", "type": "timestamp", "format": "epoch_seconds"},
            {"name": "name", "type": "string", "nullable": False},
        ],
    }
)  # fmt: skip
GOOD = {"id": "p1", "currency": "EUR", "name": "Ann"}


@dataclass(frozen=True)
class Case:
    """Raw values over GOOD, and either the reasons or one typed value that must come of them."""

    name: str
    raw: dict[str, str | None]
    reasons: tuple[str, ...] = ()
    op: str = "upsert"
    typed: tuple[str, Any] | None = None


CASES = [
    Case("a good row", {}),
    Case("an amount that is no number", {"amount": "12,50"}, ("amount: not a decimal(18,3)",)),
    Case("an amount too large for its type", {"amount": "1234567890123456.000"}, ("amount: more digits than decimal(18,3)",)),
    Case("more decimals than the type", {"currency": "KWD", "amount": "1.2345"}, ("amount: more decimals than decimal(18,3)",)),
    Case("euros with three decimals", {"amount": "1.234"}, ("amount: more decimals than its currency has",)),
    Case("euros with a third decimal of zero", {"amount": "1.230"}, typed=("amount", Decimal("1.230"))),
    Case("yen with decimals", {"currency": "JPY", "amount": "1.5"}, ("amount: more decimals than its currency has",)),
    Case("dinars with three decimals", {"currency": "KWD", "amount": "1.234"}, typed=("amount", Decimal("1.234"))),
    Case("a currency in lower case", {"currency": "eur"}, typed=("currency", "EUR")),
    Case("an unknown currency", {"currency": "XXQ", "amount": "1"}, ("currency: unknown currency",)),
    Case("two currencies in one field", {"currency": "AED AFN"}, ("currency: unknown currency",)),
    Case("a negative amount", {"amount": "-0.01"}, ("amount: below 0",)),
    Case("cents", {"minor": "150"}, typed=("minor", Decimal("1.500"))),
    Case("yen in minor units", {"currency": "JPY", "minor": "150"}, typed=("minor", Decimal("150.000"))),
    Case("fils", {"currency": "KWD", "minor": "1500"}, typed=("minor", Decimal("1.500"))),
    Case("a part of a cent", {"minor": "12.7"}, ("minor: contradicts what is declared: an amount with decimals under `unit: minor`",)),
    Case("fils in a column of cents", {"currency": "KWD", "cents": "1234"}, ("cents: more decimals than decimal(18,2)",)),
    Case("euros written as major units under minor", {"minor": "10.00"}, ("minor: contradicts what is declared: an amount with decimals under `unit: minor`",)),
    Case("minor units that are no number", {"minor": "1e3"}, ("minor: not a whole number of minor units",)),
    Case("minor units in words", {"minor": "ten"}, ("minor: not a whole number of minor units",)),
    Case("minor units beyond their type", {"minor": "123456789012345678901"}, ("minor: more digits than decimal(18,3)",)),
    Case("zero without a currency", {"currency": None, "minor": "0", "cents": "-00"}, typed=("minor", Decimal("0.000"))),
    Case("zero in an unknown currency", {"currency": "XXQ", "minor": "0"}, ("currency: unknown currency",)),
    Case("Caribbean guilders", {"currency": "XCG", "minor": "150"}, typed=("minor", Decimal("1.500"))),
    Case("a currency of the project", {"currency": "GGP", "minor": "150"}, typed=("minor", Decimal("1.500"))),
    Case("a unit of account with four decimals", {"currency": "CLF", "minor": "15000"}, typed=("minor", Decimal("1.500"))),
    Case("a tiny amount that is not zero", {"amount": "1e-400"}, ("amount: not exact in decimal(18,3)",)),
    Case("an allowed number in another spelling", {"rate": "1.50"}, typed=("rate", Decimal("1.5000"))),
    Case("a number that is not allowed", {"rate": "1.51"}, ("rate: not an allowed value",)),
    Case("seconds that are milliseconds", {"seen_at": "1767225600000"}, ("seen_at: as seconds outside the years 1900 to 2200",)),
    Case("seconds near the end of all numbers", {"seen_at": "9223372036854775807"}, ("seen_at: as seconds outside the years 1900 to 2200",)),
    Case("a time in letters", {"booked_at": "2026-03-01 10:00:00 BST"}, ("booked_at: unknown zone",)),
    Case("minor units without a currency", {"currency": None, "minor": "150"}, ("minor: no currency",)),
    Case("a count with decimals", {"count": "1.5"}, ("count: has decimals",)),
    Case("a count above its bound", {"count": "11"}, ("count: above 10",)),
    Case("a value that is not allowed", {"status": "lost"}, ("status: not an allowed value",)),
    Case("a day that does not exist", {"booked_on": "2026-02-30"}, ("booked_on: no such day",)),
    Case("a time without its day", {"booked_at": "10:30:00"}, ("booked_at: not a timestamp",)),
    Case("a time in its own zone", {"booked_at": "2026-03-01T01:00:00+02:00"}, typed=("text_at", "2026-02-28 23:00:00")),
    Case("seconds since the epoch", {"seen_at": "0"}, typed=("text_seen", "1970-01-01 00:00:00")),
    Case("a null where none may be", {"name": None}, ("name: null",)),
    Case("bytes that were not UTF-8", {"name": "Z\uffffrich"}, ("name: not UTF-8",)),
    Case("a replacement character that the source sent", {"name": "Z\ufffdrich"}, typed=("name", "Z\ufffdrich")),
    Case("a key that does not match its pattern", {"id": "x1"}, ("id: does not match its pattern",)),
    Case("two faults at once", {"name": None, "status": "lost"}, ("name: null", "status: not an allowed value")),
    Case("a delete with only its key", {"name": None, "currency": None}, op="delete"),
    Case("a delete without its key", {"id": None}, ("id: null",), op="delete"),
]  # fmt: skip


@pytest.fixture(scope="module", params=["embedded", "spark"])
def judged(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    names = [c.name for c in TABLE.columns]
    rows = [
        ("o", n, c.op, f"{n:03d}", None, None, None, *((GOOD | c.raw).get(k) for k in names))
        for n, c in enumerate(CASES)
    ]
    from house import NOON

    schema = changes_schema(TABLE)
    raw = Relation.of("raw", pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema), schema.names)
    judged = judge(raw, columns_of(schema), BatchInput("b", TABLE, {"o": NOON}, {}, []))
    texts = judged.select("*", "CAST(booked_at AS STRING) AS text_at", "CAST(seen_at AS STRING) AS text_seen")
    environment = Environment(environment="test", lake="", sources="", engine=request.param)
    found = Engines(environment, lambda: request.getfixturevalue("spark")).rows(texts)
    return {CASES[row["_ordinal"]].name: row for row in found}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_row_leaves_with_its_reasons_or_its_typed_value(judged: dict[str, dict[str, Any]], case: Case) -> None:
    row = judged[case.name]

    assert sorted(row["_reasons"]) == sorted(case.reasons)
    if case.typed:
        assert row[case.typed[0]] == case.typed[1]


def test_a_refused_row_keeps_what_was_delivered(judged: dict[str, dict[str, Any]]) -> None:
    assert '"amount":"12,50"' in judged["an amount that is no number"]["_raw"]
    assert judged["a good row"]["_raw"] is None
