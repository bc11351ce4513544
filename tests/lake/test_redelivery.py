"""What arrives twice, under another name, or with other content under the same name."""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
from house import ACCOUNTS, PAYMENTS, SOURCES, House, cdc, counts, rows_of
from ledgerlake.feeds.deliveries import REPLACED

PARQUET = SOURCES.replace("{sequence_column: seq}", "{format: parquet}")
FOLDER = "db/public/accounts/"
FIRST, SECOND = FOLDER + "20260301-100000000.csv", FOLDER + "20260301-110000000.csv"


def test_a_change_read_before_is_a_duplicate_in_a_later_batch(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10", "U,a1,Ann,EUR,2.00,20")).load()

    again = bank.deliver(SECOND, cdc("U,a1,Ann,EUR,2.00,20", "U,a1,Ann,EUR,3.00,30")).load()

    assert counts(again[0]) == {"read": 2, "applied": 1, "duplicate": 1}
    assert bank.bronze("accounts").count() == 3
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "3.000")]


def test_a_file_delivered_again_under_another_name_changes_nothing(bank: House) -> None:
    content = cdc("I,a1,Ann,EUR,1.00,10", "I,a2,Bob,EUR,1.00,11")
    bank.deliver(FIRST, content).load()
    before = bank.versions()

    again = bank.deliver(SECOND, content).load()

    assert [counts(r) for r in again] in ([], [{"read": 2, "duplicate": 2}])
    assert bank.versions() == before


def test_a_file_delivered_again_in_another_folder_says_nothing_new(bank: House) -> None:
    content = cdc("I,a1,Ann,EUR,1.00,10")
    bank.deliver(FIRST, content).load()

    [record] = bank.deliver(FOLDER + "2026/03/01/20260301-100000000.csv", content).load()

    assert counts(record) == {"read": 1, "duplicate": 1}
    assert bank.workspace().logs["accounts"].all()[-1].refused == ()


def test_other_content_under_a_known_name_is_refused_once_and_the_table_goes_on(house: House) -> None:
    bank = house.declare(SOURCES, ACCOUNTS, PAYMENTS)
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10")).load()
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,9.00,10"))
    bank.deliver(
        "db/public/payments/20260301-110000000.csv", cdc("I,p1,a1,5.00,12", columns="payment_id,account_id,amount")
    )
    bank.deliver(SECOND, cdc("I,a2,Bob,EUR,2.00,11")).load()

    log = bank.workspace().logs["accounts"]
    assert [r.reason for m in log.all() for r in m.refused] == [REPLACED]
    assert (bank.load(), len(bank.workspace().logs["accounts"].all())) == ([], len(log.all()))
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "1.000"), ("a2", "Bob", "EUR", "2.000")]
    assert rows_of(bank.silver("payments")) == [("p1", "a1", "5.00")]


def test_two_contents_at_one_position_are_both_quarantined(bank: House) -> None:
    [record] = bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10", "U,a1,Ann,EUR,2.00,20", "U,a1,Ann,EUR,9.00,20")).load()

    assert counts(record) == {"read": 3, "applied": 1, "quarantined": 2}
    assert bank.reasons() == ["position: two different changes of the key claim it"] * 2
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "1.000")]


def test_a_change_that_contradicts_one_loaded_before_is_quarantined(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10")).load()

    [record] = bank.deliver(SECOND, cdc("I,a1,Ann,EUR,9.00,10", "I,a2,Bob,EUR,1.00,9")).load()

    assert counts(record) == {"read": 2, "applied": 1, "quarantined": 1}
    assert bank.reasons() == ["position: contradicts a change loaded before"]
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "1.000"), ("a2", "Bob", "EUR", "1.000")]


def test_a_truncated_file_is_refused_and_its_neighbour_is_loaded(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10"))
    bank.deliver(SECOND, cdc('I,a2,"Bob')[:-1])

    [record] = bank.load()

    assert counts(record) == {"read": 1, "applied": 1}
    [refused] = bank.workspace().logs["accounts"].all()[0].refused
    assert refused.reason.startswith("line 2: a quote that opens here is never closed")


def as_parquet(**columns: object) -> bytes:
    sink = BytesIO()
    pq.write_table(pa.table({"Op": ["I"], **columns}), sink)
    return sink.getvalue()


def test_a_type_that_changes_within_one_delivery_stops_its_table_and_no_other(house: House) -> None:
    bank = house.declare(PARQUET, ACCOUNTS, PAYMENTS)
    account = {"account_id": ["a1"], "currency": ["EUR"], "balance": ["1.00"]}
    bank.deliver(FIRST.replace("csv", "parquet"), as_parquet(**account, owner=pa.array([1], pa.date32())))
    bank.deliver(SECOND.replace("csv", "parquet"), as_parquet(**account, owner=[True]))
    bank.deliver(
        "db/public/payments/20260301-110000000.parquet",
        as_parquet(payment_id=["p1"], account_id=[None], amount=["5.00"]),
    )

    bank.load(expect=lambda failures: [f.subject for f in failures] in ([], ["accounts"]))

    assert bank.reasons("payments") == ["account_id: null"]


def test_a_pipeline_may_bear_the_name_of_a_folder_of_the_lake(house: House) -> None:
    house.name = "landing"
    bank = house.declare(SOURCES.replace("pipeline: bank", "pipeline: landing"), ACCOUNTS)

    [record] = bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10")).load()

    assert counts(record) == {"read": 1, "applied": 1}
