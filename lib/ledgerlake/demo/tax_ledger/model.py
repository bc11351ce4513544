"""One financial event as its service writes it, and the entries that it posts."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from random import Random
from typing import Any

RATES = {"US-CA": ("USD", 875), "US-NY": ("USD", 888), "DE": ("EUR", 1900), "FR": ("EUR", 2000), "CA-ON": ("CAD", 1300), "JP": ("JPY", 1000)}  # fmt: skip
"""Jurisdiction → its currency and rate in hundredths of a percent."""
EXPONENTS = {"JPY": 0}
REVERSAL = "event.reversed"

Entry = tuple[str, int, int]
"""Account, debit and credit in minor units."""


@dataclass(frozen=True)
class Event:
    """One event; amounts are integers in the currency's minor units, times are UTC."""

    event_id: str
    event_type: str
    service: str
    invoice_id: str
    transaction_id: str
    document_date: date
    effective_at: datetime
    recorded_at: datetime
    jurisdiction: str
    currency: str
    net: int
    tax: int
    entries: tuple[Entry, ...]
    corrects: str | None = None
    reverses: str | None = None
    sequence: int = 0

    def numbered(self, sequence: int) -> Event:
        """Return the event with its place in its service's sequence."""
        return replace(self, sequence=sequence)

    @property
    def debits(self) -> int:
        """Return the sum of debits in minor units."""
        return sum(debit for _, debit, _ in self.entries)

    def record(self) -> dict[str, Any]:
        """Return the envelope as the service sends it; every value is text but the sequence."""
        return {
            "event_id": self.event_id, "event_type": self.event_type, "service": self.service,
            "service_sequence": str(self.sequence), "invoice_id": self.invoice_id, "transaction_id": self.transaction_id,
            "document_date": self.document_date.isoformat(), "effective_at": moment(self.effective_at),
            "recorded_at": moment(self.recorded_at), "jurisdiction": self.jurisdiction, "currency": self.currency,
            "net_amount": major(self.net, self.currency), "tax_amount": major(self.tax, self.currency),
            "corrects": self.corrects, "reverses": self.reverses, "lines": self.lines(),
        }  # fmt: skip

    def lines(self) -> str:
        """Return the entries as JSON text: a side that is nothing is left out."""
        found = []
        for account, debit, credit in self.entries:
            sides = {"debit": debit, "credit": credit}
            found.append({"account": account} | {k: major(v, self.currency) for k, v in sides.items() if v})
        return json.dumps(found, separators=(",", ":"))


def major(minor: int, currency: str) -> str:
    """Return minor units as a decimal text in major units."""
    exponent = EXPONENTS.get(currency, 2)
    if not exponent:
        return str(minor)
    sign, size = "-" if minor < 0 else "", 10**exponent
    return f"{sign}{abs(minor) // size}.{abs(minor) % size:0{exponent}d}"


def moment(at: datetime) -> str:
    """Return a time in ISO 8601."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event_id(at: datetime, rng: Random) -> str:
    """Return a UUID of version 7 (RFC 9562): milliseconds first, so that ids sort by time."""
    text = f"{int(at.timestamp() * 1000):012x}7{rng.getrandbits(12):03x}{8 + rng.getrandbits(2):x}{rng.getrandbits(60):015x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def entries_of(event_type: str, net: int, tax: int) -> tuple[Entry, ...]:
    """Return what an event posts; the differences of a correction may be negative, and then change sides."""
    gross = net + tax
    sides = {
        "invoice.finalised": [("receivable", gross), ("revenue", -net), ("tax_payable", -tax)],
        "invoice.corrected": [("receivable", gross), ("revenue", -net), ("tax_payable", -tax)],
        "payment.received": [("cash", gross), ("receivable", -gross)],
        "credit_note.issued": [("revenue", net), ("tax_payable", tax), ("receivable", -gross)],
        "refund.issued": [("receivable", gross), ("cash", -gross)],
    }[event_type]
    return tuple((account, max(amount, 0), max(-amount, 0)) for account, amount in sides if amount)


def reversal(event: Event, at: datetime, rng: Random, service: str) -> Event:
    """Return the event that takes another one back: the same entries on the other side."""
    return replace(
        event, event_id=event_id(at, rng), event_type=REVERSAL, service=service, effective_at=at, recorded_at=at,
        entries=tuple((account, credit, debit) for account, debit, credit in event.entries),
        corrects=None, reverses=event.event_id,
    )  # fmt: skip
