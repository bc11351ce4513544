"""Questions as of a moment: as-of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from ledgerlake.cli.context import Context
from ledgerlake.cli.door import grid
from ledgerlake.cli.looking import PipelineOption
from ledgerlake.config.personal import MASK, personal_columns
from ledgerlake.ops.as_of import Moments, as_of, chosen

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f"]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("as-of")(as_of_command)


def as_of_command(
    context: typer.Context,
    mart: Annotated[str, typer.Argument(help="a mart")],
    known_at: Annotated[
        datetime | None, typer.Option("--known-at", formats=FORMATS, help="only what was known by then, UTC")
    ] = None,
    effective_at: Annotated[
        datetime | None, typer.Option("--effective-at", formats=FORMATS, help="only what was effective by then, UTC")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="one row's key; several columns joined by commas")] = None,
    where: Annotated[str | None, typer.Option("--where", help="a SQL condition on the mart's columns")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="at most so many rows, by key")] = 1000,
    pipeline: PipelineOption = None,
) -> None:
    """Show a mart as it was known at, and effective at, a moment: the mart's own SQL over rows up to then.

    Personal columns are masked: `ledgerlake explain` shows them to whoever gives a reason.
    """
    own: Context = context.obj
    workspace = own.workspace(own.only_pipeline(pipeline))
    frame = as_of(workspace, mart, Moments(_utc(known_at), _utc(effective_at)))
    declared = workspace.pipeline.mart(mart)
    rows = workspace.engines.rows(chosen(frame, declared, key, where).first(limit, *declared.key))
    hidden = personal_columns(workspace.pipeline, declared)
    facts = [{n: MASK if n in hidden and v is not None else v for n, v in r.items()} for r in rows]
    own.answer(facts, lambda: own.console.print(grid(mart, frame.columns, [list(f.values()) for f in facts])))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
