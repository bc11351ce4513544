"""Backfills: a range of logical dates, one run each, oldest first; finished days cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run
from ledgerlake.ops.serve import Publish


def days_between(first: date, last: date) -> list[date]:
    """Return the days from ``first`` to ``last``, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def backfill(
    open_workspace: Callable[[], Workspace], first: date, last: date, publish: Publish, progress: Callable[[], Progress]
) -> Iterator[RunReport]:
    """Yield each day's report; stops after the first day that failed or was blocked.

    A repeated backfill recognises finished days from control tables and goes on where it stopped.
    """
    for day in days_between(first, last):
        report = run(open_workspace(), day, publish, progress())
        yield report
        if report.error is not None:
            return
