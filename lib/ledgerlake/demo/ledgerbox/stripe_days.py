"""What becomes visible at Stripe on each day: new objects, changes to old ones, and events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from ledgerlake.demo.ledgerbox import stripe_shapes as shapes
from ledgerlake.demo.ledgerbox.model import Refund, Transaction, midnight, on_day, token
from ledgerlake.demo.ledgerbox.scale import DAYS, Scale
from ledgerlake.demo.ledgerbox.stripe_shapes import StripeObject, seconds

RESOURCE_OF = {
    "charge": "charges",
    "refund": "refunds",
    "payout": "payouts",
    "balance_transaction": "balance_transactions",
    "dispute": "disputes",
    "event": "events",
    "customer": "customers",
    "subscription": "subscriptions",
    "invoice": "invoices",
    "payment_intent": "payment_intents",
}
TWICE_EVERY = 10  # every tenth refund is told by two event objects of one kind


@dataclass
class StripeDay:
    """The versions of objects that one day brings, in the order they appear."""

    objects: list[StripeObject] = field(default_factory=list)
    repeated_events: int = 0

    def put(self, thing: StripeObject) -> None:
        """Add a version of an object as it is now."""
        self.objects.append(dict(thing))

    def tell(self, kind: str, about: StripeObject, at: int, serial: int = 0) -> None:
        """Add an event about an object."""
        self.objects.append(shapes.event(kind, about, at, serial))


class StripeHistory:
    """Builds the days one after the other, because later days change older objects."""

    def __init__(self, seed: int, scale: Scale, start: date) -> None:
        self._seed, self._scale, self._start = seed, scale, start
        self._charges: dict[str, StripeObject] = {}
        self._balance: list[StripeObject] = []  # of the day before
        self._payouts: list[StripeObject] = []  # of the day before

    def day(self, index: int, transactions: Sequence[Transaction], refunds: Sequence[Refund]) -> StripeDay:
        """Return day ``index``, which must follow the last one asked for."""
        made = StripeDay()
        opened = midnight(on_day(self._start, index))
        self._settle_yesterday(made, opened + timedelta(hours=8))
        fresh: list[StripeObject] = []
        for t in transactions:
            fresh += self._charge(made, t)
        for r in refunds:
            fresh += self._refund(made, r)
        self._dispute(made, index, opened)
        self._pay_out(made, opened + timedelta(hours=22))
        self._balance = fresh
        return made

    def _settle_yesterday(self, made: StripeDay, at: datetime) -> None:
        for entry in self._balance:
            entry["status"] = "available"
            made.put(entry)
        for payout in self._payouts:
            payout["status"] = "paid"
            made.put(payout)
            made.tell("payout.paid", payout, seconds(at))

    def _charge(self, made: StripeDay, t: Transaction) -> list[StripeObject]:
        charge = shapes.charge(t)
        made.put(charge)
        made.tell("charge.succeeded" if t.captured else "charge.failed", charge, seconds(t.finished_at))
        if not t.captured:
            return []
        self._charges[charge["id"]] = charge
        entry = shapes.balance_transaction(
            "charge",
            charge["id"],
            t.amount_minor,
            t.fee_minor,
            charge["currency"],
            seconds(t.finished_at),
        )
        made.put(entry)
        return [entry]

    def _refund(self, made: StripeDay, r: Refund) -> list[StripeObject]:
        refund = shapes.refund(r)
        done = seconds(r.finished_at)
        made.put(refund)
        made.tell("refund.created", refund, refund["created"])
        made.tell("refund.updated" if r.succeeded else "refund.failed", refund, done)
        if not r.succeeded:
            return []
        charge = self._charges[refund["charge"]]
        charge["amount_refunded"] = r.amount_minor
        charge["refunded"] = r.amount_minor == charge["amount"]
        made.put(charge)
        made.tell("charge.refunded", charge, done)
        if int(r.refund_id[-4:]) % TWICE_EVERY == 0:
            made.tell("charge.refunded", charge, done, serial=1)
            made.repeated_events += 1
        entry = shapes.balance_transaction(
            "refund", refund["id"], -r.amount_minor, 0, refund["currency"], refund["created"]
        )
        made.put(entry)
        return [entry]

    def _dispute(self, made: StripeDay, index: int, opened: datetime) -> None:
        """Dispute some charges of earlier days: changes that no ``created`` filter returns."""
        rng = Random(f"{self._seed}:disputes:{index}")
        cut = seconds(opened)
        old = [c for c in self._charges.values() if c["created"] < cut and not c["disputed"]]
        for charge in rng.sample(old, min(self._scale.disputes, len(old))):
            at = cut + rng.randrange(80_000)
            charge["disputed"] = True
            dispute = shapes.dispute(token("dp", charge["id"]), charge, at)
            made.put(charge)
            made.put(dispute)
            made.tell("charge.dispute.created", dispute, at)

    def _pay_out(self, made: StripeDay, at: datetime) -> None:
        """Pay out what became available today, for each currency with a positive sum."""
        sums: dict[str, int] = defaultdict(int)
        for entry in self._balance:
            sums[entry["currency"]] += entry["net"]
        created, self._payouts = seconds(at), []
        for currency, amount in sorted(sums.items()):
            if amount <= 0:
                continue
            payout = shapes.payout(token("po", self._seed, created, currency), amount, currency, created)
            self._payouts.append(payout)
            made.put(payout)
            made.put(shapes.balance_transaction("payout", payout["id"], -amount, 0, currency, created))
            made.tell("payout.created", payout, created)


def stripe_days(
    seed: int,
    scale: Scale,
    start: date,
    transactions: Sequence[Transaction],
    refunds: Sequence[Refund],
) -> tuple[StripeDay, ...]:
    """Return all days at Stripe, made of what went through it."""
    builder = StripeHistory(seed, scale, start)
    return tuple(
        builder.day(
            day,
            [t for t in transactions if t.processor_ref and t.day == day],
            [r for r in refunds if r.processor_ref and r.day == day],
        )
        for day in range(DAYS)
    )
