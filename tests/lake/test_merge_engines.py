"""Two engines, one meaning: a batch written natively and by Spark leaves the same bronze, silver and change feed."""

from __future__ import annotations

from collections.abc import Callable

from chispa import assert_df_equality
from house import SOURCES, House, cdc
from ledgerlake.core.change import ORIGIN
from pyspark.sql import DataFrame

KEYED = """
table: {table}
source: db
resource: public/{table}
key: [id, part]
columns:
  - {{name: id, type: "{kind}", nullable: false}}
  - {{name: part, type: string, nullable: false}}
  - {{name: amount, type: "decimal(18,3)"}}
  - {{name: on_day, type: date}}
  - {{name: at, type: timestamp}}
  - {{name: count, type: integer}}
  - {{name: open, type: boolean}}
"""
COLUMNS = "id,part,amount,on_day,at,count,open"
BATCHES = [
    ["I,{a},x,1.250,2026-01-01,2026-01-01T10:00:00.123456Z,1,true,10", "I,{b},y,,,,,,11", "I,{c},o'x,3,0001-01-01,,-3,false,12"],
    ["U,{b},y,2.000,2026-02-02,,2,,21", "D,{a},x,,,,,,22", "I,{d},z,4,,,,,23"],
    ["U,{a},x,9,,,,,20", "U,{d},z,5,,,7,true,31", "D,{c},nobody,,,,,,32"],
]  # fmt: skip
KEYS = {
    "string": dict(zip("abcd", ("A", "a", "é", "ß"), strict=True)),
    "bigint": dict(zip("abcd", ("-5", "7", "10", "9000000000"), strict=True)),
    "decimal(10,2)": dict(zip("abcd", ("-1.50", "2.00", "10.25", "99.99"), strict=True)),
    "date": dict(zip("abcd", ("1900-01-01", "2026-01-01", "2026-02-01", "2030-12-31"), strict=True)),
    "timestamp": dict(zip("abcd", ("1900-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-02-01T00:00:00Z", "2030-12-31T00:00:00Z"), strict=True)),
}  # fmt: skip


TABLES = {f"by_{kind.split('(')[0]}": kind for kind in KEYS}


def loaded(house: House, rows_max: int) -> House:
    house.embedded_rows_max = rows_max
    house.declare(SOURCES, *(KEYED.format(table=table, kind=kind) for table, kind in TABLES.items()))
    for number, rows in enumerate(BATCHES):
        for table, kind in TABLES.items():
            text = cdc(*(r.format(**KEYS[kind]) for r in rows), columns=COLUMNS)
            house.deliver(f"db/public/{table}/20260301-1{number}0000000.csv", text)
        house.load()
    return house


def feed_of(house: House, table: str) -> DataFrame:
    reader = house.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 1)
    origin = (n for n in ORIGIN if n != "_extracted_at")
    feed = reader.load(house.workspace().paths.silver(table))
    return feed.select("_change_type", "id", "part", "amount", "_deleted", *origin)


def engines_of(house: House, table: str) -> set[bool]:
    commits = house.workspace().storage.commits(house.workspace().paths.silver(table))
    return {"num_target_rows_inserted" in k.metrics for k in commits if k.operation == "MERGE"}


def test_both_engines_leave_the_same_table_and_the_same_change_feed(houses: Callable[[str], House]) -> None:
    native, spark = loaded(houses("native"), 1000), loaded(houses("spark"), 0)

    for table in TABLES:
        assert (engines_of(native, table), engines_of(spark, table)) == ({True}, {False})
        rows = [
            h.spark.read.format("delta").load(h.workspace().paths.silver(table)).drop("_extracted_at")
            for h in (native, spark)
        ]
        assert_df_equality(*rows, ignore_row_order=True)
        assert_df_equality(*(h.bronze(table).drop("_extracted_at").frame for h in (native, spark)), ignore_row_order=True)
        assert_df_equality(feed_of(native, table), feed_of(spark, table), ignore_row_order=True)
