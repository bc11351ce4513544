"""The three days of LedgerLoop, as each source delivers them; ``planted`` declares every oddity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from ledgerlake.demo.customer_master import shapes
from ledgerlake.demo.customer_master.people import (
    IMPORT_EMAIL,
    START,
    TIERS,
    Cast,
    Customer,
    Scale,
    cast_of,
    moment,
)
from ledgerlake.demo.customer_master.shapes import Json
from ledgerlake.demo.ledgerbox.stripe_days import StripeDay

ROWS_PER_TRANSACTION = 50


@dataclass
class Delivery:
    """What the sources bring at one time, in the order they write it."""

    accounts: list[Json] = field(default_factory=list)
    contacts: list[Json] = field(default_factory=list)
    app: list[tuple[str, Json]] = field(default_factory=list)  # (action, row)
    events: list[Json] = field(default_factory=list)
    stripe: StripeDay = field(default_factory=StripeDay)

    @property
    def changes(self) -> int:
        """Return how many changes it holds."""
        return len(self.accounts) + len(self.contacts) + len(self.app) + len(self.events) + len(self.stripe.objects)


@dataclass(frozen=True)
class World:
    """Deliveries of days 1, 2, 3 and of the correction, and what was planted in them."""

    seed: int
    cast: Cast
    deliveries: tuple[Delivery, Delivery, Delivery, Delivery]
    planted: dict[str, int]

    def date_of(self, day: int) -> date:
        """Return the calendar date (UTC) of day index ``day``; the correction arrives on the last day."""
        return START + timedelta(days=min(day, 2))


def build_world(seed: int = 11, scale: Scale | None = None) -> World:
    """Return the world of a seed at a scale."""
    cast, commit = cast_of(seed, scale or Scale()), _Counter()
    days = (_day_1(cast, commit), _day_2(cast, commit), _day_3(cast), _correction(cast))
    planted = {
        "merges": len(cast.twins), "splits": len(cast.wrong_emails), "upgrades": len(cast.upgrades),
        "late changes": len(cast.late), "deleted contacts": len(cast.lost_contacts), "malformed rows": 4,
    }  # fmt: skip
    return World(seed, cast, days, planted)


class _Counter:
    """Salesforce's commit numbers: one org, one sequence."""

    def __init__(self) -> None:
        self._last = 10_000_000_000

    def __call__(self) -> int:
        self._last += 1
        return self._last


def _day_1(cast: Cast, commit: Callable[[], int]) -> Delivery:
    made, twins = Delivery(), set(cast.twins)
    for c in cast.customers:
        known = c not in twins
        account, contact = shapes.crm_account(c, known=known), shapes.crm_contact(c, known=known)
        made.accounts.append(shapes.crm_event("Account", c.crm_id, "CREATE", commit(), c.created_at, account))
        made.contacts.append(shapes.crm_event("Contact", c.contact_id, "CREATE", commit(), c.created_at, contact))
        other = f"{c.name} Ltd" if c in cast.other_names else None
        made.stripe.put(shapes.stripe_customer(c, c.created_at, name=other))
        made.stripe.put(shapes.stripe_subscription(c, c.created_at, c.tier))
        made.app.append(("I", shapes.app_account(c, c.created_at, **_mistyped(cast, c))))
        made.events.append(shapes.subscription_event(c, c.created_at, c.tier))
    for c in _drawn(cast, 0):  # the first day's own business
        made.app.append(("U", shapes.app_account(c, moment(0, 12), billing_status="past_due")))
    return made


def _mistyped(cast: Cast, c: Customer) -> dict[str, str | None]:
    """Return the e-mail of another customer where the product has the wrong one."""
    if c not in cast.wrong_emails:
        return {}
    return {"owner_email": cast.customers[c.number % len(cast.customers)].email}


def _drawn(cast: Cast, day: int) -> list[Customer]:
    able = [c for c in cast.customers if c not in cast.wrong_emails and c not in cast.imported and c not in cast.late]
    return Random(f"business:{day}").sample(able, max(1, len(cast.customers) // 50))


def _day_2(cast: Cast, commit: Callable[[], int]) -> Delivery:
    made = Delivery()
    for c in cast.twins:  # sales finds the tax id: two customers turn out to be one
        change = shapes.crm_event("Account", c.crm_id, "UPDATE", commit(), moment(1, 9), {"Tax_Id__c": c.tax_id})
        made.accounts.append(change)
    for c in cast.wrong_emails:  # support corrects the e-mail: one customer turns out to be two
        made.app.append(("U", shapes.app_account(c, moment(1, 10))))
    for c in cast.upgrades:
        _upgrade(made, c)
    for c in cast.late:  # written at noon of day 1, arrives on day 2
        made.app.append(("U", shapes.app_account(c, moment(0, 12), billing_status="delinquent")))
    for c in cast.lost_contacts:
        made.contacts.append(shapes.crm_event("Contact", c.contact_id, "DELETE", commit(), moment(1, 15), {}))
    _spoil(made, cast, commit)
    return made


def _upgrade(made: Delivery, c: Customer) -> None:
    tier, at = TIERS[min(TIERS.index(c.tier) + 1, 2)], moment(1, 11, c.number % 60)
    subscription = shapes.stripe_subscription(c, at, tier)
    made.stripe.put(subscription)
    made.stripe.tell("customer.subscription.updated", subscription, int(at.timestamp()))
    made.app.append(("U", shapes.app_account(c, at, plan=tier)))
    made.events.append(shapes.subscription_event(c, at, tier))


def _spoil(made: Delivery, cast: Cast, commit: Callable[[], int]) -> None:
    """Add a row of each kind that a contract refuses: two invalid statuses, a null key, a record id that is none."""
    one, other = cast.customers[0], cast.customers[1]
    made.app.append(("U", shapes.app_account(one, moment(1, 16), billing_status="frozen")))
    made.app.append(("I", shapes.app_account(other, moment(1, 16), account_id=None)))
    made.events.append(shapes.subscription_event(one, moment(1, 16), one.tier, state="hibernating"))
    made.accounts.append(shapes.crm_event("Account", "0015g0000", "UPDATE", commit(), moment(1, 16), {"Name": "x"}))


def _day_3(cast: Cast) -> Delivery:
    """Return a bulk import that writes one e-mail to everybody it touches."""
    rows = ((c, {"owner_email": IMPORT_EMAIL}) for c in cast.imported)
    return Delivery(app=[("U", shapes.app_account(c, moment(2, 8), **changed)) for c, changed in _texts(rows)])


def _correction(cast: Cast) -> Delivery:
    return Delivery(app=[("U", shapes.app_account(c, moment(2, 14))) for c in cast.imported])


def _texts(rows: Iterable[tuple[Customer, Any]]) -> Iterable[tuple[Customer, dict[str, str | None]]]:
    return rows
