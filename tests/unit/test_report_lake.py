"""Readers and the written report, on a lake that delta-rs alone has written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Column, Input, Mart, Pipeline, PipelineFile, Table
from ledgerlake.core.identity import RunKey
from ledgerlake.errors import NotFoundError
from ledgerlake.lake import readers
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.run import RunReport
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.secrets import ReferencedSecrets
from ledgerlake.report import write_report

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLE = Table(
    table="accounts",
    source="db",
    resource="accounts",
    key=("id",),
    columns=(Column(name="id", type="string"),),
)
MARTS = tuple(
    Mart(mart=m, sql=f"{m}.sql", key=("id",), inputs=(Input(table="accounts"),)) for m in ("balances", "unbuilt")
)


def pipeline() -> Pipeline:
    target = {"database": "D", "schema": "S", "bi_schema": "B"}
    spec = PipelineFile.model_validate({"pipeline": "bank", "sources": {"db": {"feed": "dms"}}, "publication": target})
    spec = spec.model_copy(update={"marts": MARTS})
    return Pipeline(folder=Path(), spec=spec, tables={"accounts": TABLE}, sql={}, suites={})


@dataclass
class Lake:
    """A lake whose commits and publication records are written one by one."""

    root: Path
    clock: FixedClock

    def workspace(self) -> Workspace:
        """Open the lake as a new process would."""
        environment = Environment(environment="test", lake=str(self.root), sources=str(self.root))
        return Workspace(pipeline(), environment, ReferencedSecrets({}), self.clock)

    def commit(self, uri: str, rows: int, note: dict[str, str]) -> int:
        """Replace a table by ``rows`` rows and return the version."""
        marked = CommitProperties(custom_metadata={"userMetadata": json.dumps(note)})
        data = pa.table({"id": [f"a{n}" for n in range(rows)]})
        write_deltalake(uri, data, mode="overwrite", commit_properties=marked)
        return DeltaTable(uri).version()

    def publish(self, publication_id: str, status: str, version: int) -> None:
        """Record a publication of the mart ``balances`` made from the same version of silver."""
        self.clock.advance(timedelta(minutes=1))
        self.workspace().control.append("publications", f"run-{publication_id}", [{
            "publication_id": publication_id, "logical_date": "2026-03-01", "status": status,
            "inputs": {"accounts": version}, "marts": {"balances": {"version": version, "fingerprint": "f"}},
            "partitions": {"balances": "whole"}, "rows": {"balances": 1} if status == "published" else {}, "reason": "",
        }])  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return a lake with three versions of silver and mart: served, served now, and blocked."""
    lake = Lake(tmp_path / "lake", FixedClock(NOON))
    paths = lake.workspace().paths
    for publication_id, status in (("p-a", "published"), ("p-b", "published"), ("p-c", "blocked")):
        rows = ord(publication_id[-1]) - ord("a") + 1
        lake.commit(paths.silver("accounts"), rows, {"batch_id": f"b-{rows}", "run_id": f"run-{publication_id}"})
        lake.publish(
            publication_id,
            status,
            lake.commit(paths.mart("balances"), rows, {"run_id": f"run-{publication_id}"}),
        )
    return lake


def test_readers_see_the_published_version_and_not_the_newer_candidate(lake: Lake) -> None:
    workspace = lake.workspace()

    assert workspace.storage.version(workspace.paths.mart("balances")) == 2
    assert readers.published_version(workspace, "balances") == 1
    assert readers.read_published(workspace, "balances").num_rows == 2


def test_an_earlier_publication_can_be_read_again(lake: Lake) -> None:
    assert readers.read_published(lake.workspace(), "balances", "p-a").num_rows == 1


def test_a_blocked_publication_cannot_be_read_by_its_id(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="no publication 'p-c' was ever served"):
        readers.read_published(lake.workspace(), "balances", "p-c")


def test_a_version_whose_files_were_vacuumed_is_said_to_be_gone(lake: Lake) -> None:
    for file in (lake.root / "marts/bank/balances").glob("*.parquet"):
        file.unlink()

    with pytest.raises(NotFoundError, match=r"version 0 is no longer in the lake.*newer publication"):
        readers.read_published(lake.workspace(), "balances", "p-a")


def test_a_version_whose_log_is_gone_is_said_to_be_gone(lake: Lake) -> None:
    lake.publish("p-z", "published", version=9)

    with pytest.raises(NotFoundError, match="version 9 is no longer in the lake"):
        readers.read_published(lake.workspace(), "balances", "p-z")


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (
            lambda w: readers.published_version(w, "nonsense"),
            r"no mart 'nonsense'.*\['balances', 'unbuilt'\]",
        ),
        (
            lambda w: readers.published_version(w, "unbuilt"),
            "no publication serves the mart yet.*ledgerlake run bank",
        ),
        (lambda w: readers.history(w, "nonsense"), "no table or mart 'nonsense'"),
        (lambda w: readers.history(w, "unbuilt"), "nothing has been written yet.*ledgerlake run bank"),
    ],
)
def test_what_is_not_there_comes_with_the_next_step(
    lake: Lake, read: Callable[[Workspace], object], message: str
) -> None:
    with pytest.raises(NotFoundError, match=message):
        read(lake.workspace())


def test_the_history_of_a_mart_tells_who_served_each_version(lake: Lake) -> None:
    found = readers.history(lake.workspace(), "balances")

    assert [(e.commit.version, e.run_id, e.served_by, e.blocked_in, e.is_served_now) for e in found] == [
        (2, "run-p-c", (), ("p-c",), False),
        (1, "run-p-b", ("p-b",), (), True),
        (0, "run-p-a", ("p-a",), (), False),
    ]


def test_the_history_of_a_table_tells_the_batch_behind_each_version(lake: Lake) -> None:
    found = readers.history(lake.workspace(), "accounts")

    assert [(e.batch_id, e.served_by) for e in found] == [("b-3", ()), ("b-2", ("p-b",)), ("b-1", ("p-a",))]


def test_a_lake_without_publications_serves_nothing(tmp_path: Path) -> None:
    workspace = Lake(tmp_path, FixedClock(NOON)).workspace()

    assert readers.served(workspace) is None
    assert readers.publications(workspace) == []


def test_a_report_is_one_file_written_where_it_was_asked_for(lake: Lake, tmp_path: Path) -> None:
    report = RunReport("run-p-c", RunKey("bank", date(2026, 3, 1)), NOON, "blocked", "p-c", "a gate said no")
    path = write_report(report, lake.workspace(), tmp_path / "reports" / "run.html")
    html = path.read_text(encoding="utf-8")

    assert list(path.parent.iterdir()) == [path]
    assert "Publication p-b of 2026-03-01 stays served" in html
    assert "Blocked publication p-c" in html
    assert html.startswith("<!doctype html>")
