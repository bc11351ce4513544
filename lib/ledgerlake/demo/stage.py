"""The stage that every demo plays on: runs days as a user would, checks how they end, and shows it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from rich.console import Console
from rich.table import Table as Grid

from ledgerlake.config.environment import Environment
from ledgerlake.config.load import load_environment, load_pipeline
from ledgerlake.config.models import Pipeline
from ledgerlake.errors import ConfigError, TerminalError, Where
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run
from ledgerlake.ops.warehouse import Publisher, Warehouse, open_warehouse
from ledgerlake.ports.clock import SystemClock
from ledgerlake.ports.secrets import Secrets
from ledgerlake.publish.query import run_query
from ledgerlake.report.write import write_report

MARKER = "made-by-ledgerlake-demo"
STATE = ("lake", "sources", "snowflake", "demo", "reports")


class Sources(Protocol):
    """A demo's running sources."""

    @property
    def secrets(self) -> Secrets:
        """Return what the references of ``conf/environments/local.yml`` resolve to here."""


S = TypeVar("S", bound=Sources)


@dataclass(frozen=True)
class Setting:
    """Where a demo's sources live: delivered objects below ``files``, servers' data in ``state``."""

    files: Path
    state: Path
    small: bool


@dataclass(frozen=True)
class Demo(Generic[S]):
    """One pipeline's demo: ``running`` starts its sources, ``play`` tells its story on a stage."""

    pipeline: str
    title: str
    running: Callable[[Setting], AbstractContextManager[S]]
    play: Callable[[Stage, S], None]


@dataclass
class Stage:
    """One telling of one pipeline's story; ``seconds`` are those spent in the pipeline itself."""

    project: Path
    pipeline: str
    environment: Environment
    console: Console
    secrets: Secrets
    warehouse: Warehouse
    declared: Callable[[Pipeline], Pipeline] = lambda pipeline: pipeline
    """What somebody changed in the declarations since; the story says so where it does."""
    seconds: float = 0.0
    reports: list[Path] = field(default_factory=list)

    def workspace(self) -> Workspace:
        """Open the pipeline as a new process would."""
        pipeline = load_pipeline(self.project / "conf", self.project / "dq_suites", self.pipeline)
        return Workspace(self.declared(pipeline), self.environment, self.secrets, SystemClock())

    def say(self, title: str, what: str) -> None:
        """Begin a chapter."""
        self.console.print()
        self.console.print(f"[bold cyan]▍{title}[/] · {what}", soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something within a chapter."""
        self.console.print(f"  {text}", soft_wrap=True)

    def run(self, day: date, expected: str, first: date | None = None) -> RunReport:
        """Run the pipeline for a day (or from ``first`` to it); raise TerminalError where it does not end as ``expected``."""
        workspace = self.workspace()
        publishing = Publisher(self.warehouse, workspace.pipeline.spec.publication, workspace.clock)
        started = time.monotonic()
        report = run(workspace, day, publishing, Progress(self._listener()), first)
        took = time.monotonic() - started
        self.seconds += took
        name = f"{self.pipeline}-{day.isoformat()}-{report.status}-{report.run_id[-6:]}.html"
        path = self.project / ".local" / "reports" / name
        self.reports.append(write_report(report, workspace, path))
        self._verdict(report, took)
        if report.status != expected:
            raise TerminalError(f"{day} ended as {report.status}, not {expected}: {report.message}", then=f"see {path}")
        return report

    def _verdict(self, report: RunReport, took: float) -> None:
        colour = {"published": "green", "unchanged": "cyan", "blocked": "yellow"}.get(report.status, "red")
        read = sum(b["read"] for b in report.batches)
        self.note(
            f"[bold {colour}]{report.status}[/] in {took:.1f} s · {read:,} changes read · publication {report.publication_id or 'none'}"
        )
        if report.message:
            self.console.print(f"  {report.message}", markup=False)

    def _listener(self) -> Callable[[str, str, str], None]:
        def listen(stage: str, subject: str, result: str) -> None:
            if result:
                self.note(f"[dim]{stage:<8}[/] {subject:<28} {result}")

        return listen

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse without showing it."""
        return [tuple(row) for row in run_query(self.warehouse.connect(), sql)[1]]

    def ask(self, title: str, sql: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse as ``ledgerlake sql`` would, show the answer and return its rows."""
        columns, rows = run_query(self.warehouse.connect(), sql)
        self.note(f"[bold]{title}[/]")
        self.note(f'[dim]ledgerlake sql "{" ".join(sql.split())}"[/]')
        self.show(columns, rows)
        return [tuple(row) for row in rows]

    def show(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Show rows as a table."""
        grid = Grid()
        for name in columns:
            grid.add_column(name.lower(), justify="right", overflow="fold")
        for row in rows:
            grid.add_row(*(str(v) for v in row))
        self.console.print(grid)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Stop the story where something is not as it must be."""
        if not holds:
            raise TerminalError(otherwise, then="this is a defect of ledgerlake; please report it")


def tell(project: Path, console: Console, demos: Sequence[Demo[Any]], *, small: bool = False) -> list[Stage]:
    """Prepare a fresh local state and play the demos one after the other in one lake; return their stages."""
    environment = load_environment(project / "conf", "local")
    local = project / ".local"
    _start_afresh(local, environment)
    stages = []
    for demo in demos:
        console.print()
        console.print(f"[bold]{demo.pipeline}[/] · {demo.title}", soft_wrap=True)
        setting = Setting(Path(environment.sources), local / "demo" / demo.pipeline, small)
        with (
            demo.running(setting) as sources,
            open_warehouse(environment, sources.secrets, demo.pipeline) as warehouse,
        ):
            warehouse.warm_up()
            stage = Stage(project, demo.pipeline, environment, console, sources.secrets, warehouse)
            demo.play(stage, sources)
        stages.append(stage)
        console.print()
        console.print(f"[bold green]▍Done[/] · {demo.pipeline} · pipeline time {stage.seconds:.0f} s")
        console.print(f"report: {stage.reports[-1]}", soft_wrap=True)
    return stages


def _start_afresh(local: Path, environment: Environment) -> None:
    """Remove what an earlier demo left; refuse where the folder was not made by the demo."""
    lake = Path(environment.lake)
    if lake.exists() and not (local / MARKER).exists():
        raise ConfigError(
            "the local lake holds data that the demo did not make",
            where=Where(file=str(lake)),
            then="move it away, or use another project folder",
        )
    for name in STATE:
        shutil.rmtree(local / name, ignore_errors=True)
    local.mkdir(parents=True, exist_ok=True)
    (local / MARKER).write_text("Everything in this folder is remade by `ledgerlake demo`.\n")
