"""``ledgerlake retention`` as it is typed: it shows by default, removes on request, and waits for a run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ledgerlake.lake.leases import Leases
from ledgerlake.ports.clock import SystemClock
from ledgerlake.ports.objects import LocalObjects
from project import Project, new_project

ENVIRONMENT = "environment: aged\nlake: .local/lake\nsources: .local/sources\nsnowflake: local\n"
COMMAND = ("--env", "aged", "retention", "org_balances")


@pytest.fixture
def aged(tmp_path: Path) -> Project:
    """Return a project whose lake holds an export of a run that was killed long ago."""
    project = new_project(tmp_path)
    (tmp_path / "conf/environments/aged.yml").write_text(ENVIRONMENT)
    file = export(project)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"12345")
    moment = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    os.utime(file, (moment, moment))
    return project


def export(project: Project) -> Path:
    return project.folder / ".local/lake/export/org_balances/pub-old/daily/part-0.parquet"


def test_it_shows_first_removes_on_request_and_then_finds_nothing(aged: Project) -> None:
    shown = aged.command(*COMMAND).stdout
    assert "would go: 1 objects, 5 bytes" in shown and "nothing was removed: add --apply" in shown
    assert export(aged).exists()

    applied = aged.ask(*COMMAND, "--apply")

    assert applied["applied"]
    assert [(t["kind"], t["objects"], t["bytes"]) for t in applied["tables"] if t["objects"]] == [("exports", 1, 5)]
    assert not export(aged).exists()
    assert "nothing is old enough to go" in aged.command(*COMMAND, "--apply").stdout


def test_while_a_run_holds_a_lease_it_ends_with_try_again_later_and_removes_nothing(aged: Project) -> None:
    store = LocalObjects(aged.folder / ".local/lake")
    assert Leases(store, SystemClock()).take("org_balances").token == 1

    assert "is being written by another run" in " ".join(aged.command(*COMMAND, "--apply", expect=75).stderr.split())

    assert export(aged).exists()
