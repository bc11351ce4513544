"""The ``ledgerlake`` command. Exit codes: see ``ledgerlake.errors`` and ``ledgerlake --help``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ledgerlake.cli import alerting, asking, explaining, looking, quarantining, retaining, running, showing
from ledgerlake.cli.context import Context
from ledgerlake.errors import NOWHERE
from ledgerlake.ops.unexpected import typed
from ledgerlake.ports.private import owner_only

EPILOG = (
    "Exit codes: 0 done or nothing to do · 2 configuration · 3 source or contract · 4 blocked by a gate"
    " · 5 accounting · 6 publication · 7 not found · 8 done, but something delivered was not taken · 75 try again later · 1 anything unexpected."
)

app = typer.Typer(
    name="ledgerlake",
    help="From change feeds to validated, published marts: Spark on demand, nothing in between.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def common(
    context: typer.Context,
    environment: Annotated[
        str, typer.Option("--env", "-e", help="conf/environments/NAME.yml", envvar="LEDGERLAKE_ENV")
    ] = "local",
    project: Annotated[
        Path, typer.Option("--project", help="folder that holds conf/ and dq_suites/", envvar="LEDGERLAKE_PROJECT")
    ] = Path(),
    json: Annotated[bool, typer.Option("--json", help="answer in JSON, for machines")] = False,
) -> None:
    """Options that every command shares; they stand before the command's name."""
    context.obj = Context(project=project, environment_name=environment, as_json=json)


for module in (running, looking, asking, explaining, alerting, quarantining, retaining, showing):
    module.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error becomes one clear line and an exit code."""
    owner_only()
    try:
        app(args=arguments, standalone_mode=True)
    except Exception as raised:
        error = typed(raised, NOWHERE, _project(arguments or sys.argv) / ".local" / "errors")
        own = Context(Path(), "")
        own.say("[bold red]{kind}[/] {error}", to=own.errors, kind=type(error).__name__, error=error)
        raise SystemExit(error.exit_code) from None


def _project(arguments: list[str]) -> Path:
    """Return the project's folder as the arguments or the environment name it: whatever failed, it is known here."""
    for given, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if given == "--project":
            return Path(following)
        if given.startswith("--project="):
            return Path(given.partition("=")[2])
    return Path(os.environ.get("LEDGERLAKE_PROJECT", "."))
