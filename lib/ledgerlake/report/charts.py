"""The report's charts as inline SVG: pure functions from figures to pictures.

Colours come from the page's style by class, so that a chart follows the reader's light or dark
theme. Every chart carries its figures as text for those who do not see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ledgerlake.core.accounting import Counts
from ledgerlake.report.figures import count, duration, money
from ledgerlake.report.markup import Markup, join, tag
from ledgerlake.report.page import CurrencyBooks, DayBooks

FATES = ("applied", "superseded", "duplicate", "quarantined")
BAR_WIDTH = 1000
LEAST_WIDTH = 8  # of what exists at all: one refused row in a million must still be seen


def shares(values: Sequence[int], width: int = BAR_WIDTH, least: int = LEAST_WIDTH) -> list[float]:
    """Return the width of each value in a bar of ``width``; together they fill it exactly.

    What is not zero gets at least ``least``; the others give that up in proportion. All zero
    gives all zero. ``least`` times the number of values must not exceed ``width``.
    """
    total = sum(values)
    if not total:
        return [0.0] * len(values)
    small = {i for i, value in enumerate(values) if 0 < value * width < least * total}
    rest = sum(value for i, value in enumerate(values) if i not in small)
    left = width - least * len(small)
    return [float(least) if i in small else left * value / rest for i, value in enumerate(values)]


def fate_bar(counts: Counts) -> Markup:
    """Return what became of a table's changes as one bar of its read changes."""
    values = [getattr(counts, fate) for fate in FATES]
    words = ", ".join(f"{count(v)} {fate}" for fate, v in zip(FATES, values, strict=True))
    rects, x = [], 0.0
    for fate, width in zip(FATES, shares(values), strict=True):
        if width:
            rects.append(_rect(fate, x, 0, width, 10))
        x += width
    return _bar(f"{count(counts.read)} read: {words}", *rects)


def duration_bar(seconds: float, longest: float) -> Markup:
    """Return a step's time as a bar, against the longest step's."""
    width = BAR_WIDTH * seconds / longest if longest else 0.0
    return _bar(duration(seconds), _rect("time", 0, 0, max(width, 2.0), 10))


def _bar(label: str, *rects: Markup) -> Markup:
    return tag(
        "svg", tag("title", label), *rects,
        class_="bar", viewBox=f"0 0 {BAR_WIDTH} 10", preserveAspectRatio="none", role="img", aria_label=label,
    )  # fmt: skip


def _rect(class_: str, x: float, y: float, width: float, height: float) -> Markup:
    return tag("rect", class_=class_, x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}")


WIDTH, HEIGHT, TOP, BOTTOM = 210, 120, 16, 18  # of one currency's chart, in SVG units, about pixels


def heights(values: Sequence[Decimal], height: float) -> tuple[float, list[float]]:
    """Return the zero line's distance from the top, and each value's height with its sign.

    Money becomes a float here only to become pixels.
    """
    top, bottom = max([*values, Decimal(0)]), min([*values, Decimal(0)])
    span = top - bottom
    if not span:
        return height, [0.0] * len(values)
    scale = Decimal(height) / span
    return float(top * scale), [float(value * scale) for value in values]


def books_chart(books: CurrencyBooks) -> Markup:
    """Return what was due and what was settled per day, two bars a day, of one currency."""
    values = [amount for day in books.days for amount in (day.due, day.settled)]
    zero, sized = heights(values, HEIGHT - TOP - BOTTOM)
    slot = WIDTH / len(books.days)
    days = [
        _day(day, (sized[2 * i], sized[2 * i + 1]), (i * slot, slot), TOP + zero) for i, day in enumerate(books.days)
    ]
    line = tag("line", class_="axis", x1=0, x2=WIDTH, y1=f"{TOP + zero:.1f}", y2=f"{TOP + zero:.1f}")
    label = f"{books.currency}: due and settled on {len(books.days)} days"
    return tag(
        "svg", tag("title", label), line, *days, _dates(books.days, slot),
        class_="books", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
        aria_label=f"{label}. {_in_words(books)}",
    )  # fmt: skip


def _day(day: DayBooks, sized: tuple[float, float], place: tuple[float, float], zero: float) -> Markup:
    """Return a day's two bars; a day out of balance is marked by a sign, not by colour alone."""
    left, slot = place
    width = min(slot * 0.36, 22.0)
    middle = left + slot / 2
    bars = [
        _rect(name, x, zero - max(height, 0), width, abs(height))
        for name, x, height in zip(("due", "settled"), (middle - width - 1, middle + 1), sized, strict=True)
    ]
    sign = "" if day.balanced else tag("text", "≠", class_="off", x=f"{middle:.1f}", y=11, text_anchor="middle")
    return tag("g", tag("title", _day_in_words(day)), *bars, sign)


def _dates(days: Sequence[DayBooks], slot: float) -> Markup:
    """Return the days' names; only the outermost, set flush, where all of them would touch."""
    if len(days) > 4:
        return join([_date(days[0], 0, "start"), _date(days[-1], WIDTH, "end")])
    return join(_date(day, (i + 0.5) * slot, "middle") for i, day in enumerate(days))


def _date(day: DayBooks, x: float, anchor: str) -> Markup:
    return tag("text", day.day[5:], class_="tick", x=f"{x:.1f}", y=HEIGHT - 4, text_anchor=anchor)


def _in_words(books: CurrencyBooks) -> str:
    return "; ".join(
        f"{day.day}: due {money(day.due, books.currency)}, settled {money(day.settled, books.currency)}"
        for day in books.days
    )


def _day_in_words(day: DayBooks) -> str:
    state = "in balance" if day.balanced else "out of balance"
    return f"{day.day}: due {day.due:,}, settled {day.settled:,}, {state}"
