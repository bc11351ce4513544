"""Slot lines: any order, split and repetition of landed transactions ends in the oracle's table."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from convergence import Acts, Format, Sent, assert_converges
from histories import drawn, interleaved
from house import DAY, NOON, House
from ledgerlake.feeds.landed import landing_path
from ledgerlake.feeds.postgres.pgoutput import Change, Relation, RelationColumn, Row
from ledgerlake.feeds.postgres.slot_landing import described
from ledgerlake.feeds.postgres.slot_session import format_lsn
from ledgerlake.landing.manifest import LandedObject, Manifest
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.objects import content_hash
from pyspark.sql import SparkSession
from transactions import COLUMNS, Step, commits, position

PIPELINE = """
pipeline: bank
sources:
  wal: {feed: postgres_slot, connection: db, options: {slot: lake, publication: lake}}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: wal
resource: public.people
key: [id]
changes: partial
keys_can_change: true
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
NAMES = ("id", *COLUMNS)
RELATION = Relation(1, "public", "people", tuple(RelationColumn(n, n == "id", 25, -1) for n in NAMES))


class LandedHouse(House):
    """A house whose deliveries are landed already: what the slot sent is in the lake, with its manifest."""

    def deliver(self, path: str, text: str | bytes) -> House:
        assert isinstance(text, bytes)
        workspace, body = self.workspace(), gzip.compress(text, mtime=0)
        log, digest = workspace.logs["people"], content_hash(body)
        target = landing_path("bank", "people", digest, path)
        workspace.objects.write(target, body)
        item = LandedObject(target, path, digest, len(body), NOON, tuple((n, "string") for n in NAMES))
        log.append(Manifest("bank", "people", log.next_sequence(), "test", DAY, NOON, (item,)))
        return self

    def load(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        loader = Loader(self.workspace(), self.tick(), self.clock.now(), DAY, Progress())
        assert loader.load_all() == []
        return loader.records


class SlotLines(Format):
    """Lines as the slot's extraction writes them; a line carries its position, so transactions may be split."""

    pipeline, table = PIPELINE, PEOPLE

    def play(self, acts: Acts) -> list[Sent]:
        return [
            Sent(_line(lsn, place, step), step.changes(position(lsn, place)))
            for lsn, steps in commits(acts)
            for place, step in enumerate(steps, 1)
        ]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return {f"{number}.json.gz": b"".join(s.record for s in pile)}


def _line(lsn: int, place: int, step: Step) -> bytes:
    change = {"action": "T"} if step.action == "T" else described(_message(step), RELATION)
    return json.dumps({"commit_lsn": format_lsn(lsn), "place": place} | change).encode() + b"\n"


def _message(step: Step) -> Change:
    """Return the step as pgoutput decodes it: an old key only where the key changed or the row went."""
    new = {"id": step.key} | dict(step.values)
    row = Row({NAMES.index(n): v for n, v in new.items()}, tuple(i for i, n in enumerate(NAMES) if n not in new))
    old = Row({0: step.old_key, 1: None, 2: None}) if step.action == "D" or step.old_key != step.key else None
    return Change(step.action, 1, None if step.action == "D" else row, old)


def test_every_landing_of_the_same_changes_converges(tmp_path: Path, spark: SparkSession) -> None:
    houses: Callable[[str], House] = lambda name: LandedHouse(tmp_path / name, spark, FixedClock(NOON))  # noqa: E731
    assert_converges(houses, SlotLines(), interleaved(drawn("put", "set", "set", "drop", "move"), Random(1)))
