"""The high-watermark query: whenever a live server is asked, and whatever is still open then, the table ends as the oracle's."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from convergence import Acts, Format, Piles, Sent, assert_converges
from histories import drawn, interleaved
from house import NOON, House, lines
from ledgerlake.core.change import Change, Op
from ledgerlake.demo.ledgerbox.settlements_db import Endpoint
from ledgerlake.ports.clock import FixedClock
from postgres import DbHouse, fresh, postgres
from pyspark.sql import SparkSession

PIPELINE = """
pipeline: bank
sources:
  db: {feed: query, connection: jdbc, options: {overlap_minutes: 0, partitions: 2}}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: db
resource: public.people
key: [id]
feed: {watermark: at, deletes: {every_days: 1, max_share: 1.0}}
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
  - {name: at, type: timestamp, nullable: false}
"""
SCHEMA = "CREATE TABLE people (id text PRIMARY KEY, owner text, city text, at timestamptz NOT NULL)"
PUT = """
INSERT INTO people VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, city = excluded.city, at = excluded.at
"""
LANES = 4
"""Connections whose transactions are open at once; a history keeps to one, as its rows would lock another out."""
AFTER_NOW = date(2100, 1, 1)


@dataclass
class Asking(DbHouse):
    """A house whose server plays what is delivered; each load is a pull on a day of its own."""

    lanes: dict[int, psycopg.Connection[Any]] = field(default_factory=dict)
    pulls: Iterator[int] = field(default_factory=itertools.count)

    def deliver(self, path: str, text: str | bytes) -> House:
        for line in map(json.loads, text.splitlines()):
            connection = self._lane(line["lane"])
            if "put" in line:
                connection.execute(PUT, line["put"])
            elif "drop" in line:
                connection.execute("DELETE FROM people WHERE id = %s", (line["drop"],))
            else:
                connection.commit()
        return self

    def _lane(self, number: int) -> psycopg.Connection[Any]:
        assert self.endpoint is not None
        if number not in self.lanes:
            self.lanes[number] = psycopg.connect(self.endpoint.dsn)
        return self.lanes[number]

    def load(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return super().load(AFTER_NOW + timedelta(days=next(self.pulls)))

    def close(self) -> None:
        for connection in self.lanes.values():
            connection.close()


class People(Format):
    """Rows of a table; its source's order is that of commits, and what varies is when it is asked."""

    pipeline, table, told = PIPELINE, PEOPLE, False
    pulls = (1, 4)

    def play(self, acts: Acts) -> list[Sent]:
        return [Sent(told, (_change(*told, place),)) for place, told in enumerate(acts)]

    def ways(self, sent: Sequence[Sent]) -> list[Piles]:
        """Pull when all is over, or in between, while transactions are open that commit after the pull."""
        return [self._script(sent, pulls) for pulls in self.pulls]

    def _script(self, sent: Sequence[Sent], pulls: int) -> Piles:
        random = Random(pulls)
        cuts = [0, *sorted(random.randrange(len(sent) + 1) for _ in range(pulls - 1)), len(sent)]
        piles = [[line for s in sent[a:b] for line in _lines(s, random)] for a, b in itertools.pairwise(cuts)]
        piles[-1] += [{"lane": lane, "commit": True} for lane in range(LANES)]
        return [[Sent(line, ()) for line in pile] for pile in piles]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return {f"script{number}.jsonl": lines(*(s.record for s in pile)).encode()}


def _change(number: int, act: Any, place: int) -> Change:
    key, at = (f"k{number}",), f"{place:09d}"
    if act.kind == "drop":
        return Change(key, Op.DELETE, at, {})
    return Change(key, Op.UPSERT, at, {"owner": act.owner, "city": act.city})


def _lines(sent: Sent, random: Random) -> Iterator[dict[str, Any]]:
    number, act = sent.record
    lane, key = number % LANES, f"k{number}"
    yield {"lane": lane, "drop": key} if act.kind == "drop" else {"lane": lane, "put": [key, act.owner, act.city]}
    if random.random() < 0.3:
        yield {"lane": lane, "commit": True}


@pytest.fixture
def servers(tmp_path: Path, spark: SparkSession) -> Iterator[Callable[[str], House]]:
    """Return a maker of houses that are connected to an empty database each."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres())

        def connected(name: str) -> House:
            database: Endpoint = stack.enter_context(fresh(server, SCHEMA))
            house = Asking(tmp_path / name, spark, FixedClock(NOON), endpoint=database)
            stack.callback(house.close)
            return house

        yield connected
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def test_every_pace_of_asking_a_live_server_converges(servers: Callable[[str], House]) -> None:
    assert_converges(servers, People(), interleaved(drawn("put", "put", "drop"), Random(1)))
