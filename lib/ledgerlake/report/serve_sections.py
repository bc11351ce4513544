"""What was judged and served, in HTML: gates, publication and reconciliation."""

from __future__ import annotations

from decimal import Decimal

from ledgerlake.report.charts import books_chart
from ledgerlake.report.figures import NONE, count, money, plural
from ledgerlake.report.load_sections import legend
from ledgerlake.report.markup import (
    EMPTY,
    Column,
    Markup,
    join,
    scrolling,
    table,
    table_body,
    table_head,
    tag,
)
from ledgerlake.report.page import (
    CheckRow,
    CurrencyBooks,
    DayBooks,
    GateSection,
    PublicationSection,
    PublishedMart,
    Reconciliation,
)
from ledgerlake.report.sections import badge, section

PARTITIONS_SHOWN = 6
DECISIONS = {
    "pass": ("✓ passed", "good"),
    "warn": ("! passed with warnings", "warn"),
    "block": ("✕ blocked", "bad"),
}
CONSEQUENCES = {"block": "blocks", "quarantine": "sets rows aside", "warn": "warns"}


def gates(found: tuple[GateSection, ...]) -> Markup:
    """Return every gate with its checks, those that block first."""
    if not found:
        return EMPTY
    columns = [
        Column("Check"), Column("Columns"), Column("If it fails", "short"), Column("Result", "short"),
        Column("Found"), Column("Why"),
    ]  # fmt: skip
    bodies = [_gate(gate, columns) for gate in found]
    return section(
        "Gates", scrolling(tag("table", table_head(columns), *bodies), "Gates"),
        note="What is judged is everything that changed since the last publication.",
    )  # fmt: skip


def _gate(gate: GateSection, columns: list[Column]) -> Markup:
    words, tone = DECISIONS[gate.decision]
    version = NONE if gate.version is None else f"version {gate.version}"
    about = tag("span", f" · {version} · suite {gate.suite} · {plural(gate.rows, 'row')}", class_="soft")
    head = tag("th", badge(words, tone), gate.owner, about, scope="rowgroup", colspan=len(columns))
    body = table_body(columns, (_check(check) for check in gate.checks))
    return join([tag("tbody", tag("tr", head, class_="owner")), body])


def _check(check: CheckRow) -> tuple[object, ...]:
    name = tag("span", check.expectation.removeprefix("expect_").replace("_", " "), class_="short")
    expected = tag("span", check.expected, class_="under") if check.expected else EMPTY
    keys = tag("span", "for example ", "; ".join(check.keys), class_="under") if check.keys else EMPTY
    result = tag("span", "✓ holds", class_="yes") if check.success else tag("span", "✕ fails", class_="no")
    consequence = CONSEQUENCES.get(check.on_fail, check.on_fail)
    return join([name, expected]), check.columns, consequence, result, join([check.finding, keys]), check.why


def publication(found: PublicationSection | None) -> Markup:
    """Return what the publication replaced and which Delta versions stand behind it."""
    if found is None:
        return section("Publication", tag("p", "Nothing has been published yet."))
    columns = [
        Column("Mart"), Column("Partitions rebuilt"), Column("Rows sent", "number"),
        Column("Delta version", "number"),
    ]  # fmt: skip
    rows = [(m.mart, _partitions(m), NONE if m.rows is None else count(m.rows), f"v{m.version}") for m in found.marts]
    inputs = ", ".join(
        f"{name} v{version}" if version >= 0 else f"{name} (not yet there)" for name, version in found.inputs
    )
    return section(
        f"{found.title} {found.publication_id}",
        table(columns, rows, "Marts of the publication"),
        tag("p", "Made from silver: ", inputs, ".", class_="note"),
        note=found.sentence,
    )


def _partitions(mart: PublishedMart) -> str:
    if mart.partitions is None:
        return "the whole mart"
    if not mart.partitions:
        return "none, unchanged"
    shown = ", ".join(mart.partitions[:PARTITIONS_SHOWN])
    more = len(mart.partitions) - PARTITIONS_SHOWN
    return f"{len(mart.partitions)}: {shown}" + (f" and {more} more" if more > 0 else "")


def reconciliation(found: Reconciliation | None) -> Markup:
    """Return the served books: one small chart and one line of totals per currency."""
    if found is None:
        return EMPTY
    figures = [_figure(books) for books in found.currencies]
    return section(
        "Reconciliation as served",
        legend("due", "settled"),
        tag("div", *figures, class_="multiples"),
        _totals(found.currencies),
        _exceptions(found.currencies),
        note=f"Latest days of publication {found.publication_id}. Due is captured less refunds and fees."
        " Each currency has its own scale; amounts are never added up across currencies.",
    )


def _figure(books: CurrencyBooks) -> Markup:
    off = len(books.out_of_balance)
    state = tag("span", f"≠ {plural(off, 'day')}", class_="no") if off else tag("span", "✓ in balance", class_="yes")
    peak = max(max(abs(day.due), abs(day.settled)) for day in books.days)
    name = tag("span", tag("strong", books.currency), f" up to {money(peak, books.currency)}")
    return tag("figure", tag("figcaption", name, state), books_chart(books))


def _totals(currencies: tuple[CurrencyBooks, ...]) -> Markup:
    names = ("Captured", "Refunded", "Fees", "Due", "Settled", "Due − settled", "Books − Stripe")
    columns = [Column("Currency"), Column("Days", "number"), *(Column(n, "number") for n in names)]
    return table(columns, [_total(books) for books in currencies], "Totals by currency")


def _total(books: CurrencyBooks) -> tuple[object, ...]:
    amounts = ("captured", "refunded", "fees", "due", "settled", "settlement_difference", "stripe_difference")
    sums = [sum((getattr(day, name) for day in books.days), Decimal(0)) for name in amounts]
    return books.currency, count(len(books.days)), *(money(amount, books.currency) for amount in sums)


def _exceptions(currencies: tuple[CurrencyBooks, ...]) -> Markup:
    lines = [_exception(books.currency, day) for books in currencies for day in books.out_of_balance]
    if not lines:
        return tag("p", "Every day shown is in balance for every merchant, to the last unit.", class_="note")
    return join([tag("h3", "Out of balance"), tag("ul", *lines)])


def _exception(currency: str, day: DayBooks) -> Markup:
    return tag(
        "li", f"{day.day} {currency}: settlements {money(day.settlement_difference, currency)},"
        f" Stripe {money(day.stripe_difference, currency)}, {plural(day.merchants_out, 'merchant')}",
    )  # fmt: skip
