"""What the payments database's capture delivers: every change, in order of commit, and its slot.

A change is delivered on a day in one of eight files. Lateness, duplicates, key changes, damage
and the bad delivery of the third day all happen here, never to the facts themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from random import Random
from typing import NamedTuple

from ledgerlake.demo.ledgerbox.model import Fate, Merchant, Transaction, major
from ledgerlake.demo.ledgerbox.scale import DAYS, Scale

SLOTS = 8  # one file every three hours
LATE_SLOT = 1
TRANSACTION_COLUMNS = (
    "transaction_id",
    "merchant_id",
    "processor",
    "processor_ref",
    "currency",
    "amount",
    "fee",
    "status",
    "created_at",
    "captured_at",
    "updated_at",
    "channel",  # appears on the third day
)
MERCHANT_COLUMNS = (
    "merchant_id",
    "legal_name",
    "country",
    "settlement_currency",
    "fee_bps",
    "status",
    "created_at",
)


class Change(NamedTuple):
    """One captured row change of the payments database, and when it is delivered."""

    table: str
    op: str
    values: tuple[str, ...]  # in table-column order; empty is null
    committed_at: datetime
    day: int  # the day index of its delivery
    before_key: str = ""  # the BI_ column: the key before an update
    corrective: bool = False  # only part of the corrected delivery of the last day
    late: bool = False
    extra_field: bool = False  # damage: the row is one field too wide
    sequence: str = ""  # 35 digits, assigned in commit order over both tables

    @property
    def slot(self) -> int:
        """Return which of the day's files carries the change."""
        return LATE_SLOT if self.late else self.committed_at.hour * SLOTS // 24


def stamp(moment: datetime) -> str:
    """Return a timestamp as PostgreSQL and DMS print it: microseconds, UTC without a zone."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def transaction_changes(transactions: Iterable[Transaction]) -> Iterator[Change]:
    """Yield all changes of all transactions, as their fates have them delivered."""
    return chain.from_iterable(map(_lifecycle, transactions))


def _lifecycle(t: Transaction) -> Iterator[Change]:
    insert_late = t.fate in (Fate.LATE_INSERT, Fate.WITHHELD, Fate.DELETED_EARLY)
    yield transaction_row("I", t, "authorised", t.created_at, late=insert_late)
    if t.fate is Fate.REKEYED:
        yield transaction_row("U", t, "authorised", t.created_at + timedelta(seconds=2))
    outcome = "captured" if t.captured else "failed"
    finish = transaction_row("U", t, outcome, t.finished_at, late=t.visible_on > t.day)
    yield _inflated(finish, t) if t.fate is Fate.INFLATED else finish
    yield from _aftermath(t, outcome)


def _aftermath(t: Transaction, outcome: str) -> Iterator[Change]:
    if t.fate in (Fate.DELETED, Fate.DELETED_EARLY):
        key_only = (t.transaction_id, *[""] * (len(TRANSACTION_COLUMNS) - 1))
        yield Change("transactions", "D", key_only, t.finished_at + timedelta(minutes=1), t.day)
    if t.fate is Fate.CORRECTED:
        noon = t.created_at.replace(hour=12) + timedelta(days=1)
        yield transaction_row("U", t, outcome, noon, amount_minor=t.amount_minor, day=t.day + 1)
    if t.fate is Fate.INFLATED:
        # 23:50 to 23:59: after every other commit of the day, so that it has the last word
        corrected_at = t.finished_at.replace(hour=23, minute=50 + t.finished_at.minute % 10)
        yield transaction_row("U", t, outcome, corrected_at)._replace(corrective=True)


def transaction_row(
    op: str,
    t: Transaction,
    status: str,
    at: datetime,
    *,
    late: bool = False,
    amount_minor: int | None = None,
    day: int | None = None,
) -> Change:
    """Return one change of a transaction, committed ``at``; the key before it stands beside it."""
    inserted = op == "I"
    before = "" if inserted else t.first_id if status == "authorised" else t.transaction_id
    amount = t.first_amount_minor if amount_minor is None else amount_minor
    values = (
        t.first_id if inserted else t.transaction_id,
        t.merchant_id,
        t.processor,
        t.processor_ref or "",
        t.currency,
        str(major(amount, t.currency)),
        str(major(t.fee_minor, t.currency)),
        status,
        stamp(t.created_at),
        stamp(t.finished_at) if status == "captured" else "",
        stamp(at),
        t.channel,
    )
    delivered = (t.day if day is None else day) + late
    return Change("transactions", op, values, at, delivered, before, late=late)


def _inflated(change: Change, t: Transaction) -> Change:
    wrong = str(major(t.amount_minor * 100, t.currency))
    return with_value(change, "amount", wrong)


def with_value(change: Change, column: str, text: str) -> Change:
    """Return a transaction's change with another text in one column."""
    at = TRANSACTION_COLUMNS.index(column)
    return change._replace(values=(*change.values[:at], text, *change.values[at + 1 :]))


def merchant_row(m: Merchant) -> tuple[str, ...]:
    """Return a merchant's values in table-column order."""
    return (
        m.merchant_id,
        m.legal_name,
        m.country,
        m.settlement_currency,
        str(m.fee_bps),
        m.status,
        stamp(m.created_at),
    )


def merchant_changes(
    seed: int, scale: Scale, merchants: Sequence[Merchant], first_moment: datetime
) -> Iterator[Change]:
    """Yield status changes of some merchants on the second and third day."""
    for day in range(1, DAYS):
        rng = Random(f"{seed}:merchant updates:{day}")
        for merchant in rng.sample(merchants, min(scale.merchant_updates, len(merchants))):
            changed = replace(merchant, status=rng.choice(("suspended", "closed")))
            at = first_moment + timedelta(days=day, microseconds=rng.randrange(80_000_000_000))
            yield Change("merchants", "U", merchant_row(changed), at, day)


def sequenced(changes: Iterable[Change]) -> list[Change]:
    """Return the changes in order of commit with their ``change_seq``: 35 digits, increasing.

    Like DMS's ``$AR_H_CHANGE_SEQ``: sixteen digits of commit time, nineteen of a counter.
    """
    ordered = sorted(changes, key=lambda change: change.committed_at)
    return [
        change._replace(sequence=f"{change.committed_at:%Y%m%d%H%M%S}00{number:019d}")
        for number, change in enumerate(ordered, start=1)
    ]
