"""The command that removes what nobody will read again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledgerlake.cli.context import Context
from ledgerlake.cli.door import grid
from ledgerlake.core.retention import Removal
from ledgerlake.ops.retention import apply, plan


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("retention")(retention_command)


def retention_command(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="a folder of conf/pipelines", show_default=False)],
    really: Annotated[bool, typer.Option("--apply/--dry-run", help="remove, or only show what would go")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="answer in JSON, for machines")] = False,
) -> None:
    """Show what PIPELINE's retention would remove, table by table; with --apply remove it.

    Landed objects older than their table's retention_days, files of Delta tables that no version
    inside the replay window needs, and exports of old publications. Rows are never removed.
    Repeating is safe. --apply takes the lease of a run: while one writes it ends with 75.
    """
    own: Context = context.obj
    own.as_json = own.as_json or as_json
    workspace = own.workspace(pipeline)
    done = apply(workspace) if really else None
    removals = done.removals if done else tuple(plan(workspace))
    facts = {
        "pipeline": pipeline, "applied": done is not None,
        "run_id": done.run_id if done else None, "tables": [_facts(r) for r in removals],
    }  # fmt: skip
    own.answer(facts, lambda: _show(own, facts))


def _facts(item: Removal) -> dict[str, Any]:
    return {
        "table": item.table, "kind": item.kind, "days": item.days, "objects": len(item.gone),
        "bytes": item.size_bytes, "oldest_kept": item.oldest_kept, "note": item.note,
    }  # fmt: skip


def _show(own: Context, facts: dict[str, Any]) -> None:
    shown = [f for f in facts["tables"] if f["objects"] or f["note"].startswith("left alone")]
    word = "removed" if facts["applied"] else "would go"
    if shown:
        columns = ["table", "kind", "days", "objects", "bytes", "note"]
        own.console.print(grid(word, columns, [[f[c] for c in columns] for f in shown]))
    objects, size = (sum(f[n] for f in facts["tables"]) for n in ("objects", "bytes"))
    own.console.print(f"{word}: {objects:,} objects, {size:,} bytes" if objects else "nothing is old enough to go")
    if objects and not facts["applied"]:
        own.console.print("nothing was removed: add --apply")
