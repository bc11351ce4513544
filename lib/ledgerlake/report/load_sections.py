"""What was loaded, in HTML: fates, batches, quarantine and steps."""

from __future__ import annotations

from collections.abc import Sequence

from ledgerlake.report.charts import FATES, duration_bar, fate_bar
from ledgerlake.report.figures import NONE, count, duration
from ledgerlake.report.markup import EMPTY, Column, Markup, join, table, tag
from ledgerlake.report.page import BatchRow, Fates, QuarantineRow, StepRow
from ledgerlake.report.sections import section

_COUNTS = [Column(name.capitalize(), "number") for name in ("read", *FATES, "held")]


def legend(*names: str) -> Markup:
    """Return what the colours mean; each is called as its class."""
    return legend_of([(n, n) for n in names])


def legend_of(pairs: Sequence[tuple[str, str]]) -> Markup:
    """Return what the colours mean, as (class, name)."""
    swatch = '<svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{}" width="10" height="10" rx="2"/></svg>'
    return tag("ul", *(tag("li", Markup(swatch.format(tone)), name) for tone, name in pairs), class_="legend")


def fates(found: tuple[Fates, ...]) -> Markup:
    """Return what became of the changes, table by table."""
    if not found:
        return EMPTY
    columns = [Column("Table"), Column("Share of the changes read", "picture"), *_COUNTS, Column("Accounted")]
    rows = [(f.table, fate_bar(f.counts), *_figures(f), _balance(f)) for f in found]
    return section(
        "Changes by table",
        legend(*FATES),
        table(columns, rows, "Changes by table"),
        note="Every bar is the whole of what was read for its table; a part that exists is always visible.",
    )


def _figures(row: Fates | BatchRow) -> tuple[str, ...]:
    return tuple(count(getattr(row.counts, name)) for name in ("read", *FATES, "held"))


def _balance(row: Fates | BatchRow) -> Markup:
    """Return the mark of the accounting identity."""
    if row.counts.balanced:
        return tag("span", "✓ holds", class_="yes")
    return tag("span", "✕ does not add up", class_="no")


def batches(found: tuple[BatchRow, ...]) -> Markup:
    """Return the batches, in the order loaded."""
    if not found:
        return EMPTY
    figures = [Column(name.capitalize(), "number") for name in ("objects", "read", *FATES)]
    columns = [
        Column("Table and batch"), *figures, Column("Accounted", "short"),
        Column("Positions, extracted (UTC)", "short"),
        Column("Bronze", "number"), Column("Silver", "number"), Column("Time", "number"),
    ]  # fmt: skip
    note = "read = applied + superseded + duplicate + quarantined; held rows are part of the quarantined."
    return section("Batches", table(columns, [_batch(row) for row in found], "Batches"), note=note)


def _batch(row: BatchRow) -> tuple[object, ...]:
    counts = row.counts
    held = tag("span", f"{count(counts.held)} held", class_="under") if counts.held else EMPTY
    time = NONE if row.milliseconds is None else duration(row.milliseconds / 1000)
    return (
        _identity(row), count(row.objects), count(counts.read), count(counts.applied), count(counts.superseded),
        count(counts.duplicate), join([count(counts.quarantined), held]), _balance(row), _covered(row),
        _version(row.bronze_version), _version(row.silver_version), time,
    )  # fmt: skip


def _identity(row: BatchRow) -> Markup:
    kind = " · from quarantine" if row.kind == "release" else ""
    reason = tag("span", f"quarantined whole: {row.reason}", class_="no under") if row.reason else EMPTY
    return join([row.table, kind, tag("span", row.batch_id, class_="under code"), reason])


def _covered(row: BatchRow) -> Markup:
    """Return the range of positions above that of extraction; nothing for a batch refused whole."""
    if row.positions is None or row.extracted is None:
        return Markup(NONE)
    times = [end[:19] for end in row.extracted]  # to the second
    positions = join((shortened(end) for end in dict.fromkeys(row.positions)), "\n")
    return join(
        [
            tag("span", positions, class_="lines code", title=" – ".join(row.positions)),
            tag("span", " – ".join(dict.fromkeys(times)), class_="under"),
        ]
    )


def shortened(text: str, most: int = 30) -> str:
    """Return ``text`` with its middle left out where it is long: its end tells it from others."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def _version(version: int | None) -> str:
    return NONE if version is None else f"v{version}"


def quarantine(found: tuple[QuarantineRow, ...]) -> Markup:
    """Return why rows wait in quarantine, table by table."""
    if not found:
        return section("Open quarantine", tag("p", "Everything that was delivered was taken."))
    columns = [
        Column("Table"), Column("Reason"), Column("State"), Column("How many", "number"),
        Column("New in this run", "number"), Column("Since", "short"),
    ]  # fmt: skip
    rows = [(r.table, r.reason, r.state, count(r.rows), count(r.new), r.since) for r in found]
    return section(
        "Open quarantine", table(columns, rows, "Open quarantine"),
        note="Refused rows broke a rule, held rows wait for a parent; one row may have several reasons. Objects and"
        " batches were refused whole. `ledgerlake quarantine list` says how to proceed.",
    )  # fmt: skip


def steps(found: tuple[StepRow, ...]) -> Markup:
    """Return the steps in the order they ended, with their time as bars."""
    if not found:
        return EMPTY
    longest = max(step.seconds for step in found)
    columns = [
        Column("Step"),
        Column("Subject"),
        Column("Time", "picture"),
        Column("", "number"),
        Column("Result"),
    ]
    rows = [(s.stage, s.subject, duration_bar(s.seconds, longest), duration(s.seconds), s.result) for s in found]
    note = "In the order they ended; tables are worked on side by side, so times may overlap."
    return section("Steps", table(columns, rows, "Steps"), note=note)
