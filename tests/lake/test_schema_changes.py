"""Columns that come and go: additive ones are taken in and recorded, breaking ones stop the batch."""

from __future__ import annotations

import pytest
from house import ACCOUNTS, SOURCES, House, cdc, counts, rows_of

FIRST = "db/public/accounts/20260301-100000000.csv"
SECOND = "db/public/accounts/20260301-110000000.csv"
THIRD = "db/public/accounts/20260301-120000000.csv"
WIDER = "account_id,owner,currency,balance,branch"


def test_a_new_column_is_added_and_recorded(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10")).load()

    bank.deliver(SECOND, cdc("I,a2,Bob,EUR,1.00,Bonn,20", columns=WIDER)).load()

    assert rows_of(bank.silver("accounts")) == [
        ("a1", "Ann", "EUR", "1.000", None),
        ("a2", "Bob", "EUR", "1.000", "Bonn"),
    ]
    [change] = bank.workspace().control.read("schema_changes")
    assert (change["table"], change["column"], change["type"]) == ("accounts", "branch", "string")


def test_a_change_of_the_older_layout_stays_a_duplicate_after_a_column_was_added(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10")).load()
    bank.deliver(SECOND, cdc("I,a2,Bob,EUR,1.00,Bonn,20", columns=WIDER)).load()

    [again] = bank.deliver(THIRD, cdc("I,a1,Ann,EUR,1.00,10", "I,a3,Cid,EUR,1.00,30")).load()

    assert counts(again) == {"read": 2, "applied": 1, "duplicate": 1}


def test_files_of_two_layouts_in_one_batch_are_read_each_by_its_own_header(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10"))
    bank.deliver(SECOND, cdc("I,Bonn,a2,EUR,Bob,1.00,20", columns="branch,account_id,currency,owner,balance"))

    bank.load()

    assert rows_of(bank.silver("accounts")) == [
        ("a1", "Ann", "EUR", "1.000", None),
        ("a2", "Bob", "EUR", "1.000", "Bonn"),
    ]


def test_a_new_column_on_a_table_that_refuses_them_quarantines_the_batch(house: House) -> None:
    bank = house.declare(SOURCES, ACCOUNTS + "on_new_column: refuse\n")

    [record] = bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,Bonn,10", columns=WIDER)).load()

    assert record["status"] == "quarantined"
    assert "column 'branch' is new, and the table refuses new columns" in record["reason"]


def test_a_delivery_without_the_key_column_is_quarantined_as_a_batch_and_not_tried_again(bank: House) -> None:
    [record] = bank.deliver(FIRST, cdc("I,Ann,EUR,1.00,10", columns="owner,currency,balance")).load()

    assert record["status"] == "quarantined"
    assert "column 'account_id' is missing from the delivery" in record["reason"]
    assert bank.load() == []


def test_a_column_that_may_be_null_may_be_missing(bank: House) -> None:
    [record] = bank.deliver(FIRST, cdc("I,a1,EUR,1.00,10", columns="account_id,currency,balance")).load()

    assert counts(record) == {"read": 1, "applied": 1}
    assert rows_of(bank.silver("accounts")) == [("a1", None, "EUR", "1.000")]


@pytest.mark.parametrize("native_rows", [500_000, 0])
def test_a_column_that_the_contract_no_longer_has_stays_as_it_was_and_loading_goes_on(
    bank: House, native_rows: int
) -> None:
    bank.embedded_rows_max = native_rows
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10")).load()
    bank.declare(SOURCES, ACCOUNTS.replace("  - {name: owner, type: string}\n", ""))

    [batch] = bank.deliver(SECOND, cdc("I,a2,EUR,2.00,20", columns="account_id,currency,balance")).load()

    assert counts(batch) == {"read": 1, "applied": 1}
    assert [r["owner"] for r in bank.bronze("accounts").orderBy("_position").collect()] == ["Ann", None]
