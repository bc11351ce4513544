"""The facts of LedgerLoop: its customers as they truly are, and how the sources misstate some of them.

Pure and deterministic: the same seed and scale give the same customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

START = date(2026, 3, 2)
IMPORT_EMAIL = "import@ledgerloop.example"
"""What the bulk import of the last day writes as everybody's e-mail."""

_FIRST = ("Amber", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper")
_SECOND = ("Analytics", "Bakery", "Cycles", "Dental", "Energy", "Foods", "Games", "Health", "Imports", "Journeys")
_CITIES = (("Berlin", "DE"), ("Lyon", "FR"), ("Leeds", "GB"), ("Austin", "US"), ("Porto", "PT"))
_OWNERS = ("m.okafor", "l.brandt", "s.ito", "r.alves")
TIERS = ("starter", "growth", "scale")
PRICES = {"starter": 4900, "growth": 19900, "scale": 89900}  # US cents per month


@dataclass(frozen=True)
class Scale:
    """How many customers there are, and of how many something odd is true."""

    customers: int = 2_000
    other_names: int = 100  # Stripe writes the name in another way
    twins: int = 20  # in Salesforce without anything that leads to the product's account, until day 2
    wrong_emails: int = 20  # the product has the e-mail of another customer, until day 2
    upgrades: int = 120  # on day 2
    late: int = 20  # a change of day 1 that arrives on day 2
    lost_contacts: int = 10  # deleted in Salesforce on day 2
    imported: int = 300  # spoilt by the bulk import of day 3

    @classmethod
    def small(cls) -> Scale:
        """Return some dozens of customers with every oddity."""
        return cls(
            customers=60, other_names=4, twins=2, wrong_emails=2, upgrades=6, late=2, lost_contacts=1, imported=24
        )


@dataclass(frozen=True)
class Customer:
    """One customer; ``number`` is unique and everything else follows from it and the seed."""

    number: int
    name: str
    city: str
    country: str
    tier: str
    owner: str
    created_at: datetime

    @property
    def account_id(self) -> str:
        """Return the product's id of the account."""
        return f"acc_{self.number:06d}"

    @property
    def crm_id(self) -> str:
        """Return Salesforce's id of the account: 18 characters."""
        return f"0015g00000{self.number:08d}"

    @property
    def contact_id(self) -> str:
        """Return Salesforce's id of the contact."""
        return f"0035g00000{self.number:08d}"

    @property
    def stripe_id(self) -> str:
        """Return Stripe's id of the customer."""
        return f"cus_Loop{self.number:08d}"

    @property
    def subscription_id(self) -> str:
        """Return Stripe's id of the subscription, which the product's events use, too."""
        return f"sub_Loop{self.number:08d}"

    @property
    def email(self) -> str:
        """Return where bills are sent."""
        return f"billing@{self.name.lower().replace(' ', '-')}-{self.number}.example"

    @property
    def tax_id(self) -> str:
        """Return the tax id as the company writes it."""
        return f"{self.country} {100_000_000 + self.number * 37:09d}"


@dataclass(frozen=True)
class Cast:
    """All customers, and which of them play a part; no one plays two."""

    scale: Scale
    customers: tuple[Customer, ...]
    other_names: tuple[Customer, ...]
    twins: tuple[Customer, ...]
    wrong_emails: tuple[Customer, ...]
    upgrades: tuple[Customer, ...]
    late: tuple[Customer, ...]
    lost_contacts: tuple[Customer, ...]
    imported: tuple[Customer, ...]


def moment(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a moment on day index ``day`` (0 is the first; earlier days are negative), UTC."""
    return datetime.combine(START, time(hour, minute), UTC) + timedelta(days=day)


def cast_of(seed: int, scale: Scale) -> Cast:
    """Return the customers of a seed and their parts."""
    rng = Random(f"{seed}:customers")
    everyone = tuple(_customer(rng, n) for n in range(1, scale.customers + 1))
    order = list(everyone)
    rng.shuffle(order)

    def take(count: int) -> tuple[Customer, ...]:
        taken, order[:count] = tuple(sorted(order[:count], key=lambda c: c.number)), []
        return taken

    parts = {
        name: take(getattr(scale, name))
        for name in ("other_names", "twins", "wrong_emails", "upgrades", "late", "lost_contacts", "imported")
    }
    return Cast(scale, everyone, **parts)


def _customer(rng: Random, number: int) -> Customer:
    city, country = rng.choice(_CITIES)
    created = moment(-rng.randrange(2, 32), rng.randrange(8, 18), rng.randrange(60))
    name = f"{rng.choice(_FIRST)} {rng.choice(_SECOND)}"
    return Customer(number, name, city, country, rng.choice(TIERS), rng.choice(_OWNERS), created)
