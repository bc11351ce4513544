"""Every change of a batch has exactly one fate, and the fates add up to what was read."""

from __future__ import annotations

from typing import Any

from house import ACCOUNTS, DAY, PAYMENTS, SOURCES, House, cdc, counts, rows_of
from ledgerlake.errors import AccountingError
from ledgerlake.lake.batch import Batch, BatchLoader
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress

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


class SkippedMerge(BatchLoader):
    """Claims more for silver than its merge did: what an engine's miscount would look like."""

    def _to_silver(self, batch: Batch, facts: dict[str, Any]) -> tuple[int, int]:
        applied, version = super()._to_silver(batch, facts)
        return applied + facts["accepted"], version


def test_a_batch_that_is_not_accounted_for_stops_its_table_and_is_not_finished(bank: House) -> None:
    bank.deliver(ACCOUNTS_FILE, cdc("I,a1,Ann,EUR,1.00,10")).extract()
    workspace = bank.workspace()
    loader = Loader(workspace, "run", bank.clock.now(), DAY, Progress())
    loader._batches = SkippedMerge(workspace, "run", bank.clock.now(), DAY.isoformat())

    [failure] = loader.load_all()

    assert isinstance(failure.error, AccountingError)
    assert "read 1 ≠ applied 2 + superseded -1" in str(failure.error)
    assert bank.workspace().control.finished_batches() == {}
