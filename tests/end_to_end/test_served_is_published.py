"""What readers are served is what was published last: in the lake, in Snowflake, whatever happened to runs in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from house import ACCOUNTS, DAY, SOURCES, House, Warehouse, cdc, rows_of
from ledgerlake.errors import GateBlocked, LeaseLost, TransientError
from ledgerlake.lake import readers
from ledgerlake.lake.leases import DURATION
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run
from ledgerlake.ops.trace import trace_publication
from ledgerlake.publish import Publication, PublishOutcome

FILE = "db/public/accounts/20260301-1{:02d}000000.csv"
NEXT = date(2026, 3, 2)
MART = """marts:
  - {mart: owners, sql: marts/owners.sql, key: [account_id], inputs: [{table: accounts}]}
publication:"""
BANK = SOURCES.replace("publication:", MART)
PLAIN = "SELECT account_id, owner, balance FROM accounts"
DOUBLED = "SELECT account_id, owner, CAST(balance * 2 AS DECIMAL(18,3)) AS balance FROM accounts"


def bank(house: House, sql: str = PLAIN) -> House:
    house.declare(BANK, ACCOUNTS, marts__owners=sql)
    if not (house.root / "sources").exists():
        house.deliver(FILE.format(0), cdc("I,a1,Ann,EUR,1.00,10"))
    return house


def agreed(house: House) -> str:
    """Check that lake and warehouse serve one publication, and return its id."""
    served = readers.served(house.workspace())
    newest = house.warehouse.newest("bank", "")
    assert served is not None and newest is not None
    assert served.publication_id == newest.publication_id
    return served.publication_id


def test_a_change_of_sql_that_is_taken_back_is_published_again(house: House) -> None:
    first = bank(house).run()
    doubled = bank(house, DOUBLED).run()
    reverted = bank(house).run()

    assert [r.status for r in (first, doubled, reverted)] == ["published"] * 3
    assert len({r.publication_id for r in (first, doubled, reverted)}) == 3
    assert agreed(house) == reverted.publication_id
    totals = [p.slices[0].control_totals["balance"] for p in house.warehouse.publications]
    assert [str(t) for t in totals] == ["1.000", "2.000", "1.000"]
    assert [p.follows for p in house.warehouse.publications] == ["", first.publication_id, doubled.publication_id]


def test_a_lake_that_is_built_anew_replaces_what_an_old_warehouse_serves(houses: Callable[[str], House]) -> None:
    old = bank(houses("old"))
    assert old.run().status == "published"
    anew = houses("new")
    anew.deliver(FILE.format(0), cdc("I,a1,Ann,EUR,5.00,10"))
    bank(anew).warehouse = old.warehouse

    report = anew.run()

    assert report.status == "published"
    assert agreed(anew) == report.publication_id != old.warehouse.publications[0].publication_id
    assert "all marts are published anew" in report.message
    assert [p.number for p in old.warehouse.publications] == [1, 2]
    assert str(old.warehouse.publications[-1].slices[0].control_totals["balance"]) == "5.000"
    assert anew.run().status == "unchanged"


def forget_last(warehouse: Warehouse) -> None:
    warehouse.publications.pop()


def lose_everything(warehouse: Warehouse) -> None:
    warehouse.publications.clear()


def tamper(warehouse: Warehouse) -> None:
    warehouse.publications.append(replace(warehouse.publications[-1], publication_id="p-by-hand", number=9))


@pytest.mark.parametrize("happened", [forget_last, lose_everything, tamper])
def test_a_warehouse_that_serves_something_else_is_mended_by_the_next_run_of_an_idle_day(
    house: House, happened: Callable[[Warehouse], None]
) -> None:
    """Set back to an earlier state, replaced by an empty one, or given what no run sent."""
    bank(house).run()
    bank(house.deliver(FILE.format(1), cdc("U,a1,Ann,EUR,2.00,20"))).run()
    happened(house.warehouse)

    report = house.run()

    assert report.status == "published" and "published anew" in report.message
    agreed(house)
    last = house.warehouse.publications[-1].slices[0]
    assert (last.partition_column, str(last.control_totals["balance"])) == (None, "2.000")
    assert house.run().status == "unchanged"


class DiesAfterCommit(Warehouse):
    """A warehouse whose caller is killed right after the commit, while ``kills``."""

    kills = True

    def publish(self, publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        outcome = super().publish(publication, may_commit)
        if self.kills:
            raise KeyboardInterrupt("killed")
        return outcome


def killed_after_commit(house: House) -> str:
    house.warehouse = dying = DiesAfterCommit()
    with pytest.raises(KeyboardInterrupt):
        bank(house).run()
    dying.kills = False
    return dying.publications[-1].publication_id


def test_what_a_killed_run_published_is_recorded_by_the_next_one(house: House) -> None:
    published = killed_after_commit(house)
    assert trace_publication(house.workspace(), published)["status"] == "sending"

    report = house.run()

    assert (report.status, report.publication_id) == ("published", published)
    assert "was published by a run that ended before it could record it" in report.message
    assert agreed(house) == published
    assert trace_publication(house.workspace(), published)["status"] == "published"
    assert len(house.warehouse.publications) == 1
    assert house.run().status == "unchanged"


SUITE = """{"name": "gate", "expectations": [{"type": "expect_column_values_to_be_between",
 "kwargs": {"column": "balance", "max_value": 100}, "meta": {"on_fail": "block"}}]}"""


def test_a_blocked_run_settles_first_what_a_killed_one_published(house: House) -> None:
    published = killed_after_commit(house)
    house.declare(BANK.replace("key: [account_id], inputs", "key: [account_id], suite: gate, inputs"), ACCOUNTS,
                  marts__owners=PLAIN, suite__gate=SUITE)  # fmt: skip
    house.deliver(FILE.format(1), cdc("U,a1,Ann,EUR,900.00,20"))

    report = house.run()

    assert (report.status, type(report.error)) == ("blocked", GateBlocked)
    assert agreed(house) == published


def test_a_clock_that_goes_back_does_not_bring_back_the_day_before(house: House) -> None:
    bank(house).run()
    house.clock.advance(timedelta(days=-1))
    house.deliver(FILE.format(1), cdc("U,a1,Ann,EUR,2.00,20"))

    second = house.run()

    assert agreed(house) == second.publication_id
    assert house.run().status == "unchanged"
    assert [r["status"] for r in house.workspace().control.read("runs")] == ["published", "published", "unchanged"]


class SleepsBefore(Progress):
    """A run that is stopped before a stage, and goes on after ``meanwhile``."""

    def __init__(self, stage: str, meanwhile: Callable[[], None]) -> None:
        self._asleep = [meanwhile]
        super().__init__(
            lambda s, _, result: self._asleep.pop()() if s == stage and not result and self._asleep else None
        )


@pytest.mark.parametrize("stage", ["extract", "load", "mart", "publish"])
def test_a_run_that_slept_while_another_published_touches_nothing_more(house: House, stage: str) -> None:
    bank(house).run()
    house.deliver(FILE.format(1), cdc("U,a1,Ann,EUR,2.00,20"))
    other: list[RunReport] = []

    def meanwhile() -> None:
        house.clock.advance(DURATION * 2)
        house.deliver(FILE.format(2), cdc("U,a1,Ann,EUR,3.00,30"))
        other.append(house.run(NEXT))

    sleeper = run(house.workspace(), DAY, house.warehouse, SleepsBefore(stage, meanwhile))

    assert other[0].status == "published"
    assert (sleeper.status, type(sleeper.error)) == ("failed", LeaseLost)
    assert sleeper.error is not None and sleeper.error.exit_code == 75
    assert agreed(house) == other[0].publication_id
    assert [r["run_id"] for r in house.workspace().control.read("runs")][-1] == other[0].run_id
    assert rows_of(house.silver("accounts")) == [("a1", "Ann", "EUR", "3.000")]
    assert house.run(NEXT).status == "unchanged"
    assert len(house.warehouse.publications) == 2


class SleepsInside(Warehouse):
    """A warehouse in whose transaction the run falls asleep while ``meanwhile`` happens."""

    meanwhile: Callable[[], None] | None = None

    def publish(self, publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        if self.meanwhile:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return super().publish(publication, may_commit)


def test_a_run_that_slept_inside_the_transaction_commits_nothing(house: House) -> None:
    house.warehouse = warehouse = SleepsInside()
    bank(house).run()
    house.deliver(FILE.format(1), cdc("U,a1,Ann,EUR,2.00,20"))
    other: list[RunReport] = []

    def meanwhile() -> None:
        house.clock.advance(DURATION * 2)
        house.deliver(FILE.format(2), cdc("U,a1,Ann,EUR,3.00,30"))
        other.append(house.run(NEXT))

    warehouse.meanwhile = meanwhile
    sleeper = house.run()

    assert (type(sleeper.error), other[0].status) == (LeaseLost, "published")
    assert agreed(house) == other[0].publication_id
    assert len(warehouse.publications) == 2


def test_a_record_that_somebody_else_wrote_first_is_not_written_over(house: House) -> None:
    """Even a lease that says it is held does not let two runs record the successor of one publication."""
    bank(house).run()
    control = house.workspace().control
    before = control.last_sequence("publications")
    control.append("publications", "r", [{"publication_id": "p-x", "status": "blocked"}], after=before)

    with pytest.raises(TransientError, match="other runs wrote to the control table 'publications'"):
        control.append("publications", "r", [{"publication_id": "p-y", "status": "published"}], after=before)


def test_a_mart_that_was_removed_from_the_lake_is_built_and_published_again(house: House) -> None:
    bank(house).run()
    (house.root / "lake" / "marts" / "bank" / "owners").rename(house.root / "gone")

    assert house.run().status == "published"
    assert rows_of(house.mart("owners")) == [("a1", "Ann", "1.000")]
    assert house.run().status == "unchanged"
