"""A seeded billing system: organizations, their invoices and what was paid on which day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

FIRST, DAYS_BEFORE = date(2026, 3, 2), 56
CURRENCIES = {"US": "USD", "DE": "EUR", "GB": "GBP", "JP": "JPY"}
NAMES = ("Acorn", "Birch", "Cedar", "Delta", "Ember", "Fjord", "Grove", "Harbor")
TRADES = ("Foods", "Labs", "Logistics", "Media", "Power", "Studio", "Works")


@dataclass(frozen=True)
class Organization:
    """One customer; everything it is billed is in its currency."""

    organization_id: str
    name: str
    country_code: str
    currency: str
    created: date


@dataclass(frozen=True)
class Invoice:
    """One invoice and its one payment; ``paid_on`` None: not paid in the time that the world covers."""

    invoice_id: str
    organization_id: str
    invoiced_on: date
    currency: str
    amount: Decimal
    paid: Decimal
    paid_on: date | None

    def as_of(self, day: date) -> Invoice:
        """Return the invoice as the billing system knew it at the end of a day."""
        known = self.paid_on is not None and self.paid_on <= day
        return self if known else replace(self, paid=Decimal(0), paid_on=None)


@dataclass(frozen=True)
class World:
    """Everything that ever happens; ``invoices`` in the order of their ids."""

    organizations: tuple[Organization, ...]
    invoices: tuple[Invoice, ...]

    def known(self, day: date) -> list[Invoice]:
        """Return the invoices that the billing system holds at the end of a day."""
        return [i.as_of(day) for i in self.invoices if i.invoiced_on <= day]


def day_of(index: int) -> date:
    """Return the demo's day by its number, from 0."""
    return FIRST + timedelta(days=index)


def build_world(seed: int = 20260302, organizations: int = 600, days: int = 4) -> World:
    """Return the world of a seed; the first five organizations are the story's own."""
    chance = Random(seed)
    customers = tuple(_organization(chance, n) for n in range(organizations))
    span = [FIRST + timedelta(days=n) for n in range(-DAYS_BEFORE, days)]
    invoices = [i for c in customers[5:] for i in _invoices(chance, c, span)] + _planted(customers[:5])
    invoices.sort(key=lambda i: (i.invoiced_on, i.organization_id, i.amount))
    return World(customers, tuple(replace(i, invoice_id=f"inv_{n:07d}") for n, i in enumerate(invoices, 1)))


def _organization(chance: Random, number: int) -> Organization:
    country = "US" if number < 5 else chance.choice(sorted(CURRENCIES))
    name = (
        f"{chance.choice(NAMES)} {chance.choice(TRADES)} & Co"
        if number % 7 == 0
        else f"{chance.choice(NAMES)} {chance.choice(TRADES)}"
    )
    created = FIRST - timedelta(days=chance.randint(100, 900))
    return Organization(f"org_{number + 1:04d}", name, country, CURRENCIES[country], created)


def _invoices(chance: Random, customer: Organization, span: list[date]) -> list[Invoice]:
    """Return invoices about every second day, most of them paid after two to six weeks."""
    made = []
    for day in span:
        if chance.random() < 0.5:
            amount = (
                Decimal(chance.randint(100, 900))
                if customer.currency == "JPY"
                else Decimal(chance.randint(10_000, 90_000)) / 100
            )
            paid_on = day + timedelta(days=chance.randint(14, 42)) if chance.random() < 0.9 else None
            made.append(Invoice("", customer.organization_id, day, customer.currency, amount, amount, paid_on))
    return made


def _planted(customers: tuple[Organization, ...]) -> list[Invoice]:
    """Return the invoices of five organizations whose balances move on the second day, each in another way; one is paid later."""
    grows, shrinks, from_zero, crosses, exactly_half = (c.organization_id for c in customers)
    before, settled, day = FIRST - timedelta(days=20), FIRST - timedelta(days=5), day_of(1)

    def owed(organization: str, on: date, amount: int, paid: int = 0, paid_on: date | None = None) -> Invoice:
        return Invoice("", organization, on, "USD", Decimal(amount), Decimal(paid), paid_on)

    return [
        owed(grows, before, 1000, 1000, day_of(3)), owed(grows, day, 700),
        owed(shrinks, before, 2000, 1500, day),
        owed(from_zero, before, 300, 300, settled), owed(from_zero, day, 450),
        owed(crosses, before, 800, 1000, day),
        owed(exactly_half, before, 1000), owed(exactly_half, day, 500),
    ]  # fmt: skip
