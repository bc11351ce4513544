"""The command that shows what alert rules found."""

from __future__ import annotations

from typing import Annotated

import typer

from ledgerlake.cli.context import Context
from ledgerlake.cli.door import grid
from ledgerlake.cli.looking import PipelineOption
from ledgerlake.ops.alert_rules import plain_text, told


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("alerts")(alerts_command)


def alerts_command(
    context: typer.Context,
    pipeline: PipelineOption = None,
    last: Annotated[int, typer.Option(help="how many findings")] = 20,
) -> None:
    """List what the alert rules found in publications, and whether it was sent."""
    own: Context = context.obj
    records = told(own.workspace(own.only_pipeline(pipeline)))[-last:]
    found = [r | {"message": plain_text(r["message"])} for r in records]
    columns = ["alert", "status", "message", "publication_id", "recorded_at"]

    def show() -> None:
        rows = [[f[c] if c != "recorded_at" else f"{f[c]:%Y-%m-%d %H:%M:%S}" for c in columns] for f in found]
        own.console.print(grid("alerts", columns, rows))

    own.answer([{c: f[c] for c in columns} for f in found], show)
