"""Backfills: a range of logical dates, oldest first, one run for each or for some together; finished ones cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run
from ledgerlake.publish.model import Publishing


def days_between(first: date, last: date) -> list[date]:
    """Return the days from ``first`` to ``last``, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def spans(first: date, last: date, days: int) -> list[tuple[date, date]]:
    """Return (first, last) of each run of a backfill, at most ``days`` days each; the same for the same range."""
    starts = days_between(first, last)[::days]
    return [(start, min(start + timedelta(days=days - 1), last)) for start in starts]


def backfill(
    open_workspace: Callable[[], Workspace], first: date, last: date, publishing: Publishing, progress: Callable[[], Progress],
    days_per_run: int = 1,
) -> Iterator[RunReport]:  # fmt: skip
    """Yield each run's report; stops after the first that failed or was blocked.

    A repeated backfill recognises finished days from control tables and goes on where it stopped.
    """
    for start, end in spans(first, last, days_per_run):
        report = run(open_workspace(), end, publishing, progress(), start)
        yield report
        if report.error is not None:
            return
