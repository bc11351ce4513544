"""Mastering as a stage of a run: after tables are loaded, before marts are built."""

from __future__ import annotations

from ledgerlake.lake.masters import MasterBuilder
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.progress import Progress


def build_masters(workspace: Workspace, run_id: str, progress: Progress) -> None:
    """Bring every master up to date; one whose histories did not change costs a look at control tables."""
    builder = MasterBuilder(workspace, run_id)
    for master in workspace.pipeline.spec.masters:
        if not builder.pending(master):
            continue
        with progress.step("master", master.master) as words:
            rows = builder.build(master)
            words.append(" · ".join(f"{n:,} {what}" for what, n in rows.items()))
