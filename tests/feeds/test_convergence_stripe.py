"""The Stripe API: however often and when an account is pulled, the table ends as the account and the oracle's table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from convergence import Acts, Format, Piles, Sent, assert_converges
from histories import drawn, interleaved
from house import House, lines
from ledgerlake.core.change import Change, Op
from ledgerlake.core.fold import fold
from ledgerlake.demo.ledgerbox.stripe_store import StripeStore
from pyspark.sql import SparkSession
from stripe_account import (
    LATE_S,
    PIPELINE,
    PULL_LASTS_S,
    PULLS_EVERY_S,
    SPAN_S,
    START,
    Line,
    Moment,
    connected,
    day_of,
    moments,
)

TABLE = """
table: things
source: stripe
resource: RESOURCE
key: [id]
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string, source: description}
  - {name: city, type: string, source: metadata.city}
"""
END = START + SPAN_S + 86_400


class Things(Format):
    """Objects of one kind. Their events are listed late, doubled, and say what is out of date; a pull takes its time."""

    pipeline, name, told = PIPELINE.replace("MORE", ""), "things", False
    kind, resource = "customer", "customers"
    within_s = SPAN_S
    plans = ((1, 0, 0, 1), (2, 3, 0, 2), (6, 12, 2, 3))
    """Ways to pull: what is drawn from, how often, how often anew, and into how many loads."""

    @property
    def table(self) -> str:  # type: ignore[override]
        return TABLE.replace("RESOURCE", self.resource)

    def play(self, acts: Acts) -> list[Sent]:
        found = sorted(moments(acts, self.within_s), key=lambda m: m.at)
        return [Sent(m, (_change(m, n),)) for n, m in enumerate(found)]

    def ways(self, sent: Sequence[Sent]) -> list[Piles]:
        """Pull once when all is over; now and then; and often, with resyncs between pulls that are not loaded yet."""
        return [self._script(sent, *plan) for plan in self.plans]

    def _script(self, sent: Sequence[Sent], seed: int, pulls: int, resyncs: int, loads: int) -> Piles:
        random = Random(seed)
        begun = random.sample(range(START, START + SPAN_S, PULLS_EVERY_S), pulls)
        plan = [_pull(at, random.choice([0, 0, 1, 2])) for at in begun]
        for number, line in enumerate(plan[:resyncs]):
            line["resync"] = f"word{number}"
        plan += [_pull(END), _pull(END + 3600, 3)]  # a day is pulled once: the last one is on a day of its own
        told = [line for s in sent for line in self._lines(s.record, seed)]
        script = sorted([*plan, *told], key=lambda line: line["at"])
        return _cut(list(_nested(script)), loads)

    def _lines(self, moment: Moment, seed: int) -> Iterator[Line]:
        """Yield the object's version and its events as the account comes to hold them."""
        random = Random(f"{moment.key} {moment.at} {seed}")
        yield {"at": moment.at, "put": self.version(moment)}
        for copy in range(moment.times_told):
            lag = random.choice([0, random.randrange(LATE_S)])
            yield {"at": moment.at + lag, "put": self.event(moment, copy)}

    def version(self, moment: Moment) -> Line:
        """Return the object after the moment."""
        gone = {"deleted": True} if moment.kind == "deleted" else {}
        return {"id": moment.key, "object": self.kind, "created": moment.created} | _values(moment) | gone

    def event(self, moment: Moment, copy: int) -> Line:
        """Return an event that tells which object changed, and nothing of how."""
        about = {"id": moment.key, "object": self.kind}
        name = f"evt_{moment.key}_{moment.at}_{copy}"
        return {"id": name, "object": "event", "type": f"{self.kind}.{moment.kind}", "created": moment.at, "data": {"object": about}}  # fmt: skip

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return {f"script{number}.jsonl": lines(*(s.record for s in pile)).encode()}


class Charges(Things):
    """Charges are never deleted; every second event is about a refund or dispute that names its charge."""

    kind, resource = "charge", "charges"
    plans = ((2, 3, 0, 1), (6, 12, 1, 2))

    def event(self, moment: Moment, copy: int) -> Line:
        told = super().event(moment, copy)
        if copy or moment.kind == "created":
            return told
        other = ("refund", "dispute")[moment.at % 2]
        about = {"id": f"{other}_{moment.at}", "object": other, "charge": moment.key}
        return told | {"type": f"{other}.created", "data": {"object": about}}


class Entries(Things):
    """Balance transactions: no event tells of them, they change within the look-back."""

    kind, resource = "balance_transaction", "balance_transactions"
    plans = ((2, 3, 0, 1), (6, 12, 0, 2))
    within_s = 42 * 3600

    def _lines(self, moment: Moment, seed: int) -> Iterator[Line]:
        yield {"at": moment.at, "put": self.version(moment)}


def _pull(at: int, days_before: int = 0) -> Line:
    return {"at": at, "pull": day_of(at, days_before), "resync": None, "meanwhile": []}


def _nested(script: list[Line]) -> Iterator[Line]:
    """Move what happens while a pull lasts into the pull."""
    pull: Line | None = None
    for line in script:
        if "pull" in line:
            pull = line
        elif pull and line["at"] <= pull["at"] + PULL_LASTS_S:
            pull["meanwhile"].append(line)
            continue
        yield line


def _cut(script: list[Line], loads: int) -> Piles:
    """Cut a script after pulls, so that each load has about as many."""
    ends = [n + 1 for n, line in enumerate(script) if "pull" in line]
    cuts = [0, *(ends[len(ends) * n // loads - 1] for n in range(1, loads)), len(script)]
    return [[Sent(line, ()) for line in script[a:b]] for a, b in itertools.pairwise(cuts)]


def _values(moment: Moment) -> dict[str, Any]:
    return {"description": moment.act.owner, "metadata": {"city": moment.act.city}}


def _change(moment: Moment, number: int) -> Change:
    values = {"owner": moment.act.owner, "city": moment.act.city}
    gone = moment.kind == "deleted"
    return Change((moment.key,), Op.DELETE if gone else Op.UPSERT, f"{number:09d}", {} if gone else values)


@pytest.fixture
def accounts(tmp_path: Path, spark: SparkSession) -> Iterator[Callable[[str], House]]:
    """Return a maker of houses that are connected to an empty account each."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(connected(tmp_path / name, spark))
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def test_every_pace_of_pulling_the_same_customers_converges(accounts: Callable[[str], House]) -> None:
    assert_converges(accounts, Things(), interleaved(drawn("put", "put", "put", "drop"), Random(1)))


def test_every_pace_of_pulling_the_same_charges_converges(accounts: Callable[[str], House]) -> None:
    assert_converges(accounts, Charges(), interleaved(drawn("put"), Random(1)))


def test_every_pace_of_pulling_untold_balance_entries_converges(accounts: Callable[[str], House]) -> None:
    assert_converges(accounts, Entries(), interleaved(drawn("put"), Random(1)))


@pytest.mark.parametrize("format_", [Things(), Charges(), Entries()], ids=lambda f: f.resource)
def test_what_the_account_holds_in_the_end_of_every_script_is_the_oracles_table(format_: Things) -> None:
    kinds = ("put", "put", "drop") if format_.kind == "customer" else ("put",)
    sent = format_.play(interleaved(drawn(*kinds), Random(1)))
    expected = fold([c for s in sent for c in s.changes], format_.columns)
    for piles in format_.ways(sent):
        store = StripeStore()
        for line in (s.record for pile in piles for s in pile):
            store.put([told["put"] for told in line["meanwhile"]] if "pull" in line else [line["put"]])
        held, more, last = [], True, {}
        while more:
            page, more = store.page(format_.resource, {"limit": ["100"]} | last)
            held, last = held + page, {"starting_after": [page[-1]["id"]]}
        assert {(o["id"],): {"owner": o["description"], "city": o["metadata"]["city"]} for o in held} == expected
