"""Two engines, one meaning: a batch merged natively and by Spark leaves the same silver table and change feed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chispa import assert_df_equality
from house import SOURCES, House, cdc
from ledgerlake.core.change import ORIGIN

KEYED = """
table: things
source: db
resource: public/things
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


def loaded(house: House, kind: str, rows_max: int) -> House:
    house.native_merge_rows_max = rows_max
    house.declare(SOURCES, KEYED.format(kind=kind))
    for number, rows in enumerate(BATCHES):
        text = cdc(*(r.format(**KEYS[kind]) for r in rows), columns=COLUMNS)
        house.deliver(f"db/public/things/20260301-1{number}0000000.csv", text).load()
    return house


@pytest.mark.parametrize("kind", KEYS)
def test_both_engines_leave_the_same_table_and_the_same_change_feed(houses: Callable[[str], House], kind: str) -> None:
    native, spark = loaded(houses("native"), kind, 1000), loaded(houses("spark"), kind, 0)
    frames, feeds, engines = [], [], []
    for house in (native, spark):
        path = house.workspace().paths.silver("things")
        reader = house.spark.read.format("delta")
        frames.append(reader.load(path).drop("_extracted_at"))
        feed = house.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 1).load(path)
        feeds.append(
            feed.select(
                "_change_type", "id", "part", "amount", "_deleted", *(n for n in ORIGIN if n != "_extracted_at")
            )
        )
        engines.append(
            {
                "num_target_rows_inserted" in k.metrics
                for k in house.workspace().storage.commits(path)
                if k.operation == "MERGE"
            }
        )

    assert engines == [{True}, {False}]
    assert_df_equality(*frames, ignore_row_order=True)
    assert_df_equality(*feeds, ignore_row_order=True)
