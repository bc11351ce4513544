"""Writes a run's report."""

from __future__ import annotations

from pathlib import Path

from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.run import RunReport
from ledgerlake.report.build import build_page
from ledgerlake.report.document import render
from ledgerlake.report.facts import collect


def write_report(report: RunReport, workspace: Workspace, path: Path | str) -> Path:
    """Write one run's report as a single HTML file and return its path.

    The file needs nothing beside itself: no script, no font, no picture, no network. Missing
    folders are made; an existing file is replaced whole.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.part")
    unfinished.write_text(render(build_page(collect(report, workspace))), encoding="utf-8")
    unfinished.replace(target)
    return target
