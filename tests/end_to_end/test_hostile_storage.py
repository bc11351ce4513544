"""A disk that fills during a run, and a lake that refuses: typed errors with advice; the next run goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from house import ACCOUNTS, NOON, PAYMENTS, SOURCES, House, Warehouse, cdc, rows_of
from ledgerlake.errors import ConfigError, TransientError
from ledgerlake.ops.run import RunReport
from ledgerlake.ports.clock import FixedClock
from ledgerlake.publish import Publication, PublishOutcome
from project import Project
from pyspark.sql import SparkSession
from test_kill import DAY as SHOP_DAY
from test_kill import shop

BANK = SOURCES.replace("publication:", """marts:
  - {mart: paid, sql: marts/paid.sql, key: [payment_id], inputs: [{table: payments}, {table: accounts}]}
publication:""")  # fmt: skip
PAID = "SELECT p.payment_id, a.owner, p.amount FROM payments p JOIN accounts a ON a.account_id = p.account_id"
PAYMENT = "payment_id,account_id,amount"
NOBODY = 65534


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 8 MB of its own on ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root and CAP_SYS_ADMIN (docker run --cap-add SYS_ADMIN)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, *, free_pages: int) -> None:
    """Fill the disk up to its last ``free_pages`` pages."""
    ballast = disk / ".ballast"
    ballast.unlink(missing_ok=True)
    space = os.statvfs(disk)
    with ballast.open("wb") as stream:
        stream.write(bytes((space.f_bavail - free_pages) * space.f_bsize))


def free(disk: Path) -> None:
    (disk / ".ballast").unlink()


class FillingWarehouse(Warehouse):
    """A warehouse beside which the lake's disk runs full while it publishes, if ``fills``."""

    def __init__(self, disk: Path) -> None:
        super().__init__()
        self.disk, self.fills = disk, False

    def publish(self, publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        outcome = super().publish(publication, may_commit)
        if self.fills:
            fill(self.disk, free_pages=0)
        return outcome


def bank(house: House) -> House:
    return house.declare(BANK, ACCOUNTS, PAYMENTS, marts__paid=PAID)


def deliver(house: House, day: int) -> House:
    opened = cdc(f"I,a{day},Ann,EUR,1.00,{day}0", "U,a1,Bea,EUR,2.00,15", f"X,a{day},Ann,EUR,1.00,{day}1")
    house.deliver(f"db/public/accounts/2026030{day}-100000000.csv", opened)
    paid = cdc(f"I,p{day},a{day},5.00,{day}2", columns=PAYMENT)
    return house.deliver(f"db/public/payments/2026030{day}-100000000.csv", paid)


def everything(house: House) -> list[object]:
    return [
        rows_of(house.silver("accounts")),
        rows_of(house.silver("payments")),
        rows_of(house.mart("paid")),
        house.reasons(),
        [house.bronze(t).count() for t in ("accounts", "payments")],
    ]


def full(report: RunReport) -> set[str]:
    """Check that the disk stopped the run with advice, and return the stages that it stopped in."""
    assert (report.status, type(report.error)) == ("failed", TransientError)
    assert report.error is not None
    assert report.error.exit_code == 75
    assert "no space is left on the storage" in report.message
    assert "then run the same command again" in report.message
    return {s.stage for s in report.steps if s.result.startswith("failed")}


def test_a_disk_that_fills_at_any_stage_of_a_run_costs_nothing_but_the_time_to_free_it(
    houses: Callable[[str], House],
) -> None:
    house, tidy = bank(houses("house")), bank(houses("tidy"))
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    with small_disk(house.root / "lake") as disk:
        house.warehouse = warehouse = FillingWarehouse(disk)
        assert deliver(house, 1).run(first).status == "published"
        deliver(house, 2)
        stages: set[str] = set()
        for free_pages in (0, 2, 4, 8, 16):
            fill(disk, free_pages=free_pages)
            stages |= full(house.run(second))
        assert stages >= {"extract", "load"}

        free(disk)
        warehouse.failures.append(TransientError("the warehouse is asleep"))
        assert house.run(second).message == "the warehouse is asleep"
        fill(disk, free_pages=3)
        assert full(house.run(second)) in ({"mart"}, {"publish"})

        free(disk)
        warehouse.fills = True  # between the publication and its record
        unrecorded = house.run(second)
        assert full(unrecorded) == set()
        warehouse.fills = False
        free(disk)

        assert house.run(second).status == "published"
        assert house.run(second).status == "unchanged"

        for day in (1, 2):
            assert deliver(tidy, day).run(date(2026, 3, day)).status == "published"
        assert everything(house) == everything(tidy)
        assert [p.publication_id for p in warehouse.publications[1:]] == [unrecorded.publication_id]
        assert warehouse.publications[-1].slices[0].key_hash == tidy.warehouse.publications[-1].slices[0].key_hash


def test_the_command_on_a_full_disk_ends_with_one_line_of_advice(tmp_path: Path) -> None:
    with small_disk(tmp_path / "project") as disk:
        project = Project(shop(disk).folder)
        fill(disk, free_pages=0)

        ended = project.command(*SHOP_DAY, expect=75)

        assert "no space is left on the storage" in ended.stdout
        assert "free or extend it, then run the same command again" in ended.stdout
        assert "no report was written" in ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr


@contextmanager
def another_account() -> Iterator[None]:
    """Be an account without rights of its own; root is refused nothing."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_lake_that_refuses_the_account_is_named_and_the_next_run_goes_on(
    open_folder: Path, spark: SparkSession
) -> None:
    house = deliver(bank(House(open_folder / "refusing", spark, FixedClock(NOON))), 1)
    lake = house.root / "lake"
    lake.mkdir()
    lake.chmod(0o555)

    with another_account():
        report = house.run()

    assert (report.status, type(report.error)) == ("failed", ConfigError)
    assert "the storage refuses access" in report.message
    assert "give the account that runs ledgerlake access" in report.message
    assert list(lake.iterdir()) == []

    lake.chmod(0o755)
    assert house.run().status == "published"
    assert rows_of(house.silver("accounts")) == [("a1", "Bea", "EUR", "2.000")]
