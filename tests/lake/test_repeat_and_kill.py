"""Repeatable: a finished load does nothing again, and a killed one is finished by the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from house import ACCOUNTS, DAY, PAYMENTS, SOURCES, House, cdc, counts, rows_of
from ledgerlake.errors import TransientError
from ledgerlake.lake.batch import Batch, BatchLoader
from ledgerlake.lake.control import ControlTables
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress

FIRST = "db/public/accounts/20260301-100000000.csv"
SECOND = "db/public/accounts/20260301-110000000.csv"
BEFORE = cdc("I,a1,Ann,EUR,1.00,10", "I,a2,Bob,EUR,1.00,11")
AFTER = cdc("U,a1,Ann,EUR,2.00,20", "D,a2,,,,21", "U,a1,Ann,EUR,1.50,15", "U,a1,Ann,EUR,x,22", "I,a1,Ann,EUR,1.00,10")
FATES = {"read": 5, "applied": 2, "superseded": 1, "duplicate": 1, "quarantined": 1}


def test_loading_again_writes_nothing_and_starts_no_spark(bank: House) -> None:
    bank.deliver(FIRST, BEFORE).load()
    before = bank.versions()
    workspace = bank.workspace()

    loader = Loader(workspace, bank.tick(), bank.clock.now(), DAY, Progress())
    assert (loader.load_all(), loader.release_all(), loader.records) == ([], [], [])

    assert not workspace.spark_started
    assert bank.versions() == before


class Killed(TransientError):
    """What a kill looks like from inside: nothing after it happens."""


class DiesAfterQuarantine(BatchLoader):
    def _write(self, batch: Batch, labelled: Any, facts: dict[str, Any]) -> None:
        super()._write(batch, labelled, facts | {"accepted": 0})
        raise Killed("after quarantine")


class DiesAfterBronze(BatchLoader):
    def _to_silver(self, batch: Batch, facts: dict[str, Any]) -> tuple[int, int]:
        raise Killed("after bronze")


class DiesAfterSilver(BatchLoader):
    def _record(self, *args: Any) -> dict[str, Any]:
        raise Killed("after silver")


def kill(house: House, loader: type[BatchLoader]) -> None:
    """Load what is landed with a loader that dies on its way."""
    workspace, run_id = house.workspace(), house.tick()
    dying = Loader(workspace, run_id, house.clock.now(), DAY, Progress())
    dying._batches = loader(workspace, run_id, house.clock.now(), DAY.isoformat())
    failures = dying.load_all()
    assert [type(f.error) for f in failures] == [Killed]


@pytest.mark.parametrize("loader", [DiesAfterQuarantine, DiesAfterBronze])
@pytest.mark.parametrize("rows_max", [(500_000, 0), (0, 500_000)], ids=["embedded, then Spark", "Spark, then embedded"])
def test_a_batch_that_one_engine_began_is_finished_by_the_other(
    houses: Callable[[str], House], loader: type[BatchLoader], rows_max: tuple[int, int]
) -> None:
    whole, parts = (houses(n).declare(SOURCES, ACCOUNTS).deliver(FIRST, BEFORE) for n in ("whole", "parts"))
    whole.load()
    whole.deliver(SECOND, AFTER).load()
    parts.embedded_rows_max = rows_max[0]
    parts.load()
    parts.deliver(SECOND, AFTER).extract()
    kill(parts, loader)
    parts.embedded_rows_max = rows_max[1]

    assert counts(parts.load()[0]) == FATES
    assert rows_of(parts.silver("accounts")) == rows_of(whole.silver("accounts"))
    origin = "_change_id", "_position", "_op"
    assert rows_of(parts.bronze("accounts").select(*origin)) == rows_of(whole.bronze("accounts").select(*origin))
    assert parts.reasons() == whole.reasons()


@pytest.mark.parametrize("loader", [DiesAfterQuarantine, DiesAfterBronze, DiesAfterSilver])
def test_a_killed_load_ends_as_if_it_had_never_been_killed(bank: House, loader: type[BatchLoader]) -> None:
    bank.deliver(FIRST, BEFORE).load()
    bank.deliver(SECOND, AFTER).extract()
    kill(bank, loader)

    [record] = bank.load()

    assert counts(record) == FATES
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "2.000")]
    assert bank.bronze("accounts").count() == 5
    assert bank.reasons() == ["balance: not a decimal(18,3)"]


def test_rows_that_lose_their_parent_between_two_attempts_are_not_lost(house: House) -> None:
    """The first attempt wrote only the refused row; the second also holds one back. Both must be kept."""
    payment = "payment_id,account_id,amount"
    bank = house.declare(SOURCES, ACCOUNTS, PAYMENTS)
    bank.deliver(FIRST, BEFORE).load()
    bank.deliver(
        "db/public/payments/20260301-110000000.csv", cdc("I,p1,a1,5.00,30", "I,p2,a1,oops,31", columns=payment)
    ).extract()
    kill(bank, DiesAfterQuarantine)

    records = bank.deliver(SECOND, cdc("D,a1,,,,40")).load()

    assert counts(records[-1]) == {"read": 2, "quarantined": 2, "held": 1}
    assert sorted(row["state"] for row in bank.quarantine("payments")) == ["held", "refused"]


class ForgetsOneBatch(ControlTables):
    """A control store whose first record of a batch is lost with the process."""

    lost = False

    def append(self, name: str, run_id: str, records: Iterable[Mapping[str, Any]]) -> None:
        if name == "batches" and not self.lost:
            self.lost = True
            raise Killed("before the record")
        super().append(name, run_id, records)


def test_a_batch_whose_record_was_lost_is_recorded_without_loading_it_again(houses: Callable[[str], House]) -> None:
    bank = houses("forgetful").declare(SOURCES, ACCOUNTS).deliver(FIRST, BEFORE)
    bank.extract()
    workspace: Workspace = bank.workspace()
    workspace.__dict__["control"] = ForgetsOneBatch(workspace.paths, workspace.storage, workspace.clock)
    [failure] = Loader(workspace, bank.tick(), bank.clock.now(), DAY, Progress()).load_all()
    assert isinstance(failure.error, Killed)
    before = bank.versions()

    [record] = bank.load()

    assert counts(record) == {"read": 2, "applied": 2}
    assert bank.versions() == before
