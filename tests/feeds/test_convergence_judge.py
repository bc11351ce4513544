"""The judge itself: it finds a feed that does not converge, and shows the smallest case."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from convergence import Acts, Format, Piles, Sent, assert_converges, shrunk
from histories import Act
from house import House, lines
from ledgerlake.core.change import Change, Op

PIPELINE = """
pipeline: bank
sources:
  files: {feed: dump, location: files}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: files
resource: people
key: [id]
feed: {order_by: [version]}
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
  - {name: version, type: bigint, nullable: false}
"""
ALWAYS = Act("put", None, None, ())


class WithoutDeletes(Format):
    """A source that forgets to send its deletes: the table cannot end as the histories say."""

    pipeline, table = PIPELINE, PEOPLE

    def play(self, acts: Acts) -> list[Sent]:
        return [_sent(n, act, at) for at, (n, act) in enumerate([(9, ALWAYS), *acts])]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        body = lines(*(s.record for s in pile if s.record)).encode()
        return {f"files/people/dump{number}.jsonl": body} if body else {}


def _sent(n: int, act: Act, at: int) -> Sent:
    position = str(at + 10**19).zfill(20)
    if act.kind == "drop":
        return Sent(None, (Change((f"k{n}",), Op.DELETE, position, {}),))
    values = {"owner": act.owner, "city": act.city}
    return Sent({"id": f"k{n}", "version": at} | values, (Change((f"k{n}",), Op.UPSERT, position, values),))


def test_shrinking_leaves_only_what_the_failure_needs() -> None:
    acts = [(n, Act(kind, None, None, ())) for n, kind in enumerate(["put", "drop", "put", "set", "drop"])]

    def fails(some: Acts) -> bool:
        kinds = [a.kind for _, a in some]
        return "set" in kinds and "drop" in kinds[kinds.index("set") :]

    assert [a.kind for _, a in shrunk(acts, fails)] == ["set", "drop"]


def test_a_lost_delete_is_found_and_shown_as_the_smallest_set_of_files(houses: Callable[[str], House]) -> None:
    put, drop = Act("put", "Ann", "Bonn", ()), Act("drop", None, None, ())
    acts = [(1, put), (2, put), (2, put), (2, drop)]

    with pytest.raises(AssertionError) as failure:
        assert_converges(houses, WithoutDeletes(), acts)

    shown = str(failure.value)
    assert "keys end wrong, ['k2']" in shown
    assert "--- files/people/dump" in shown
    assert '"k1"' not in shown  # a history that ends right is no part of the case
    assert shown.count('"id": "k2"') < 2  # two puts were sent


class Pulled(Format):
    """A source that is pulled: its files are what happens at it, in one order, seen once or after every act."""

    pipeline, table, told = PIPELINE, PEOPLE, False

    def play(self, acts: Acts) -> list[Sent]:
        return [_sent(n, act, at) for at, (n, act) in enumerate(acts)]

    def ways(self, sent: Sequence[Sent]) -> list[Piles]:
        return [[list(sent)], [[s] for s in sent]]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return {f"script{number}.jsonl": lines(*({"key": s.changes[0].key[0], "row": s.record} for s in pile)).encode()}


@dataclass
class Listing:
    """Stands in for a house whose pulls list what there is: a row that is gone before the next pull was never there."""

    source: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def declare(self, *_: str) -> Listing:
        return self

    def deliver(self, path: str, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            self.source[line["key"]] = line["row"]

    def load(self) -> list[dict[str, Any]]:
        self.rows |= {k: row for k, row in self.source.items() if row}  # deletes are not listed
        return []

    def silver(self, name: str) -> Listing:
        return self

    def collect(self) -> list[dict[str, Any]]:
        return list(self.rows.values())


def test_a_pull_that_misses_deletes_is_found_and_shown_as_the_smallest_script() -> None:
    put, drop = Act("put", "Ann", "Bonn", ()), Act("drop", None, None, ())
    acts = [(1, put), (2, put), (2, put), (2, drop), (3, put)]

    with pytest.raises(AssertionError) as failure:
        assert_converges(lambda name: Listing(), Pulled(), acts)  # type: ignore[arg-type,return-value]

    scripts = str(failure.value).partition("Smallest case, expected {}:\n")[2]
    assert scripts.count("---") == 2  # the way that pulls after every act, not the one that pulls once
    assert scripts.count('"key": "k2"') == 2 and '"k1"' not in scripts
