"""How changes are laid out as DMS files: which file, when, and what is delivered twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random

from ledgerlake.demo.ledgerbox.changes import SLOTS, Change, merchant_row
from ledgerlake.demo.ledgerbox.model import Merchant, Refund, midnight, on_day
from ledgerlake.demo.ledgerbox.scale import DAYS, Scale

FOLDERS = {
    "merchants": "payments_db/public/merchants",
    "transactions": "payments_db/public/transactions",
    "refunds": "refunds_db/public/refunds",
}
REDELIVERED_SLOT = 2  # the file that arrives a second time under another name, every day
FULL_LOAD_ROWS = 20  # merchants per LOAD file: ten files show that the counter is hexadecimal


@dataclass(frozen=True)
class DmsFile:
    """One CSV object of the payments database's task."""

    path: str
    table: str
    day: int
    rows: tuple[Change, ...]
    corrective: bool = False


@dataclass(frozen=True, slots=True)
class RefundChange:
    """One captured change of the refunds table."""

    op: str
    refund: Refund
    status: str
    committed_at: datetime


@dataclass(frozen=True)
class RefundFile:
    """One Parquet object of the refunds database's task."""

    path: str
    day: int
    rows: tuple[RefundChange, ...]


def full_load(merchants: Sequence[Merchant], transferred_at: datetime) -> list[DmsFile]:
    """Return the LOAD files of the merchants; their time is that of the transfer."""
    files = []
    for number, first in enumerate(range(0, len(merchants), FULL_LOAD_ROWS), start=1):
        part = merchants[first : first + FULL_LOAD_ROWS]
        rows = tuple(Change("merchants", "I", merchant_row(m), transferred_at, 0) for m in part)
        files.append(DmsFile(f"{FOLDERS['merchants']}/LOAD{number:08X}.csv", "merchants", 0, rows))
    return files


def change_files(changes: Iterable[Change], start: date, copies: Mapping[int, Sequence[Change]]) -> list[DmsFile]:
    """Return the CDC files of all days; ``copies`` are delivered again, one slot after the first.

    A whole file per day is delivered again under another name, seven minutes later.
    """
    groups: dict[tuple[str, int, int, bool], list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.table, change.day, change.slot, change.corrective].append(change)
    for day, repeated in copies.items():
        for change in repeated:
            slot = min(change.slot + 1, SLOTS - 1)
            groups[change.table, day, slot, False].append(change)
    files = []
    for (table, day, slot, corrective), rows in sorted(groups.items()):
        path = f"{FOLDERS[table]}/{file_stamp(start, day, slot, corrective=corrective)}.csv"
        files.append(DmsFile(path, table, day, tuple(rows), corrective))
        if table == "transactions" and slot == REDELIVERED_SLOT and not corrective:
            again = f"{FOLDERS[table]}/{file_stamp(start, day, slot, minutes=7)}.csv"
            files.append(replace(files[-1], path=again))
    return files


def file_stamp(start: date, day: int, slot: int, *, minutes: int = 0, corrective: bool = False) -> str:
    """Return DMS's file name stem ``YYYYMMDD-HHMMSSmmm``: when the file was closed.

    The day's last file closes at 23:45 and a corrective one at 23:59:30.
    """
    opened = midnight(on_day(start, day))
    closed = opened + timedelta(hours=24 * (slot + 1) / SLOTS, minutes=minutes)
    if slot == SLOTS - 1:
        closed = opened + timedelta(hours=23, minutes=45)
    if corrective:
        closed = opened + timedelta(hours=23, minutes=59, seconds=30)
    return f"{closed:%Y%m%d-%H%M%S}{(day * 97 + slot * 31 + 123) % 1000:03d}"


def chosen_copies(seed: int, scale: Scale, changes: Sequence[Change]) -> dict[int, list[Change]]:
    """Return, by day, the changes that are delivered a second time in a later file."""
    copies = {}
    for day in range(DAYS):
        sound = [c for c in changes if c.day == day and c.table == "transactions" and _copyable(c)]
        copies[day] = Random(f"{seed}:copies:{day}").sample(sound, min(scale.duplicates, len(sound)))
    return copies


def _copyable(change: Change) -> bool:
    # A copy in the file that is itself delivered twice would blur the planted counts.
    twice = {REDELIVERED_SLOT, REDELIVERED_SLOT - 1}
    return change.op == "U" and not change.corrective and not change.late and change.slot not in twice


def refund_files(refunds: Sequence[Refund], start: date, copies: int) -> tuple[list[RefundFile], int]:
    """Return the Parquet files of all days and how many of their rows are repetitions.

    Without a sequence column a repeated row can only be ordered by commit time, so what is
    repeated is a refund's last row, in the file after the one that carried it.
    """
    groups: dict[tuple[int, int], list[RefundChange]] = defaultdict(list)
    finals: dict[int, list[tuple[int, RefundChange]]] = defaultdict(list)
    for refund in refunds:
        outcome = "succeeded" if refund.succeeded else "failed"
        for op, status, at in (("I", "pending", refund.created_at), ("U", outcome, refund.finished_at)):
            groups[refund.day, at.hour * SLOTS // 24].append(RefundChange(op, refund, status, at))
        finals[refund.day].append((at.hour * SLOTS // 24, RefundChange(op, refund, outcome, at)))
    planted = 0
    for day, rows in finals.items():
        for slot, change in [pair for pair in rows if pair[0] < SLOTS - 1][:copies]:
            groups[day, slot + 1].append(change)
            planted += 1
    files = [
        RefundFile(f"{FOLDERS['refunds']}/{file_stamp(start, day, slot)}.parquet", day, _ordered(rows))
        for (day, slot), rows in sorted(groups.items())
    ]
    return files, planted


def _ordered(rows: list[RefundChange]) -> tuple[RefundChange, ...]:
    return tuple(sorted(rows, key=lambda change: change.committed_at))
