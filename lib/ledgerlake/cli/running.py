"""Commands that change something: run, backfill, submit, unlock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.status import Status

from ledgerlake.cli.context import Context
from ledgerlake.cli.looking import show_facts
from ledgerlake.cli.submitting import submit
from ledgerlake.errors import ConfigError, LedgerlakeError, Where
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.backfill import backfill
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run
from ledgerlake.ops.warehouse import Publisher, open_warehouse
from ledgerlake.ports.failures import storage_errors
from ledgerlake.report.write import write_report

Day = Annotated[datetime, typer.Option("--date", "-d", formats=["%Y-%m-%d"], help="logical date, YYYY-MM-DD (UTC)")]
Pipeline = Annotated[str, typer.Argument(help="a folder of conf/pipelines", show_default=False)]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="where the HTML report goes (default: .local/reports)")
]

MARKS = {
    "published": "[green]published[/]",
    "unchanged": "[cyan]unchanged[/]",
    "blocked": "[yellow]blocked[/]",
    "failed": "[red]failed[/]",
}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("run")(run_command)
    app.command("backfill")(backfill_command)
    app.command("submit")(submit_command)


def run_command(context: typer.Context, pipeline: Pipeline, day: Day, report: ReportFile = None) -> None:
    """Run PIPELINE for one date: extract, load, gate, publish.

    Repeating is safe: a finished day opens no data file, a killed run goes on where it stopped.
    """
    own: Context = context.obj
    workspace = own.workspace(pipeline)
    with open_warehouse(workspace.environment, own.secrets, pipeline) as warehouse, shown_progress(own) as progress:
        publishing = Publisher(warehouse, workspace.pipeline.spec.publication, own.clock)
        done = run(workspace, day.date(), publishing, progress)
    finish(own, [(done, workspace)], report)


def backfill_command(
    context: typer.Context,
    pipeline: Pipeline,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first date")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="last date, included")],
    days_per_run: Annotated[
        int, typer.Option(min=1, help="bring so many days with one run: a year in months takes minutes")
    ] = 1,
    report: ReportFile = None,
) -> None:
    """Run PIPELINE for a range of dates, oldest first; stops at the first run that cannot go on.

    Repeat it to resume: what is finished is recognised and costs nothing.
    """
    own: Context = context.obj
    if last < first:
        raise ConfigError("--to lies before --from", then="swap them")
    opened: list[Workspace] = []

    def open_workspace() -> Workspace:
        opened.append(own.workspace(pipeline))
        return opened[-1]

    declared = own.pipeline(pipeline).spec.publication
    with open_warehouse(own.environment(), own.secrets, pipeline) as warehouse, shown_progress(own) as progress:
        publishing = Publisher(warehouse, declared, own.clock)
        reports = list(
            backfill(
                open_workspace, first.date(), last.date(), publishing, lambda: Progress(progress.listener), days_per_run
            )
        )
    finish(own, list(zip(reports, opened, strict=True)), report)


def submit_command(
    context: typer.Context,
    pipeline: Pipeline,
    day: Annotated[datetime | None, typer.Option("--date", "-d", formats=["%Y-%m-%d"], help="one logical date")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="first date of a backfill")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="last date of a backfill")] = None,
    generation: Annotated[
        int, typer.Option("--attempt", help="raise it to submit a day again that EMR has already run")
    ] = 1,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="follow the job until it ends")] = True,
) -> None:
    """Run the same on EMR Serverless: a job that starts, works and ends; nothing runs in between."""
    own: Context = context.obj
    answer = submit(own, pipeline, _dates(day, first, last), generation, wait)
    own.answer(answer, lambda: show_facts(own, answer))


def _dates(day: datetime | None, first: datetime | None, last: datetime | None) -> tuple[date, date]:
    if day and not (first or last):
        return day.date(), day.date()
    if first and last and not day:
        return first.date(), last.date()
    raise ConfigError("which dates?", then="give --date, or --from and --to")


class shown_progress:  # noqa: N801 - used as a context manager function
    """Shows steps on standard error while they happen; silent for machines."""

    def __init__(self, own: Context) -> None:
        self._own = own
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        if not self._own.as_json and self._own.errors.is_terminal:
            self._status = self._own.errors.status("starting")
            self._status.start()
        return Progress(self._listener())

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def _listener(self) -> Callable[[str, str, str], None]:
        def listen(stage: str, subject: str, result: str) -> None:
            if self._own.as_json:
                return
            if not result:
                if self._status:
                    self._status.update(f"{stage} {subject}")
                return
            line = {"stage": f"{stage:<8}", "subject": f"{subject:<28}", "result": result}
            self._own.say("  [dim]{stage}[/] {subject} {result}", to=self._own.errors, **line)

        return listen


def finish(own: Context, done: list[tuple[RunReport, Workspace]], report_file: Path | None) -> None:
    """Write the report, answer, and end with the exit code of the run that stopped, or else of what was not taken."""
    facts: list[dict[str, Any]] = []
    for report, workspace in done:
        path = report_file or own.project / ".local" / "reports" / f"{report.run_id}.html"
        facts.append(summary(report) | {"report": _written(own, report, workspace, path)})
    own.answer(facts if len(facts) > 1 else facts[0], lambda: _show(own, facts))
    codes = [report.exit_code for report, _ in done]
    if codes[-1] or any(codes):
        raise typer.Exit(codes[-1] or max(codes))


def _written(own: Context, report: RunReport, workspace: Workspace, path: Path) -> str:
    """Write a run's report and return its path; what the run did stands, whatever becomes of the page."""
    try:
        with storage_errors(Where(file=str(path))):
            write_report(report, workspace, path)
        return str(path)
    except LedgerlakeError as error:
        own.errors.print(f"no report was written: {error}", markup=False, soft_wrap=True)
    except Exception as error:  # no page is worth the run's own answer and exit code
        own.errors.print(f"no report was written: {type(error).__name__}", markup=False)
    return ""


def summary(report: RunReport) -> dict[str, Any]:
    """Return a run's facts for machines."""
    return {
        "run_id": report.run_id, "pipeline": report.key.pipeline, "date": report.key.date, "status": report.status,
        "publication_id": report.publication_id, "message": report.message,
        "read": sum(b["read"] for b in report.batches), "applied": sum(b["applied"] for b in report.batches),
        "quarantined": sum(b["quarantined"] for b in report.batches),
        "not_taken": report.untaken.counts(), "stopped": [f.subject for f in report.failures],
        "waiting": {s.subject: s.result for s in report.steps if s.stage == "wait"},
    }  # fmt: skip


def _show(own: Context, facts: list[dict[str, Any]]) -> None:
    for fact in facts:
        own.console.print(
            f"{fact['pipeline']} {fact['date']}: {MARKS[fact['status']]} · {fact['read']:,} read · {fact['applied']:,} applied · {fact['quarantined']:,} quarantined"
        )
        if fact["message"]:
            own.console.print(fact["message"], markup=False)
        if any(fact["not_taken"].values()):
            words = " · ".join(f"{n:,} {what}" for what, n in fact["not_taken"].items() if n)
            own.console.print(f"open: {words}. Next: `ledgerlake quarantine list`", markup=False, soft_wrap=True)
        for table, words in fact["waiting"].items():
            own.say("{table}: {words}", table=table, words=words)
        if fact["report"]:
            own.console.print(f"report: {fact['report']}", markup=False, soft_wrap=True)
