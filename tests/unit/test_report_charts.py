"""Charts: bars that fill their width, parts that can be seen, and books with a zero line."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgerlake.core.accounting import Counts
from ledgerlake.report.charts import (
    BAR_WIDTH,
    LEAST_WIDTH,
    books_chart,
    duration_bar,
    fate_bar,
    heights,
    shares,
)
from ledgerlake.report.page import CurrencyBooks, DayBooks


def day(name: str, captured: str, settled: str, *, off: str = "0") -> DayBooks:
    nothing = Decimal(0)
    return DayBooks(
        name,
        Decimal(captured),
        nothing,
        nothing,
        Decimal(settled),
        nothing,
        Decimal(off),
        1 if off != "0" else 0,
    )


def test_a_bar_is_shared_in_proportion() -> None:
    assert shares([3, 1, 0], width=100, least=1) == [75.0, 25.0, 0.0]


def test_one_refused_row_in_a_million_is_still_seen() -> None:
    assert shares([999_999, 1]) == [BAR_WIDTH - LEAST_WIDTH, LEAST_WIDTH]


def test_nothing_read_is_an_empty_bar() -> None:
    assert shares([0, 0, 0, 0]) == [0.0, 0.0, 0.0, 0.0]
    assert "<rect" not in fate_bar(Counts())


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=4).filter(any))
def test_a_bar_is_always_full_and_hides_no_part(values: list[int]) -> None:
    widths = shares(values)

    assert sum(widths) == pytest.approx(BAR_WIDTH)
    assert [w > 0 for w in widths] == [v > 0 for v in values]
    assert all(w >= LEAST_WIDTH / 2 for w in widths if w)


def test_a_bar_says_its_figures_in_words() -> None:
    assert "1,200 read: 1,000 applied, 0 superseded, 150 duplicate, 50 quarantined" in fate_bar(
        Counts(1200, 1000, 0, 150, 50)
    )


def test_the_longest_step_fills_the_bar_and_none_disappears() -> None:
    assert 'width="1000.0"' in duration_bar(8.0, 8.0)
    assert 'width="2.0"' in duration_bar(0.0, 8.0)
    assert "<rect" in duration_bar(0.0, 0.0)


def test_amounts_above_and_below_zero_share_one_scale() -> None:
    assert heights([Decimal(30), Decimal(-10)], 100) == (75.0, [75.0, -25.0])


def test_days_without_an_amount_have_no_height() -> None:
    assert heights([Decimal(0), Decimal(0)], 100) == (100, [0.0, 0.0])


def test_a_day_out_of_balance_carries_a_sign() -> None:
    balanced = books_chart(CurrencyBooks("EUR", (day("2026-03-01", "10", "10"),)))
    broken = books_chart(CurrencyBooks("EUR", (day("2026-03-01", "10", "9", off="1"),)))

    assert "≠" not in balanced
    assert "≠" in broken
    assert "2026-03-01: due 10.00, settled 9.00" in broken


def test_many_days_name_only_the_first_and_the_last() -> None:
    chart = books_chart(CurrencyBooks("JPY", tuple(day(f"2026-03-{n:02}", "1", "1") for n in range(1, 15))))

    assert [f"03-{n:02}<" in chart for n in (1, 2, 13, 14)] == [True, False, False, True]
