"""What the ledger's reports say of services that lose, repeat or miscount events, and of books that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

MARTS = Path(__file__).resolve().parents[2] / "conf/pipelines/tax_ledger/marts"
EVENT_SCHEMA = (
    "event_id STRING, event_type STRING, service STRING, service_sequence BIGINT, invoice_id STRING, transaction_id STRING,"
    " document_date DATE, effective_at TIMESTAMP, recorded_at TIMESTAMP, jurisdiction STRING, currency STRING,"
    " net_amount DECIMAL(18,3), tax_amount DECIMAL(18,3), corrects STRING, reverses STRING, lines STRING,"
    " _batch_id STRING, _extracted_at TIMESTAMP"
)
CONTROL_SCHEMA = "service STRING, control_date DATE, currency STRING, revision INT, events BIGINT, debits DECIMAL(18,3), sequence_first BIGINT, sequence_last BIGINT"
CLOSE_SCHEMA = "close_id STRING, period STRING, closed_at TIMESTAMP, policy STRING"
DAY, NEXT = "2026-03-01", "2026-03-02"
SALE = '[{"account":"receivable","debit":"%s"},{"account":"revenue","credit":"%s"}]'


def event(
    id_: str, sequence: int = 1, *, day: str = DAY, currency: str = "EUR", debit: str = "1.00", credit: str = "1.00",
    reverses: str | None = None, invoice: str = "i", lines: str | None = None, recorded: str | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    kind = "event.reversed" if reverses else "invoice.finalised"
    at = f"{day}T10:00:00Z"
    return (
        id_, kind, "billing", sequence, invoice, f"t{invoice}", day, at, recorded or at, "DE", currency, debit, "0",
        None, reverses, lines or SALE % (debit, credit), "b", recorded or at,
    )  # fmt: skip


def control(
    events: int,
    first: int,
    last: int,
    *,
    day: str = DAY,
    currency: str = "EUR",
    debits: str | None = None,
    revision: int = 1,
) -> tuple[Any, ...]:
    return ("billing", day, currency, revision, events, debits or f"{events}.00", first, last)


def view(spark: SparkSession, name: str, schema: str, rows: list[tuple[Any, ...]]) -> None:
    text = ", ".join(f"{part.split()[0]} STRING" for part in schema.split(", "))
    typed = [f"CAST({part.split()[0]} AS {part.split()[1]}) AS {part.split()[0]}" for part in schema.split(", ")]
    given = [tuple(None if v is None else str(v) for v in row) for row in rows]
    spark.createDataFrame(given, text).selectExpr(*typed).createOrReplaceTempView(name)


def books(
    spark: SparkSession,
    events: list[tuple[Any, ...]],
    controls: list[tuple[Any, ...]] | None = None,
    closes: list[tuple[Any, ...]] | None = None,
) -> SparkSession:
    session = spark.newSession()
    view(session, "ledger_events", EVENT_SCHEMA, events)
    view(session, "service_controls", CONTROL_SCHEMA, controls or [])
    view(session, "period_closes", CLOSE_SCHEMA, closes or [])
    for mart in (
        "postings",
        "invoice_state",
        "transaction_state",
        "service_days",
        "rpt_service_reconciliation",
        "out_of_balance",
    ):
        session.sql((MARTS / f"{mart}.sql").read_text()).createOrReplaceTempView(mart)
    return session


def asked(session: SparkSession, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.sql(sql).collect()]


def reconciled(session: SparkSession) -> list[tuple[Any, ...]]:
    columns = "CAST(control_date AS STRING), currency, status, missing_events, overdue_events, gaps"
    return asked(session, f"SELECT {columns} FROM rpt_service_reconciliation ORDER BY control_date, currency")


def sequence(*numbers: int, day: str = DAY) -> list[tuple[Any, ...]]:
    return [event(f"{day}-{n}-{place}", n, day=day) for place, n in enumerate(numbers)]


@pytest.mark.parametrize(
    ("arrived", "said", "found"),
    [
        ((1, 2, 3), control(3, 1, 3), ("agrees", 0, 0, None)),
        ((1, 2, 5), control(5, 1, 5), ("waiting", 2, 0, "3-4")),
        ((2, 4), control(5, 1, 5), ("waiting", 3, 0, "1, 3, 5")),
        ((1, 3, 4), control(3, 1, 3), ("waiting", 1, 0, "2")),  # one too many does not make up for one too few
        ((1, 2, 2), control(3, 1, 3), ("waiting", 1, 0, "3")),
        ((1, 2, 3, 3), control(4, 1, 3), ("differs", 0, 0, None)),
        ((1, 2, 3), control(3, 1, 3, debits="4.00"), ("differs", 0, 0, None)),
        ((1, 2, 3), None, ("no control", 0, 0, None)),
        ((), control(3, 1, 3), ("waiting", 3, 0, "1-3")),
    ],
)  # fmt: skip
def test_what_arrived_is_held_against_what_the_service_says(
    spark: SparkSession, arrived: tuple[int, ...], said: tuple[Any, ...] | None, found: tuple[Any, ...]
) -> None:
    session = books(spark, sequence(*arrived), [said] if said else [])
    assert reconciled(session) == [(DAY, "EUR", *found)]


def test_a_gap_of_an_earlier_day_is_overdue_and_a_higher_revision_holds(spark: SparkSession) -> None:
    events = [*sequence(1, 3), *sequence(4, 5, day=NEXT)]
    controls = [control(3, 1, 3), control(9, 4, 12, day=NEXT), control(2, 4, 5, day=NEXT, revision=2)]
    assert reconciled(books(spark, events, controls)) == [
        (DAY, "EUR", "overdue", 1, 1, "2"), (NEXT, "EUR", "agrees", 0, 0, None),
    ]  # fmt: skip


def test_a_sequence_runs_through_all_currencies_of_a_day(spark: SparkSession) -> None:
    events = [event("a", 1), event("b", 3, currency="USD")]
    found = reconciled(books(spark, events, [control(1, 1, 3), control(2, 1, 3, currency="USD")]))
    assert found == [(DAY, "EUR", "waiting", 1, 0, "2"), (DAY, "USD", "waiting", 1, 0, "2")]


PROBLEMS = "SELECT problem, subject, is_blocking FROM out_of_balance ORDER BY problem, subject"


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([event("a"), event("b", invoice="j")], []),
        ([event("a", debit="2.00", invoice="i")], [("entries differ", "a", True)]),
        ([event("a", debit="2.00"), event("r", reverses="a", debit="1.00", credit="2.00", lines='[{"account":"revenue","debit":"1.00"},{"account":"receivable","credit":"2.00"}]')], []),
        ([event("a", debit="2.00"), event("b", invoice="j", credit="2.00")], [("entries differ", "a", True), ("entries differ", "b", True)]),
        ([event("r", reverses="gone", lines='[{"account":"cash","debit":"1"},{"account":"cash","credit":"1"}]')], [("reverses an event that has not arrived", "r", False)]),
    ],
)  # fmt: skip
def test_books_that_do_not_fit_are_listed_by_what_is_wrong(
    spark: SparkSession, events: list[tuple[Any, ...]], found: list[tuple[Any, ...]]
) -> None:
    assert asked(books(spark, events), PROBLEMS) == found


def test_a_reversal_that_cannot_count_is_listed_and_the_invoice_says_that_it_differs(spark: SparkSession) -> None:
    back = SALE.replace("debit", "x").replace("credit", "debit").replace("x", "credit") % ("1.00", "1.00")
    events = [
        event("a", 1), event("r", 2, reverses="a", lines=back), event("s", 3, reverses="a", lines=back), event("u", 4, reverses="r"),
    ]  # fmt: skip
    problems = {p for p, _, _ in asked(books(spark, events), PROBLEMS)}
    assert problems == {"reversed more than once", "reverses a reversal"}


CLOSES = [
    ("c1", "2026-02", "2026-03-01T06:00:00Z", "post_to_open"),
    ("c2", "2026-02", "2026-03-10T06:00:00Z", "reopen"),
]


@pytest.mark.parametrize(
    ("recorded", "posted"),
    [
        ("2026-03-01T06:00:00Z", ("2026-02-27", None, None)),
        ("2026-03-01T06:00:01Z", ("2026-03-01", "2026-02", "c1")),
        ("2026-03-10T06:00:01Z", ("2026-02-27", "2026-02", "c2")),
    ],
)
def test_the_newest_decision_about_a_period_holds_for_what_is_recorded_after_it(
    spark: SparkSession, recorded: str, posted: tuple[str | None, ...]
) -> None:
    session = books(spark, [event("a", day="2026-02-27", recorded=recorded)], closes=CLOSES)
    found = asked(session, "SELECT DISTINCT CAST(posting_date AS STRING), late_for_period, close_id FROM postings")
    assert found == [posted]
