"""What was delivered and not taken, until somebody settles it: refused objects, quarantined batches, rows.

Nothing of it is passed over in silence: every run's summary and exit code, ``status``, the report
and alerts speak of it as long as it is open.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledgerlake.lake.quarantine import kind_of, open_rows
from ledgerlake.lake.workspace import Workspace
from ledgerlake.landing.manifest import RefusedObject
from ledgerlake.ops.decisions import DISMISSED, Subject, latest, object_id, with_action


@dataclass(frozen=True)
class OpenObject:
    """One refused object that nobody settled, and the run that refused it."""

    table: str
    refused: RefusedObject
    run_id: str
    at: datetime

    @property
    def id(self) -> str:
        """Return the id that decisions name it by."""
        return object_id(self.table, self.refused.identity)


@dataclass(frozen=True)
class Untaken:
    """What is open now: objects, batch records, and rows of the quarantine."""

    objects: tuple[OpenObject, ...] = ()
    batches: tuple[dict[str, Any], ...] = ()
    rows: tuple[dict[str, Any], ...] = ()

    @property
    def refused_rows(self) -> int:
        """Return how many rows were refused; held ones wait for a parent and come by themselves."""
        return sum(r["state"] == "refused" for r in self.rows)

    def counts(self) -> dict[str, int]:
        """Return the figures by name."""
        held = len(self.rows) - self.refused_rows
        return {"objects": len(self.objects), "batches": len(self.batches), "rows": self.refused_rows, "held": held}

    def in_words(self) -> str:
        """Return what is open as one phrase, empty where nothing is."""
        names = {"objects": "objects refused", "batches": "batches quarantined", "rows": "rows quarantined", "held": "rows held"}
        return " · ".join(f"{n:,} {names[k]}" for k, n in self.counts().items() if n)

    def fails(self, on_refusal: str) -> bool:
        """Say whether a run ends with its own exit code for what is open (see ``on_refusal`` of a pipeline)."""
        deliveries = bool(self.objects or self.batches)
        return on_refusal != "report" and (deliveries or (on_refusal == "rows" and self.refused_rows > 0))

    def subjects(self) -> list[Subject]:
        """Return everything that can be decided on."""
        objects = [Subject(o.id, "object", o.table) for o in self.objects]
        batches = [Subject(b["batch_id"], "batch", b["table"]) for b in self.batches]
        return [*objects, *batches, *(Subject(r["quarantine_id"], "row", r["table"]) for r in self.rows)]


def untaken(workspace: Workspace, table: str | None = None) -> Untaken:
    """Return what is open, of one table or all; reads lists and control tables, and the quarantine without Spark."""
    names = [table] if table else list(workspace.pipeline.tables)
    objects = [o for n in names if n in workspace.logs for o in _refused(workspace, n)]
    return Untaken(tuple(objects), tuple(_batches(workspace, names)), tuple(open_quarantine(workspace, table)))


def _refused(workspace: Workspace, table: str) -> list[OpenObject]:
    """Return the refused objects of a table whose names were not landed later, and that nobody dismissed."""
    found: dict[tuple[str, str], OpenObject] = {}
    for manifest in workspace.logs[table].all():
        for name in {o.source_name for o in manifest.objects}:
            for identity in [i for i in found if i[0] == name]:
                del found[identity]
        found |= {r.identity: OpenObject(table, r, manifest.run_id, manifest.landed_at) for r in manifest.refused}
    gone = with_action(workspace, DISMISSED)
    return [o for o in found.values() if o.id not in gone]


def _batches(workspace: Workspace, tables: list[str]) -> list[dict[str, Any]]:
    """Return the newest quarantine record of each landed object that was not loaded later, a batch once."""
    newest: dict[str, dict[str, Any]] = {}
    for row in workspace.control.read("batches"):
        if row["table"] in tables and row["status"] in ("finished", "quarantined"):
            newest |= dict.fromkeys(object_paths(row), row)
    gone = with_action(workspace, DISMISSED)
    waiting = {r["batch_id"]: r for r in newest.values() if r["status"] == "quarantined"}
    return [r for i, r in waiting.items() if i not in gone]


def open_quarantine(workspace: Workspace, table: str | None = None) -> list[dict[str, Any]]:
    """Return rows still in quarantine, newest state each, read without Spark."""
    where = f"\"table\" = '{table}'" if table else "true"
    found = workspace.storage.rows(workspace.paths.quarantine(), where)
    order = {b: r["sequence"] for b, r in workspace.control.latest("batches", "batch_id").items()}
    return open_rows(found.to_pylist(), latest(workspace), order) if found else []


def object_paths(record: dict[str, Any]) -> list[str]:
    """Return the landed paths that a batch record lists."""
    listed = json.loads(record["objects"]) if isinstance(record["objects"], str) else record["objects"] or []
    return [str(item["path"]) for item in listed]


def reasons(rows: tuple[dict[str, Any], ...]) -> list[tuple[tuple[str, str, str], int]]:
    """Return how many rows there are by (table, state, reason), the commonest first."""
    return Counter((r["table"], r["state"], kind_of(reason)) for r in rows for reason in r["reasons"]).most_common()
