"""Partial events: any order, any split, any overlap of exported ranges end in the oracle's table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from random import Random

from chispa import assert_df_equality
from histories import Act, dealt, drawn, interleaved
from house import COUNTS, SOURCES, House, lines
from ledgerlake.core.change import Change, Op
from ledgerlake.core.fold import fold

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
STATE = ("_deleted", "_base_position", "_delete_position")


def carried(act: Act) -> dict[str, object]:
    """Return the fields an event holds: a put has all, a set has some, a drop has none."""
    names = {"put": COLUMNS, "set": act.carried, "drop": ()}[act.kind]
    return {name: getattr(act, name) for name in names}


def ranges(size: int, random: Random) -> list[range]:
    """Cut a topic into exported files of up to forty events."""
    cuts = sorted({0, size, *(random.randrange(size) for _ in range(size // 30))})
    return [range(a, b) for a, b in itertools.pairwise(cuts)]


def deliver(bank: House, topic: Sequence[tuple[int, Act]], piles: list[list[range]]) -> None:
    """Export each pile's ranges and load them as one batch; a range that comes again overlaps its old one."""
    seen: set[int] = set()
    for pile in piles:
        offsets: list[int] = []
        for span in pile:
            if span.start in seen:  # the connector was restarted: the same events under another start
                span = span[1:] if len(span) > 1 else span
            seen.add(span.start)
            offsets += span
            events = [{"op": topic[n][1].kind, "id": f"k{topic[n][0]}"} | carried(topic[n][1]) for n in span]
            bank.deliver(f"topics/bank.people/bank.people+0+{span.start:010d}.json.gz", lines(*events))
        [batch] = bank.load()
        assert batch["read"] == sum(batch[n] for n in COUNTS[1:5]) <= len(offsets)
        assert batch["quarantined"] == 0


def test_every_export_of_the_same_events_ends_in_the_same_table(houses: Callable[[str], House]) -> None:
    topic = interleaved(drawn("put", "set", "set", "drop"), Random(1))
    changes = [Change((f"k{n}",), OPS[act.kind], f"{at:020d}", carried(act)) for at, (n, act) in enumerate(topic)]
    slow, quick = (houses(name).declare(SOURCES, PEOPLE) for name in ("slow", "quick"))

    deliver(slow, topic, dealt(ranges(len(topic), Random(2)), Random(3), piles=3))
    deliver(quick, topic, dealt(ranges(len(topic), Random(4)), Random(5), piles=1))

    found = {(row["id"],): {c: row[c] for c in COLUMNS} for row in slow.silver("people").collect()}
    assert found == fold(changes, COLUMNS)
    at = [f"_column_positions['{c}'] AS at_{c}" for c in COLUMNS]  # maps have no order to compare
    tables = [
        h.spark.read.format("delta").load(h.workspace().paths.silver("people")).selectExpr("id", *COLUMNS, *STATE, *at)
        for h in (slow, quick)
    ]
    assert_df_equality(*tables, ignore_row_order=True)
    assert slow.bronze("people").count() == quick.bronze("people").count() == len(changes)
