"""Partial events, and whole ones in Avro: any order, any split, any overlap of exported ranges end in the oracle's table."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections.abc import Callable, Sequence
from random import Random

import fastavro
from convergence import Acts, Format, Sent, assert_converges
from histories import Act, dealt, drawn, interleaved
from house import SOURCES, House, lines
from ledgerlake.core.change import Change, Op

PEOPLE = """
table: people
source: topics
resource: bank.people
key: [id]
changes: partial
feed:
  op_field: op
  ops: {put: upsert, set: patch, drop: delete}
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
COLUMNS = ("owner", "city")
OPS = {"put": Op.UPSERT, "set": Op.PATCH, "drop": Op.DELETE}


class Topic(Format):
    """One partition, exported in ranges; an event's order is its offset, whatever file it stands in."""

    pipeline, table = SOURCES, PEOPLE

    def play(self, acts: Acts) -> list[Sent]:
        return [
            Sent(
                (offset, {"op": act.kind, "id": f"k{n}"} | _carried(act)),
                (Change((f"k{n}",), OPS[act.kind], f"{offset:020d}", _carried(act)),),
            )
            for offset, (n, act) in enumerate(acts)
        ]

    def piles(self, sent: Sequence[Sent], random: Random, count: int) -> list[list[Sent]]:
        cuts = sorted({0, len(sent), *(random.randrange(len(sent)) for _ in range(len(sent) // 30))})
        ranges = [sent[a:b] for a, b in itertools.pairwise(cuts)]
        return [list(itertools.chain(*pile)) for pile in dealt(ranges, random, min(count, len(ranges)))]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        """Write each run of offsets as an object; in a later delivery it overlaps under another start."""
        offsets = sorted({s.record[0] for s in pile})
        starts = [o for o in offsets if o - 1 not in offsets]
        events = {s.record[0]: s.record[1] for s in pile}
        found = {}
        for start, end in zip(starts, [*starts[1:], offsets[-1] + 1], strict=True):
            run = [o for o in offsets if start <= o < end]
            body = gzip.compress(lines(*(events[o] for o in run)).encode(), mtime=0)
            found[f"topics/bank.people/delivery={number}/bank.people+0+{start:010d}.json.gz"] = body
        return found


def _carried(act: Act) -> dict[str, object]:
    """Return the fields an event holds: a put has all, a set has some, a drop has none."""
    names = {"put": COLUMNS, "set": act.carried, "drop": ()}[act.kind]
    return {name: getattr(act, name) for name in names}


def test_every_export_of_the_same_events_converges(houses: Callable[[str], House]) -> None:
    assert_converges(houses, Topic(), interleaved(drawn("put", "set", "set", "drop"), Random(1)))


WHOLE = PEOPLE.replace("changes: partial\n", "").replace("put: upsert, set: patch, drop", "put: upsert, drop")
TEXT = ["null", "string"]
SCHEMA = {
    "type": "record", "name": "Event",
    "fields": [{"name": "op", "type": "string"}, *({"name": n, "type": TEXT} for n in ("id", *COLUMNS))],
}  # fmt: skip


class AvroTopic(Topic):
    """The same topic of whole events in Avro containers of several blocks."""

    pipeline = SOURCES.replace("location: topics", "location: topics\n    options: {format: avro}")
    table = WHOLE

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return {p.replace(".json.gz", ".avro"): _container(body) for p, body in super().files(pile, number).items()}


def _container(lines_: bytes) -> bytes:
    sink = io.BytesIO()
    events = [json.loads(line) for line in gzip.decompress(lines_).splitlines()]
    fastavro.writer(sink, fastavro.parse_schema(SCHEMA), events, codec="deflate", sync_interval=500)
    return sink.getvalue()


def test_every_export_of_the_same_avro_events_converges(houses: Callable[[str], House]) -> None:
    assert_converges(houses, AvroTopic(), interleaved(drawn("put", "put", "drop"), Random(1)))
