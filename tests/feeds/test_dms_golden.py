"""DMS files as a task writes them, from YAML and files alone: layouts, order, repetition, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from house import House, counts, rows_of
from ledgerlake.config.models import Source, Table
from ledgerlake.feeds.dms.feed import DmsFeed, file_date, file_order
from ledgerlake.testing.dms import HOSTILE
from ledgerlake.testing.samples import Hostile

PIPELINE = """
pipeline: bank
sources:
  db: {{feed: dms, location: db, options: {options}}}
publication: {{database: FINANCE, schema: BANK, bi_schema: BANK_BI}}
"""
PEOPLE = """
table: people
source: db
resource: public/people
key: [id]
feed: {feed}
columns:
  - {{name: id, type: string, nullable: false}}
  - {{name: owner, type: string}}
  - {{name: city, type: string}}
"""
ORDER = "{column_order: [id, owner, city]}"
TIMED = "{timestamp_column: ts}"
TXN = "{header: false, cdc_path: txn}"
A, B, C = (f"db/public/people/20260301-1{n}0000000.csv" for n in range(3))


def declared(house: House, options: str, feed: str = "{}", table: str = PEOPLE) -> House:
    return house.declare(PIPELINE.format(options=options), table.format(feed=feed))


def people(house: House) -> list[tuple[Any, ...]]:
    return rows_of(house.silver("people"))


LAYOUTS = {
    "header": ("{sequence_column: seq}", "{}", PEOPLE),
    "moving": ("{sequence_column: seq}", "{}", PEOPLE.replace("key:", "keys_can_change: true\nkey:")),
    "headerless": ("{header: false}", ORDER, PEOPLE),
    "parquet": ("{format: parquet}", "{}", PEOPLE),
    "inserts": ("{op_column: null}", "{}", PEOPLE),
    "timed": (TIMED, "{}", PEOPLE),
    "transactions": (TXN, ORDER, PEOPLE),
}


@pytest.mark.parametrize("sample", HOSTILE, ids=lambda s: s.name)
def test_hostile_files_end_where_they_must(house: House, sample: Hostile) -> None:
    layout = sample.name.split(":")[0]
    declared(house, *LAYOUTS[layout])
    for path, body in sample.files.items():
        house.deliver(f"db/{path}" if layout == "transactions" else f"db/public/people/{path}", body)

    house.load()

    refused = [r.reason for m in house.workspace().logs["people"].all() for r in m.refused]
    shown = refused if sample.outcome == "refused" else house.reasons()
    assert any(sample.says in reason for reason in shown) or sample.outcome == "accepted", (refused, house.reasons())
    assert bool(refused) == (sample.outcome == "refused")
    assert bool(house.reasons()) == (sample.outcome == "quarantined")


def test_transaction_files_hold_the_rows_of_every_table_in_commit_order(house: House) -> None:
    pets = PEOPLE.replace("table: people", "table: pets").replace("public/people", "public/pets")
    pets = pets.format(feed="{column_order: [id, owner]}").replace("  - {name: city, type: string}\n", "")
    declared(house, TXN, ORDER).declare(PIPELINE.format(options=TXN), pets)
    house.deliver("db/public/people/LOAD00000001.csv", "1,Ann,Bonn\n2,Bob,Kiel\n")
    house.deliver(
        "db/txn/CDC_TXN-20260301100000000.csv",
        'I,pets,public,7,Ann\nU,people,public,1,Ann,Ulm\nI,people,other,1,Eve,"a, b"\nU,people,public,1,"Ann ""A""",Köln\n',
    )
    house.deliver("db/txn/CDC_TXN-20260301110000000.csv", "D,people,public,2,,\nU,pets,public,7,Bob\n")

    records = {r["table"]: counts(r) for r in house.load()}

    assert people(house) == [("1", 'Ann "A"', "Köln")]
    assert rows_of(house.silver("pets")) == [("7", "Bob")]
    assert records == {
        "people": {"read": 5, "applied": 2, "superseded": 3},
        "pets": {"read": 2, "applied": 1, "superseded": 1},
    }


def test_full_loads_may_be_parquet_where_changes_come_in_transaction_files(house: House) -> None:
    declared(house, "{format: parquet, cdc_path: txn}", ORDER)
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": ["1", "2"], "owner": ["Ann", "Bob"], "city": ["Bonn", "Kiel"]}), sink)
    house.deliver("db/public/people/LOAD00000001.parquet", sink.getvalue())

    house.deliver("db/txn/CDC_TXN-20260301100000000.csv", "U,people,public,1,Ann,Ulm\n").load()

    assert people(house) == [("1", "Ann", "Ulm"), ("2", "Bob", "Kiel")]


def test_a_file_has_the_declared_layout_of_its_width(house: House) -> None:
    declared(
        house, "{header: false}", "{column_order: [id, owner], column_orders: [[id, BI_id, BI_owner, owner, city]]}"
    )
    house.deliver("db/public/people/LOAD00000001.csv", "1,Ann\n2,Bob\n")
    house.deliver(A, "U,2,Rob\n")

    house.deliver(B, "U,1,1,Ann,Anna,Bonn\nU,3,2,Rob,Rob,Kiel\n").load()

    assert people(house) == [("1", "Anna", "Bonn"), ("3", "Rob", "Kiel")]


def test_a_width_that_fits_with_and_without_op_asks_which_it_is(house: House) -> None:
    orders = "{column_orders: [[id, owner], [id, owner, city]]}"
    declared(house, "{header: false}", orders).deliver("db/public/people/LOAD00000001.csv", "1,Ann,Bonn\n").load()
    [refused] = house.workspace().logs["people"].all()[0].refused
    assert "declare `op_on_full_load`" in refused.reason

    declared(house, "{header: false, op_on_full_load: false}", orders)
    house.deliver("db/public/people/LOAD00000002.csv", "2,Bob,Kiel\n").load()

    assert people(house) == [("1", "Ann", "Bonn"), ("2", "Bob", "Kiel")]  # the refused file was judged again


def test_columns_that_appear_in_the_middle_of_a_stream_are_read_by_name(house: House) -> None:
    declared(house, "{}").deliver(A, "Op,id,owner,city\nI,1,Ann,Bonn\n").load()

    house.deliver(B, "Op,id,BI_id,owner,phone,city\nU,2,1,Ann,555,Kiel\n").load()

    rows = house.spark.read.format("delta").load(house.workspace().paths.silver("people")).where("NOT _deleted")
    assert rows_of(rows.select("id", "owner", "city", "phone")) == [("2", "Ann", "Kiel", "555")]


def test_a_task_without_op_inserts_and_updates(house: House) -> None:
    declared(house, "{header: false, op_column: null}", ORDER).deliver(A, "1,Ann,Bonn\n2,Bob,Kiel\n")

    house.deliver(B, "1,Ann,Ulm\n").load()

    assert people(house) == [("1", "Ann", "Ulm"), ("2", "Bob", "Kiel")]


def test_a_resumed_task_that_delivers_old_rows_again_changes_nothing(house: House) -> None:
    first, second = "I,2026-03-01 10:00:00.000001,1,Ann,Bonn", "U,2026-03-01 10:00:01,1,Ann,Kiel"
    third = "D,2026-03-01 10:00:02.5,2,,"
    head = "Op,ts,id,owner,city\n"
    declared(house, TIMED).deliver(A, f"{head}{first}\nI,2026-03-01 10:00:00,2,Bob,Ulm\n{second}\n{third}\n").load()

    [again] = house.deliver(B, f"{head}I,2026-03-01 10:00:00,2,Bob,Ulm\n{first}\n").load()

    assert people(house) == [("1", "Ann", "Kiel")]
    assert counts(again) == {"read": 2, "superseded": 2}


def test_without_a_commit_time_the_file_that_came_last_holds(house: House) -> None:
    head = "Op,id,owner,city\n"
    declared(house, "{}").deliver(A, f"{head}I,1,Ann,Bonn\nU,1,Ann,Kiel\n").load()

    house.deliver(B, f"{head}I,1,Ann,Bonn\n").load()

    assert people(house) == [("1", "Ann", "Bonn")]


def test_the_same_content_under_a_later_name_holds_again(house: House) -> None:
    head = "Op,id,owner,city\n"
    declared(house, "{}").deliver(A, f"{head}I,1,Ann,Bonn\n").deliver(B, f"{head}U,1,Ann,Kiel\n").load()

    house.deliver("db/public/people/20260301-120000000.csv", f"{head}I,1,Ann,Bonn\n").load()

    assert people(house) == [("1", "Ann", "Bonn")]


def test_a_full_load_that_comes_again_is_refused_with_what_to_do(house: House) -> None:
    load = "db/public/people/LOAD00000001.csv"
    declared(house, "{replaced: newer}").deliver(load, "Op,id,owner,city\nI,1,Ann,Bonn\n").load()

    house.deliver(load, "Op,id,owner,city\nI,1,Ann,Kiel\n").load()

    [refused] = house.workspace().logs["people"].all()[-1].refused
    assert "its rows would rank below all changes" in refused.reason
    assert people(house) == [("1", "Ann", "Bonn")]


def test_rows_of_one_transaction_keep_their_order_in_the_file(house: House) -> None:
    at = "2026-03-01 10:00:00.123456"
    rows = "".join(f"U,{at},1,Ann,City {n}\n" for n in range(12))

    declared(house, TIMED).deliver(A, "Op,ts,id,owner,city\n" + rows).load()

    assert people(house) == [("1", "Ann", "City 11")]


def test_commit_time_ranks_changes_that_came_in_the_wrong_file(house: House) -> None:
    head = "Op,ts,id,owner,city\n"
    declared(house, TIMED).deliver(B, f"{head}U,2026-03-01 09:00:00,1,Ann,Old\n")

    house.deliver(A, f"{head}U,2026-03-01 09:30:00,1,Ann,New\n").load()

    assert people(house) == [("1", "Ann", "New")]


def test_commit_times_of_parquet_rank_as_those_of_csv(house: House) -> None:
    declared(house, "{format: parquet, timestamp_column: ts}")
    for name, hour, city in (("20260301-110000000", 9, "Old"), ("20260301-100000000", 10, "New")):
        sink = io.BytesIO()
        at = pa.array([datetime(2026, 3, 1, hour, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))
        pq.write_table(pa.table({"Op": ["U"], "ts": at, "id": ["1"], "owner": ["Ann"], "city": [city]}), sink)
        house.deliver(f"db/public/people/{name}.parquet", sink.getvalue())

    house.load()

    assert people(house) == [("1", "Ann", "New")]


def test_transfer_times_of_a_full_load_do_not_outrank_changes(house: House) -> None:
    declared(house, TIMED).deliver(A, "Op,ts,id,owner,city\nU,2026-03-01 09:00:00,1,Ann,Kiel\n")

    house.deliver("db/public/people/LOAD0000000A.csv", "ts,id,owner,city\n2026-03-01 11:00:00,1,Ann,Bonn\n").load()

    assert people(house) == [("1", "Ann", "Kiel")]


NUMBERS = """
table: readings
source: db
resource: public/readings
key: [id]
columns:
  - {name: id, type: bigint, nullable: false}
  - {name: real4, type: "decimal(12,3)"}
  - {name: amount, type: "decimal(28,6)"}
  - {name: price, type: "decimal(12,2)"}
  - {name: note, type: string}
"""


def test_numbers_are_read_as_dms_prints_them(house: House) -> None:
    house.declare(PIPELINE.format(options='{"null": "NULL"}'), NUMBERS)
    house.deliver(
        "db/public/readings/20260301-100000000.csv",
        "Op,id,real4,amount,price,note\n"
        "I,1,+1.10000000e+01,1234567890123456789012.123456,7.500000,\n"
        "I,2,-2.5e-01,NULL,NULL,NULL\n"
        "I,3,1,1,7.505000,x\n",
    ).load()

    assert rows_of(house.silver("readings")) == [
        (1, "11.000", "1234567890123456789012.123456", "7.50", None),
        (2, "-0.250", None, None, None),
    ]
    assert house.reasons() == ["price: more decimals than decimal(12,2)"]


def test_a_whole_run_loads_dated_folders(house: House) -> None:
    declared(house, TIMED).deliver(
        "db/public/people/2026/02/28/20260301-100000000.csv",
        "Op,ts,id,owner,city\nI,2026-02-28 23:59:59.999999,1,Ann,Bonn\n",
    )

    assert house.run().status == "published"

    assert people(house) == [("1", "Ann", "Bonn")]


def test_names_of_transaction_files_tell_order_and_date() -> None:
    names = [f"txn/CDC_TXN-2020111715304603{n}.csv" for n in (3, 4)]

    assert file_order("s/t/LOAD0000000A.csv") < file_order(names[0]) < file_order(names[1])
    assert str(file_date(names[0])) == "2020-11-17"


BAD_OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no order": ({"header": False}, {}, "column_order"),
    "two orders of one width": ({"header": False}, {"column_orders": [["id", "a"], ["id", "b"]]}, "one width"),
    "an order without the key": ({"header": False}, {"column_order": ["owner"]}, "lacks the key"),
    "an order with Op": ({"header": False}, {"column_order": ["Op", "id"]}, "leave it out"),
    "a column twice": ({"header": False}, {"column_order": ["id", "a", "a"]}, "twice"),
    "transactions with a header": ({"cdc_path": "txn"}, {"column_order": ["id"]}, "header: false"),
    "transactions without order": ({"cdc_path": "txn", "format": "parquet"}, {}, "column_order"),
    "transactions without Op": (
        {"cdc_path": "txn", "header": False, "op_column": None}, {"column_order": ["id"]}, "op_column",
    ),
    "transactions above tables": ({"cdc_path": "public", "header": False}, {"column_order": ["id"]}, "above"),
    "DMS's own column": ({"timestamp_column": "city"}, {}, "DMS's own column"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_options_that_do_not_fit_together_are_refused(name: str) -> None:
    options, feed, says = BAD_OPTIONS[name]
    columns = [{"name": n, "type": "string"} for n in ("id", "owner", "city")]
    table = Table(table="people", source="db", resource="public/people", key=("id",), columns=columns, feed=feed)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=says):
        DmsFeed().check(Source(feed="dms", options=options), table)


def test_each_delivery_of_timed_rows_ends_the_same(houses: Callable[[str], House]) -> None:
    """Whichever file a row stands in, and however often: the newest commit of each key holds."""
    keys, count = 311, 1500
    made = [("D" if n % 5 == 4 else "U", f"2026-03-01 10:00:00.{n:06d}", f"k{n % keys}", n) for n in range(count)]
    last = {key: (op, n) for op, _, key, n in made}
    expected = sorted((key, "Ann", f"City {n}") for key, (op, n) in last.items() if op == "U")
    rows = [f"{op},{at},{key},Ann,City {n}\n" for op, at, key, n in made]
    for seed, files in ((1, 4), (2, 2)):
        house = declared(houses(f"timed{seed}"), TIMED)
        pile = Random(seed).sample([*rows, *rows[:300]], count + 300)
        for number in range(files):
            part = "".join(pile[number::files])
            house.deliver(f"db/public/people/20260301-1{number}0000000.csv", f"Op,ts,id,owner,city\n{part}")
            if number % 2:
                house.load()
        assert people(house) == expected
