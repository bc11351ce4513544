"""Marts: what is rebuilt in part equals what is rebuilt whole, whatever changed."""

from __future__ import annotations

from datetime import date

import pytest
from chispa import assert_df_equality
from house import NOON, SOURCES, House, cdc, rows_of
from ledgerlake.errors import SourceError, TransientError
from ledgerlake.ports.clock import FixedClock
from pyspark.sql import SparkSession

SALES = """
table: sales
source: db
resource: public/sales
key: [sale_id]
columns:
  - {name: sale_id, type: string, nullable: false}
  - {name: sold_on, type: date}
  - {name: amount, type: "decimal(18,2)", nullable: false}
"""
DAILY_SQL = (
    "SELECT sold_on, count(*) AS sales, CAST(sum(amount) AS DECIMAL(18,2)) AS amount FROM sales GROUP BY sold_on"
)
MONTHLY_SQL = "SELECT CAST(trunc(sold_on, 'MM') AS DATE) AS month, CAST(sum(amount) AS DECIMAL(18,2)) AS amount FROM daily GROUP BY 1"
MARTS = SOURCES.replace("publication:", """marts:
  - mart: daily
    sql: marts/daily.sql
    key: [sold_on]
    partition_by: sold_on
    inputs:
      - {table: sales, partition: sold_on}
  - mart: monthly
    sql: marts/monthly.sql
    key: [month]
    partition_by: month
    inputs:
      - {mart: daily, partition: "CAST(trunc(sold_on, 'MM') AS DATE)"}
publication:""")  # fmt: skip
DAILY_ONLY = MARTS[: MARTS.index("  - mart: monthly")] + MARTS[MARTS.index("publication:") :]
COLUMNS = "sale_id,sold_on,amount"
DAY_1 = cdc("I,s1,2026-02-27,1.00,10", "I,s2,2026-03-01,2.00,11", "I,s3,2026-03-01,3.00,12", columns=COLUMNS)
DAY_2 = cdc("U,s3,2026-03-02,3.00,20", "D,s1,,,21", "I,s4,2026-03-02,4.00,22", columns=COLUMNS)


def sale_file(day: int) -> str:
    return f"db/public/sales/2026030{day}-100000000.csv"


def shop(house: House, declared: str = MARTS, daily: str = DAILY_SQL) -> House:
    sql = {"marts__daily": daily} | ({"marts__monthly": MONTHLY_SQL} if "monthly" in declared else {})
    return house.declare(declared, SALES, **sql)


@pytest.fixture(scope="module")
def grown_and_fresh(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> tuple[House, House]:
    """Two shops with the same sales: one was published day by day, one in a single run."""
    grown, fresh = (shop(House(tmp_path_factory.mktemp(name), spark, FixedClock(NOON))) for name in ("grown", "fresh"))
    for day, content in ((1, DAY_1), (2, DAY_2)):
        grown.deliver(sale_file(day), content)
        fresh.deliver(sale_file(day), content)
        assert grown.run(date(2026, 3, day)).status == "published"
    assert fresh.run(date(2026, 3, 2)).status == "published"
    return grown, fresh


def test_a_mart_grown_by_partitions_equals_one_built_whole(grown_and_fresh: tuple[House, House]) -> None:
    grown, fresh = grown_and_fresh

    assert_df_equality(grown.mart("daily").frame, fresh.mart("daily").frame, ignore_row_order=True)


def test_a_mart_of_a_mart_follows_the_days_behind_its_months(grown_and_fresh: tuple[House, House]) -> None:
    grown, fresh = grown_and_fresh

    assert_df_equality(grown.mart("monthly").frame, fresh.mart("monthly").frame, ignore_row_order=True)


def test_only_touched_partitions_are_sent(house: House) -> None:
    bank = shop(house, DAILY_ONLY)
    bank.deliver(sale_file(1), DAY_1).run(date(2026, 3, 1))

    bank.deliver(sale_file(2), cdc("U,s3,2026-03-02,3.00,20", columns=COLUMNS)).run(date(2026, 3, 2))

    whole, part = (p.slices[0] for p in bank.warehouse.publications)
    assert (whole.partition_column, whole.expected_rows) == (None, 2)
    assert (part.partitions, part.expected_rows) == (("2026-03-01", "2026-03-02"), 2)


def test_a_row_without_a_partition_value_stops_its_mart_instead_of_growing_stale(house: House) -> None:
    bank = shop(house, DAILY_ONLY)
    bank.deliver(sale_file(1), DAY_1).run(date(2026, 3, 1))

    report = bank.deliver(sale_file(2), cdc("I,s4,,5.00,20", columns=COLUMNS)).run(date(2026, 3, 2))

    assert (report.status, type(report.error)) == ("failed", SourceError)
    assert "rows without a partition value (table daily, column sold_on)" in report.message


def test_a_candidate_of_withdrawn_sql_leaves_no_trace(house: House) -> None:
    """New SQL is tried, its publication fails, the SQL is taken back: no partition may keep its figures."""
    bank = shop(house, DAILY_ONLY)
    bank.deliver(sale_file(1), DAY_1).run(date(2026, 3, 1))
    before = rows_of(bank.mart("daily"))
    shop(house, DAILY_ONLY, DAILY_SQL.replace("sum(amount)", "-sum(amount)"))
    bank.warehouse.failures.append(TransientError("the warehouse is away"))
    assert bank.run(date(2026, 3, 1)).status == "failed"

    shop(house, DAILY_ONLY).deliver(sale_file(2), cdc("I,s4,2026-03-02,4.00,22", columns=COLUMNS)).run(date(2026, 3, 2))

    assert rows_of(bank.mart("daily")) == sorted([*before, ("2026-03-02", 1, "4.00")])


def test_what_a_failed_publication_left_out_is_part_of_the_next(house: House) -> None:
    bank = shop(house, DAILY_ONLY)
    bank.deliver(sale_file(1), DAY_1).run(date(2026, 3, 1))
    bank.warehouse.failures.append(TransientError("the warehouse is away"))
    bank.deliver(sale_file(2), cdc("I,s4,2026-03-02,4.00,22", columns=COLUMNS))
    assert bank.run(date(2026, 3, 2)).status == "failed"

    assert (
        bank.deliver(sale_file(3), cdc("I,s5,2026-03-03,5.00,30", columns=COLUMNS)).run(date(2026, 3, 3)).status
        == "published"
    )

    assert bank.warehouse.publications[-1].slices[0].partitions == ("2026-03-02", "2026-03-03")


def test_a_mart_that_selects_everything_is_rebuilt_whole_when_its_table_gets_a_column(house: House) -> None:
    everything = DAILY_ONLY.replace("key: [sold_on]", "key: [sale_id]")
    house = shop(house, everything, "SELECT * FROM sales WHERE sold_on IS NOT NULL")
    house.deliver(sale_file(1), DAY_1)
    assert house.run(date(2026, 3, 1)).status == "published"

    house.deliver(sale_file(2), cdc("I,s9,2026-03-09,9.00,web,30", columns=f"{COLUMNS},channel"))
    assert house.run(date(2026, 3, 2)).status == "published"

    assert rows_of(house.mart("daily").select("sale_id", "channel")) == [
        ("s1", None),
        ("s2", None),
        ("s3", None),
        ("s9", "web"),
    ]
