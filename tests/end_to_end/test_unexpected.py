"""The net below everything: what nobody foresaw stops as little as possible, in one line, and is kept in a file."""

from __future__ import annotations

import stat
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from house import ACCOUNTS, DAY, SOURCES, House, cdc, rows_of
from ledgerlake.errors import StorageUnavailable, UnexpectedError, Where
from ledgerlake.lake.batch import Batch, BatchLoader, Outcome
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import ATTEMPTS, run
from ledgerlake.ops.unexpected import typed
from ledgerlake.publish import Publication
from project import new_project

OTHER = ACCOUNTS.replace("accounts", "ledgers").replace("account_id", "ledger_id")
FILES = ("db/public/accounts/20260301-100000000.csv", "db/public/ledgers/20260301-100000000.csv")


class Trips(BatchLoader):
    """A loader with a defect that shows in one table."""

    def load(self, batch: Batch) -> Outcome:
        if batch.table.table == "accounts":
            raise RuntimeError("4111 1111 1111 1111 is not a number")
        return super().load(batch)


def test_what_nobody_foresaw_stops_one_table_with_one_line(house: House) -> None:
    house.declare(SOURCES, ACCOUNTS, OTHER).deliver(FILES[0], cdc("I,a1,Ann,EUR,1.00,10"))
    house.deliver(FILES[1], cdc("I,l1,Ann,EUR,1.00,10", columns="ledger_id,owner,currency,balance")).extract()
    workspace, run_id = house.workspace(), house.tick()
    loader = Loader(workspace, run_id, house.clock.now(), DAY, Progress())
    loader._batches = Trips(workspace, run_id, house.clock.now(), DAY.isoformat())

    [failure] = loader.load_all()

    assert (failure.subject, type(failure.error), failure.error.exit_code) == ("accounts", UnexpectedError, 1)
    assert "an unexpected RuntimeError (table accounts" in str(failure.error)
    assert "4111" not in str(failure.error)
    [kept] = (house.root / "errors").iterdir()
    assert "4111 1111" in kept.read_text() and str(kept) in str(failure.error)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert rows_of(house.silver("ledgers")) == [("l1", "Ann", "EUR", "1.000")]


def test_a_traceback_that_cannot_be_kept_is_no_reason_to_fail_otherwise(tmp_path: Path) -> None:
    (tmp_path / "errors").write_text("a file where the folder should be")

    found = typed(KeyError("x"), Where(table="t"), tmp_path / "errors")

    assert "an unexpected KeyError (table t). Next: its traceback could not be kept" in str(found)


def test_an_interrupt_is_not_caught(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        typed(KeyboardInterrupt(), Where(), tmp_path)


MART = SOURCES.replace(
    "publication:",
    "marts:\n  - {mart: m, sql: marts/m.sql, key: [account_id], inputs: [{table: accounts}]}\npublication:",
)


def test_a_mart_whose_sql_fails_while_it_runs_is_named(house: House) -> None:
    sql = "SELECT account_id, CAST(raise_error(owner) AS STRING) AS x FROM accounts"
    house.declare(MART, ACCOUNTS, marts__m=sql).deliver(FILES[0], cdc("I,a1,Ann,EUR,1.00,10"))

    report = house.run()

    assert (report.status, type(report.error)) == ("failed", UnexpectedError)
    assert "table m" in report.message and "Ann" not in report.message
    assert house.run().status == "failed"


class Flickers:
    """A warehouse beside a storage that fails a number of times, as a whole run meets it."""

    def __init__(self, house: House, failures: int) -> None:
        self._house, self.failures = house, failures

    def newest(self, pipeline: str, run_id: str) -> object:
        return self._house.warehouse.newest(pipeline, run_id)

    def publish(self, publication: Publication, may_commit: object) -> object:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("S3 answered SlowDown")
        return self._house.warehouse.publish(publication, may_commit)  # type: ignore[arg-type]


@pytest.mark.parametrize(("failures", "status"), [(1, "published"), (ATTEMPTS - 1, "published"), (ATTEMPTS, "failed")])
def test_a_run_repeats_its_steps_a_few_times_where_the_storage_fails(house: House, failures: int, status: str) -> None:
    sql = "SELECT account_id FROM accounts"
    house.declare(MART, ACCOUNTS, marts__m=sql).deliver(FILES[0], cdc("I,a1,Ann,EUR,1.00,10"))

    report = run(house.workspace(), DAY, Flickers(house, failures))  # type: ignore[arg-type]

    assert report.status == status
    assert report.exit_code == (0 if status == "published" else 75)
    assert len([s for s in report.steps if s.stage == "retry"]) == min(failures, ATTEMPTS - 1)
    assert [b["read"] for b in report.batches] == [1]


def test_a_command_that_meets_the_unforeseen_ends_with_one_line_and_a_file(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    (tmp_path / ".local" / "lake").mkdir(parents=True)
    write_deltalake(tmp_path / ".local" / "lake" / "control" / "runs", pa.table({"made": ["by somebody else"]}))

    ended = project.command("status", "--pipeline", "bnpl", expect=1)

    assert "Traceback" not in ended.stdout + ended.stderr
    assert "UnexpectedError an unexpected" in ended.stderr
    assert len(list((tmp_path / ".local" / "errors").iterdir())) == 1


def test_a_manifest_that_a_crash_left_half_written_counts_as_no_extraction_and_is_made_again(house: House) -> None:
    house.declare(SOURCES, ACCOUNTS).deliver(FILES[0], cdc("I,a1,Ann,EUR,1.00,10")).run()
    house.deliver("db/public/accounts/20260301-110000000.csv", cdc("U,a1,Ann,EUR,2.00,20"))
    manifests = house.root / "lake/landing/bank/accounts/_manifests"
    for number, left in enumerate((b"", b'{"pipeline": "bank", "tab', b"[]"), 2):
        (manifests / f"{number:08d}.json").write_bytes(left)

    report = house.run()

    assert (report.status, report.exit_code) == ("published", 0)
    assert rows_of(house.silver("accounts")) == [("a1", "Ann", "EUR", "2.000")]
    assert any("00000002.json" in s.result and "cannot be read" in s.result for s in report.steps)
    assert (manifests / "00000005.json").exists()
    assert house.run().status == "unchanged"


def test_a_delta_log_that_is_cut_short_is_named_with_what_to_do(house: House) -> None:
    house.declare(SOURCES, ACCOUNTS).deliver(FILES[0], cdc("I,a1,Ann,EUR,1.00,10")).run()
    cut = house.root / "lake/silver/bank/accounts/_delta_log/00000000000000000002.json"
    cut.write_bytes(b'{"add":{"path":"x')

    report = house.run()

    assert (report.status, report.exit_code) == ("failed", 3)
    assert "the Delta log of a table cannot be read" in report.message and "move it away" in report.message
    cut.unlink()
    assert house.run().status == "unchanged"


def by_owner(house: House) -> House:
    table = ACCOUNTS.replace("{name: account_id, type: string", "{name: account_id, type: timestamp")
    old = "key: [account_id], inputs: [{table: accounts}]"
    new = "key: [account_id], partition_by: owner, inputs: [{table: accounts, partition: owner}]"
    return house.declare(MART.replace(old, new), table, marts__m="SELECT account_id, owner FROM accounts")


def test_keys_in_the_first_and_the_last_year_are_loaded_and_published(house: House) -> None:
    first, last = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
    by_owner(house).deliver(FILES[0], cdc(f"I,{first},Ann,EUR,1.00,10", f"I,{last},Bob,EUR,1.00,11"))
    assert (house.run().status, house.run().status) == ("published", "unchanged")

    report = house.deliver("db/public/accounts/20260301-110000000.csv", cdc(f"U,{first},Eve,EUR,1.00,20")).run()

    assert (report.status, report.exit_code) == ("published", 0)
    assert house.mart("m").where("owner IN ('Bob', 'Eve')").count() == 2


def test_a_partition_of_three_hundred_letters_is_named(house: House) -> None:
    by_owner(house).deliver(FILES[0], cdc(f"I,2026-03-01T00:00:00Z,{'x' * 300},EUR,1.00,10"))

    report = house.run()

    assert (report.status, report.exit_code) == ("failed", 3)
    assert "a partition value is too long" in report.message and "xxx" not in report.message
    house.deliver("db/public/accounts/20260301-110000000.csv", cdc("U,2026-03-01T00:00:00Z,Ann,EUR,1.00,20"))
    assert house.run().status == "published"
