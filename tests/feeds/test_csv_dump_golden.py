"""CSV files and dumps through the product's own doors: formats, order, and what is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from house import House, counts, rows_of
from ledgerlake.testing.csv import HOSTILE as HOSTILE_CSV
from ledgerlake.testing.dump import HOSTILE as HOSTILE_DUMPS
from ledgerlake.testing.samples import Hostile

PIPELINE = """
pipeline: bank
sources:
  files: {{feed: {feed}, location: files, options: {options}}}
publication: {{database: FINANCE, schema: BANK, bi_schema: BANK_BI}}
"""
PEOPLE = """
table: people
source: files
resource: people
key: [id]
feed: {feed}
columns:
  - {{name: id, type: string, nullable: false}}
  - {{name: owner, type: string}}
  - {{name: city, type: string}}
"""
ORDERS = """
table: orders
source: files
resource: orders
key: [id]
feed: {order_by: [updated_at]}
columns:
  - {name: id, type: string, nullable: false}
  - {name: amount, type: "decimal(18,3)"}
  - {name: updated_at, type: timestamp, nullable: false}
"""


def declared(house: House, feed: str, options: str = "{}", own: str = "{}", table: str = "") -> House:
    return house.declare(PIPELINE.format(feed=feed, options=options), table or PEOPLE.format(feed=own))


def as_parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_csv_in_any_declared_dialect_is_read_by_name(house: House) -> None:
    declared(house, "csv", '{delimiter: ";", "null": "NULL"}')
    text = '\ufeffcity;id;owner\nBonn;1;"Ann; the ""first"""\nNULL;2;"Bob\nthe second"\n'

    [record] = house.deliver("files/people/people_2026-03-01.csv", text.encode()).load()

    assert rows_of(house.silver("people")) == [("1", 'Ann; the "first"', "Bonn"), ("2", "Bob\nthe second", None)]
    assert counts(record) == {"read": 2, "applied": 2}


def test_the_date_in_the_name_orders_csv_files_whichever_arrives_first(house: House) -> None:
    declared(house, "csv")
    house.deliver("files/people/z_2026-02-28.csv", "id,owner,city\n1,Old,Bonn\n")
    house.deliver("files/people/a_2026-03-01.csv", "id,owner,city\n1,New,Kiel\n").load()

    house.deliver("files/people/y_2026-02-27.csv", "id,owner,city\n1,Older,Ulm\n").load()

    assert rows_of(house.silver("people")) == [("1", "New", "Kiel")]


DUMPS = {
    "lines": ("{}", b'{"id": "1", "amount": 123456789012345.678, "updated_at": "2026-03-01T10:00:00Z"}\n'
                    b'{"id": "1", "amount": "2.5", "updated_at": "2026-03-01T09:00:00Z"}\n', "jsonl"),
    "array": ('{format: json_array, records: "data.items"}', json.dumps({"data": {"items": [
        {"id": "1", "amount": "123456789012345.678", "updated_at": "2026-03-01T10:00:00Z"},
        {"id": "1", "amount": 2.5, "updated_at": "2026-03-01T09:00:00Z"},
    ]}}, indent=2).encode(), "json"),
    "parquet": ("{format: parquet}", as_parquet(
        id=["1", "1"], amount=["123456789012345.678", "2.5"], updated_at=["2026-03-01 10:00:00Z", "2026-03-01 09:00:00Z"],
    ), "parquet"),
}  # fmt: skip


@pytest.mark.parametrize("form", DUMPS)
def test_the_declared_order_decides_in_every_form_of_dump(house: House, form: str) -> None:
    options, body, ending = DUMPS[form]
    declared(house, "dump", options, table=ORDERS)

    [record] = house.deliver(f"files/orders/orders_2026-03-01.{ending}", body).load()

    assert rows_of(house.silver("orders")) == [("1", "123456789012345.678", "2026-03-01 10:00:00")]
    assert counts(record) == {"read": 2, "applied": 1, "superseded": 1}


def test_a_number_keeps_every_digit_in_an_array_too(house: House) -> None:
    declared(house, "dump", "{format: json_array}", table=ORDERS)
    body = '[{"id": "1", "amount": 123456789012345.678, "updated_at": "2026-03-01T10:00:00Z"}]'

    house.deliver("files/orders/orders.json", body).load()

    assert rows_of(house.silver("orders")) == [("1", "123456789012345.678", "2026-03-01 10:00:00")]


def test_an_older_dump_that_arrives_late_changes_nothing(house: House) -> None:
    declared(house, "dump", table=ORDERS)
    late = '{"id": "1", "amount": "9", "updated_at": "2026-02-01T10:00:00Z"}\n'
    house.deliver("files/orders/orders_2026-03-01.jsonl", DUMPS["lines"][1]).load()

    [record] = house.deliver("files/orders/late.jsonl", late).load()

    assert counts(record) == {"read": 1, "superseded": 1}


@pytest.mark.parametrize("sample", [*HOSTILE_CSV, *HOSTILE_DUMPS], ids=lambda s: s.name)
def test_hostile_files_end_where_they_must(house: House, sample: Hostile) -> None:
    feed, options, own = {
        "csv": ("csv", "{}", "{}"), "headerless": ("csv", "{header: false}", "{column_order: [id, owner, city]}"),
        "lines": ("dump", "{}", "{}"), "array": ("dump", "{format: json_array}", "{}"), "parquet": ("dump", "{format: parquet}", "{}"),
    }[sample.name.split(":")[0]]  # fmt: skip
    declared(house, feed, options, own)
    for path, body in sample.files.items():
        house.deliver(f"files/people/{path}", body)

    house.load()

    refused = [r.reason for m in house.workspace().logs["people"].all() for r in m.refused]
    shown = refused if sample.outcome == "refused" else house.reasons()
    assert any(sample.says in reason for reason in shown) or sample.outcome == "accepted", (refused, house.reasons())
    assert bool(refused) == (sample.outcome == "refused")


def test_order_columns_must_have_an_order(houses: Callable[[str], House]) -> None:
    from ledgerlake.feeds.registry import FEEDS

    for own, says in (("{order_by: [nope]}", "does not declare"), ("{order_by: [city]}", "nullable: false")):
        house = declared(houses(says[:4]), "dump", own=own)
        from ledgerlake.config.load import load_pipeline

        pipeline = load_pipeline(house.root / "conf", house.root / "suites", "bank")
        with pytest.raises(ValueError, match=says):
            FEEDS["dump"].check(pipeline.spec.sources["files"], pipeline.tables["people"])
