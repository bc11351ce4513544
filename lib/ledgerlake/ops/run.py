"""One run: a pipeline on a logical date, from extraction to publication, resumable at every step.

Repeating a run is always safe: what is finished is recognised from manifests and control
tables before Spark starts; what was killed half-way goes on from its last commit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

import ledgerlake
from ledgerlake.core.identity import RunKey, fingerprint
from ledgerlake.errors import (
    NOT_TAKEN_EXIT,
    NOWHERE,
    GateBlocked,
    LedgerlakeError,
    SourceError,
    StorageUnavailable,
)
from ledgerlake.lake.readers import served
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.alert_rules import tell_findings
from ledgerlake.ops.alerts import alert
from ledgerlake.ops.extract import Failure, confirm, extract, outlook, tell_later
from ledgerlake.ops.load import Loader, is_loaded, requested, unfinished
from ledgerlake.ops.mastering import build_masters
from ledgerlake.ops.progress import Progress, Step
from ledgerlake.ops.serve import Server, marts_stand, state_of
from ledgerlake.ops.settle import look, settle
from ledgerlake.ops.standing import refused_changes
from ledgerlake.ops.unexpected import typed
from ledgerlake.ops.untaken import Untaken, untaken
from ledgerlake.ports.failures import storage_errors
from ledgerlake.publish.model import Publishing
from ledgerlake.quality.result import SuiteResult

ATTEMPTS, BACKOFF_S = 4, 2.0
"""How often a run works through a storage that fails, and how long it waits first; doubled each time."""


@dataclass
class RunReport:
    """What a run did: its status is unchanged, published, blocked or failed."""

    run_id: str
    key: RunKey
    started_at: datetime
    status: str = "failed"
    publication_id: str = ""
    message: str = ""
    steps: list[Step] = field(default_factory=list)
    batches: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, SuiteResult] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    error: LedgerlakeError | None = None
    untaken: Untaken = field(default_factory=Untaken)
    on_refusal: str = "deliveries"

    @property
    def exit_code(self) -> int:
        """Return what a process that did only this run answers."""
        if self.error is not None:
            return self.error.exit_code
        return NOT_TAKEN_EXIT if self.untaken.fails(self.on_refusal) else 0


def run(
    workspace: Workspace, day: date, publishing: Publishing, progress: Progress | None = None, first: date | None = None
) -> RunReport:
    """Run the workspace's pipeline for ``day`` and return the report; the record is kept in control.

    With ``first`` the run stands for every day from there to ``day``: they are extracted, loaded
    and published together.

    Errors end up in the report (and its ``error``); what nobody foresaw among them, with its traceback in a file.
    """
    progress = progress or Progress()
    started = workspace.now()
    key = RunKey(workspace.pipeline.name, day)
    report = RunReport(
        f"run-{day.isoformat()}-{fingerprint([str(key), started, workspace.leases.owner])[:10]}", key, started,
        steps=progress.steps, on_refusal=workspace.pipeline.spec.on_refusal,
    )  # fmt: skip
    try:
        with storage_errors():
            if nothing_to_do(workspace, day, first, progress) and look(workspace, publishing, report.run_id).agrees:
                report.status, report.message = "unchanged", "nothing changed since this day was finished"
                report.publication_id = _last_id(workspace)
            else:
                with workspace.leases.hold(workspace.pipeline.name) as lease, workspace.fence.guarded_by(lease):
                    _repeated(workspace, day, publishing, progress, report, first)
            tell_findings(workspace, report.run_id, progress)
    except Exception as error:
        _stop(report, typed(error, NOWHERE, workspace.crashes))
    try:
        with storage_errors():
            report.untaken = untaken(workspace)
            if report.error is not None:
                alert(workspace, progress, key, report.status, report.message)
            elif report.exit_code:
                alert(workspace, progress, key, report.status, f"not taken: {report.untaken.in_words()}")
            _record(workspace, report)
    except Exception as error:
        if report.error is None:  # else there is more to say of why the run stopped
            _stop(report, typed(error, NOWHERE, workspace.crashes))
    return report


def _repeated(
    workspace: Workspace, day: date, publishing: Publishing, progress: Progress, report: RunReport, first: date | None
) -> None:
    """Run the stages, a few times where the storage fails: what is finished is recognised and costs nothing."""
    for attempt in range(1, ATTEMPTS):
        try:
            return _run_stages(workspace, day, publishing, progress, report, first)
        except StorageUnavailable as error:
            seconds = BACKOFF_S * 2 ** (attempt - 1)
            with progress.step("retry", "storage") as words:
                words.append(f"{error.what}: again in {seconds:.0f} s")
            workspace.sleep(seconds)
            workspace.forget()
            report.failures.clear()
    return _run_stages(workspace, day, publishing, progress, report, first)


def _stop(report: RunReport, error: LedgerlakeError) -> None:
    report.status = "blocked" if isinstance(error, GateBlocked) else "failed"
    report.error, report.message = error, str(error)


def _run_stages(
    workspace: Workspace, day: date, publishing: Publishing, progress: Progress, report: RunReport, first: date | None
) -> None:
    standing = settle(workspace, publishing, report.run_id, progress)
    report.publication_id, report.message = _last_id(workspace), standing.said
    _say_unreadable(workspace, progress)
    loaded = partial(is_loaded, workspace)
    report.failures += confirm(workspace, report.run_id, day, loaded)  # a killed run may not have
    contradicting = refused_changes(workspace)
    report.failures += contradicting
    loader = Loader(
        workspace, report.run_id, report.started_at, day, progress, but=frozenset(f.subject for f in contradicting)
    )
    loader.records = report.batches  # of earlier attempts too
    loader.load_all()  # first what a killed run landed: feeds that compare keys ask silver; failures show again below
    report.failures += extract(workspace, report.run_id, day, progress, first)
    report.failures += loader.load_all()
    report.failures += confirm(workspace, report.run_id, day, loaded)
    report.failures += loader.release_all()
    if report.failures:
        raise next((f.error for f in report.failures if isinstance(f.error, StorageUnavailable)), _stopped(report.failures))
    loader.prepare_all()
    build_masters(workspace, report.run_id, progress)
    server = Server(workspace, report.run_id, day, progress, publishing, standing)
    if server.unchanged:
        report.status = "published" if standing.said else "unchanged"
        return
    report.results, report.publication_id = server.verdict.results, server.publication_id
    report.status = server.serve()


def _say_unreadable(workspace: Workspace, progress: Progress) -> None:
    for name, log in workspace.logs.items():
        log.all()
        if log.unreadable:
            with progress.step("extract", name) as words:
                words.append(f"{', '.join(log.unreadable)} cannot be read (left by a crash?): what it listed is landed again")


def _stopped(failures: list[Failure]) -> LedgerlakeError:
    """Return the error that speaks for all: its type (terminal or transient) is the first one's."""
    first = failures[0].error
    if len(failures) == 1:
        return first
    others = "; ".join(f"{f.subject}: {f.error.what}" for f in failures)
    kind = type(first) if len({type(f.error) for f in failures}) == 1 else SourceError
    return kind(f"{len(failures)} tables stopped: {others}", where=first.where, then=first.then)


def nothing_to_do(workspace: Workspace, day: date, first: date | None, progress: Progress) -> bool:
    """Say whether the day is finished and nothing new arrived: no data file is opened for this."""
    try:
        found, later = outlook(workspace, day, first)
        if any(found.values()):
            return False
    except LedgerlakeError:
        return False  # the extraction will meet it again, stop that source and go on with the others
    if any(unfinished(workspace, t) for t in workspace.pipeline.tables):
        return False
    if requested(workspace):
        return False
    last = served(workspace)
    quiet = last is not None and last.state == state_of(workspace) and marts_stand(workspace, last)
    if quiet:
        tell_later(later, progress)
    return quiet


def _last_id(workspace: Workspace) -> str:
    last = served(workspace)
    return last.publication_id if last else ""


def _record(workspace: Workspace, report: RunReport) -> None:
    workspace.control.append("runs", report.run_id, [
        {
            "logical_date": report.key.date.isoformat(), "status": report.status, "started_at": report.started_at,
            "code_version": ledgerlake.__version__, "config_fingerprint": workspace.pipeline.fingerprint,
            "publication_id": report.publication_id, "message": report.message,
            "details": {
                "steps": [vars(s) for s in report.steps], "batches": [b["batch_id"] for b in report.batches],
                "not_taken": report.untaken.counts(),
            },
        }
    ])  # fmt: skip
