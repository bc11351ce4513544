"""The whole report as one HTML document."""

from __future__ import annotations

from ledgerlake.report import load_sections as load
from ledgerlake.report import sections as head
from ledgerlake.report import series
from ledgerlake.report import serve_sections as serve
from ledgerlake.report.markup import Markup, join, tag
from ledgerlake.report.page import Page
from ledgerlake.report.style import CSS

FOOTER = "Written by ledgerlake from its control tables; it holds no row values and no personal data."


def render(page: Page) -> str:
    """Return the page as a self-contained HTML document."""
    return join([Markup("<!doctype html>\n"), tag("html", _head(page), _body(page), lang="en")])


def _head(page: Page) -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{page.title} · {page.status}"),
        tag("style", Markup(CSS)),
    )


def _body(page: Page) -> Markup:
    return tag("body", tag(
        "main",
        head.header(page),
        head.alert(page.alert),
        head.tiles(page.tiles),
        head.recent_runs(page.runs),
        serve.reconciliation(page.reconciliation),
        series.charts(page.charts),
        load.fates(page.fates),
        serve.gates(page.gates),
        load.quarantine(page.quarantine),
        serve.publication(page.publication),
        load.batches(page.batches),
        load.steps(page.steps),
        tag("footer", FOOTER),
    ))  # fmt: skip
