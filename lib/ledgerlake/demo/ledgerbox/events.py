"""The checkout's event stream as Kafka Connect exports it: partitions, offsets, JSON lines."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

from ledgerlake.demo.ledgerbox.model import Transaction, major, on_day
from ledgerlake.demo.ledgerbox.scale import DAYS, Scale

TOPIC = "ledgerbox.payment_events"
PARTITIONS = 4


class EventRecord(NamedTuple):
    """One record of the topic: its key decides the partition, its arrival the order."""

    key: str
    occurred_at: datetime
    line: str
    day: int  # the day index of its export


@dataclass(frozen=True)
class EventFile:
    """One exported object: the lines of one partition from ``first_offset`` on."""

    path: str
    day: int
    partition: int
    first_offset: int
    lines: tuple[str, ...]


def event_records(
    seed: int, scale: Scale, transactions: Sequence[Transaction]
) -> tuple[list[EventRecord], dict[str, int]]:
    """Return all records in order of arrival, and what was planted among them."""
    rng = Random(f"{seed}:events")
    records = [r for t in transactions for r in _of_transaction(t, rng, scale)]
    late = rng.sample([i for i, r in enumerate(records) if r.day < DAYS - 1], scale.late)
    for index in late:
        records[index] = records[index]._replace(day=records[index].day + 1)
    retried = rng.sample(records, scale.duplicates)
    damaged = [
        EventRecord(r.key, r.occurred_at, r.line[: len(r.line) // 2], r.day)
        for r in rng.sample([r for r in records if r.day == 1], scale.malformed_each)
    ]
    arrived = sorted([*records, *retried, *damaged], key=lambda r: (r.day, r.occurred_at))
    planted = {
        "late_events": len(late),
        "retried_events": len(retried),
        "malformed_events": len(damaged),
    }
    return arrived, planted


def _of_transaction(t: Transaction, rng: Random, scale: Scale) -> Iterator[EventRecord]:
    # The checkout writes the authorisation before a key change and so knows the old key.
    yield _record(t, "payment.authorised", t.first_id, t.created_at, rng)
    if rng.randrange(100) < scale.risk_scored_percent:
        yield _record(t, "payment.risk_scored", t.first_id, t.created_at + timedelta(seconds=1), rng)
    outcome = "payment.captured" if t.captured else "payment.failed"
    yield _record(t, outcome, t.transaction_id, t.finished_at, rng)


def _record(t: Transaction, event_type: str, key: str, at: datetime, rng: Random) -> EventRecord:
    scored = event_type == "payment.risk_scored"
    body = {
        "event_id": str(UUID(int=rng.getrandbits(128), version=4)),
        "occurred_at": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "producer": "checkout",
        "event_type": event_type,
        "transaction_id": key,
        "merchant_id": t.merchant_id,
        "payload": {
            "amount": str(major(t.first_amount_minor, t.currency)),
            "currency": t.currency,
            "risk_score": f"0.{rng.randrange(100):02d}" if scored else None,
        },
    }
    return EventRecord(key, at, json.dumps(body, separators=(",", ":")), t.day)


def event_files(records: Sequence[EventRecord], start: date, scale: Scale) -> tuple[list[EventFile], int]:
    """Return the export's files and how many records stand in two of them.

    Each day's first file of partition 0 is followed by one that starts in its middle, as after
    a rebalance: the same offsets twice.
    """
    queues: dict[tuple[int, int], list[str]] = defaultdict(list)
    for record in records:
        queues[record.day, crc32(record.key.encode()) % PARTITIONS].append(record.line)
    files: list[EventFile] = []
    offsets = [0] * PARTITIONS
    overlapping = 0
    for (day, partition), lines in sorted(queues.items()):
        for first in range(0, len(lines), scale.events_per_file):
            part = tuple(lines[first : first + scale.events_per_file])
            files.append(_file(start, day, partition, offsets[partition] + first, part))
            if partition == 0 and first == 0 and len(part) > 1:
                half = len(part) // 2
                files.append(_file(start, day, 0, offsets[0] + half, part[half:]))
                overlapping += len(part) - half
        offsets[partition] += len(lines)
    return files, overlapping


def _file(start: date, day: int, partition: int, offset: int, lines: tuple[str, ...]) -> EventFile:
    folder = f"topics/{TOPIC}/dt={on_day(start, day).isoformat()}"
    path = f"{folder}/{TOPIC}+{partition}+{offset:010d}.json.gz"
    return EventFile(path, day, partition, offset, lines)
