"""Commands that show ledgerlake to newcomers and to the curious: demo, bench."""

from __future__ import annotations

from typing import Annotated

import typer

from ledgerlake.cli.context import Context


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("demo")(demo_command)
    app.command("bench")(bench_command)


def demo_command(
    context: typer.Context,
    small: Annotated[bool, typer.Option("--small", help="a few hundred changes instead of 200,000")] = False,
) -> None:
    """Play three LedgerBox days on this machine: sources, lake, gates, Snowflake, traces."""
    from ledgerlake.demo.story import tell

    own: Context = context.obj
    tell(own.project, own.console, small=small)


def bench_command(
    context: typer.Context,
    rounds: Annotated[int, typer.Option(help="measured rounds after one warm-up")] = 3,
    rows: Annotated[int, typer.Option(help="rows in the target")] = 5_000_000,
) -> None:
    """Measure the gated load beside plain appends and documented merges, interleaved, as ratios."""
    from ledgerlake.bench.compare import bench

    own: Context = context.obj
    bench(own.project, own.console, rounds=rounds, rows=rows)
