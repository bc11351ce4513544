"""Commands for what was not taken: list, show, release, dismiss."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from ledgerlake.cli.context import Context
from ledgerlake.cli.door import grid
from ledgerlake.cli.looking import PipelineOption, show_facts
from ledgerlake.errors import ConfigError, NotFoundError
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.decisions import DISMISSED, REQUESTED, decide
from ledgerlake.ops.untaken import open_quarantine, reasons, untaken

Ids = Annotated[list[str] | None, typer.Argument(help="ids of rows, batches or objects, as `quarantine list` and `show` give them")]
Reason = Annotated[str, typer.Option("--reason", help="why; it stays on record")]

quarantine = typer.Typer(
    help="What was delivered and not taken: objects, batches and rows, whole, with their reasons.", no_args_is_help=True
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
    """Count rows by table and reason, and name quarantined batches and refused objects, with how to proceed."""
    own, workspace = _open(context, pipeline)
    left = untaken(workspace, table)
    facts = {
        "rows": [{"table": t, "state": s, "reason": why, "rows": n} for (t, s, why), n in reasons(left.rows)],
        "batches": [{"id": b["batch_id"], "table": b["table"], "reason": b["reason"]} for b in left.batches],
        "objects": [
            {"id": o.id, "table": o.table, "object": o.refused.source_name, "reason": o.refused.reason}
            for o in left.objects
        ],
    }  # fmt: skip

    def show() -> None:
        for name, found in facts.items():
            if found:
                own.console.print(grid(name, list(found[0]), [list(f.values()) for f in found]))
        if not any(facts.values()):
            own.console.print("everything that was delivered was taken")
        else:
            own.console.print(
                "A mended declaration judges batches and objects again with the next run. Else: `quarantine release ID…`"
                " (judge it again), `quarantine dismiss ID… --reason …` (never take it), `quarantine show TABLE` (rows' ids).",
                markup=False, soft_wrap=True,
            )  # fmt: skip

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
    ids: Ids = None,
    table: Annotated[str | None, typer.Option("--table", help="everything open of a table")] = None,
    reason: Reason = "",
    pipeline: PipelineOption = None,
) -> None:
    """Ask for rows, batches or objects to be judged again by the next run, after what was wrong was mended."""
    _decide(context, REQUESTED, ids, table, pipeline, reason, "the next run judges again what was asked for")


@quarantine.command("dismiss")
def dismiss_command(
    context: typer.Context,
    ids: Ids = None,
    table: Annotated[str | None, typer.Option("--table", help="everything open of a table")] = None,
    reason: Reason = "",
    pipeline: PipelineOption = None,
) -> None:
    """Close rows, batches or objects for good: they stay on record, are never taken, and no run speaks of them again."""
    if not reason:
        raise ConfigError("why?", then="add --reason: it is what an auditor will read")
    _decide(context, DISMISSED, ids, table, pipeline, reason, "they stay on record")


def _decide(
    context: typer.Context, action: str, ids: list[str] | None, table: str | None, pipeline: str | None, reason: str,
    then: str,
) -> None:  # fmt: skip
    own, workspace = _open(context, pipeline)
    if not ids and not table:
        raise ConfigError("what?", then="give ids (see `quarantine list` and `quarantine show`), or --table")
    chosen = [s for s in untaken(workspace, table).subjects() if not ids or s.id in ids]
    unknown = set(ids or ()) - {s.id for s in chosen}
    if unknown or not chosen:
        raise NotFoundError(f"nothing open: {sorted(unknown) or table}", then="see `ledgerlake quarantine list`")
    done, earlier = decide(workspace, chosen, action, getpass.getuser(), reason)
    facts = {
        "action": action, "decided": [s.id for s in done],
        "decided_before": [{"id": i, **{k: r[k] for k in ("action", "who", "reason", "recorded_at")}} for i, r in earlier.items()],
    }  # fmt: skip

    def show() -> None:
        own.say("{n} {action}; {then}", n=len(done), action=action, then=then)
        for i, r in earlier.items():
            own.say("{id}: {who} decided before, and that holds: {action}", id=i, who=r["who"], action=r["action"])

    own.answer(facts, show)
    if earlier and not done:
        raise typer.Exit(NotFoundError.exit_code)
