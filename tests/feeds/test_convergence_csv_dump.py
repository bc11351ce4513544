"""CSV snapshots and dumps: any order, any split, any repetition end in the oracle's table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random

from convergence import Acts, Format, Sent, assert_converges
from histories import drawn, interleaved
from house import House
from ledgerlake.core.change import Change, Op

PIPELINE = """
pipeline: bank
sources:
  files: {feed: FEED, location: files}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: files
resource: people
key: [id]
OWN
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
DAYS = 8


class Dumps(Format):
    """JSON lines with a version: the version is the order, whatever file a record stands in."""

    pipeline = PIPELINE.replace("FEED", "dump")
    table = (
        PEOPLE.replace("OWN", "feed: {order_by: [version]}") + "  - {name: version, type: bigint, nullable: false}\n"
    )
    columns = ("owner", "city", "version")

    def play(self, acts: Acts) -> list[Sent]:
        sent = []
        for version, (n, act) in enumerate(acts, -40):  # versions below zero have an order too
            values = {"owner": act.owner, "city": act.city, "version": version}
            position = str(version + 10**19).zfill(20)
            sent.append(Sent({"id": f"k{n}"} | values, (Change((f"k{n}",), Op.UPSERT, position, values),)))
        return sent

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        body = "".join(json.dumps(s.record) + "\n" for s in pile)
        return {f"files/people/dump{number}.jsonl": body.encode()}


class Snapshots(Format):
    """Complete CSV files, one a day: each holds every row that there is, and so tells of deletes."""

    pipeline = PIPELINE.replace("FEED", "csv")
    table = PEOPLE.replace("OWN", "snapshot: {complete: true, shrink_max: 1}")

    def play(self, acts: Acts) -> list[Sent]:
        rows: dict[str, tuple[str | None, str | None]] = {}
        sent = []
        for day in range(DAYS):
            for n, act in acts[len(acts) * day // DAYS : len(acts) * (day + 1) // DAYS]:
                if act.kind == "drop":
                    rows.pop(f"k{n}", None)
                else:
                    rows[f"k{n}"] = (act.owner, act.city)
            sent.append(_snapshot(date(2026, 3, 1) + timedelta(days=day - DAYS), dict(rows)))
        return sent

    def piles(self, sent: Sequence[Sent], random: Random, count: int) -> list[list[Sent]]:
        """Deliver each snapshot once: it comes as a whole, and a second part of it would be refused."""
        shuffled = random.sample(list(sent), len(sent))
        cut = len(shuffled) // count
        return [shuffled[i * cut : (i + 1) * cut if i + 1 < count else None] for i in range(count)]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return dict(s.record for s in pile)


def _snapshot(day: date, rows: dict[str, tuple[str | None, str | None]]) -> Sent:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("id", "owner", "city"), *((k, *v) for k, v in rows.items())])
    upserts = [Change((k,), Op.UPSERT, f"{day}|1", {"owner": o, "city": c}) for k, (o, c) in rows.items()]
    record = (f"files/people/people_{day}.csv", text.getvalue().encode())
    return Sent(record, (Change((), Op.TRUNCATE, f"{day}|0", {}), *upserts))


def test_every_delivery_of_the_same_dumps_converges(houses: Callable[[str], House]) -> None:
    assert_converges(houses, Dumps(), interleaved(drawn("put"), Random(1)))


def test_every_delivery_of_the_same_snapshots_converges(houses: Callable[[str], House]) -> None:
    assert_converges(houses, Snapshots(), interleaved(drawn("put", "put", "drop"), Random(1)))
