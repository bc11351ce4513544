"""The settlements database's content after each day, and the statements that lead there.

A settlement covers one merchant, capture day and currency. It knows what the payments database
has delivered, so late captures and corrections adjust it on the day they arrive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zlib import crc32

from ledgerlake.demo.ledgerbox.model import Refund, Transaction, major, midnight, on_day
from ledgerlake.demo.ledgerbox.scale import DAYS


class Bucket(NamedTuple):
    """What one settlement covers: a merchant, the index of a UTC day and a currency."""

    merchant_id: str
    day: int
    currency: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of one bucket in integer minor units of its currency."""

    gross: int = 0
    fee: int = 0
    refund: int = 0

    @property
    def net(self) -> int:
        """Return captured minus refunds minus fees."""
        return self.gross - self.refund - self.fee

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.gross + other.gross, self.fee + other.fee, self.refund + other.refund)


@dataclass(frozen=True)
class Settlement:
    """One row of ``settlements``; amounts are major units."""

    settlement_id: str
    merchant_id: str
    settlement_date: date
    currency: str
    gross_amount: Decimal
    fee_amount: Decimal
    refund_amount: Decimal
    net_amount: Decimal
    status: str
    paid_at: datetime | None
    updated_at: datetime


def totals_known_on(day: int, transactions: Iterable[Transaction], refunds: Iterable[Refund]) -> dict[Bucket, Totals]:
    """Return the totals over everything delivered up to and including ``day``.

    A capture counts on its day, a succeeded refund on the day it was created.
    """
    sums: dict[Bucket, Totals] = defaultdict(Totals)
    for t in transactions:
        if t.captured and t.visible_on <= day:
            sums[Bucket(t.merchant_id, t.day, t.currency)] += Totals(t.amount_known_on(day), t.fee_minor)
    for r in refunds:
        if r.succeeded and r.visible_on <= day:
            paid_back = Bucket(r.transaction.merchant_id, r.day, r.transaction.currency)
            sums[paid_back] += Totals(refund=r.amount_minor)
    return dict(sums)


def settlement_days(
    start: date, transactions: Sequence[Transaction], refunds: Sequence[Refund]
) -> tuple[tuple[tuple[Settlement, ...], ...], int]:
    """Return, for each day, the row versions written in order, and the number of adjustments."""
    rows: dict[Bucket, Settlement] = {}
    known: dict[Bucket, Totals] = {}
    days: list[tuple[Settlement, ...]] = []
    adjustments = 0
    for day in range(DAYS):
        now = totals_known_on(day, transactions, refunds)
        paid = [_paid(rows[b], day, start) for b in sorted(rows) if b.day == day - 1]
        rows |= {_bucket(row, start): row for row in paid}
        moved = [b for b in sorted(now) if b.day < day and now[b] != known.get(b)]
        adjusted = [_written(b, now[b], rows.get(b), start, day) for b in moved]
        opened = [_written(b, now[b], None, start, day) for b in sorted(now) if b.day == day]
        rows |= {_bucket(row, start): row for row in (*adjusted, *opened)}
        days.append((*paid, *adjusted, *opened))
        adjustments += len(adjusted)
        known = now
    return tuple(days), adjustments


def _bucket(row: Settlement, start: date) -> Bucket:
    return Bucket(row.merchant_id, (row.settlement_date - start).days, row.currency)


def _paid(row: Settlement, day: int, start: date) -> Settlement:
    """Pay a settlement the morning after; one in fifty fails instead."""
    at = midnight(on_day(start, day)) + timedelta(hours=9)
    if crc32(row.settlement_id.encode()) % 50 == 0:
        return replace(row, status="failed", updated_at=at)
    return replace(row, status="paid", paid_at=at, updated_at=at)


def _written(bucket: Bucket, totals: Totals, old: Settlement | None, start: date, day: int) -> Settlement:
    settled = on_day(start, bucket.day)
    adjusted = bucket.day < day
    at = midnight(on_day(start, day)) + (timedelta(hours=14) if adjusted else timedelta(hours=23, minutes=55))
    return Settlement(
        settlement_id=f"st_{settled:%Y%m%d}_{bucket.merchant_id}_{bucket.currency}",
        merchant_id=bucket.merchant_id,
        settlement_date=settled,
        currency=bucket.currency,
        gross_amount=major(totals.gross, bucket.currency),
        fee_amount=major(totals.fee, bucket.currency),
        refund_amount=major(totals.refund, bucket.currency),
        net_amount=major(totals.net, bucket.currency),
        status=old.status if old else "pending",
        paid_at=old.paid_at if old else None,
        updated_at=at,
    )
