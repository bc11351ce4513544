"""The LedgerBox world: three days of payments, as facts and as what each source delivers.

Pure and deterministic: the same seed, start and scale give the same world to the byte.
``planted`` declares every oddity, so that a story or test can say what must be found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ledgerlake.demo.ledgerbox import changes as capture
from ledgerlake.demo.ledgerbox.changes import Change
from ledgerlake.demo.ledgerbox.dms_layout import (
    DmsFile,
    RefundFile,
    change_files,
    chosen_copies,
    full_load,
    refund_files,
)
from ledgerlake.demo.ledgerbox.events import EventFile, event_files, event_records
from ledgerlake.demo.ledgerbox.malformed import DAMAGES, malformed_changes
from ledgerlake.demo.ledgerbox.model import Fate, Merchant, Refund, Transaction, midnight, on_day
from ledgerlake.demo.ledgerbox.payments import make_merchants, make_transactions
from ledgerlake.demo.ledgerbox.refunds import make_refunds
from ledgerlake.demo.ledgerbox.scale import Scale
from ledgerlake.demo.ledgerbox.settlements import Settlement, settlement_days
from ledgerlake.demo.ledgerbox.stripe_days import StripeDay, stripe_days

DEFAULT_START = date(2026, 3, 2)


@dataclass(frozen=True)
class World:
    """Facts, deliveries and a declaration of what was planted; day indexes start at 0."""

    seed: int
    start: date
    scale: Scale
    merchants: tuple[Merchant, ...]
    transactions: tuple[Transaction, ...]
    refunds: tuple[Refund, ...]
    dms_files: tuple[DmsFile, ...]
    refund_files: tuple[RefundFile, ...]
    event_files: tuple[EventFile, ...]
    settlement_days: tuple[tuple[Settlement, ...], ...]
    stripe_days: tuple[StripeDay, ...]
    planted: dict[str, int]

    def date_of(self, day: int) -> date:
        """Return the calendar date (UTC) of day index ``day``."""
        return on_day(self.start, day)


def build_world(seed: int = 7, start: date = DEFAULT_START, scale: Scale | None = None) -> World:
    """Return the world of a seed; three days from ``start`` at the given scale."""
    scale = scale or Scale()
    merchants = make_merchants(seed, scale, start)
    transactions = make_transactions(seed, scale, start, merchants)
    refunds = make_refunds(seed, scale, transactions)
    changes = _captured_changes(seed, scale, start, merchants, transactions)
    copies = chosen_copies(seed, scale, changes)
    dms = [*full_load(merchants, midnight(start)), *change_files(changes, start, copies)]
    refund_objects, repeated_refunds = refund_files(refunds, start, scale.duplicates // 2)
    records, planted_events = event_records(seed, scale, transactions)
    events, overlapping = event_files(records, start, scale)
    settlements, adjustments = settlement_days(start, transactions, refunds)
    stripe = stripe_days(seed, scale, start, transactions, refunds)
    planted = {
        **_planted_fates(transactions),
        **_planted_changes(scale, changes, dms),
        **planted_events,
        "copied_rows": sum(map(len, copies.values())),
        "copied_refund_rows": repeated_refunds,
        "overlapping_events": overlapping,
        "settlement_adjustments": adjustments,
        "repeated_stripe_events": sum(day.repeated_events for day in stripe),
        "new_columns": 1,
    }
    return World(
        seed,
        start,
        scale,
        merchants,
        transactions,
        refunds,
        tuple(dms),
        tuple(refund_objects),
        tuple(events),
        settlements,
        stripe,
        planted,
    )


def _captured_changes(
    seed: int,
    scale: Scale,
    start: date,
    merchants: Sequence[Merchant],
    transactions: Sequence[Transaction],
) -> list[Change]:
    return capture.sequenced(
        [
            *capture.transaction_changes(transactions),
            *malformed_changes(seed, scale, transactions),
            *capture.merchant_changes(seed, scale, merchants, midnight(start)),
        ]
    )


def _planted_fates(transactions: Sequence[Transaction]) -> dict[str, int]:
    fates = Counter(t.fate for t in transactions)
    return {
        "late_inserts": fates[Fate.LATE_INSERT],
        "late_captures": fates[Fate.LATE_CAPTURE],
        "early_refunds": fates[Fate.WITHHELD],
        "corrected_amounts": fates[Fate.CORRECTED],
        "deletes": fates[Fate.DELETED] + fates[Fate.DELETED_EARLY],
        "inserts_after_delete": fates[Fate.DELETED_EARLY],
        "key_changes": fates[Fate.REKEYED],
        "inflated_amounts": fates[Fate.INFLATED],
    }


def _planted_changes(scale: Scale, changes: Sequence[Change], files: Sequence[DmsFile]) -> dict[str, int]:
    contents = Counter(file.rows for file in files if file.table == "transactions")
    again = [rows for rows, times in contents.items() if times > 1]
    return {
        "late_changes": sum(change.late for change in changes),
        "corrective_changes": sum(change.corrective for change in changes),
        **{f"malformed_{damage}": scale.malformed_each for damage in DAMAGES},
        "malformed_rows": scale.malformed_each * len(DAMAGES),
        "redelivered_files": len(again),
        "redelivered_rows": sum(map(len, again)),
    }
