"""Make refunds of a world's captured transactions from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from ledgerlake.demo.ledgerbox.model import Fate, Refund, Transaction, midnight, token
from ledgerlake.demo.ledgerbox.payments import refundable_today
from ledgerlake.demo.ledgerbox.scale import DAYS, Scale

REASONS = ("requested_by_customer", "duplicate", "fraudulent")


def make_refunds(seed: int, scale: Scale, transactions: Sequence[Transaction]) -> tuple[Refund, ...]:
    """Return every refund in order of creation: at most one for each transaction.

    About half of the refunds of a later day are for captures of the day before; a withheld
    transaction is always refunded on its own day, ahead of its own delivery.
    """
    drafts: list[tuple[datetime, int, Transaction]] = []
    for day in range(DAYS):
        rng = Random(f"{seed}:refunds:{day}")
        drafts += _refund_drafts(day, rng, scale, transactions, {t.transaction_id for _, _, t in drafts})
    rng = Random(f"{seed}:refund outcomes")
    return tuple(
        _refund(seed, number, draft, rng) for number, draft in enumerate(sorted(drafts, key=lambda d: d[0]), start=1)
    )


def _refund_drafts(
    day: int, rng: Random, scale: Scale, transactions: Sequence[Transaction], taken: set[str]
) -> list[tuple[datetime, int, Transaction]]:
    fit = [t for t in transactions if t.captured and t.fate in (Fate.PLAIN, Fate.INFLATED, Fate.REKEYED)]
    old = [t for t in fit if t.day == day - 1 and t.transaction_id not in taken]
    new = [t for t in fit if t.day == day and refundable_today(t)]
    first = [t for t in transactions if t.day == day and t.fate is Fate.WITHHELD]
    of_old = rng.sample(old, min(scale.refunds // 2, len(old)))
    of_new = rng.sample(new, min(scale.refunds - len(of_old), len(new)))
    return [(_refunded_at(t, day, rng), day, t) for t in (*first, *of_old, *of_new)]


def _refunded_at(transaction: Transaction, day: int, rng: Random) -> datetime:
    if transaction.day == day:
        return transaction.finished_at + timedelta(microseconds=rng.randrange(60_000_000, 9_000_000_000))
    tomorrow = midnight(transaction.created_at.date()) + timedelta(days=1)
    return tomorrow + timedelta(microseconds=rng.randrange(3_600_000_000, 80_000_000_000))


def _refund(seed: int, number: int, draft: tuple[datetime, int, Transaction], rng: Random) -> Refund:
    created_at, day, transaction = draft
    key = f"rf_{number:010d}"
    full = rng.randrange(3) > 0
    amount = transaction.amount_minor if full else rng.randrange(1, transaction.amount_minor + 1)
    return Refund(
        refund_id=key,
        transaction=transaction,
        processor_ref=token("re", seed, key) if transaction.processor == "stripe" else None,
        amount_minor=amount,
        reason=rng.choice(REASONS),
        succeeded=transaction.fate is Fate.WITHHELD or rng.randrange(20) > 0,
        created_at=created_at,
        finished_at=created_at + timedelta(microseconds=rng.randrange(30_000_000, 600_000_000)),
        day=day,
    )
