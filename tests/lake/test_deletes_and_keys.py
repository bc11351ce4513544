"""Order, deletes and key changes of DMS files, from the source's folder to silver."""

from __future__ import annotations

from collections.abc import Callable

from house import ACCOUNTS, DAY, SOURCES, House, cdc, counts, rows_of

FULL = "db/public/accounts/LOAD0000000A.csv"
FIRST = "db/public/accounts/20260301-100000000.csv"
SECOND = "db/public/accounts/20260301-110000000.csv"
MOVABLE = ACCOUNTS.replace("key: [account_id]", "key: [account_id]\nkeys_can_change: true")
WITH_BEFORE = "account_id,owner,currency,balance,BI_account_id"


def test_a_late_upsert_does_not_resurrect_a_deleted_key(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10", "D,a1,,,,30")).load()

    late = bank.deliver(SECOND, cdc("U,a1,Ann,EUR,2.00,20")).load()

    assert counts(late[0]) == {"read": 1, "superseded": 1}
    assert rows_of(bank.silver("accounts")) == []


def test_a_late_delete_does_not_remove_a_key_that_came_back(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,3.00,30")).load()

    late = bank.deliver(SECOND, cdc("I,a1,Ann,EUR,1.00,10", "D,a1,,,,20")).load()

    assert counts(late[0]) == {"read": 2, "superseded": 2}
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "3.000")]


def test_a_newer_null_replaces_a_value(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10")).load()

    bank.deliver(SECOND, cdc("U,a1,,EUR,1.00,20")).load()

    assert rows_of(bank.silver("accounts")) == [("a1", None, "EUR", "1.000")]


def test_full_load_rows_rank_below_changes_that_were_loaded_before_them(bank: House) -> None:
    bank.deliver(FIRST, cdc("U,a1,Ann,EUR,2.00,10", "D,a2,,,,11")).load()

    full = "account_id,owner,currency,balance,seq\na1,Ann,EUR,1.00,\na2,Bob,EUR,1.00,\na3,Cid,EUR,1.00,\n"
    loaded = bank.deliver(FULL, full).load()

    assert counts(loaded[0]) == {"read": 3, "applied": 1, "superseded": 2}
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "2.000"), ("a3", "Cid", "EUR", "1.000")]


def test_change_sequences_are_compared_as_numbers_however_long(bank: House) -> None:
    older, newer = "20260301100000000000000000000000009", "20260301100000000000000000000000010"

    bank.deliver(
        FIRST,
        cdc(f"U,a1,New,EUR,2.00,{newer}", f"I,a1,Old,EUR,1.00,{older}", "I,a2,Old,EUR,1.00,9", "U,a2,New,EUR,1.00,10"),
    ).load()

    assert [row[1] for row in rows_of(bank.silver("accounts"))] == ["New", "New"]


def test_a_key_change_moves_the_row(house: House) -> None:
    bank = house.declare(SOURCES, MOVABLE)
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,,10", columns=WITH_BEFORE)).load()

    moved = bank.deliver(SECOND, cdc("U,a9,Ann,EUR,1.00,a1,20", columns=WITH_BEFORE)).load()

    assert counts(moved[0]) == {"read": 2, "applied": 2}
    assert rows_of(bank.silver("accounts")) == [("a9", "Ann", "EUR", "1.000")]


def test_a_late_change_of_the_old_key_stays_behind_the_key_change(house: House) -> None:
    bank = house.declare(SOURCES, MOVABLE)
    bank.deliver(FIRST, cdc("U,a9,Ann,EUR,2.00,a1,20", columns=WITH_BEFORE)).load()

    bank.deliver(SECOND, cdc("U,a1,Ann,EUR,1.00,a1,10", columns=WITH_BEFORE)).load()

    assert rows_of(bank.silver("accounts")) == [("a9", "Ann", "EUR", "2.000")]


def test_a_file_without_before_images_is_refused_where_keys_can_change(houses: Callable[[str], House]) -> None:
    bank = houses("movable").declare(SOURCES, MOVABLE).deliver(FIRST, cdc("U,a9,Ann,EUR,2.00,20"))

    assert bank.extract(DAY) == []

    refused = bank.workspace().logs["accounts"].all()[0].refused
    assert [r.reason for r in refused] == [
        "keys of the table can change, but BI_account_id is missing: set add-before-image-columns on the task"
    ]
