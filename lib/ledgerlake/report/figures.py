"""How figures read in a report: counts, durations, moments and money, always the same way."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ledgerlake.core.money import EXPONENTS

NONE = "–"


def count(number: int) -> str:
    """Return a count with thousands separated."""
    return f"{number:,}"


def plural(number: int, word: str) -> str:
    """Return ``1 row`` or ``2 rows``."""
    if number == 1:
        return f"1 {word}"
    return f"{count(number)} {word}{'es' if word.endswith('ch') else 's'}"


def duration(seconds: float) -> str:
    """Return ``0.35 s``, ``12.4 s``, ``2 min 05 s`` or ``1 h 03 min``."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def moment(at: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def money(amount: Decimal, currency: str) -> str:
    """Return an amount with its currency's decimals; more where the amount has more.

    An unknown currency keeps the decimals it came with: a report shows, it does not judge.
    """
    shown = EXPONENTS.get(currency.upper())
    if shown is None or amount != round(amount, shown):
        return f"{amount:,}"
    return f"{amount:,.{shown}f}"
