"""Declared charts as inline SVG: one bar a point, one class a group."""

from __future__ import annotations

from decimal import Decimal

from ledgerlake.report.charts import heights
from ledgerlake.report.load_sections import legend_of
from ledgerlake.report.markup import EMPTY, Markup, tag
from ledgerlake.report.page import Series
from ledgerlake.report.sections import section

WIDTH, HEIGHT, TOP, BOTTOM = 560, 150, 18, 18
CLASSES = ("applied", "quarantined", "superseded", "duplicate")
"""The page's four tones; a fifth group shares the last."""


def charts(found: tuple[Series, ...]) -> Markup:
    """Return every declared chart, beside each other."""
    if not found:
        return EMPTY
    figures = [_figure(series) for series in found]
    return section("As served", tag("div", *figures, class_="wide"), note="Declared charts of published marts.")


def _figure(series: Series) -> Markup:
    groups = sorted({g for _, _, g in series.points if g})
    tones = {g: CLASSES[min(n, len(CLASSES) - 1)] for n, g in enumerate(groups)}
    key = legend_of([(tones[g], g) for g in groups]) if groups else EMPTY
    caption = tag("figcaption", tag("strong", series.title), tag("span", series.mart))
    return tag("figure", caption, key, series_chart(series, tones))


def series_chart(series: Series, tones: dict[str, str]) -> Markup:
    """Return a series as bars; each bar carries its figures as text."""
    if not series.points:
        return tag("p", "nothing to show yet", class_="note")
    values = [y for _, y, _ in series.points]
    zero, sized = heights(values, HEIGHT - TOP - BOTTOM)
    slot = WIDTH / len(values)
    bars = [
        tag(
            "rect", tag("title", f"{x}{f' {g}' if g else ''}: {_figure_text(y)}"), class_=tones.get(g, CLASSES[0]),
            x=f"{n * slot + slot * 0.1:.1f}", y=f"{TOP + zero - max(height, 0):.1f}", width=f"{slot * 0.8:.1f}",
            height=f"{abs(height):.1f}",
        )
        for n, ((x, y, g), height) in enumerate(zip(series.points, sized, strict=True))
    ]  # fmt: skip
    line = tag("line", class_="axis", x1=0, x2=WIDTH, y1=f"{TOP + zero:.1f}", y2=f"{TOP + zero:.1f}")
    peak = tag("text", f"up to {_figure_text(max(values))}", class_="tick", x=0, y=11)
    ends = [
        tag("text", series.points[i][0], class_="tick", x=x, y=HEIGHT - 4, text_anchor=anchor)
        for i, x, anchor in ((0, 0, "start"), (-1, WIDTH, "end"))
    ]
    label = f"{series.title}: {len(values)} points from {series.points[0][0]} to {series.points[-1][0]}"
    return tag(
        "svg", tag("title", label), *bars, line, peak, *(ends if len(values) > 1 else ends[:1]),
        class_="books", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label,
    )  # fmt: skip


def _figure_text(value: Decimal) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
