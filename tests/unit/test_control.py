"""Control records and quarantine states: append-only, the newest record of an id is its state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ledgerlake.config.environment import Environment
from ledgerlake.lake.control import SCHEMAS, ControlTables
from ledgerlake.lake.paths import LakePaths
from ledgerlake.lake.quarantine import open_rows
from ledgerlake.lake.tables import TableStorage
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.secrets import ReferencedSecrets

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def control(folder: Path, clock: FixedClock, pipeline: str = "bank") -> ControlTables:
    environment = Environment(environment="test", lake=str(folder), sources=str(folder))
    return ControlTables(LakePaths(str(folder), pipeline), TableStorage(environment, ReferencedSecrets({})), clock)


def test_what_was_never_written_reads_as_nothing(tmp_path: Path) -> None:
    assert {name: control(tmp_path, FixedClock(NOON)).read(name) for name in SCHEMAS} == {key: [] for key in SCHEMAS}


def test_the_newest_record_of_a_batch_is_its_state(tmp_path: Path) -> None:
    clock = FixedClock(NOON)
    tables = control(tmp_path, clock)
    for status, applied in (("quarantined", 0), ("finished", 3), ("finished", 4)):
        clock.advance(timedelta(seconds=1))
        tables.append("batches", "r", [{"batch_id": "b-1", "table": "t", "status": status, "applied": applied}])

    assert tables.finished_batches("t")["b-1"]["applied"] == 4
    assert tables.finished_batches("u") == {}
    assert control(tmp_path, clock).read("batches") == tables.read("batches")


def test_records_of_two_pipelines_in_one_lake_do_not_mix(tmp_path: Path) -> None:
    clock = FixedClock(NOON)
    control(tmp_path, clock).append("runs", "r", [{"status": "published"}])

    assert control(tmp_path, clock, "shop").read("runs") == []


def test_only_a_served_publication_is_the_last_one(tmp_path: Path) -> None:
    clock = FixedClock(NOON)
    tables = control(tmp_path, clock)
    for name, status in (("p-1", "published"), ("p-2", "blocked")):
        clock.advance(timedelta(seconds=1))
        tables.append("publications", "r", [{"publication_id": name, "status": status, "inputs": {"t": 1}}])

    last = tables.last_publication()
    assert last is not None
    assert (last["publication_id"], last["inputs"]) == ("p-1", '{"t": 1}')


def row(batch: str = "b-1", at: int = 0, name: str = "q") -> dict[str, Any]:
    return {
        "quarantine_id": name,
        "batch_id": batch,
        "quarantined_at": NOON + timedelta(minutes=at),
        "state": "refused",
    }


def act(action: str, batch: str | None = None, name: str = "q") -> dict[str, Any]:
    return {"subject": name, "action": action, "batch_id": batch}


STATES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]] = {
    "a refused row is open": ([row()], [], ["b-1"]),
    "a requested row is still open": ([row()], [act("requested")], ["b-1"]),
    "a dismissed row is closed": ([row()], [act("dismissed")], []),
    "a released row is closed": ([row()], [act("released", "r-1")], []),
    "a released row that failed again is open again": ([row(), row("r-1", 1)], [act("released", "r-1")], ["r-1"]),
    "and closed by its second release": ([row(), row("r-1", 1)], [act("released", "r-1"), act("released", "r-2")], []),
    "or by being dismissed": ([row(), row("r-1", 1)], [act("released", "r-1"), act("dismissed")], []),
    "other rows are not touched": ([row(), row(name="p", batch="b-2")], [act("dismissed")], ["b-2"]),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_a_row_is_in_quarantine_until_it_is_released_or_dismissed(name: str) -> None:
    rows, decisions, open_batches = STATES[name]
    latest = {d["subject"]: d for d in decisions}

    assert [r["batch_id"] for r in open_rows(rows, latest, {"b-1": 1, "b-2": 2, "r-1": 3})] == open_batches
