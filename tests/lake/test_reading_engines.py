"""Two engines, one meaning: few rows that pass through this process are what Spark reads, writes and exports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from chispa import assert_df_equality
from house import NOON, SOURCES, House, cdc, rows_of
from ledgerlake.lake import reading
from ledgerlake.lake.reading import Partitions
from ledgerlake.ports.clock import FixedClock
from ledgerlake.publish.model import TableSlice
from pyspark.sql import SparkSession

TRADES = """
table: trades
source: db
resource: public/trades
key: [id]
columns:
  - {name: id, type: string, nullable: false}
  - {name: amount, type: "decimal(18,3)"}
  - {name: on_day, type: date}
  - {name: at, type: timestamp}
  - {name: count, type: integer}
  - {name: big, type: bigint}
  - {name: open, type: boolean}
"""
COLUMNS = "id,amount,on_day,at,count,big,open"
DAY_1 = cdc("I,a,1.250,2026-01-01,2026-01-01T10:00:00.123456Z,1,9000000000,true,10", "I,o'x,,2026-01-02,,,,,11",
            "I,é,-1.05,2026-01-02,1900-01-01T00:00:00Z,-3,-1,false,12", columns=COLUMNS)  # fmt: skip
DAY_2 = cdc("U,o'x,2.000,2026-01-02,,2,,,21", "D,a,,,,,,,22", "I,new,4,2026-01-03,,1,7,true,23", columns=COLUMNS)
KINDS = {
    "on_day": "date",
    "id": "string",
    "count": "int",
    "big": "bigint",
    "at": "timestamp",
    "amount": "decimal(18,3)",
}
MARTS = SOURCES.replace("publication:", "marts:\n" + "".join(f"""\
  - mart: by_{column}
    sql: marts/by_{column}.sql
    key: [id]
    partition_by: {column}
    inputs:
      - {{table: trades, partition: {column}}}
""" for column in KINDS) + """\
  - mart: everything
    sql: marts/everything.sql
    key: [id]
    inputs: [{table: trades}]
publication:""")  # fmt: skip
EVERYTHING = "SELECT id, amount, on_day, at, count, big, open FROM trades"
SQL = {f"marts__by_{k}": f"{EVERYTHING} WHERE {k} IS NOT NULL" for k in KINDS} | {"marts__everything": EVERYTHING}


def traded(house: House, rows_max: int) -> House:
    house.embedded_rows_max = rows_max
    house.declare(MARTS, TRADES, **SQL)
    for day, text in ((1, DAY_1), (2, DAY_2)):
        house.deliver(f"db/public/trades/2026030{day}-100000000.csv", text)
        assert house.run(date(2026, 3, day)).status == "published"
    return house


@pytest.fixture(scope="module")
def here(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house whose few rows pass through this process."""
    return traded(House(tmp_path_factory.mktemp("here"), spark, FixedClock(NOON)), 1000)


@pytest.fixture(scope="module")
def by_spark(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> House:
    """The same house, all of it through Spark."""
    return traded(House(tmp_path_factory.mktemp("spark"), spark, FixedClock(NOON)), 0)


def slices(house: House) -> dict[str, list[TableSlice]]:
    return {
        s.table: [p for q in house.warehouse.publications for p in q.slices if p.table == s.table]
        for s in house.warehouse.publications[0].slices
    }


@pytest.mark.parametrize("version", [None, 1])
def test_a_small_table_is_read_without_spark_and_equals_what_spark_reads(here: House, version: int | None) -> None:
    workspace, uri = here.workspace(), here.workspace().paths.silver("trades")
    scanned = here.spark.read.format("delta")
    scanned = scanned if version is None else scanned.option("versionAsOf", version)

    assert reading.few(workspace, uri, version) is not None
    assert_df_equality(
        reading.frame(workspace, uri, version),
        scanned.load(uri),
        ignore_row_order=True,
        ignore_nullable=True,
    )


def test_the_change_feed_of_few_changes_is_the_one_that_spark_reads(here: House) -> None:
    workspace, uri = here.workspace(), here.workspace().paths.silver("trades")
    feed = here.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 1).load(uri)

    found = workspace.engines.frame(reading.changes(workspace, uri, 1, workspace.storage.version(uri)))

    assert_df_equality(found, feed.drop("_commit_timestamp"), ignore_row_order=True, ignore_nullable=True)


@pytest.mark.parametrize("column", KINDS)
def test_partitions_are_found_by_both_engines(here: House, column: str) -> None:
    workspace, uri = here.workspace(), here.workspace().paths.mart(f"by_{column}")
    whole = here.spark.read.format("delta").load(uri)
    first = whole.selectExpr(f"CAST(min({column}) AS STRING)").first()
    only = Partitions(column, KINDS[column], (first[0],))

    some = reading.frame(workspace, uri, None, only)

    assert_df_equality(some, whole.where(only.predicate), ignore_row_order=True, ignore_nullable=True)
    assert (reading.few(workspace, uri, None, only) is None) == (column in ("at", "amount"))


@pytest.mark.parametrize("mart", [*(f"by_{column}" for column in KINDS), "everything"])
def test_a_mart_written_by_either_engine_is_the_same(here: House, by_spark: House, mart: str) -> None:
    assert_df_equality(here.mart(mart).frame, by_spark.mart(mart).frame, ignore_row_order=True)
    details = [
        h.spark.sql(f"DESCRIBE DETAIL delta.`{h.workspace().paths.mart(mart)}`").first() for h in (here, by_spark)
    ]
    assert details[0]["partitionColumns"] == details[1]["partitionColumns"]


def test_what_is_exported_is_counted_totalled_and_hashed_alike_and_holds_the_same_rows(
    here: House, by_spark: House
) -> None:
    native, spark = slices(here), slices(by_spark)
    assert native.keys() == spark.keys()
    for mart in native:
        ours, theirs = native[mart], spark[mart]
        assert len(ours) == 2, mart
        for one, other in zip(ours, theirs, strict=True):
            facts = [(s.columns, s.partitions, s.expected_rows, s.control_totals, s.key_hash) for s in (one, other)]
            assert facts[0] == facts[1], mart
            files = [here.spark.read.parquet(*map(str, s.files)) for s in (one, other)]
            assert_df_equality(*files, ignore_row_order=True)


@pytest.mark.parametrize(("declared", "columns"), [("    partition_by: id\n", ["id"]), ("", [])])
def test_a_mart_that_gets_another_partition_column_or_none_is_rewritten(
    houses: Callable[[str], House], declared: str, columns: list[str]
) -> None:
    house = traded(houses("moved"), 1000)
    before, _, after = MARTS.partition("    sql: marts/by_on_day.sql\n    key: [id]\n    partition_by: on_day\n")
    after = after.replace(
        "{table: trades, partition: on_day}", "{table: trades, partition: id}" if columns else "{table: trades}"
    )
    sql = SQL | ({} if columns else {"marts__by_on_day": "SELECT id, amount FROM trades"})
    house.declare(f"{before}    sql: marts/by_on_day.sql\n    key: [id]\n{declared}{after}", TRADES, **sql)

    assert house.run(date(2026, 3, 3)).status == "published"

    detail = house.spark.sql(f"DESCRIBE DETAIL delta.`{house.workspace().paths.mart('by_on_day')}`").first()
    assert detail["partitionColumns"] == columns
    moved, other = (rows_of(house.mart(m).select("id", "amount")) for m in ("by_on_day", "by_id"))
    assert moved == other


@pytest.mark.parametrize("rows_max", [0, 1000])
def test_an_empty_text_is_no_partition_and_stops_the_mart_whoever_writes_it(
    houses: Callable[[str], House], rows_max: int
) -> None:
    house = houses("empty")
    house.embedded_rows_max = rows_max
    house.declare(MARTS, TRADES, **SQL | {"marts__by_id": EVERYTHING.replace("SELECT id", "SELECT trim(id) AS id")})
    house.deliver("db/public/trades/20260301-100000000.csv", cdc("I, ,1,2026-01-01,,,,,10", columns=COLUMNS))

    report = house.run(date(2026, 3, 1))

    assert "rows without a partition value" in report.message
