"""Wrong answers of the simulated service: amounts of another unit, and records that no contract takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

SPOILED_EVERY = 60
_SPOILED: tuple[Mapping[str, Any], ...] = (
    {"amount": -20.0, "first_payment_amount": 0.0},
    {"status": "refused"},
    {"risk_score": 1.7},
    {"will_default": True, "days_to_first_missed_payment": None},
    {"customer_id": None},
    {"amount": "twelve"},
    {"first_payment_amount": 99999.0},
)


def inflated(number: int, record: str) -> str:
    """Return every second record with its amounts in another unit, three times as high."""
    if number % 2:
        return record
    own = json.loads(record)
    return json.dumps(own | {n: round(own[n] * 3, 2) for n in ("amount", "first_payment_amount", "product_price")})


def spoiled(number: int, record: str) -> str:
    """Return each 60th record with a value that the contract refuses, or as no JSON at all."""
    if number % SPOILED_EVERY:
        return record
    place = number // SPOILED_EVERY % (len(_SPOILED) + 1)
    return json.dumps(json.loads(record) | _SPOILED[place]) if place < len(_SPOILED) else record[: len(record) // 2]


TAMPERINGS: Mapping[str, Callable[[int, str], str]] = {"inflated": inflated, "spoiled": spoiled}
