"""Hostile answers of the Stripe API for a table of customers: columns id (key), owner (name), city (address.city), balance.

>>> from ledgerlake.testing.stripe import HOSTILE

``files`` are the bodies with which ``GET /v1/customers`` is answered, by page. The balance is an
amount in ``unit: stripe`` of the customer's currency.
"""

from __future__ import annotations

import json
from typing import Any

from ledgerlake.testing.samples import Hostile


def customer(key: str = "cus_1", **changed: Any) -> dict[str, Any]:
    """Return a customer in the API's shape."""
    whole = {
        "id": key, "object": "customer", "created": 1_772_300_000, "name": "Ann", "address": {"city": "Bonn"},
        "currency": "eur", "balance": 1099, "livemode": False, "metadata": {},
    }  # fmt: skip
    return whole | changed


def page(*objects: dict[str, Any], has_more: bool = False) -> bytes:
    """Return one page of a list."""
    return json.dumps({"object": "list", "url": "/v1/customers", "has_more": has_more, "data": list(objects)}).encode()


def _sample(name: str, outcome: Any, says: str, *pages: bytes) -> Hostile:
    return Hostile(name, {f"customers/{n}": body for n, body in enumerate(pages, 1)}, outcome, says)


HOSTILE: tuple[Hostile, ...] = (
    _sample("a body that is cut short", "refused", "did not deliver customers", page(customer())[:-20]),
    _sample("a proxy's page instead of JSON", "refused", "did not deliver customers", b"<html>Bad gateway</html>"),
    _sample("a list that does not advance", "refused", "does not advance", *[page(customer(), has_more=True)] * 2),
    _sample("an unknown currency", "quarantined", "currency: unknown currency", page(customer(currency="zzz"))),
    _sample("an amount without currency", "quarantined", "balance: no currency", page(customer(currency=None))),
    _sample("a part of a minor unit", "quarantined", "balance: contradicts what is declared", page(customer(balance=10.5))),
    _sample("more digits than the contract", "quarantined", "balance: more digits", page(customer(balance=10**20))),
    _sample("an object on two pages", "accepted", "", page(customer(), has_more=True), page(customer(), customer("cus_2"))),
    _sample("no address", "accepted", "", page(customer(address=None))),
    _sample("no customers", "accepted", "", page()),
)  # fmt: skip
