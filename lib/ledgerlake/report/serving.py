"""From publication records and the reconciliation mart to what the report says of serving. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ledgerlake.lake.readers import PublicationRecord
from ledgerlake.report.facts import Record
from ledgerlake.report.figures import moment
from ledgerlake.report.page import (
    CurrencyBooks,
    DayBooks,
    PublicationSection,
    PublishedMart,
    Reconciliation,
)

DAYS_SHOWN = 14
BOOK_COLUMNS = frozenset({
    "settlement_date", "currency", "captured_amount", "refunded_amount", "fee_amount",
    "settled_amount", "stripe_difference", "settlement_difference", "merchants_out_of_balance",
})  # fmt: skip


def publication_section(own: PublicationRecord | None, served: PublicationRecord | None) -> PublicationSection | None:
    """Return the run's own publication, else the one that stays served, else None."""
    record = own or served
    if record is None:
        return None
    return PublicationSection(
        title="Publication" if record.is_served else "Blocked publication",
        publication_id=record.publication_id,
        sentence=_sentence(record, is_own=own is not None),
        marts=tuple(_mart(record, name) for name in sorted(record.marts)),
        inputs=tuple(sorted(record.inputs.items())),
    )


def _sentence(record: PublicationRecord, *, is_own: bool) -> str:
    if not record.is_served:
        return "These versions are candidates: no reader sees them, here or in Snowflake."
    when = f"{moment(record.at)} for {record.logical_date}"
    return f"Published by this run at {when}." if is_own else f"Served since {when}; this run left it as it is."


def _mart(record: PublicationRecord, name: str) -> PublishedMart:
    partitions = record.partitions.get(name, ())
    return PublishedMart(name, record.marts[name], partitions, record.rows.get(name))


def still_served(served: PublicationRecord | None) -> str:
    """Return what readers see although this run published nothing."""
    if served is None:
        return "Nothing has been published yet: readers see no data at all."
    return (
        f"Publication {served.publication_id} of {served.logical_date} stays served, as it has been"
        f" since {moment(served.at)}. Readers see nothing of this run."
    )


def reconciliation(rows: Iterable[Record], served: PublicationRecord | None) -> Reconciliation | None:
    """Return the served books of the latest days by currency; None where there are none."""
    found = [row for row in rows if set(row) >= BOOK_COLUMNS]
    if served is None or not found:
        return None
    days = sorted({row["settlement_date"] for row in found})[-DAYS_SHOWN:]
    by_currency: defaultdict[str, list[DayBooks]] = defaultdict(list)
    for row in sorted(found, key=lambda r: r["settlement_date"]):
        if row["settlement_date"] in days:
            by_currency[row["currency"]].append(_day(row))
    currencies = (CurrencyBooks(c, tuple(by_currency[c])) for c in sorted(by_currency))
    return Reconciliation(served.publication_id, tuple(currencies))


def _day(row: Record) -> DayBooks:
    return DayBooks(
        day=str(row["settlement_date"]),
        captured=row["captured_amount"],
        refunded=row["refunded_amount"],
        fees=row["fee_amount"],
        settled=row["settled_amount"],
        stripe_difference=row["stripe_difference"],
        settlement_difference=row["settlement_difference"],
        merchants_out=row["merchants_out_of_balance"],
    )
