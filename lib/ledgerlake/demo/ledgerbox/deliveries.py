"""Deliver a day of the world into a source bucket: the objects that DMS and Kafka Connect write.

The settlements database and the Stripe server take their days through ``apply_day``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ledgerlake.demo.ledgerbox.dms_files import csv_body, parquet_body
from ledgerlake.demo.ledgerbox.event_files import event_body
from ledgerlake.demo.ledgerbox.world import World
from ledgerlake.ports.objects import LocalObjects


@dataclass(frozen=True)
class DeliverySummary:
    """What a delivery consists of; repeated delivery has the same summary."""

    objects: int
    written: int  # of those, how many were not there before
    changes: dict[str, int]  # rows per table, repetitions and malformed rows included


@dataclass(frozen=True)
class _Delivered:
    path: str
    table: str
    rows: int
    body: Callable[[], bytes]


def deliver(world: World, day_index: int, root: Path, *, corrected: bool = False) -> DeliverySummary:
    """Write the day's objects under ``root``; what is there already is left untouched.

    The last day's first delivery holds wrong amounts; ``corrected=True`` delivers in addition
    the later files that put them right. It changes nothing on the other days.
    """
    store = LocalObjects(root)
    changes: Counter[str] = Counter()
    objects = written = 0
    for item in _objects_of(world, day_index, corrected):
        objects += 1
        changes[item.table] += item.rows
        if not store.exists(item.path):
            written += store.write(item.path, item.body(), if_absent=True)
    return DeliverySummary(objects, written, dict(changes))


def _objects_of(world: World, day: int, corrected: bool) -> Iterator[_Delivered]:
    for csv_file in world.dms_files:
        if csv_file.day == day and (corrected or not csv_file.corrective):
            yield _Delivered(csv_file.path, csv_file.table, len(csv_file.rows), partial(csv_body, csv_file))
    for refunds in world.refund_files:
        if refunds.day == day:
            yield _Delivered(refunds.path, "refunds", len(refunds.rows), partial(parquet_body, refunds))
    for events in world.event_files:
        if events.day == day:
            yield _Delivered(events.path, "payment_events", len(events.lines), partial(event_body, events))
