"""Writes a delivery as the objects that the sources leave: change events, decoded WAL, a Kafka export."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from ledgerlake.demo.customer_master import shapes
from ledgerlake.demo.customer_master.people import moment
from ledgerlake.demo.customer_master.shapes import Json
from ledgerlake.demo.customer_master.world import ROWS_PER_TRANSACTION, Delivery, World

TOPIC = "ledgerloop.subscription_events"


def deliver(world: World, number: int, root: Path) -> int:
    """Write the objects of delivery ``number`` (3 is the correction) under ``root``; return how many are new.

    Each object bears the time at which its source would have written it, which is its extract time.
    """
    written = 0
    for path, body in _objects(world, number):
        target = root / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
            stamp = _written_at(number).timestamp()
            os.utime(target, (stamp, stamp))
            written += 1
    return written


def _written_at(number: int) -> datetime:
    return moment(min(number, 2), 18) + timedelta(hours=max(0, number - 2))


def _objects(world: World, number: int) -> Iterator[tuple[str, bytes]]:
    made, day = world.deliveries[number], world.date_of(number).isoformat()
    if made.accounts:
        yield f"salesforce/accounts/{day}.jsonl", _lines(made.accounts)
    if made.contacts:
        yield f"salesforce/contacts/{day}.jsonl", _lines(made.contacts)
    if made.app:
        yield f"app_db/{day}-{number}.json", _lines(_transactions(made, number))
    if made.events:
        before = sum(len(d.events) for d in world.deliveries[:number])
        yield f"loop_topics/{TOPIC}/{TOPIC}+0+{before:010d}.json.gz", gzip.compress(_lines(made.events), 5, mtime=0)


def _transactions(made: Delivery, number: int) -> Iterator[Json]:
    for place, first in enumerate(range(0, len(made.app), ROWS_PER_TRANSACTION)):
        yield from shapes.transaction(number * 10_000 + place, made.app[first : first + ROWS_PER_TRANSACTION])


def _lines(records: Iterable[Json]) -> bytes:
    return "".join(json.dumps(r, separators=(",", ":")) + "\n" for r in records).encode()
