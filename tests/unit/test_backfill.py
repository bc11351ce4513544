"""How a range of days is cut into runs: the same cuts each time, so that a repeated backfill finds what is finished."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from ledgerlake.ops.backfill import days_between, spans

YEAR = (date(2024, 1, 1), date(2024, 12, 31))


def test_one_day_a_run_by_default_is_every_day() -> None:
    assert spans(*YEAR, 1) == [(d, d) for d in days_between(*YEAR)]


@pytest.mark.parametrize("days", [2, 7, 31, 366, 1000])
def test_runs_cover_every_day_once(days: int) -> None:
    cut = spans(*YEAR, days)
    assert [d for first, last in cut for d in days_between(first, last)] == days_between(*YEAR)
    assert all((last - first) < timedelta(days=days) for first, last in cut)
