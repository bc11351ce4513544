"""Rows that wait for a parent, rows that somebody releases, and what a killed release leaves behind."""

from __future__ import annotations

import pytest
from house import ACCOUNTS, DAY, PAYMENTS, SOURCES, House, cdc, counts, rows_of
from ledgerlake.errors import TransientError
from ledgerlake.lake.batch import Batch, BatchLoader, Outcome
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress

PAYMENT = "payment_id,account_id,amount"
PAYMENT_FILE = "db/public/payments/20260301-100000000.csv"
ACCOUNT_FILE = "db/public/accounts/20260301-110000000.csv"


@pytest.fixture
def bank(house: House) -> House:
    """A house in which a payment waits for its account."""
    house.declare(SOURCES, ACCOUNTS, PAYMENTS)
    house.deliver(PAYMENT_FILE, cdc("I,p1,a1,5.00,10", columns=PAYMENT)).load()
    return house


def test_a_row_without_its_parent_is_held_not_lost(bank: House) -> None:
    [row] = bank.quarantine()

    assert (row["state"], row["reasons"]) == ("held", ["account_id: not in accounts yet"])
    assert rows_of(bank.silver("payments")) == []


def test_a_held_row_is_released_when_its_parent_arrives(bank: House) -> None:
    records = bank.deliver(ACCOUNT_FILE, cdc("I,a1,Ann,EUR,1.00,11")).load(release=True)

    assert [(r["kind"], counts(r)) for r in records] == [
        ("landed", {"read": 1, "applied": 1}),
        ("release", {"read": 1, "applied": 1}),
    ]
    assert rows_of(bank.silver("payments")) == [("p1", "a1", "5.00")]
    assert bank.quarantine() == []


def test_a_held_row_stays_held_while_other_parents_arrive(bank: House) -> None:
    records = bank.deliver(ACCOUNT_FILE, cdc("I,a2,Bob,EUR,1.00,11")).load(release=True)

    assert [r["kind"] for r in records] == ["landed"]
    assert [row["state"] for row in bank.quarantine()] == ["held"]


def test_a_late_released_row_does_not_replace_a_newer_one(bank: House) -> None:
    bank.deliver(ACCOUNT_FILE, cdc("I,a1,Ann,EUR,1.00,11"))
    bank.deliver("db/public/payments/20260301-120000000.csv", cdc("U,p1,a1,7.00,20", columns=PAYMENT))

    records = bank.load(release=True)

    assert counts(records[-1]) == {"read": 1, "superseded": 1}
    assert rows_of(bank.silver("payments")) == [("p1", "a1", "7.00")]


def test_a_requested_row_that_fails_again_stands_in_quarantine_again(bank: House) -> None:
    [held] = bank.quarantine()
    bank.decide("requested", held["quarantine_id"])

    [record] = bank.load(release=True)

    assert counts(record) == {"read": 1, "quarantined": 1, "held": 1}
    [row] = bank.quarantine()
    assert (row["quarantine_id"], row["batch_id"]) == (held["quarantine_id"], record["batch_id"])


def test_a_dismissed_row_is_not_released(bank: House) -> None:
    bank.decide("dismissed", bank.quarantine()[0]["quarantine_id"], reason="a test payment")

    records = bank.deliver(ACCOUNT_FILE, cdc("I,a1,Ann,EUR,1.00,11")).load(release=True)

    assert [r["kind"] for r in records] == ["landed"]
    assert rows_of(bank.silver("payments")) == []


class KilledBeforeLoading(BatchLoader):
    """Dies as a process does between taking rows out of quarantine and loading them."""

    def load(self, batch: Batch) -> Outcome:
        raise TransientError("killed")


class DyingLoader(Loader):
    def __init__(self, workspace: Workspace, run_id: str, house: House) -> None:
        super().__init__(workspace, run_id, house.clock.now(), DAY, Progress())
        self._batches = KilledBeforeLoading(workspace, run_id, house.clock.now(), DAY.isoformat())


def test_a_release_that_was_killed_is_finished_by_the_next_run(bank: House) -> None:
    bank.deliver(ACCOUNT_FILE, cdc("I,a1,Ann,EUR,1.00,11")).load()
    failures = DyingLoader(bank.workspace(), bank.tick(), bank).release_all()
    assert [str(f.error) for f in failures] == ["killed"]

    bank.load(release=True)

    assert rows_of(bank.silver("payments")) == [("p1", "a1", "5.00")]
    assert bank.quarantine() == []
