"""Commands about masters: explain a golden record, and who looked at personal data."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ledgerlake.cli.context import Context, plain
from ledgerlake.cli.door import grid
from ledgerlake.cli.looking import PipelineOption
from ledgerlake.config.load import load_pipeline
from ledgerlake.config.mastering import Master
from ledgerlake.errors import NotFoundError
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.explain import Clearance, explain, master_called


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("explain")(explain_command)
    app.command("access")(access_command)


def explain_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="MASTER", help="a master, or a mart made of one: customer_master")],
    key: Annotated[str, typer.Option("--key", "-k", help="an id, or source:record")],
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="a moment, UTC; default: now"),
    ] = None,
    show_personal: Annotated[bool, typer.Option("--show-personal", help="show personal data; is recorded")] = False,
    reason: Annotated[str, typer.Option(help="why personal data is needed; is recorded")] = "",
    pipeline: PipelineOption = None,
) -> None:
    """Explain why each field of a golden record is what it is: value, source, record, time, rule, losers."""
    own: Context = context.obj
    workspace, master = _opened(own, name, pipeline)
    clearance = Clearance(getpass.getuser(), reason) if show_personal else None
    facts = explain(workspace, master, key, as_of.replace(tzinfo=UTC) if as_of else None, clearance)
    own.answer(facts, lambda: _show(own, facts))


def _opened(own: Context, name: str, pipeline: str | None) -> tuple[Workspace, Master]:
    names = [pipeline] if pipeline else own.pipelines()
    for one in names:
        master = master_called(load_pipeline(own.conf, own.project / "dq_suites", one), name)
        if master is not None:
            return own.workspace(one), master
    raise NotFoundError(f"no master {name!r}", then="declare it under `masters:`, or give --pipeline")


def _show(own: Context, facts: dict[str, Any]) -> None:
    id_ = facts[f"{facts['master']}_id"]
    moment = f"as of {plain(facts['as_of'])}" if facts["as_of"] else "now"
    own.say(
        "[bold]{master} {id}[/] {moment} · publication {publication}",
        master=facts["master"], id=id_, moment=moment, publication=facts["publication_id"],
    )  # fmt: skip
    if facts["merged_into"]:
        own.say("{key} was merged into {id}", key=facts["key"], id=id_)
    rows = []
    for field in facts["fields"]:
        rows.append([field["field"], *(_cell(field[n]) for n in ("value", "source", "record", "time", "rule"))])
        for k in field["losers"]:
            rows.append(["  lost", *(_cell(k[n]) for n in ("value", "source", "record", "time")), f"by {k['lost_by']}"])
    own.console.print(grid("fields", ["field", "value", "source", "record", "since", "rule"], rows))
    columns = ["source", "record", "valid_from", "event", "record_ended"]
    own.console.print(grid("records", columns, [[_cell(r[n]) for n in columns] for r in facts["records"]]))


def _cell(value: Any) -> str | None:
    return None if value is None else str(plain(value))


def access_command(
    context: typer.Context,
    pipeline: PipelineOption = None,
    last: Annotated[int, typer.Option(help="how many")] = 50,
) -> None:
    """List who saw personal data, when and why, newest first."""
    own: Context = context.obj
    columns = ["recorded_at", "who", "master", "key_hash", "as_of", "fields", "reason"]
    rows = own.workspace(own.only_pipeline(pipeline)).control.read("access")[-last:][::-1]
    facts = [{n: r[n] for n in columns} for r in rows]
    own.answer(
        facts, lambda: own.console.print(grid("access", columns, [[_cell(f[n]) for n in columns] for f in facts]))
    )
