"""What the pipeline must find, worked out in plain Python: the demo's own accountant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ledgerlake.demo.org_balances.world import Invoice


@dataclass(frozen=True)
class Change:
    """An organization's balance on the latest day, and on the day before."""

    organization_id: str
    day: date
    previous: Decimal
    balance: Decimal


def movements(invoices: Iterable[Invoice]) -> dict[str, dict[date, Decimal]]:
    """Return what each organization owes more (or less) by day."""
    found: dict[str, dict[date, Decimal]] = {}
    for invoice in invoices:
        days = found.setdefault(invoice.organization_id, {})
        days[invoice.invoiced_on] = days.get(invoice.invoiced_on, Decimal(0)) + invoice.amount
        if invoice.paid_on:
            days[invoice.paid_on] = days.get(invoice.paid_on, Decimal(0)) - invoice.paid
    return found


def changes_to_tell(invoices: Iterable[Invoice]) -> list[Change]:
    """Return the changes above one half on the latest day on which anything moved, by organization."""
    moved = movements(invoices)
    latest = max(day for days in moved.values() for day in days)
    found = [
        Change(organization, latest, sum((v for d, v in days.items() if d < latest), Decimal(0)), sum(days.values(), Decimal(0)))
        for organization, days in moved.items()
        if latest in days
    ]  # fmt: skip
    return sorted((c for c in found if is_told(c.previous, c.balance)), key=lambda c: c.organization_id)


def is_told(previous: Decimal, balance: Decimal) -> bool:
    """Say whether a change is told: from zero, through zero, or by more than half of what was owed."""
    if previous == balance:
        return False
    if previous == 0 or previous * balance < 0:
        return True
    return abs(balance - previous) * 2 > abs(previous)
