"""Every change of a batch has exactly one fate, and the fates add up to what was read."""

from __future__ import annotations

import pytest
from house import ACCOUNTS, PAYMENTS, SOURCES, House, cdc, counts, rows_of
from ledgerlake.errors import AccountingError

ACCOUNTS_FILE = "db/public/accounts/20260301-100000000.csv"
PAYMENTS_FILE = "db/public/payments/20260301-100000000.csv"
PAYMENT = "payment_id,account_id,amount"


def test_each_fate_is_counted_once(bank: House) -> None:
    bank.deliver(ACCOUNTS_FILE, cdc(
        "I,a1,Ann,EUR,1.00,10",
        "U,a1,Ann,EUR,2.00,20",  # newest of a1: applied
        "U,a1,Ann,EUR,2.00,20",  # the same change again
        "I,a2,Bob,EUR,1.00,11",
        "D,a2,,,,21",  # a delete is applied too
        "D,a3,,,,22",  # even of a key that was never seen
        "I,a4,Dan,EUR,much,23",  # not a decimal
    ))  # fmt: skip

    [record] = bank.load()

    assert counts(record) == {"read": 7, "applied": 3, "superseded": 2, "duplicate": 1, "quarantined": 1}


def test_held_changes_count_as_quarantined(house: House) -> None:
    bank = house.declare(SOURCES, ACCOUNTS, PAYMENTS)
    bank.deliver(PAYMENTS_FILE, cdc("I,p1,a1,1.00,10", "I,p2,a1,oops,11", columns=PAYMENT))

    [record] = bank.load()

    assert counts(record) == {"read": 2, "quarantined": 2, "held": 1}


def test_a_file_of_only_a_header_is_a_finished_batch_of_nothing(bank: House) -> None:
    [record] = bank.deliver(ACCOUNTS_FILE, cdc()).load()

    assert (record["status"], counts(record)) == ("finished", {})
    assert rows_of(bank.silver("accounts")) == []


def test_a_batch_whose_changes_are_not_all_accounted_for_stops_its_table(bank: House) -> None:
    """Somebody else's write to silver between bronze and the count is what such a mismatch looks like."""
    bank.deliver(ACCOUNTS_FILE, cdc("I,a1,Ann,EUR,1.00,10", "I,a2,Bob,EUR,1.00,11")).load()
    first = bank.workspace().control.read("batches")[0]
    bronze = bank.bronze("accounts")

    assert first["read"] == bronze.count() == first["applied"]
    with pytest.raises(AccountingError, match="read 2 ≠ applied 3"):
        from ledgerlake.core.accounting import Counts
        from ledgerlake.errors import Where

        Counts(read=2, applied=3).check(Where(table="accounts", batch_id=first["batch_id"]))
