"""The facts of LedgerBox: merchants, transactions and refunds as they truly happened.

What the sources deliver (late, twice, damaged) is derived from these. Money is integer minor
units throughout; moments are UTC.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, auto

# ISO 4217 exponents: https://www.iso.org/iso-4217-currency-codes.html
EXPONENTS = {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3}


class Fate(Enum):
    """What happens to a transaction on its way to the lake, beside the ordinary."""

    PLAIN = auto()
    LATE_INSERT = auto()  # its insert arrives a day after its capture
    LATE_CAPTURE = auto()  # its capture arrives a day late
    WITHHELD = auto()  # all of it arrives a day after its refund
    CORRECTED = auto()  # its amount is corrected the day after
    DELETED = auto()
    DELETED_EARLY = auto()  # its insert arrives a day after its delete
    REKEYED = auto()  # its key changes between authorisation and capture
    INFLATED = auto()  # delivered times 100 in the bad delivery, then corrected


NEXT_DAY = (Fate.LATE_CAPTURE, Fate.WITHHELD)


@dataclass(frozen=True, slots=True)
class Merchant:
    """One merchant as it stood in the full load."""

    merchant_id: str
    legal_name: str
    country: str
    settlement_currency: str
    fee_bps: int
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Transaction:
    """One payment: authorised at ``created_at``, captured or failed at ``finished_at``."""

    transaction_id: str  # the key it ends with
    first_id: str  # the key it was inserted under
    merchant_id: str
    processor: str
    processor_ref: str | None
    currency: str
    amount_minor: int  # after any correction
    first_amount_minor: int
    fee_minor: int
    captured: bool
    channel: str
    created_at: datetime
    finished_at: datetime
    day: int
    fate: Fate = Fate.PLAIN

    @property
    def visible_on(self) -> int:
        """Return the index of the day whose delivery completes this transaction."""
        return self.day + (self.fate in NEXT_DAY)

    def amount_known_on(self, day: int) -> int:
        """Return the amount in minor units as the payments database has it after ``day``."""
        return self.first_amount_minor if day == self.day else self.amount_minor


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund: pending at ``created_at``, succeeded or failed at ``finished_at`` that day."""

    refund_id: str
    transaction: Transaction
    processor_ref: str | None
    amount_minor: int
    reason: str
    succeeded: bool
    created_at: datetime
    finished_at: datetime
    day: int

    @property
    def visible_on(self) -> int:
        """Return the first day on which both the refund and its transaction are delivered."""
        return max(self.day, self.transaction.visible_on)


def major(minor: int, currency: str) -> Decimal:
    """Return minor units as a decimal of major units with the currency's own scale."""
    return Decimal(minor).scaleb(-EXPONENTS[currency])


def token(prefix: str, *parts: object) -> str:
    """Return a stable identifier such as ``ch_<24 hex digits>`` derived from ``parts``."""
    digest = hashlib.sha256(":".join(str(part) for part in parts).encode()).hexdigest()
    return f"{prefix}_{digest[:24]}"


def midnight(day: date) -> datetime:
    """Return the first moment of a UTC day."""
    return datetime.combine(day, time.min, UTC)


def on_day(start: date, day: int) -> date:
    """Return the calendar date of day index ``day`` (0 is the first)."""
    return start + timedelta(days=day)
