"""Commands for quarantine: list, show, release, discard."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from ledgerlake.cli.context import Context
from ledgerlake.cli.door import grid
from ledgerlake.cli.looking import PipelineOption, show_facts
from ledgerlake.errors import ConfigError, NotFoundError
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.load import open_quarantine

quarantine = typer.Typer(
    help="Rows and batches that were refused or held, whole, with their reasons.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(quarantine, name="quarantine")


def _open(context: typer.Context, pipeline: str | None) -> tuple[Context, Workspace]:
    own: Context = context.obj
    return own, own.workspace(own.only_pipeline(pipeline))


@quarantine.command("list")
def list_command(
    context: typer.Context,
    table: Annotated[str | None, typer.Option("--table")] = None,
    pipeline: PipelineOption = None,
) -> None:
    """Count rows by table and reason, and name refused objects and batches."""
    own, workspace = _open(context, pipeline)
    rows = open_quarantine(workspace, table)
    counted = Counter((r["table"], r["state"], reason) for r in rows for reason in r["reasons"])
    batches = [
        b
        for b in workspace.control.latest("batches", "batch_id").values()
        if b["status"] == "quarantined" and table in (None, b["table"])
    ]
    objects = [
        (name, r.source_name, r.reason)
        for name, log in workspace.logs.items()
        if table in (None, name)
        for m in log.all()
        for r in m.refused
    ]
    facts = {
        "rows": [{"table": t, "state": s, "reason": why, "rows": n} for (t, s, why), n in counted.most_common()],
        "batches": [{"batch_id": b["batch_id"], "table": b["table"], "reason": b["reason"]} for b in batches],
        "objects": [{"table": t, "object": o, "reason": why} for t, o, why in objects],
    }  # fmt: skip

    def show() -> None:
        for name, found in facts.items():
            if found:
                own.console.print(grid(name, list(found[0]), [list(f.values()) for f in found]))
        if not any(facts.values()):
            own.console.print("nothing is in quarantine")

    own.answer(facts, show)


@quarantine.command("show")
def show_command(
    context: typer.Context,
    table: Annotated[str, typer.Argument()],
    limit: Annotated[int, typer.Option(help="at most so many rows")] = 10,
    values: Annotated[
        bool, typer.Option("--values", help="show the delivered record too; it may hold personal data")
    ] = False,
    pipeline: PipelineOption = None,
) -> None:
    """Show rows with reason and origin; their values only when asked for."""
    own, workspace = _open(context, pipeline)
    wanted = ("quarantine_id", "state", "reasons", "object", "ordinal", "op", "batch_id", *(("raw",) if values else ()))
    facts: dict[str, Any] = {
        "rows": [
            {k: "; ".join(r[k]) if k == "reasons" else r[k] for k in wanted}
            for r in open_quarantine(workspace, table)[:limit]
        ]
    }
    own.answer(facts, lambda: show_facts(own, facts))


@quarantine.command("release")
def release_command(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="quarantine ids")] = None,
    table: Annotated[str | None, typer.Option("--table", help="every open row of a table")] = None,
    pipeline: PipelineOption = None,
) -> None:
    """Ask for rows to be judged again by the next run, after the contract or the parent was mended."""
    _act(context, "requested", ids, table, pipeline, "the next run judges them again")


@quarantine.command("discard")
def discard_command(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="quarantine ids")] = None,
    table: Annotated[str | None, typer.Option("--table", help="every open row of a table")] = None,
    pipeline: PipelineOption = None,
) -> None:
    """Close rows for good: they stay on record, and are no longer open."""
    _act(context, "discarded", ids, table, pipeline, "they stay on record")


def _act(
    context: typer.Context, action: str, ids: list[str] | None, table: str | None, pipeline: str | None, then: str
) -> None:
    own, workspace = _open(context, pipeline)
    if not ids and not table:
        raise ConfigError("which rows?", then="give quarantine ids (see `quarantine show`), or --table")
    rows = open_quarantine(workspace, table)
    chosen = [r for r in rows if not ids or r["quarantine_id"] in ids]
    unknown = set(ids or ()) - {r["quarantine_id"] for r in chosen}
    if unknown or not chosen:
        raise NotFoundError(f"not in quarantine: {sorted(unknown) or table}", then="see `ledgerlake quarantine list`")
    workspace.control.append(
        "releases",
        "cli",
        [{"quarantine_id": r["quarantine_id"], "table": r["table"], "action": action} for r in chosen],
    )
    own.answer(
        {"action": action, "rows": len(chosen)}, lambda: own.console.print(f"{len(chosen)} rows {action}; {then}")
    )
