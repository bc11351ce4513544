"""Writes what each day delivers: topics in JSON lines and Avro, period closes and control totals in CSV.

Objects carry the time at which they were exported, so that *known at* means the same on every machine.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zlib import crc32

from ledgerlake.demo.tax_ledger.avro_files import container
from ledgerlake.demo.tax_ledger.model import Event, major, moment
from ledgerlake.demo.tax_ledger.world import CLOSES, DAYS, World

MISCOUNTED = 1_000
"""What the payments service adds to its control of day 3 by mistake, in minor units."""


def exported_at(day: int, *, corrected: bool = False) -> datetime:
    """Return when the objects of a day were exported."""
    return datetime.combine(DAYS[day], time(23, 50), UTC) + timedelta(minutes=5 if corrected else 0)


class Deliveries:
    """Writes below ``files``; ``offsets`` are where each topic and partition stands."""

    def __init__(self, world: World, files: Path) -> None:
        self._world, self._root, self._offsets = world, files / "tax_ledger", defaultdict[tuple[str, int], int](int)
        self.written = 0

    def deliver(self, day: int, *, corrected: bool = False) -> int:
        """Write everything that arrives on a day (or its correction) and return the number of new objects."""
        before = self.written
        events = self._world.correction if corrected else self._world.deliveries[day]
        at = exported_at(day, corrected=corrected)
        for service in ("billing", "payments", "tax_engine"):
            self._topic(service, day, [e for e in events if e.service == service], at)
        if day == 1:
            self._oddities(at)
        self._controls(day, at, corrected=corrected)
        closes = [c for c in CLOSES if c[4] == day and not corrected]
        if closes:
            rows = [[name, period, moment(closed), policy] for name, period, closed, policy, _ in closes]
            self._csv("period_closes", day, 1, ["close_id", "period", "closed_at", "policy"], rows, at)
        return self.written - before

    def _oddities(self, at: datetime) -> None:
        """Write day 2's replays, relays, contradictions and broken lines."""
        world = self._world
        self._topic("payments", 1, world.replays, at, topic="ledger.payments.replay")
        self._topic("tax_engine", 1, world.relayed, at, topic="ledger.tax_engine.relay")
        self._topic("billing", 1, world.contradictions, at, topic="ledger.billing.retry")
        broken = [_line(e)[: len(_line(e)) // 2] for e in world.damaged]
        if broken:
            self._put(self._name("ledger.billing.broken", 1, 0, len(broken), "json.gz"), _gzipped(broken), at)

    def _topic(self, service: str, day: int, events: Sequence[Event], at: datetime, topic: str = "") -> None:
        topic = topic or f"ledger.{service}"
        partitions: dict[int, list[Event]] = defaultdict(list)
        for event in events:
            partitions[crc32(event.invoice_id.encode()) % 2].append(event)
        for number, part in sorted(partitions.items()):
            avro = service == "tax_engine"
            name = self._name(topic, day, number, len(part), "avro" if avro else "json.gz")
            self._put(name, container([e.record() for e in part]) if avro else _gzipped(map(_line, part)), at)

    def _name(self, topic: str, day: int, partition: int, records: int, extension: str) -> str:
        offset = self._offsets[topic, partition]
        self._offsets[topic, partition] += records
        return f"topics/ledger.events/{topic}/dt={DAYS[day].isoformat()}/{topic}+{partition}+{offset:010d}.{extension}"

    def _controls(self, day: int, at: datetime, *, corrected: bool) -> None:
        events = self._world.recorded[day] + (self._world.correction if corrected else [])
        rows = []
        for service in ("billing", "payments", "tax_engine"):
            own = [e for e in events if e.service == service]
            span = [str(f(e.sequence for e in own)) for f in (min, max)] if own else []
            for currency in sorted({e.currency for e in own}):
                priced = [e for e in own if e.currency == currency]
                wrong = MISCOUNTED if (day, service, currency, corrected) == (2, "payments", "EUR", False) else 0
                debits = major(sum(e.debits for e in priced) + wrong, currency)
                revision = "2" if corrected else "1"
                rows.append([service, DAYS[day].isoformat(), currency, revision, str(len(priced)), debits, *span])
        columns = [
            "service",
            "control_date",
            "currency",
            "revision",
            "events",
            "debits",
            "sequence_first",
            "sequence_last",
        ]
        self._csv("service_controls", day, 2 if corrected else 1, columns, rows, at)

    def _csv(
        self, table: str, day: int, part: int, columns: list[str], rows: Iterable[Sequence[str]], at: datetime
    ) -> None:
        body = "".join(",".join(row) + "\n" for row in [columns, *rows])
        self._put(f"finance/{table}/{DAYS[day].isoformat()}-{part}.csv", body.encode(), at)

    def _put(self, name: str, body: bytes, at: datetime) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        os.utime(path, (at.timestamp(), at.timestamp()))
        self.written += 1


def _line(event: Event) -> str:
    """Return the envelope as JSON, with the evidence that the service keeps beside it and nobody reads here."""
    evidence = {"ship_to": {"country": event.jurisdiction[:2]}, "calculation": "x" * 400, "schema": "ledger-event/3"}
    return json.dumps(event.record() | {"evidence": evidence}, separators=(",", ":"))


def _gzipped(lines: Iterable[str]) -> bytes:
    return gzip.compress("".join(line + "\n" for line in lines).encode(), compresslevel=5, mtime=0)
