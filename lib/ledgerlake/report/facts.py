"""Collects what a report tells from the run and the control tables: the report's only reader.

Quarantined rows are read without their raw content, so that no value of a refused row can
reach a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ledgerlake
from ledgerlake.config.models import Chart
from ledgerlake.lake import readers
from ledgerlake.lake.readers import PublicationRecord
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.run import RunReport
from ledgerlake.ops.untaken import Untaken, untaken

Record = Mapping[str, Any]

RECONCILIATION_MART = "rpt_reconciliation"
RUNS_SHOWN = 14


@dataclass(frozen=True)
class RunFacts:
    """Everything a page is built from; ``tables`` names the silver tables of the pipeline.

    ``publication`` is the one this run recorded (served or blocked), ``served`` the one that
    readers see now. Records are those of the control tables.
    """

    report: RunReport
    ended_at: datetime
    description: str
    code_version: str
    config_fingerprint: str
    tables: frozenset[str]
    runs: tuple[Record, ...] = ()
    batches: tuple[Record, ...] = ()
    checks: tuple[Record, ...] = ()
    quarantine: tuple[Record, ...] = ()
    publication: PublicationRecord | None = None
    served: PublicationRecord | None = None
    books: tuple[Record, ...] = ()
    charts: tuple[tuple[Chart, tuple[Record, ...]], ...] = ()


def collect(report: RunReport, workspace: Workspace) -> RunFacts:
    """Read the records of one run, and what is served as it ends."""
    pipeline = workspace.pipeline
    own = [p for p in readers.publications(workspace) if p.run_id == report.run_id]
    return RunFacts(
        report=report,
        ended_at=_ended_at(report, workspace),
        description=pipeline.spec.description,
        code_version=ledgerlake.__version__,
        config_fingerprint=pipeline.fingerprint,
        tables=frozenset(pipeline.tables),
        runs=tuple(workspace.control.read("runs")[-RUNS_SHOWN:]),
        batches=_of_run(report, workspace, "batches"),
        checks=_of_run(report, workspace, "checks"),
        quarantine=_not_taken(untaken(workspace)),
        publication=own[-1] if own else None,
        served=readers.served(workspace),
        books=_books(workspace),
        charts=_charts(workspace),
    )


def _not_taken(left: Untaken) -> tuple[Record, ...]:
    """Return what is open as records of one shape: rows, batches and objects."""
    rows = [_without_values(row) for row in left.rows]
    batches = [
        {
            "table": b["table"], "state": "batch quarantined", "reasons": [b["reason"]], "run_id": b["run_id"],
            "quarantined_at": b["recorded_at"],
        }
        for b in left.batches
    ]  # fmt: skip
    objects = [
        {
            "table": o.table, "state": "object refused", "reasons": [f"{o.refused.source_name}: {o.refused.reason}"],
            "run_id": o.run_id, "quarantined_at": o.at,
        }
        for o in left.objects
    ]  # fmt: skip
    return (*objects, *batches, *rows)


def _ended_at(report: RunReport, workspace: Workspace) -> datetime:
    recorded = [r["recorded_at"] for r in _of_run(report, workspace, "runs")]
    return recorded[-1] if recorded else workspace.now()


def _of_run(report: RunReport, workspace: Workspace, name: str) -> tuple[Record, ...]:
    return tuple(r for r in workspace.control.read(name) if r["run_id"] == report.run_id)


def _without_values(row: Record) -> Record:
    kept = ("table", "state", "reasons", "quarantined_at", "run_id")
    return {name: row[name] for name in kept}


def _charts(workspace: Workspace) -> tuple[tuple[Chart, tuple[Record, ...]], ...]:
    """Return the declared charts of what is served, each with the rows it shows (``x``, ``y``, ``by``)."""
    served = readers.served(workspace)
    shown = [k for k in workspace.pipeline.spec.charts if served is not None and k.mart in served.marts]
    return tuple((k, tuple(readers.read_published(workspace, k.mart, columns=_shown(k)).to_pylist())) for k in shown)


def _shown(chart: Chart) -> str:
    group = f'CAST("{chart.by}" AS string)' if chart.by else "''"
    return f'CAST("{chart.x}" AS string) AS x, CAST("{chart.y}" AS double) AS y, {group} AS "by"'


def _books(workspace: Workspace) -> tuple[Record, ...]:
    """Return the served reconciliation, oldest day first; empty where the pipeline has none."""
    served = readers.served(workspace)
    declared = {m.mart for m in workspace.pipeline.spec.marts}
    if served is None or RECONCILIATION_MART not in declared & set(served.marts):
        return ()
    return tuple(readers.read_published(workspace, RECONCILIATION_MART).to_pylist())
