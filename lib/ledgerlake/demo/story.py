"""Plays LedgerBox's three days and shows what ledgerlake does about each of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from ledgerlake.config.environment import Environment
from ledgerlake.config.load import load_environment, load_pipeline
from ledgerlake.demo.scale import Scale
from ledgerlake.demo.sources import Sources, running_sources
from ledgerlake.demo.world import build_world
from ledgerlake.errors import ConfigError, TerminalError, Where
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run
from ledgerlake.ops.trace import trace_row
from ledgerlake.ops.warehouse import Publisher, Warehouse, open_warehouse
from ledgerlake.ports.clock import SystemClock
from ledgerlake.publish.query import run_query
from ledgerlake.report.write import write_report

PIPELINE = "ledgerbox"
MARKER = "made-by-ledgerlake-demo"


@dataclass
class Story:
    """One telling of the demo; ``seconds`` are those spent in the pipeline itself."""

    project: Path
    environment: Environment
    console: Console
    sources: Sources
    warehouse: Warehouse
    seconds: float = 0.0
    reports: list[Path] = field(default_factory=list)

    def workspace(self) -> Workspace:
        """Open the pipeline as a new process would."""
        pipeline = load_pipeline(self.project / "conf", self.project / "dq_suites", PIPELINE)
        return Workspace(pipeline, self.environment, self.sources.secrets, SystemClock())

    def play(self) -> None:
        """Tell the whole story; raise TerminalError where a chapter does not end as it must."""
        self._say("Day 1", "full load of merchants, first changes, first pull from Stripe")
        self._run(0, "published")
        self._say("Day 2", "late and out-of-order changes, corrections, deletes, malformed rows")
        self._run(1, "published")
        self._say("Day 2 again", "the same command a second time")
        self._run(1, "unchanged")
        self._say("Day 3", "a new column arrives, and the delivery inflates captured amounts")
        self._run(2, "blocked")
        self._serving("What Snowflake serves while day 3 is blocked")
        self._say("Day 3, corrected", "the source delivers corrections; everything unpublished is judged again")
        self._run(2, "published", corrected=True)
        self._serving("What Snowflake serves now")
        self._reconciliation()
        self._trace()

    def _say(self, title: str, what: str) -> None:
        self.console.print()
        self.console.print(f"[bold cyan]▍{title}[/] · {what}", soft_wrap=True)

    def _run(self, day: int, expected: str, *, corrected: bool = False) -> RunReport:
        delivered = self.sources.apply_day(day, corrected=corrected)
        self.console.print(f"  [dim]delivered:[/] {delivered.written} new objects")
        workspace = self.workspace()
        publish = Publisher(self.warehouse, workspace.pipeline.spec.publication, workspace.clock)
        started = time.monotonic()
        report = run(workspace, self.sources.world.date_of(day), publish, Progress(self._listener()))
        took = time.monotonic() - started
        self.seconds += took
        path = self.project / ".local" / "reports" / f"day{day + 1}-{report.status}-{report.run_id[-6:]}.html"
        self.reports.append(write_report(report, workspace, path))
        self._verdict(report, took)
        if report.status != expected:
            raise TerminalError(
                f"day {day + 1} ended as {report.status}, not {expected}: {report.message}", then=f"see {path}"
            )
        return report

    def _verdict(self, report: RunReport, took: float) -> None:
        colour = {"published": "green", "unchanged": "cyan", "blocked": "yellow"}.get(report.status, "red")
        read = sum(b["read"] for b in report.batches)
        self.console.print(
            f"  [bold {colour}]{report.status}[/] in {took:.1f} s · {read:,} changes read · publication {report.publication_id or 'none'}"
        )
        if report.message:
            self.console.print(f"  {report.message}", markup=False)

    def _listener(self) -> Callable[[str, str, str], None]:
        def listen(stage: str, subject: str, result: str) -> None:
            if result:
                self.console.print(f"  [dim]{stage:<8}[/] {subject:<28} {result}", soft_wrap=True)

        return listen

    def _ask(self, title: str, sql: str) -> None:
        columns, rows = run_query(self.warehouse.connect(), sql)
        self.console.print(f"  [bold]{title}[/]")
        self.console.print(f'  [dim]ledgerlake sql "{" ".join(sql.split())}"[/]', soft_wrap=True)
        grid = Grid()
        for name in columns:
            grid.add_column(name.lower(), justify="right", overflow="fold")
        for row in rows:
            grid.add_row(*(str(v) for v in row))
        self.console.print(grid)

    def _serving(self, title: str) -> None:
        schema = "FINANCE.LEDGERBOX_BI"
        self._ask(
            title,
            f"SELECT transaction_date, count(*) AS transactions FROM {schema}.FCT_TRANSACTIONS GROUP BY transaction_date ORDER BY transaction_date",
        )

    def _reconciliation(self) -> None:
        columns = "settlement_date AS date, currency, captured_amount AS captured, refunded_amount AS refunded, fee_amount AS fees, settled_amount AS settled, absolute_stripe_difference AS stripe_diff, absolute_settlement_difference AS settled_diff"
        self._ask(
            "Reconciliation, to the cent",
            f"SELECT {columns} FROM FINANCE.LEDGERBOX_BI.RPT_RECONCILIATION ORDER BY settlement_date, currency",
        )
        _, rows = run_query(
            self.warehouse.connect(),
            "SELECT settlement_date FROM FINANCE.LEDGERBOX_BI.RPT_RECONCILIATION WHERE absolute_stripe_difference <> 0 OR absolute_settlement_difference <> 0",
        )
        if rows:
            raise TerminalError(
                "the reconciliation does not balance", then="this is a defect of ledgerlake; please report it"
            )
        self.console.print("  [bold green]balanced[/]: no merchant, day and currency differs")

    def _trace(self) -> None:
        _, rows = run_query(
            self.warehouse.connect(),
            "SELECT settlement_id FROM FINANCE.LEDGERBOX_BI.FCT_SETTLEMENTS ORDER BY updated_at DESC, settlement_id LIMIT 1",
        )
        facts = trace_row(self.workspace(), "fct_settlements", str(rows[0][0]))
        self._say("Trace", f"ledgerlake trace --table fct_settlements --key {rows[0][0]}")
        self.console.print(
            f"  publication {facts['publication_id']} · run {facts['run_id']} · Delta version {facts['delta_version']}"
        )
        for origin in (r for part in facts["made_from"] for r in part["rows"]):
            self._origin(origin)

    def _origin(self, origin: dict[str, Any]) -> None:
        self.console.print(
            f"  settlement row ← batch {origin['batch_id']} · {origin['source']} row {origin['ordinal']} · extracted {origin['source_extract_time']:%Y-%m-%d %H:%M:%S}",
            soft_wrap=True,
        )


def tell(project: Path, console: Console, *, small: bool = False) -> Story:
    """Prepare a fresh local state, start the sources, and play the story from the beginning."""
    environment = load_environment(project / "conf", "local")
    local = project / ".local"
    _start_afresh(local, environment)
    world = build_world(scale=Scale.small() if small else Scale())
    console.print(
        f"LedgerBox, {world.date_of(0)} to {world.date_of(2)}, seed {world.seed}: planted {', '.join(f'{n:,} {k}' for k, n in world.planted.items())}",
        soft_wrap=True,
    )
    with (
        running_sources(world, Path(environment.sources), local / "settlements_db") as sources,
        open_warehouse(environment, sources.secrets, PIPELINE) as warehouse,
    ):
        warehouse.warm_up()
        story = Story(project, environment, console, sources, warehouse)
        story.play()
    console.print()
    console.print(f"[bold green]▍Done[/] · pipeline time {story.seconds:.0f} s")
    console.print(f"report: {story.reports[-1]}", soft_wrap=True)
    return story


def _start_afresh(local: Path, environment: Environment) -> None:
    """Remove what an earlier demo left; refuse where the folder was not made by the demo."""
    lake = Path(environment.lake)
    if lake.exists() and not (local / MARKER).exists():
        raise ConfigError(
            "the local lake holds data that the demo did not make",
            where=Where(file=str(lake)),
            then="move it away, or use another project folder",
        )
    for name in ("lake", "sources", "snowflake", "settlements_db", "reports"):
        shutil.rmtree(local / name, ignore_errors=True)
    local.mkdir(parents=True, exist_ok=True)
    (local / MARKER).write_text("Everything in this folder is remade by `make demo`.\n")
