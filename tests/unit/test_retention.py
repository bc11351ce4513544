"""What retention may remove: pure rules, then files of tables in a lake that delta-rs alone has written.

Ages are written into files and logs, long before any clock that a test could run under.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Column, Input, Mart, Pipeline, PipelineFile, Table
from ledgerlake.core.retention import LoadedBatch, Stored, loaded_at, needed_objects, removal, versions_to_pin
from ledgerlake.errors import LeaseHeld
from ledgerlake.feeds.registry import FEEDS
from ledgerlake.lake import readers
from ledgerlake.lake.tables import REPLAY_WINDOW, SILVER_PROPERTIES
from ledgerlake.lake.workspace import Workspace
from ledgerlake.landing.manifest import LandedObject, Manifest, ManifestLog
from ledgerlake.ops.retention import apply, plan, removed_objects
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.objects import LocalObjects
from ledgerlake.ports.secrets import ReferencedSecrets

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_what_is_older_than_the_cutoff_goes_and_the_moment_itself_stays() -> None:
    stored = [Stored("old", 5, NOON - DAY), Stored("named", 7, NOON - 2 * DAY), Stored("edge", 9, NOON)]

    found = removal("t", "landed objects", 90, stored, NOON, {"named"})

    assert ([item.path for item in found.gone], found.size_bytes) == (["old"], 5)
    assert found.oldest_kept == NOON - 2 * DAY


def batch(name: str, *paths: str, finished: bool = True, days: int = 0) -> LoadedBatch:
    return LoadedBatch(name, finished, frozenset(paths), NOON + days * DAY)


BATCHES = [batch("b-1", "o1", "o2"), batch("b-2", "o3"), batch("r-1")]
NEEDED = {
    "nothing once everything is loaded": (BATCHES, set(), set(), set()),
    "a batch that is not finished": ([*BATCHES, batch("b-3", "o4", finished=False)], set(), set(), {"o4"}),
    "all objects of a batch with an open row": (BATCHES, {"b-1"}, set(), {"o1", "o2"}),
    "all objects of the batch whose row failed again in a release": (BATCHES, {"r-1"}, {"o2"}, {"o1", "o2"}),
    "not an object that was refused before another declaration of its table loaded it": (
        [*BATCHES, batch("b-3", "o3", finished=False)],
        set(),
        set(),
        set(),
    ),
}


@pytest.mark.parametrize("name", NEEDED)
def test_objects_that_somebody_may_still_ask_about_are_needed(name: str) -> None:
    batches, open_batches, open_objects, expected = NEEDED[name]

    assert needed_objects(batches, open_batches, open_objects) == expected


def test_the_age_of_a_landed_object_counts_from_its_last_loading() -> None:
    batches = [batch("b-2", "o1", days=2), batch("b-1", "o1"), batch("b-3", "o2", finished=False)]

    assert loaded_at(batches) == {"o1": NOON + 2 * DAY}


COMMITS = {4: NOON - 5 * DAY, 5: NOON - 3 * DAY, 6: NOON - DAY, 7: NOON}


@pytest.mark.parametrize(("version", "pinned"), [(7, False), (6, False), (5, False), (4, True), (2, True), (-1, False)])
def test_a_named_version_is_pinned_where_it_was_replaced_before_the_cutoff(version: int, *, pinned: bool) -> None:
    assert versions_to_pin([version], COMMITS, cutoff=NOON - 2 * DAY) == ([version] if pinned else [])


def pipeline() -> Pipeline:
    target = {"database": "D", "schema": "S", "bi_schema": "B"}
    spec = PipelineFile.model_validate({"pipeline": "bank", "sources": {"db": {"feed": "dms"}}, "publication": target})
    mart = Mart(mart="balances", sql="balances.sql", key=("id",), inputs=(Input(table="accounts"),))
    table = Table(
        table="accounts", source="db", resource="accounts", key=("id",), columns=(Column(name="id", type="string"),)
    )
    spec = spec.model_copy(update={"marts": (mart,)})
    return Pipeline(folder=Path(), spec=spec, tables={"accounts": table}, sql={}, suites={})


@dataclass
class Lake:
    """A lake whose commits, publications and ages are made one by one."""

    root: Path
    clock: FixedClock

    def workspace(self) -> Workspace:
        environment = Environment(environment="test", lake=str(self.root), sources=str(self.root))
        return Workspace(pipeline(), environment, ReferencedSecrets({}), self.clock)

    @property
    def silver(self) -> str:
        return self.workspace().paths.silver("accounts")

    @property
    def mart(self) -> str:
        return self.workspace().paths.mart("balances")

    def commit(self, uri: str, *ids: str, properties: dict[str, str] = REPLAY_WINDOW) -> None:
        write_deltalake(uri, pa.table({"id": list(ids)}), mode="overwrite", configuration=properties)

    def publish(self, publication_id: str, silver: int, mart: int) -> None:
        self.clock.advance(timedelta(minutes=1))
        self.workspace().control.append("publications", f"run-{publication_id}", [{
            "publication_id": publication_id, "logical_date": "2026-03-01", "status": "published",
            "inputs": {"accounts": silver}, "marts": {"balances": {"version": mart, "fingerprint": "f"}},
            "partitions": {"balances": "whole"}, "rows": {"balances": 1}, "reason": "",
        }])  # fmt: skip

    def gone(self) -> list[tuple[str, str, int]]:
        """Return (table, kind, objects) of what would go."""
        return [(r.table, r.kind, len(r.gone)) for r in plan(self.workspace()) if r.gone]


def grow_old(uri: str, moment: datetime = LONG_AGO) -> None:
    """Make everything that was ever done to a table, so far, look as if it was done long ago."""
    for path in Path(uri).rglob("*"):
        if path.is_file() and path.suffix == ".json":
            lines = [_dated(json.loads(line), moment) for line in path.read_text().splitlines()]
            path.write_text("".join(f"{line}\n" for line in lines))
        if path.is_file():
            os.utime(path, (moment.timestamp(), moment.timestamp()))


def _dated(action: dict[str, dict[str, object]], moment: datetime) -> str:
    for kind, field in (("remove", "deletionTimestamp"), ("commitInfo", "timestamp")):
        if kind in action:
            action[kind][field] = int(moment.timestamp() * 1000)
    return json.dumps(action)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return a lake whose silver and mart were written twice, the second version being served."""
    lake = Lake(tmp_path / "lake", FixedClock(NOON))
    for uri in (lake.silver, lake.mart):
        lake.commit(uri, "a")
        lake.commit(uri, "a", "b")
    lake.publish("p-a", 1, 1)
    return lake


def test_files_that_were_replaced_inside_the_window_stay(lake: Lake) -> None:
    assert lake.gone() == []


def test_a_dry_run_removes_nothing_and_takes_no_lease(lake: Lake) -> None:
    grow_old(lake.silver)
    before = sorted(p for p in lake.root.rglob("*") if p.is_file())

    assert lake.gone() == [("accounts", "silver files", 1)]
    assert sorted(p for p in lake.root.rglob("*") if p.is_file()) == before


def test_files_that_were_replaced_before_the_window_go_and_no_version_moves(lake: Lake) -> None:
    grow_old(lake.silver)
    grow_old(lake.mart)

    done = apply(lake.workspace())

    gone = [(r.table, r.kind, len(r.gone)) for r in done.removals if r.gone]
    assert gone == [("accounts", "silver files", 1), ("balances", "mart files", 1)]
    assert [DeltaTable(uri).version() for uri in (lake.silver, lake.mart)] == [1, 1]
    assert readers.read_published(lake.workspace(), "balances").num_rows == 2
    assert lake.gone() == []


def test_every_application_is_recorded_with_what_it_did(lake: Lake) -> None:
    grow_old(lake.silver)
    size = sum(p.stat().st_size for p in Path(lake.silver).glob("*.parquet"))

    done = apply(lake.workspace())

    left = sum(p.stat().st_size for p in Path(lake.silver).glob("*.parquet"))
    records = [r for r in lake.workspace().control.read("retention") if r["kind"] == "silver files"]
    assert sorted((r["run_id"], r["status"], r["objects"], r["bytes"]) for r in records) == [
        (done.run_id, "removed", 1, size - left),
        (done.run_id, "removing", 1, size - left),
    ]
    assert {r["recorded_at"] for r in records} == {lake.clock.now()}
    assert {r["oldest_kept"] for r in records} == {LONG_AGO}


def test_the_version_that_readers_are_served_stays_however_long_candidates_were_blocked(lake: Lake) -> None:
    lake.commit(lake.mart, "a", "b", "c")
    grow_old(lake.mart)

    apply(lake.workspace())

    assert readers.read_published(lake.workspace(), "balances").num_rows == 2
    assert DeltaTable(lake.mart).count() == 3


def test_what_readers_were_served_when_the_window_began_stays_until_the_window_has_passed_it(lake: Lake) -> None:
    lake.commit(lake.mart, "a", "b", "c")
    grow_old(lake.mart)
    lake.clock.advance(200 * DAY)
    lake.publish("p-b", 1, 2)

    lake.clock.advance(10 * DAY)
    apply(lake.workspace())
    assert readers.read_published(lake.workspace(), "balances", "p-a").num_rows == 2

    lake.clock.advance(190 * DAY)
    assert ("balances", "mart files", 1) in lake.gone()


def test_a_served_version_that_is_broken_already_leaves_its_table_alone(lake: Lake) -> None:
    lake.commit(lake.mart, "a", "b", "c")
    grow_old(lake.mart)
    DeltaTable(lake.mart).create_checkpoint()
    for version in (0, 1):
        (Path(lake.mart) / "_delta_log" / f"{version:020d}.json").unlink()

    [found] = [r for r in plan(lake.workspace()) if r.kind == "mart files"]

    assert (found.gone, found.note) == ((), "left alone: a published version cannot be opened")


def test_nothing_that_changed_after_the_last_publication_goes_however_long_ago_that_was(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", FixedClock(LONG_AGO))
    lake.commit(lake.silver, "a")
    lake.publish("p-a", 0, -1)
    lake.commit(lake.silver, "b")
    grow_old(lake.silver, LONG_AGO + 30 * DAY)
    lake.clock.moment = NOON
    assert lake.gone() == []

    lake.clock.moment = LONG_AGO + 60 * DAY
    lake.publish("p-b", 1, -1)
    lake.clock.moment = NOON

    assert lake.gone() == [("accounts", "silver files", 1)]


def test_change_data_inside_the_window_stays_and_older_goes(lake: Lake) -> None:
    uri = f"{lake.silver}_new"
    lake.commit(uri, "a", "b", properties=SILVER_PROPERTIES)
    Path(lake.silver).rename(f"{lake.silver}_old")
    Path(uri).rename(lake.silver)
    DeltaTable(lake.silver).update(predicate="id = 'a'", updates={"id": "'x'"})
    grow_old(lake.silver)
    DeltaTable(lake.silver).update(predicate="id = 'b'", updates={"id": "'y'"})
    lake.publish("p-b", 2, 1)

    apply(lake.workspace())

    [kept] = (Path(lake.silver) / "_change_data").iterdir()
    assert kept.stat().st_mtime > LONG_AGO.timestamp()
    changes = pa.table(DeltaTable(lake.silver).load_cdf(starting_version=2)).to_pydict()
    assert sorted(changes["_change_type"]) == ["update_postimage", "update_preimage"]


def test_files_that_no_commit_names_go_only_where_the_log_remembers_the_whole_window(lake: Lake) -> None:
    forgetful = f"{lake.mart}_new"
    lake.commit(forgetful, "a", "b", properties={})
    Path(lake.mart).rename(f"{lake.mart}_old")
    Path(forgetful).rename(lake.mart)
    lake.publish("p-b", 1, 0)
    for uri in (lake.silver, lake.mart):
        (Path(uri) / "part-of-a-killed-write.parquet").write_bytes(b"half")
        grow_old(uri)

    found = {r.table: {Path(item.path).name for item in r.gone} for r in plan(lake.workspace())}

    assert "part-of-a-killed-write.parquet" in found["accounts"]
    assert found["balances"] == set()


def test_before_the_first_publication_no_file_of_a_table_goes(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", FixedClock(NOON))
    lake.commit(lake.silver, "a")
    lake.commit(lake.silver, "b")
    grow_old(lake.silver)

    assert lake.gone() == []


def test_exports_of_old_publications_go_and_that_of_the_served_one_stays(lake: Lake) -> None:
    for publication in ("p-a", "p-of-a-killed-run"):
        file = lake.root / "export/bank" / publication / "balances" / "part-0.parquet"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"rows")
        os.utime(file, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    lake.clock.advance(200 * DAY)

    apply(lake.workspace())

    assert [p.name for p in (lake.root / "export/bank").iterdir() if any(p.rglob("*.parquet"))] == ["p-a"]


def test_while_a_run_writes_nothing_goes(lake: Lake) -> None:
    grow_old(lake.silver)
    lake.workspace().leases.take("bank")

    with pytest.raises(LeaseHeld, match="bank is being written by another run"):
        apply(lake.workspace())

    assert lake.gone() == [("accounts", "silver files", 1)]


def test_an_object_that_a_killed_application_removed_is_known_and_one_it_left_is_not(lake: Lake) -> None:
    workspace = lake.workspace()
    workspace.objects.write("landing/bank/accounts/x/left.csv", b"1")
    paths = ["landing/bank/accounts/x/left.csv", "landing/bank/accounts/x/gone.csv"]
    workspace.control.append(
        "retention", "r", [{"table": "accounts", "kind": "landed objects", "status": "removing", "paths": paths}]
    )

    assert removed_objects(workspace) == {"landing/bank/accounts/x/gone.csv": lake.clock.now()}


def test_of_a_streamed_day_the_last_landing_is_kept_because_the_next_is_compared_with_it(tmp_path: Path) -> None:
    log = ManifestLog(LocalObjects(tmp_path), "bank", "people")
    names = ("2026-03-01+0001.jsonl.gz", "2026-03-02+0001.jsonl.gz", "2026-03-01+0002.jsonl.gz")
    items = tuple(LandedObject(f"landing/{n}", n, "h", 1, NOON) for n in names)
    log.append(Manifest("bank", "people", 1, "r", NOON.date(), NOON, items))

    assert FEEDS["http_stream"].reread(log) == {f"landing/{n}" for n in names[1:]}
    assert FEEDS["csv"].reread(log) == set()
