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
    name: Annotated[str, typer.Argument(help="a pipeline that has a demo, or all")] = "ledgerbox",
    small: Annotated[bool, typer.Option("--small", help="a few hundred changes instead of 200,000")] = False,
) -> None:
    """Play a pipeline's days on this machine: sources, lake, gates, Snowflake, traces."""
    from ledgerlake.demo.demos import demos_of
    from ledgerlake.demo.stage import tell

    own: Context = context.obj
    stages = tell(own.project, own.console, demos_of(name), small=small)
    if len(stages) > 1:
        own.console.print(f"{len(stages)} demos, pipeline time {sum(s.seconds for s in stages):.0f} s")


def bench_command(
    context: typer.Context,
    rounds: Annotated[int, typer.Option(help="measured rounds after one warm-up")] = 3,
    rows: Annotated[int, typer.Option(help="rows in the target")] = 5_000_000,
    readers_only: Annotated[bool, typer.Option("--readers-only", help="measure only how feeds read")] = False,
    feed: Annotated[list[str] | None, typer.Option(help="only this feed's reader; may be repeated")] = None,
    memory: Annotated[bool, typer.Option("--memory", help="measure only the memory of a large load")] = False,
    scale: Annotated[bool, typer.Option("--scale", help="measure only what sizes a cluster for tax_ledger")] = False,
) -> None:
    """Measure loads beside appends and merges, readers beside Spark's, interleaved, as ratios."""
    from ledgerlake.bench.compare import bench, bench_memory, bench_readers_only

    own: Context = context.obj
    if scale:
        from ledgerlake.bench.scale import bench_scale

        bench_scale(own.project, own.console)
    elif memory:
        bench_memory(own.project, own.console)
    elif readers_only or feed:
        bench_readers_only(own.project, own.console, rounds=rounds, feeds=tuple(feed or ()))
    else:
        bench(own.project, own.console, rounds=rounds, rows=rows)
