"""Snapshots: what a complete delivery lacks is gone, if the delivery is whole; marts hear only of changes."""

from __future__ import annotations

import itertools

import pytest
from house import House, counts, rows_of

PIPELINE = """
pipeline: bank
sources:
  files: {feed: csv, location: files}
marts:
  - mart: by_city
    sql: marts/by_city.sql
    key: [city]
    partition_by: city
    inputs: [{table: people, partition: city}]
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: files
resource: people
key: [id]
snapshot: {complete: true}
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string, nullable: false}
  - {name: city, type: string}
"""
DAYS = {
    "2026-02-26": "1,Ann,Bonn 2,Bob,Kiel 3,Cid,Ulm",
    "2026-02-27": "1,Ann,Bonn 3,Cid,Jena",
    "2026-02-28": "1,Ann,Bonn 3,Cid,Jena 4,Dan,Kiel",
}
LAST = [("1", "Ann", "Bonn"), ("3", "Cid", "Jena"), ("4", "Dan", "Kiel")]


@pytest.fixture
def files(house: House) -> House:
    sql = "SELECT city, count(*) AS people FROM people GROUP BY city"
    return house.declare(PIPELINE, PEOPLE, marts__by_city=sql)


def deliver(house: House, day: str, rows: str, part: str = "") -> House:
    return house.deliver(f"files/people/people_{day}{part}.csv", "id,owner,city\n" + "\n".join(rows.split()) + "\n")


@pytest.mark.parametrize("order", itertools.permutations(DAYS), ids=lambda o: "-".join(d[-2:] for d in o))
def test_the_newest_snapshot_holds_whichever_arrives_first(files: House, order: tuple[str, ...]) -> None:
    for day in order:
        deliver(files, day, DAYS[day]).load()

    assert rows_of(files.silver("people")) == LAST


def test_several_snapshots_in_one_batch_are_folded_in_their_order(files: House) -> None:
    for day, rows in DAYS.items():
        deliver(files, day, rows)

    [record] = files.load()

    assert rows_of(files.silver("people")) == LAST
    assert record["read"] == record["applied"] + record["superseded"] == 8 + 3  # each brings a withdrawal


def test_a_snapshot_with_a_refused_row_updates_but_deletes_nothing(files: House) -> None:
    deliver(files, "2026-02-26", DAYS["2026-02-26"]).load()

    [record] = deliver(files, "2026-02-27", "1,Ann,Jena 3,,Ulm").load()

    assert rows_of(files.silver("people")) == [("1", "Ann", "Jena"), ("2", "Bob", "Kiel"), ("3", "Cid", "Ulm")]
    assert counts(record) == {"read": 3, "applied": 1, "quarantined": 2}
    assert files.reasons() == ["owner: null", "snapshot: it has refused rows; what it lacks is not deleted"]


@pytest.mark.parametrize("rows", ["", "1,Ann,Bonn"], ids=["empty", "a third"])
def test_a_snapshot_that_is_far_too_small_deletes_nothing(files: House, rows: str) -> None:
    deliver(files, "2026-02-26", DAYS["2026-02-26"]).load()

    deliver(files, "2026-02-27", rows).load()

    assert len(rows_of(files.silver("people"))) == 3
    assert "far smaller" in files.reasons()[0]


def test_a_released_withdrawal_deletes_after_all(files: House) -> None:
    deliver(files, "2026-02-26", DAYS["2026-02-26"]).load()
    deliver(files, "2026-02-27", "1,Ann,Bonn").load()
    [row] = files.quarantine()
    files.decide("requested", row["quarantine_id"])

    files.load(release=True)

    assert rows_of(files.silver("people")) == [("1", "Ann", "Bonn")]


def test_another_part_of_a_landed_snapshot_stops_the_table(files: House) -> None:
    deliver(files, "2026-02-26", DAYS["2026-02-26"]).load()

    deliver(files, "2026-02-26", "9,Eve,Bonn", part="_more").load(
        expect=lambda failures: "another part of the snapshot" in str(failures[0].error)
    )

    assert len(rows_of(files.silver("people"))) == 3


def test_a_snapshot_whose_batch_was_quarantined_may_come_again_under_its_date(files: House) -> None:
    files.deliver("files/people/people_2026-02-26.csv", "owner,city\nAnn,Bonn\n").load()

    deliver(files, "2026-02-26", DAYS["2026-02-26"], part="_corrected").load()

    assert len(rows_of(files.silver("people"))) == 3


def test_parts_without_a_date_that_come_together_are_one_snapshot(files: House) -> None:
    for part, row in (("a", "1,Ann,Bonn"), ("b", "2,Bob,Kiel")):
        files.deliver(f"files/people/part_{part}.csv", f"id,owner,city\n{row}\n")

    files.load()

    assert rows_of(files.silver("people")) == [("1", "Ann", "Bonn"), ("2", "Bob", "Kiel")]


def test_one_key_twice_in_a_snapshot_is_undecidable(files: House) -> None:
    [record] = deliver(files, "2026-02-26", "1,Ann,Bonn 1,Ann,Kiel 2,Bob,Ulm").load()

    assert record["quarantined"] == 2
    assert rows_of(files.silver("people")) == [("2", "Bob", "Ulm")]


def test_a_partial_snapshot_says_nothing_of_what_it_lacks(house: House) -> None:
    house.declare(PIPELINE.replace("marts:", "#").split("#")[0] + PIPELINE[PIPELINE.index("publication"):],
                  PEOPLE.replace("complete: true", "complete: false"))  # fmt: skip
    for day in ("2026-02-26", "2026-02-27"):
        deliver(house, day, DAYS[day]).load()

    assert rows_of(house.silver("people")) == [("1", "Ann", "Bonn"), ("2", "Bob", "Kiel"), ("3", "Cid", "Jena")]


def test_only_partitions_whose_rows_changed_are_rebuilt(files: House) -> None:
    deliver(files, "2026-02-27", DAYS["2026-02-27"])
    assert files.run().status == "published"

    deliver(files, "2026-02-28", DAYS["2026-02-28"])
    assert files.run().status == "published"

    [slice_] = files.warehouse.publications[-1].slices
    assert slice_.partitions == ("Kiel",)
    assert rows_of(files.mart("by_city")) == [("Bonn", 1), ("Jena", 1), ("Kiel", 1)]


ONE_EACH = """
{"name": "by_city", "expectations": [{"type": "expect_column_values_to_be_between",
  "kwargs": {"column": "people", "max_value": 1}}], "meta": {}}
"""


def test_what_a_refused_snapshot_changed_for_a_while_leaves_no_trace(house: House) -> None:
    sql = "SELECT city, count(*) AS people FROM people GROUP BY city"
    house.declare(PIPELINE.replace("key: [city]", "key: [city]\n    suite: by_city"), PEOPLE, marts__by_city=sql,
                  suite__by_city=ONE_EACH)  # fmt: skip

    assert deliver(house, "2026-02-26", "1,Ann,Bonn 2,Bob,Kiel").run().status == "published"
    assert deliver(house, "2026-02-27", "1,Ann,Bonn 2,Bob,Kiel 3,Cid,Kiel").run().status == "blocked"
    assert deliver(house, "2026-02-28", "1,Ann,Bonn 2,Bob,Kiel 4,Dan,Ulm").run().status == "published"

    assert rows_of(house.mart("by_city")) == [("Bonn", 1), ("Kiel", 1), ("Ulm", 1)]


def test_a_snapshot_that_repeats_everything_rebuilds_nothing(house: House) -> None:
    whole = PIPELINE.replace(", partition: city", "").replace("    partition_by: city\n", "")
    house.declare(whole, PEOPLE, marts__by_city="SELECT city, count(*) AS people FROM people GROUP BY city")

    assert deliver(house, "2026-02-26", DAYS["2026-02-26"]).run().status == "published"
    again = deliver(house, "2026-02-27", DAYS["2026-02-26"]).run()
    assert [s.result for s in again.steps if s.stage == "mart"] == ["unchanged"]
    other = deliver(house, "2026-02-28", DAYS["2026-02-28"]).run()
    assert [s.result for s in other.steps if s.stage == "mart"] == ["rebuilt whole"]
