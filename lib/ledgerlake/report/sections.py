"""The head of the report in HTML: what the run is, whether it is well, and its summary."""

from __future__ import annotations

from ledgerlake.report.markup import EMPTY, Markup, join, tag
from ledgerlake.report.page import Alert, Page, Reason, RunMark, Tile

STATUS_TONES = {"published": "good", "unchanged": "calm", "blocked": "bad", "failed": "bad"}
STATUS_SIGNS = {"published": "✓", "unchanged": "=", "blocked": "✕", "failed": "!"}


def section(title: str, *content: object, note: str = "") -> Markup:
    """Return one titled part of the page; ``note`` says how to read it."""
    words = tag("p", note, class_="note") if note else EMPTY
    return tag("section", tag("h2", title), words, *content)


def badge(words: str, tone: str) -> Markup:
    """Return a status in words on its colour."""
    return tag("span", words, class_=f"badge {tone}")


def status_badge(status: str) -> Markup:
    """Return a run's status with its sign."""
    return badge(f"{STATUS_SIGNS.get(status, '?')} {status}", STATUS_TONES.get(status, "calm"))


def header(page: Page) -> Markup:
    """Return the run's name, status and identity."""
    pairs = [tag("div", tag("dt", name), tag("dd", value)) for name, value in page.facts]
    message = tag("p", page.message.capitalize(), ".", class_="soft") if page.message else EMPTY
    return tag(
        "header",
        tag("div", tag("h1", page.title), status_badge(page.status), class_="title"),
        tag("p", page.description, class_="soft"),
        message,
        tag("dl", *pairs, class_="facts"),
    )


def alert(found: Alert | None) -> Markup:
    """Return why nothing new was published, what stays served and what to do next."""
    if found is None:
        return EMPTY
    then = tag("p", tag("strong", "Next: "), commands(found.then), ".") if found.then else EMPTY
    reasons = tag("ul", *(tag("li", _reason(r)) for r in found.reasons))
    return tag(
        "section", tag("h2", found.title), reasons, tag("p", found.served, class_="served"), then,
        class_="alert", role="alert",
    )  # fmt: skip


def commands(words: str) -> Markup:
    """Return words in which whatever stands between backticks is shown as code."""
    parts = words.split("`")
    return join(tag("code", part) if i % 2 else part for i, part in enumerate(parts))


def _reason(reason: Reason) -> Markup:
    subject = join([tag("strong", reason.subject), " · "]) if reason.subject else EMPTY
    detail = tag("span", reason.detail, class_="under") if reason.detail else EMPTY
    return join([subject, reason.what, detail])


def tiles(found: tuple[Tile, ...]) -> Markup:
    """Return the summary."""
    return tag("div", *(_tile(tile) for tile in found), class_="tiles")


def _tile(tile: Tile) -> Markup:
    return tag(
        "div",
        tag("span", tile.label),
        tag("b", tile.value),
        tag("span", tile.note),
        class_=f"tile {tile.tone}",
    )


def recent_runs(marks: tuple[RunMark, ...]) -> Markup:
    """Return the strip of recent runs, oldest first."""
    return section("Recent runs", tag("ol", *(_mark(mark) for mark in marks), class_="runs"))


def _mark(mark: RunMark) -> Markup:
    tone = STATUS_TONES.get(mark.status, "calm")
    words = f"{mark.status}: {mark.run_id}" + (" (this run)" if mark.is_this else "")
    sign = STATUS_SIGNS.get(mark.status, "?")
    current = "true" if mark.is_this else None
    return tag(
        "li", f"{mark.date[5:]} {sign}",
        class_=f"{tone} this" if mark.is_this else tone, title=words,
        aria_label=f"{mark.date} {words}", aria_current=current,
    )  # fmt: skip
