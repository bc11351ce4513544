"""Commands that only look: validate, plan, status, history, trace, verify, sql."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ledgerlake.cli.context import Context
from ledgerlake.cli.door import grid, shown
from ledgerlake.config.check import check_pipeline
from ledgerlake.config.load import load_pipeline
from ledgerlake.config.personal import personal_columns
from ledgerlake.errors import AccountingError, ConfigError, NotFoundError
from ledgerlake.lake.readers import history
from ledgerlake.ops.mart_engines import check_engine
from ledgerlake.ops.plan import plan
from ledgerlake.ops.replay import compare
from ledgerlake.ops.trace import trace_batch, trace_publication, trace_row
from ledgerlake.ops.untaken import untaken
from ledgerlake.ops.warehouse import open_warehouse, target_of
from ledgerlake.publish.governance import PiiColumn, governance_sql, grants
from ledgerlake.publish.query import run_query

PipelineOption = Annotated[str | None, typer.Option("--pipeline", "-p", help="default: the only one there is")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("validate")(validate_command)
    app.command("plan")(plan_command)
    app.command("status")(status_command)
    app.command("history")(history_command)
    app.command("trace")(trace_command)
    app.command("verify")(verify_command)
    app.command("sql")(sql_command)
    app.command("grants")(grants_command)


def validate_command(
    context: typer.Context, pipeline: Annotated[str | None, typer.Argument(help="default: all")] = None
) -> None:
    """Check environments, pipelines, SQL and suites, before Spark is ever started."""
    own: Context = context.obj
    names = [pipeline] if pipeline else own.pipelines()
    environment = own.environment()
    findings: list[ConfigError] = []
    for name in names:
        try:
            declared = load_pipeline(own.conf, own.project / "dq_suites", name)
            findings += check_pipeline(declared) or check_engine(environment, declared)
        except ConfigError as error:
            findings.append(error)

    def show() -> None:
        for finding in findings:
            own.say("[red]✗[/] {finding}", finding=finding)
        if not findings:
            own.say("[green]✓[/] {names}: nothing to mend", names=", ".join(names))

    own.answer([str(f) for f in findings], show)
    if findings:
        raise typer.Exit(ConfigError.exit_code)


def plan_command(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument()],
    day: Annotated[datetime, typer.Option("--date", "-d", formats=["%Y-%m-%d"])],
) -> None:
    """Show what a run would read, merge, rebuild and publish; changes nothing."""
    own: Context = context.obj
    found = plan(own.workspace(pipeline), day.date())

    def show() -> None:
        columns = ["table", "to land", "to load", "held", "refused", "unpublished", "later", "first day"]
        rows = [
            [t.table, t.to_land, t.to_load, t.held, t.refused, "yes" if t.unpublished else "", t.later, t.later_from]
            for t in found.tables
        ]
        own.console.print(grid(f"{pipeline} {found.day}", columns, rows))
        own.console.print(
            grid(
                "marts",
                ["mart", "rebuild", "because of", "small days are built by"],
                [[m.mart, m.rebuild, ", ".join(m.because), m.engine] for m in found.marts],
            )
        )
        own.say("nothing to do" if found.empty else "a run would publish again")

    own.answer(asdict(found), show)


def status_command(
    context: typer.Context,
    pipeline: PipelineOption = None,
    last: Annotated[int, typer.Option(help="how many runs")] = 10,
) -> None:
    """Show the last runs, what is served, and what waits in quarantine."""
    own: Context = context.obj
    workspace = own.workspace(own.only_pipeline(pipeline))
    control = workspace.control
    runs = control.read("runs")[-last:][::-1]
    batches = list(control.latest("batches", "batch_id").values())
    left = untaken(workspace)
    published = control.last_publication()
    facts = {
        "pipeline": workspace.pipeline.name, "served": published["publication_id"] if published else None,
        "runs": [{k: r[k] for k in ("run_id", "logical_date", "status", "started_at", "publication_id", "message")} for r in runs],
        "batches": [{k: b[k] for k in ("batch_id", "table", "logical_date", "status", "read", "applied", "quarantined")} for b in batches],
        "not_taken": left.counts(),
    }  # fmt: skip

    def show() -> None:
        own.console.print(
            grid(
                "runs",
                ["run", "date", "status", "started"],
                [[r["run_id"], r["logical_date"], r["status"], f"{r['started_at']:%Y-%m-%d %H:%M:%S}"] for r in runs],
            )
        )
        recent = batches[-30:]
        own.console.print(
            grid(
                "batches",
                ["batch", "table", "date", "status", "read", "applied", "quarantined"],
                [
                    [b[k] for k in ("batch_id", "table", "logical_date", "status", "read", "applied", "quarantined")]
                    for b in recent
                ],
            )
        )
        own.say("served: {id}", id=facts["served"] or "nothing yet")
        own.say("not taken: {open}", open=left.in_words() or "nothing")

    own.answer(facts, show)


def history_command(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="a table or a mart")],
    pipeline: PipelineOption = None,
) -> None:
    """Show a table's Delta versions: what wrote them, and which publication serves them."""
    own: Context = context.obj
    entries = history(own.workspace(own.only_pipeline(pipeline)), table)
    columns = ["version", "at (UTC)", "operation", "batch", "run", "served by", "served now"]
    rows = [
        [
            e.commit.version,
            f"{e.commit.at:%Y-%m-%d %H:%M:%S}",
            e.commit.operation,
            e.batch_id,
            e.run_id,
            ", ".join(e.served_by),
            "yes" if e.is_served_now else "",
        ]
        for e in entries
    ]
    own.answer([asdict(e) for e in entries], lambda: own.console.print(grid(table, columns, rows)))


def trace_command(
    context: typer.Context,
    batch_id: Annotated[str | None, typer.Option("--batch-id", help="a batch")] = None,
    table: Annotated[str | None, typer.Option("--table", help="a table or mart, with --key")] = None,
    key: Annotated[str | None, typer.Option("--key", help="the row's key; several columns joined by commas")] = None,
    publication: Annotated[str | None, typer.Option("--publication", help="a publication")] = None,
    pipeline: PipelineOption = None,
) -> None:
    """Answer where a row, a batch or a publication came from."""
    own: Context = context.obj
    workspace = own.workspace(own.only_pipeline(pipeline))
    if batch_id:
        facts = trace_batch(workspace, batch_id)
    elif publication:
        facts = trace_publication(workspace, publication)
    elif table and key:
        facts = trace_row(workspace, table, key)
    else:
        raise NotFoundError("trace what?", then="give --batch-id, --publication, or --table with --key")
    own.answer(facts, lambda: show_facts(own, facts))


def show_facts(own: Context, facts: dict[str, Any], indent: str = "") -> None:
    """Print nested facts: scalars as lines, lists of records as grids."""
    for name, value in facts.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            if any(isinstance(v, (list, dict)) for v in value[0].values()):
                for item in value:
                    own.say(indent + "[bold]{name}[/]", name=name)
                    show_facts(own, item, indent + "  ")
            else:
                columns = list(value[0])
                own.console.print(grid(name, columns, [[item.get(c) for c in columns] for item in value]))
        elif isinstance(value, dict):
            pairs = ", ".join(f"{k}={shown(v)}" for k, v in value.items())
            own.say(indent + "[bold]{name}[/]: {pairs}", name=name, pairs=pairs)
        else:
            own.say(indent + "[bold]{name}[/]: {value}", name=name, value=value)


def verify_command(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="a silver table")],
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="a moment, UTC")
    ] = None,
    pipeline: PipelineOption = None,
) -> None:
    """Rebuild a table from bronze and compare it with the live one, row for row, by hash."""
    own: Context = context.obj
    found = compare(own.workspace(own.only_pipeline(pipeline)), table, as_of.replace(tzinfo=UTC) if as_of else None)
    facts = asdict(found) | {"equal": found.equal}
    own.answer(facts, lambda: show_facts(own, facts))
    if not found.equal:
        raise typer.Exit(AccountingError.exit_code)


def sql_command(
    context: typer.Context,
    statement: Annotated[str, typer.Argument(help="a SELECT; give table names in full")],
    pipeline: PipelineOption = None,
) -> None:
    """Ask the warehouse (locally: the local Snowflake server); reading only."""
    own: Context = context.obj
    with open_warehouse(own.environment(), own.secrets, pipeline or "sql") as warehouse:
        columns, rows = run_query(warehouse.connect(), statement)
    facts = [dict(zip(columns, r, strict=True)) for r in rows]
    own.answer(facts, lambda: own.console.print(grid("", columns, [list(r) for r in rows])))


def grants_command(context: typer.Context, pipeline: PipelineOption = None) -> None:
    """Write the SQL that lets `publication.bi_role` read the views (and only `cleared_role` personal data) for an administrator."""
    own: Context = context.obj
    loaded = own.pipeline(own.only_pipeline(pipeline))
    declared = loaded.spec
    role = declared.publication.bi_role
    if role is None:
        raise ConfigError("no role is declared that may read the views", then="add `bi_role:` under `publication:`")
    views = [m for m in declared.marts if m.publish]
    target, cleared = target_of(declared.publication), declared.publication.cleared_role
    statements = grants(target, [m.mart for m in views], role)
    if cleared:
        pii = [PiiColumn(m.mart, n, t) for m in views for n, t in sorted(personal_columns(loaded, m).items())]
        statements = governance_sql(target, [m.mart for m in views], pii, bi_role=role, cleared_role=cleared)

    def show() -> None:
        for statement in statements:
            own.say("{statement};", statement=statement)

    own.answer(statements, show)
