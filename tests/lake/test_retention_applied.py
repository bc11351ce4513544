"""A lake grows older: landed objects go when nobody reads them again, and everything else goes on."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from house import ACCOUNTS, NOON, PAYMENTS, SOURCES, House, cdc, rows_of
from ledgerlake.ops.replay import compare
from ledgerlake.ops.retention import Applied, apply, plan
from ledgerlake.ops.trace import trace_batch, trace_row

FIRST = "db/public/accounts/20260301-100000000.csv"
SECOND = "db/public/accounts/20260302-100000000.csv"
PAYMENT_FILE = "db/public/payments/20260301-100000000.csv"
KEPT_A_YEAR = ACCOUNTS + "retention_days: 366\n"
DAY = timedelta(days=1)


def deliver(house: House, path: str, text: str) -> None:
    """Put an object at the source as it was written there: by the house's clock."""
    house.deliver(path, text)
    moment = house.clock.now().timestamp()
    os.utime(house.root / "sources" / path, (moment, moment))


def landed(house: House, table: str = "accounts") -> list[str]:
    """Return the names of landed objects whose body is still there."""
    return sorted(p.name.removeprefix("o-") for p in (house.root / "lake/landing/bank" / table).rglob("*.csv"))


def planned(house: House) -> list[str]:
    return [Path(item.path).name.removeprefix("o-") for r in plan(house.workspace()) if r.kind == "landed objects" for item in r.gone]


def applied(house: House) -> Applied:
    house.clock.advance(timedelta(minutes=1))
    return apply(house.workspace())


@pytest.fixture
def year(house: House) -> House:
    """Return a house that keeps accounts for a year, with two days loaded and served."""
    house.declare(SOURCES, KEPT_A_YEAR)
    deliver(house, FIRST, cdc("I,a1,Ann,EUR,1.00,10", "I,a2,Bob,EUR,2.00,11"))
    assert house.run().error is None
    house.clock.advance(100 * DAY)
    deliver(house, SECOND, cdc("U,a1,Ann,EUR,3.00,20"))
    assert house.run(date(2026, 3, 2)).error is None
    return house


def test_inside_its_retention_nothing_goes_and_afterwards_only_what_is_older(year: House) -> None:
    year.clock.moment = NOON + 366 * DAY
    assert planned(year) == []

    year.clock.advance(DAY)

    assert planned(year) == [Path(FIRST).name]
    assert landed(year) == [Path(FIRST).name, Path(SECOND).name]


def test_after_the_window_objects_go_and_the_lake_goes_on_as_if_they_were_there(year: House) -> None:
    year.clock.moment = NOON + 367 * DAY
    versions = year.versions()

    assert [len(r.gone) for r in applied(year).removals if r.gone] == [1]

    assert landed(year) == [Path(SECOND).name]
    assert year.versions() == versions
    assert year.run(date(2026, 3, 2)).status == "unchanged"
    assert compare(year.workspace(), "accounts").equal
    assert [len(r.gone) for r in applied(year).removals if r.gone] == []

    deliver(year, "db/public/accounts/20270303-100000000.csv", cdc("D,a2,,,,30", "I,a3,Cid,EUR,4.00,31"))
    assert year.run(date(2027, 3, 3)).status == "published"
    assert rows_of(year.silver("accounts")) == [("a1", "Ann", "EUR", "3.000"), ("a3", "Cid", "EUR", "4.000")]


def test_a_trace_says_when_retention_removed_an_object(year: House) -> None:
    year.clock.moment = NOON + 367 * DAY
    applied(year)
    removed_at = year.clock.now()

    workspace = year.workspace()
    changes = trace_row(workspace, "accounts", "a1")["changes"]
    batch = trace_batch(workspace, changes[0]["batch_id"])

    assert [c["object_removed_by_retention"] for c in changes] == [removed_at, None]
    assert [(o["source"], o["removed_by_retention"]) for o in batch["objects"]] == [(FIRST.removeprefix("db/"), removed_at)]  # fmt: skip


def test_without_a_declared_retention_landed_objects_are_kept_for_good(house: House) -> None:
    house.declare(SOURCES, ACCOUNTS)
    deliver(house, FIRST, cdc("I,a1,Ann,EUR,1.00,10"))
    house.load()
    house.clock.advance(5000 * DAY)

    assert planned(house) == []


def test_what_waits_in_quarantine_or_was_never_loaded_keeps_its_object(house: House) -> None:
    house.declare(SOURCES, KEPT_A_YEAR, PAYMENTS + "retention_days: 90\n")
    deliver(house, PAYMENT_FILE, cdc("I,p1,a1,5.00,10", columns="payment_id,account_id,amount"))
    house.load()
    house.clock.advance(400 * DAY)
    deliver(house, FIRST, cdc("I,a1,Ann,EUR,1.00,10"))
    house.extract()
    house.clock.advance(400 * DAY)
    assert planned(house) == []

    house.load(release=True)
    assert house.quarantine() == []

    assert planned(house) == [Path(PAYMENT_FILE).name]  # an account's year begins when it is loaded
    house.clock.advance(400 * DAY)
    assert planned(house) == [Path(FIRST).name, Path(PAYMENT_FILE).name]


def test_a_batch_that_was_quarantined_whole_keeps_its_object(house: House) -> None:
    house.declare(SOURCES, KEPT_A_YEAR + "on_new_column: refuse\n")
    deliver(house, FIRST, cdc("I,a1,Ann,EUR,1.00,new,10", columns="account_id,owner,currency,balance,extra"))
    [record] = house.load()
    assert record["status"] == "quarantined"
    house.clock.advance(5000 * DAY)

    assert planned(house) == []
