"""Marts are held to their declaration: keys are unique, and `partition:` finds what changes touch."""

from __future__ import annotations

from datetime import date

import pytest
from house import ACCOUNTS, SOURCES, House, cdc, rows_of
from ledgerlake.errors import ConfigError, GateBlocked
from ledgerlake.lake import readers

ORDERS = """
table: orders
source: db
resource: public/orders
key: [order_id]
columns:
  - {name: order_id, type: string, nullable: false}
  - {name: account_id, type: string}
  - {name: amount, type: "decimal(18,2)"}
  - {name: day, type: date, nullable: false}
"""
COLUMNS = "order_id,account_id,amount,day"
ORDER_FILE, ACCOUNT_FILE = "db/public/orders/20260301-1{}0000000.csv", "db/public/accounts/20260301-1{}0000000.csv"


def declared(marts: str) -> str:
    return SOURCES.replace("publication:", f"marts:\n{marts}\npublication:")


JOINED = declared(
    "  - {mart: joined, sql: marts/joined.sql, key: [owner], inputs: [{table: orders}, {table: accounts}]}"
)
JOIN = "SELECT a.owner, o.amount FROM orders o JOIN accounts a ON a.account_id = o.account_id"


def orders(house: House, number: int, *rows: str) -> House:
    return house.deliver(ORDER_FILE.format(number), cdc(*rows, columns=COLUMNS))


def test_a_join_that_fans_out_closes_the_gate(house: House) -> None:
    house.declare(JOINED, ACCOUNTS, ORDERS, marts__joined=JOIN).deliver(
        ACCOUNT_FILE.format(0), cdc("I,a1,Ann,EUR,1.00,10")
    )
    assert orders(house, 0, "I,o1,a1,5.00,2026-03-01,20").run().status == "published"

    report = orders(house, 1, "I,o2,a1,6.00,2026-03-01,21").run()

    assert (report.status, type(report.error)) == ("blocked", GateBlocked)
    assert "1 values of the key (owner) stand more than once, or are null" in report.message
    assert readers.read_published(house.workspace(), "joined").num_rows == 1
    [check] = [c for c in house.workspace().control.read("checks") if c["type"] == "key_is_unique"]
    assert (check["owner"], check["success"], check["unexpected_count"]) == ("joined", False, 1)
    assert orders(house, 2, "D,o2,,,2026-03-01,22").run().status == "published"


def test_a_key_without_a_value_closes_the_gate(house: House) -> None:
    house.declare(JOINED, ACCOUNTS, ORDERS, marts__joined=JOIN).deliver(
        ACCOUNT_FILE.format(0), cdc("I,a1,,EUR,1.00,10")
    )

    assert orders(house, 0, "I,o1,a1,5.00,2026-03-01,20").run().status == "blocked"


BY_DAY = "  - {{mart: sales, sql: marts/sales.sql, key: [order_id], partition_by: {by}, inputs: [{{table: orders, partition: {partition}}}]}}"
SALES = "SELECT order_id, amount, day FROM orders"
MONTHLY = "SELECT order_id, amount, date_format(day, 'yyyy-MM') AS month FROM orders"


def test_a_key_that_moves_between_partitions_is_not_there_twice(house: House) -> None:
    house.declare(declared(BY_DAY.format(by="day", partition="day")), ORDERS, marts__sales=SALES)
    orders(house, 0, "I,o1,a1,5.00,2026-03-01,20").run()

    assert orders(house, 1, "U,o1,a1,5.00,2026-03-02,21").run().status == "published"
    assert rows_of(house.mart("sales")) == [("o1", "5.00", "2026-03-02")]


def test_a_key_that_stands_in_two_partitions_closes_the_gate(house: House) -> None:
    twice = SALES + " UNION ALL SELECT order_id, amount, date_add(day, 1) AS day FROM orders WHERE amount > 9"
    spread = "array(day, date_add(day, 1))"
    house.declare(declared(BY_DAY.format(by="day", partition=f'"{spread}"')), ORDERS, marts__sales=twice)
    assert orders(house, 0, "I,o1,a1,5.00,2026-03-01,20").run().status == "published"

    report = orders(house, 1, "I,o2,a1,10.00,2026-03-03,21").run()

    assert report.status == "blocked"
    assert "1 values of the key (order_id)" in report.message


@pytest.mark.parametrize(
    ("partition", "first"),
    [
        ("date_format(day, 'yyyy-MM-dd')", False),  # a day's date for a mart by month
        ("date_format(day, 'yyyy')", False),
        ("'2026-03'", True),  # right for the first day, and for ever after
        ("date_format(date_add(day, 1), 'yyyy-MM')", True),
    ],
)
def test_a_partition_expression_that_does_not_fit_the_mart_is_named_with_an_example(
    house: House, partition: str, first: bool
) -> None:
    house.declare(declared(BY_DAY.format(by="month", partition=f'"{partition}"')), ORDERS, marts__sales=MONTHLY)
    report = orders(house, 0, "I,o1,a1,5.00,2026-03-01,20").run()
    if first:
        assert report.status == "published"
        report = orders(house, 1, "I,o2,a1,6.00,2026-04-30,21", "U,o1,a1,7.00,2026-03-01,22").run()

    assert (report.status, type(report.error)) == ("failed", ConfigError)
    assert "which `partition:` of its inputs does not give" in report.message
    assert partition in report.message
    assert ("month = 2026-04" if first else "month = 2026-03") in report.message

    mended = declared(BY_DAY.format(by="month", partition="\"date_format(day, 'yyyy-MM')\""))
    assert house.declare(mended, ORDERS, marts__sales=MONTHLY).run().status == "published"
    assert len(rows_of(house.mart("sales"))) == (2 if first else 1)


def test_a_mart_that_shows_its_rows_origin_follows_snapshots_that_only_repeat_rows(house: House) -> None:
    """Each snapshot moves every row: a mart with batch ids must say the new ones, one without is left alone."""
    source = """
pipeline: bank
sources:
  files: {feed: csv, location: files}
marts:
  - {mart: plain, sql: marts/plain.sql, key: [id], inputs: [{table: people}]}
  - {mart: traced, sql: marts/traced.sql, key: [id], inputs: [{table: people}]}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
    people = """
table: people
source: files
resource: people
key: [id]
snapshot: {complete: true}
columns:
  - {name: id, type: string, nullable: false}
"""
    house.declare(
        source, people, marts__plain="SELECT id FROM people", marts__traced="SELECT id, _batch_id AS batch FROM people"
    )
    house.deliver("files/people/2026-03-01.csv", "id\n1\n").run()
    before = rows_of(house.mart("traced"))
    house.deliver("files/people/2026-03-02.csv", "id\n1\n").run(date(2026, 3, 2))

    assert rows_of(house.mart("traced")) != before
    assert [s.table for s in house.warehouse.publications[-1].slices] == ["traced"]
