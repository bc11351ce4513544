"""wal2json files: any order and repetition of whole transactions, in any split, ends in the oracle's table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from convergence import Acts, Format, Sent, assert_converges
from histories import drawn, interleaved
from house import House
from ledgerlake.testing.wal2json import body, pairs, row, transaction
from transactions import COLUMNS, Step, commits, position

PIPELINE = """
pipeline: bank
sources:
  wal: {feed: wal2json, location: wal}
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


class Wal2Json(Format):
    """Transactions of some changes each; an object holds some of them whole, among those of other tables."""

    pipeline, table = PIPELINE, PEOPLE

    def play(self, acts: Acts) -> list[Sent]:
        return [
            Sent(
                transaction(row("I", pairs(x="1"), table="pets"), *map(_row, steps), lsn=f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}", xid=lsn % 1000),
                tuple(c for place, step in enumerate(steps, 1) for c in step.changes(position(lsn, place))),
            )
            for lsn, steps in commits(acts)
        ]  # fmt: skip

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return {f"wal/delivery-{number}.json": body(*(r for s in pile for r in s.record))}


def _row(step: Step) -> dict[str, object]:
    if step.action == "T":
        return row("T")
    if step.action == "D":
        return row("D", identity=pairs(id=step.old_key))
    carried = {n: step.values[n] for n in COLUMNS if n in step.values}
    return row(step.action, pairs(id=step.key, **carried), pairs(id=step.old_key) if step.action == "U" else None)


def test_every_delivery_of_the_same_transactions_converges(houses: Callable[[str], House]) -> None:
    assert_converges(houses, Wal2Json(), interleaved(drawn("put", "set", "set", "drop", "move"), Random(1)))
