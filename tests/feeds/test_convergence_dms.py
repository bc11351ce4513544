"""DMS files: any order, any split, any repetition of the same changes end in the oracle's table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from random import Random

from convergence import Acts, Format, Sent, assert_converges
from histories import Act, drawn, interleaved
from house import SOURCES, House
from ledgerlake.core.change import Change, Op

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
HEADER = ("Op", "id", "owner", "city", "BI_id", "seq")


class Dms(Format):
    """CSV files with a change sequence and before images of the key."""

    pipeline, table = SOURCES, PEOPLE

    def play(self, acts: Acts) -> list[Sent]:
        """Play all acts in their common order; a moved key takes its row along."""
        keys = {number: f"k{number}" for number, _ in acts}
        return [_sent(keys, number, act, seq) for seq, (number, act) in enumerate(acts, 1)]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([HEADER, *(s.record for s in pile)])
        return {f"db/public/people/20260301-1{number}0000000.csv": text.getvalue().encode()}


def _sent(keys: dict[int, str], number: int, act: Act, seq: int) -> Sent:
    key, position = keys[number], f"{seq:035d}"
    values = {"owner": act.owner, "city": act.city}
    if act.kind == "drop":
        return Sent(("D", key, None, None, None, str(seq)), (Change((key,), Op.DELETE, position, {}),))
    moved = f"{key}m" if act.kind == "move" and len(key) < 8 else key
    keys[number] = moved
    upsert = Change((moved,), Op.UPSERT, position, values)
    left = (Change((key,), Op.DELETE, position, {}),) if moved != key else ()
    return Sent(("U", moved, act.owner, act.city, key, str(seq)), (*left, upsert))


def test_every_delivery_of_the_same_dms_changes_converges(houses: Callable[[str], House]) -> None:
    assert_converges(houses, Dms(), interleaved(drawn("put", "put", "drop", "move"), Random(1)))
