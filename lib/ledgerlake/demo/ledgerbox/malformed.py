"""Rows of the payments database that no reader may accept, beside the sound ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from ledgerlake.demo.ledgerbox.changes import Change, transaction_row, with_value
from ledgerlake.demo.ledgerbox.model import Fate, Transaction
from ledgerlake.demo.ledgerbox.scale import Scale

DAMAGES = ("wrong_width", "unparsable_amount", "unknown_op", "unknown_currency", "null_merchant")


def malformed_changes(seed: int, scale: Scale, sound: Sequence[Transaction]) -> Iterator[Change]:
    """Yield rows that no reader may accept, on the second day, beside the sound ones.

    Each is a copy of a sound row under a key of its own, damaged in one way.
    """
    rng = Random(f"{seed}:malformed")
    pool = [t for t in sound if t.day == 1 and t.fate is Fate.PLAIN and t.captured]
    number = 8_000_000_000
    for damage in DAMAGES:
        for model in rng.sample(pool, scale.malformed_each):
            number += 1
            copy = replace(model, transaction_id=f"tx_{number}", first_id=f"tx_{number}")
            yield _damaged(transaction_row("I", copy, "authorised", copy.created_at), damage)


def _damaged(change: Change, damage: str) -> Change:
    match damage:
        case "wrong_width":
            return change._replace(extra_field=True)
        case "unparsable_amount":
            return with_value(change, "amount", "12.3.4")
        case "unknown_op":
            return change._replace(op="X")
        case "unknown_currency":
            return with_value(change, "currency", "XXZ")
        case _:
            return with_value(change, "merchant_id", "")
