"""Declared charts in the report: a bar for each point, its figures as text, a colour for each group."""

from __future__ import annotations

from decimal import Decimal

from ledgerlake.report.page import Series
from ledgerlake.report.series import charts

DAYS = (
    ("2026-03-01", Decimal("40"), "weekend"),
    ("2026-03-02", Decimal("1234.5"), "weekday"),
    ("2026-03-03", Decimal("-7.25"), "weekday"),
)


def test_every_point_is_a_bar_that_says_its_figure() -> None:
    text = str(charts((Series("Sales", "daily", DAYS),)))
    assert text.count("<rect") == len(DAYS) + 2, "three bars, and the two colours of the legend"
    assert all(
        words in text for words in ("2026-03-01 weekend: 40", "2026-03-02 weekday: 1,23", "2026-03-03 weekday: -7.25")
    )


def test_a_chart_without_points_says_so() -> None:
    assert "nothing to show yet" in str(charts((Series("Sales", "daily", ()),)))


def test_without_charts_there_is_no_section() -> None:
    assert str(charts(())) == ""
