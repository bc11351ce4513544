"""Streamed days: asked in any order, again, cut off or all at once, they end in the oracle's table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any

import pytest
from convergence import Acts, Format, Key, Piles, Sent, assert_converges
from histories import drawn, interleaved
from house import DAY, NOON, House
from ledgerlake.config.environment import Environment
from ledgerlake.core.change import Change, Op
from ledgerlake.errors import TransientError
from ledgerlake.feeds.http_stream.days import Asked, days_to_ask, landed_days
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.extract import extract
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.http import Request
from ledgerlake.ports.secrets import ReferencedSecrets
from ledgerlake.testing.http_stream import DONE, data
from pyspark.sql import SparkSession

PIPELINE = """
pipeline: bank
sources:
  service:
    feed: http_stream
    connection: service
    options:
      volume: {weekday: [100000, 100000], weekend: [100000, 100000], holiday: [100000, 100000], country: US}
      end_event: done
      attempts: 1
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: service
resource: people
key: [day, id]
feed: {OPTIONSresync: {AGAIN}}
columns:
  - {name: day, source: $day, type: date, nullable: false}
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
FIRST = date(2026, 3, 1)
Record = dict[str, str | None]


@dataclass(frozen=True)
class Answer:
    """What the service says to a day's nth request; ``cut`` where the stream breaks off."""

    asked: Asked
    body: bytes
    cut: bool = False


@dataclass
class Streamed:
    """The service: an Http port that says of a day what was delivered last."""

    bodies: dict[str, bytes] = field(default_factory=dict)

    def lines(self, request: Request) -> Iterator[bytes]:
        yield from self.bodies[json.loads(request.body or b"")["start_date"]].splitlines()


@dataclass
class Listening(House):
    """A house that asks the service when it loads: what is delivered are answers, ``<day>+<fetch>.sse`` or ``.cut.sse``."""

    http: Streamed = field(default_factory=Streamed)
    answers: list[Answer] = field(default_factory=list)
    again: dict[date, int] = field(default_factory=dict)
    template: tuple[str, ...] = ()

    @property
    def environment(self) -> Environment:
        return super().environment.model_copy(update={"connections": {"service": {"base_url": "http://service"}}})

    def workspace(self) -> Workspace:
        pipeline, secrets = self.pipeline(), ReferencedSecrets({})
        return Workspace(pipeline, self.environment, secrets, self.clock, lambda *_: self.spark, self.http)

    def declare(self, pipeline: str, *tables: str, **files: str) -> House:
        """Write the declarations, with the days that are to be asked again as far as answers were delivered."""
        self.template = (pipeline, *tables)
        again = ", ".join(f"{day}: {times}" for day, times in self.again.items())
        return super().declare(pipeline, *(t.replace("AGAIN", again) for t in tables))

    def deliver(self, path: str, text: str | bytes) -> House:
        name = PurePosixPath(path).name.split(".")
        day, fetch = name[0].split("+")
        assert isinstance(text, bytes)
        self.answers.append(Answer(Asked(date.fromisoformat(day), int(fetch)), text, "cut" in name))
        return self

    def load(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        while self.answers:
            count = self._answered_together()
            self._pull(self.answers[:count])
            del self.answers[:count]
        loader = Loader(self.workspace(), self.tick(), self.clock.now(), DAY, Progress())
        assert loader.load_all() == []
        return loader.records

    def _answered_together(self) -> int:
        """Return how many of the next answers are those that one pull of several days asks for, at least one."""
        for count in range(len(self.answers), 1, -1):
            some = self.answers[:count]
            if not any(a.cut for a in some[:-1]) and self._asks(some) == [a.asked for a in some]:
                return count
        return 1

    def _asks(self, some: Sequence[Answer]) -> list[Asked]:
        landed = landed_days(self.workspace().logs["people"])
        return days_to_ask(landed, some[0].asked.day, some[-1].asked.day, self._again(some))

    def _again(self, some: Sequence[Answer]) -> dict[date, int]:
        asked = {a.asked.day: a.asked.fetch - 1 for a in some}
        return self.again | {day: max(times, self.again.get(day, 0)) for day, times in asked.items()}

    def _pull(self, some: Sequence[Answer]) -> None:
        """Ask for days; a stream that is cut is not a day, and those before it stay."""
        asked, before = self._asks(some), self._landed()
        self.http.bodies |= {a.asked.day.isoformat(): a.body for a in some}
        self.again = self._again(some)
        self.declare(*self.template)
        days = [a.asked.day for a in some]
        failures = extract(self.workspace(), self.tick(), days[-1], Progress(), days[0])
        assert [type(f.error) for f in failures] == [TransientError for a in some if a.cut and a.asked in asked]
        assert self._landed() == before + [a.name for a in asked if not (some[-1].cut and a == some[-1].asked)]

    def _landed(self) -> list[str]:
        return [o.source_name for m in self.workspace().logs["people"].all() for o in m.objects]


class Updates(Format):
    """Ids of the whole service; within a day's stream a later record of an id replaces an earlier one."""

    pipeline = PIPELINE
    table = PEOPLE.replace("[day, id]", "[id]").replace("OPTIONS", "ids_unique_across_days: true, updates: true, ")
    days, requests = 3, (1, 2, 3)  # each pull is a batch of its own, and a batch costs most of a second
    in_place = False  # a second record of an id in a stream replaces the first one at the service already

    def play(self, acts: Acts) -> list[Sent]:
        happening = self._by_request(acts)
        sent = []
        for day in (FIRST + timedelta(days=n) for n in range(self.days)):
            told: list[Record] = []
            times = itertools.count(1)
            for request in self.requests:
                if request == 1 or (day, request) in happening:
                    before, asked = told, Asked(day, next(times))
                    told = self._changed(told or [{"id": "always"}], happening.get((day, request), []), asked)
                    sent.append(Sent(Answer(asked, data(*told) + DONE), tuple(self._changes(asked, told, before))))
        return sent

    def _by_request(self, acts: Acts) -> dict[tuple[date, int], Acts]:
        """Return acts by the day they belong to and the request from which on they are told.

        Which that is depends on the act's own history alone, so that a shrunk case stays what it was;
        each history has two days, so that it changes them rather than adds to them.
        """
        turns: dict[int, Random] = {}
        found: dict[tuple[date, int], Acts] = {}
        for number, act in acts:
            random = turns.setdefault(number, Random(number))
            day = FIRST + timedelta(days=(number + random.choice([0, 1])) % self.days)
            found.setdefault((day, random.choice(self.requests)), []).append((number, act))
        return found

    def _changed(self, told: list[Record], acts: Acts, asked: Asked) -> list[Record]:
        """Return the day's records after acts."""
        for number, act in acts:
            key = f"k{number}"
            if asked.fetch > 1 or self.in_place or act.kind == "drop":
                told = [r for r in told if r["id"] != key]
            if act.kind == "put":
                place = Random(f"{number} {asked} {len(told)}").randrange(len(told) + 1)
                told = [*told[:place], {"id": key, "owner": act.owner, "city": act.city}, *told[place:]]
        return told

    def _changes(self, asked: Asked, told: Sequence[Record], before: Sequence[Record]) -> Iterator[Change]:
        """Yield what an answer means: its records, and deletes of what the answer before had and it has not."""
        for place, record in enumerate(told):
            values = {c: record.get(c) for c in self.columns}
            yield Change(self.key_of(asked, record), Op.UPSERT, self.position(asked, place), values)
        kept = {r["id"] for r in told}
        for place, record in enumerate((r for r in before if r["id"] not in kept), len(told)):
            yield Change(self.key_of(asked, record), Op.DELETE, self.position(asked, place), {})

    def key_of(self, asked: Asked, record: Record) -> Key:
        """Return a record's key."""
        return (str(record["id"]),)

    def position(self, asked: Asked, place: int) -> str:
        """Return a record's position."""
        return f"{asked.day}|{asked.fetch:04d}|{place:09d}"

    def ways(self, sent: Sequence[Sent]) -> list[Piles]:
        """Ask for days in any order and again, some in vain; or for all days together, with one stream cut."""
        together = sorted(sent, key=lambda s: (s.record.asked.fetch, s.record.asked.day))
        return [self.piles(sent, Random(2), 3), [[together[0], _cut(together[1], Random(3)), *together[1:]]]]

    def piles(self, sent: Sequence[Sent], random: Random, count: int) -> Piles:
        by_day = {s.record.asked.day: [t for t in sent if t.record.asked.day == s.record.asked.day] for s in sent}
        order = [s.record.asked.day for s in sent]
        random.shuffle(order)
        told = [by_day[day].pop(0) for day in order]
        for s in random.sample(told, len(told) // 3):
            told.insert(told.index(s), _cut(s, random))
        for s in random.sample(told, len(told) // 5):
            told.insert(random.randrange(told.index(s), len(told)) + 1, s)
        cuts = sorted(random.sample(range(1, len(told)), count - 1))
        return [told[a:b] for a, b in itertools.pairwise([0, *cuts, len(told)])]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        answers = (s.record for s in pile)
        return {
            f"{number}/{n:03d}/{a.asked.day}+{a.asked.fetch}{'.cut' * a.cut}.sse": a.body for n, a in enumerate(answers)
        }


class Restarting(Updates):
    """Ids that start again each day, at most once in a stream."""

    table = PEOPLE.replace("OPTIONS", "")
    key = ("day", "id")
    days, requests = 4, (1, 2)
    in_place = True

    def key_of(self, asked: Asked, record: Record) -> Key:
        return (asked.day.isoformat(), str(record["id"]))

    def position(self, asked: Asked, place: int) -> str:
        return super().position(asked, 0)


def _cut(sent: Sent, random: Random) -> Sent:
    """Return an answer that breaks off in its second half; it stands for nothing."""
    answer = sent.record
    return Sent(
        Answer(answer.asked, answer.body[: random.randrange(len(answer.body) // 2, len(answer.body))], True), ()
    )


@pytest.fixture
def listening(tmp_path: Path, spark: SparkSession) -> Iterator[Callable[[str], House]]:
    """Return a maker of houses that ask a service."""
    yield lambda name: Listening(tmp_path / name, spark, FixedClock(NOON))
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def test_every_order_of_asking_for_days_of_updates_converges(listening: Callable[[str], House]) -> None:
    assert_converges(listening, Updates(), interleaved(drawn("put", "put", "drop"), Random(1)))


def test_every_order_of_asking_for_days_of_their_own_ids_converges(listening: Callable[[str], House]) -> None:
    assert_converges(listening, Restarting(), interleaved(drawn("put", "put", "drop"), Random(1)))
