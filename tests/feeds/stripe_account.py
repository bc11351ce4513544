"""An account at Stripe that plays scripts of what happens at it and when it is pulled, and histories as such scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any

from convergence import Acts
from histories import Act
from house import DAY, NOON, House
from ledgerlake.config.environment import Environment
from ledgerlake.demo.ledgerbox.stripe_server import DEMO_KEY, StripeServer
from ledgerlake.demo.ledgerbox.stripe_store import StripeStore
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress
from ledgerlake.ports.clock import FixedClock
from pyspark.sql import SparkSession

PIPELINE = """
pipeline: bank
sources:
  stripe: {feed: stripe, connection: stripe, options: {stripe_version: 2026-01-28.clover, max_network_retries: 0, look_back_days: 2MORE}}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
Line = dict[str, Any]
START = int(NOON.timestamp())
SPAN_S = 6 * 86_400
"""All histories happen in six days."""
LATE_S = 50 * 60
"""So much later than they happen may events be listed; the feed reads an hour again."""
PULL_LASTS_S = 20 * 60
PULLS_EVERY_S = 3 * 3600
"""Pulls begin at multiples of this, and about every second thing happens shortly before or while one lasts."""
LONG_AGO = START - 20 * 86_400


class BusyStore(StripeStore):
    """A store that changes while it is pulled: before it answers for one object, the next thing happens."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Line] = []

    def get(self, resource: str, key: str) -> Line | None:
        if self.meanwhile:
            self.put([self.meanwhile.pop(0)])
        return super().get(resource, key)


@dataclass
class Account(House):
    """A house that is connected to an account: what is delivered to it are scripts.

    Lines are ``{"at", "put"}``, an object or event that the account holds from then on, and
    ``{"at", "pull", "resync", "meanwhile"}``: an extraction for a logical date, the word in the
    source's ``resync:``, and what happens while it asks for single objects.
    """

    server: StripeServer = field(default_factory=lambda: StripeServer([]))
    store: BusyStore = field(default_factory=BusyStore)

    @property
    def environment(self) -> Environment:
        declared = {"stripe": {"api_key": "env:KEY", "base_url": self.server.url}}
        return super().environment.model_copy(update={"connections": declared})

    def deliver(self, path: str, text: str | bytes) -> House:
        for is_pull, some in groupby(map(json.loads, text.splitlines()), lambda line: "pull" in line):
            if is_pull:
                for line in some:
                    self._pull(line)
            else:
                self.store.put([line["put"] for line in some])  # nobody looks between two pulls
        return self

    def _pull(self, line: Line) -> None:
        self.clock.moment = max(self.clock.moment, datetime.fromtimestamp(line["at"], UTC))
        if line["resync"]:
            self.declare(PIPELINE.replace("MORE", f", resync: {line['resync']}"))
        self.store.meanwhile = [told["put"] for told in line["meanwhile"]]
        assert [str(f.error) for f in self.extract(date.fromisoformat(line["pull"]))] == []
        self.store.put(self.store.meanwhile)
        self.store.meanwhile = []

    def load(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        loader = Loader(self.workspace(), self.tick(), self.clock.now(), DAY, Progress())
        assert loader.load_all() == []
        return loader.records


@contextmanager
def connected(root: Path, spark: SparkSession) -> Iterator[Account]:
    """Yield a house whose account answers until the block ends."""
    house = Account(root, spark, FixedClock(NOON), secrets={"KEY": DEMO_KEY})
    house.server.store = house.store
    with house.server.running():
        yield house


@dataclass(frozen=True)
class Moment:
    """One change of an object: when, what it is from then on, and how often events tell of it."""

    at: int
    key: str
    kind: str
    act: Act
    created: int
    times_told: int


def moments(acts: Acts, within_s: int = SPAN_S) -> Iterator[Moment]:
    """Yield what happens to each history's object; after a drop the next one has another id.

    When a history's acts happen depends on that history alone, so that a shrunk case stays what it was.
    ``within_s``: all acts of a history happen that soon after its first. Of every second history
    the first act is long ago.
    """
    by_number = sorted(acts, key=itemgetter(0))  # stable: each history keeps its order
    for number, group in groupby(by_number, key=itemgetter(0)):
        yield from _of_one(number, [act for _, act in group], within_s)


def _of_one(number: int, history: list[Act], within_s: int) -> Iterator[Moment]:
    random = Random(number)
    first = random.randrange(max(SPAN_S - within_s, 1))
    times = sorted(_at(random, START + first + random.randrange(within_s)) for _ in history)
    life, created = 0, 0
    for turn, (act, at) in enumerate(zip(history, times, strict=True)):
        at = LONG_AGO + number if turn == 0 and number % 2 and within_s == SPAN_S else at
        if act.kind == "drop" and not created:
            continue
        life, created = (life, created) if created else (life + 1, at)
        kind = "deleted" if act.kind == "drop" else "created" if created == at else "updated"
        yield Moment(at, f"k{number}.{life}", kind, act, created, random.choice([1, 1, 2]))
        created = 0 if act.kind == "drop" else created


def _at(random: Random, at: int) -> int:
    """Return a moment, or one beside the pull that may be nearest to it."""
    pull = START + round((at - START) / PULLS_EVERY_S) * PULLS_EVERY_S
    return random.choice([at, pull + random.randrange(-LATE_S, PULL_LASTS_S)])


def day_of(at: int, days_before: int = 0) -> str:
    """Return the day of a moment, or one before it."""
    return (datetime.fromtimestamp(at, UTC) - timedelta(days=days_before)).date().isoformat()
