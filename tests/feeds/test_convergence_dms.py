"""DMS files: any order, any split, any repetition of the same changes end in the oracle's table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from chispa import assert_df_equality
from histories import Act, dealt, drawn, interleaved
from house import COUNTS, SOURCES, House
from ledgerlake.core.change import Change, Op
from ledgerlake.core.fold import fold

PEOPLE = """
table: people
source: db
resource: public/people
key: [id]
keys_can_change: true
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
COLUMNS = ("owner", "city")
HEADER = ("Op", "id", *COLUMNS, "BI_id", "seq")


@dataclass(frozen=True)
class Record:
    """One line of a DMS file, and the changes it stands for."""

    line: tuple[str | None, ...]
    changes: tuple[Change, ...]


def records(acts: list[tuple[int, Act]]) -> list[Record]:
    """Play all acts in their common order; a moved key takes its row along."""
    keys = {number: f"k{number}" for number, _ in acts}
    return [record(keys, number, act, seq) for seq, (number, act) in enumerate(acts, 1)]


def record(keys: dict[int, str], number: int, act: Act, seq: int) -> Record:
    key, position = keys[number], f"{seq:035d}"
    values = {"owner": act.owner, "city": act.city}
    if act.kind == "drop":
        return Record(("D", key, None, None, None, str(seq)), (Change((key,), Op.DELETE, position, {}),))
    moved = f"{key}m" if act.kind == "move" and len(key) < 8 else key
    keys[number] = moved
    upsert = Change((moved,), Op.UPSERT, position, values)
    left = (Change((key,), Op.DELETE, position, {}),) if moved != key else ()
    return Record(("U", moved, act.owner, act.city, key, str(seq)), (*left, upsert))


def as_csv(pile: list[Record]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *(r.line for r in pile)])
    return text.getvalue().encode()


def deliver(bank: House, piles: list[list[Record]]) -> None:
    """Load each pile as a batch of its own and check that all of its changes are accounted for."""
    for number, pile in enumerate(piles):
        [batch] = bank.deliver(f"db/public/people/20260301-1{number}0000000.csv", as_csv(pile)).load()
        assert batch["read"] == sum(len(r.changes) for r in pile) == sum(batch[n] for n in COUNTS[1:5])
        assert batch["quarantined"] == 0


def test_every_delivery_of_the_same_changes_ends_in_the_same_table(houses: Callable[[str], House]) -> None:
    sent = records(interleaved(drawn("put", "put", "drop", "move"), Random(1)))
    changes = [c for r in sent for c in r.changes]
    slow, quick = (houses(name).declare(SOURCES, PEOPLE) for name in ("slow", "quick"))

    deliver(slow, dealt(sent, Random(2), piles=3))
    deliver(quick, dealt(sent, Random(3), piles=1))

    found = {(row["id"],): {c: row[c] for c in COLUMNS} for row in slow.silver("people").collect()}
    assert found == fold(changes, COLUMNS)
    state = ["id", *COLUMNS, "_deleted", "_position", "_change_id"]
    tables = [
        h.spark.read.format("delta").load(h.workspace().paths.silver("people")).select(*state) for h in (slow, quick)
    ]
    assert_df_equality(*tables, ignore_row_order=True)
    assert slow.bronze("people").count() == quick.bronze("people").count() == len(changes)
