"""History: every version a row ever had, the same whatever the order of arrival."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from house import SOURCES, House, cdc, lines, rows_of
from ledgerlake.core.change import Change, Op
from ledgerlake.core.fold import fold

sys.path.append(str(Path(__file__).resolve().parents[1] / "feeds"))
from histories import Act, drawn, interleaved

PEOPLE = """
table: people
source: topics
resource: bank.people
key: [id]
changes: partial
history: {}
feed:
  op_field: op
  ops: {put: upsert, set: patch, drop: delete, wipe: truncate}
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
COLUMNS = ("owner", "city")
OPS = {"put": Op.UPSERT, "set": Op.PATCH, "drop": Op.DELETE, "wipe": Op.TRUNCATE}

PRICES = """
table: prices
source: db
resource: public/prices
key: [sku]
history: {effective: since}
columns:
  - {name: sku, type: string, nullable: false}
  - {name: price, type: "decimal(18,2)", nullable: false}
  - {name: since, type: timestamp, nullable: false}
"""


def version_rows(house: House, table: str, *columns: str) -> list[tuple[Any, ...]]:
    path = house.workspace().paths.history(table)
    return rows_of(house.spark.read.format("delta").load(path).select(*columns, "_valid_from", "_valid_to", "_current"))


def carried(act: Act) -> dict[str, object]:
    names = {"put": COLUMNS, "set": act.carried, "drop": (), "wipe": ()}[act.kind]
    return {name: getattr(act, name) for name in names}


def oracle(changes: Sequence[Change]) -> list[tuple[Any, ...]]:
    """Fold all changes up to each position in turn: a version begins where the fold's row becomes another."""
    found = []
    for key in sorted({k.key for k in changes if k.key}):
        own = sorted((k for k in changes if k.key in (key, ())), key=lambda k: k.position)
        states = [(k.position, fold(own[: n + 1], COLUMNS).get(key)) for n, k in enumerate(own)]
        turns = [(at, row) for n, (at, row) in enumerate(states) if n == 0 or row != states[n - 1][1]]
        for (at, row), (until, _) in zip(turns, [*turns[1:], (None, None)], strict=True):
            if row is not None:
                found.append((key[0], row["owner"], row["city"], at, until, until is None))
    return sorted(found, key=str)


def test_the_history_is_what_the_fold_says_at_each_position_in_any_delivery(houses: Callable[[str], House]) -> None:
    acts = interleaved(drawn("put", "set", "put", "drop"), Random(1))
    wipe = (0, Act("wipe", None, None, ()))
    acts = [*acts[:400], wipe, *acts[400:]]
    position = [f"000000|{n:020d}" for n in range(len(acts))]
    changes = [
        Change(() if a.kind == "wipe" else (f"k{n}",), OPS[a.kind], position[at], carried(a))
        for at, (n, a) in enumerate(acts)
    ]
    cuts = [0, 90, 350, 420, len(acts)]
    spans = list(itertools.pairwise(cuts))
    found = []
    for name, order in (("forwards", (0, 1, 2, 3)), ("mixed", (2, 0, 3, 1))):
        house = houses(name).declare(SOURCES, PEOPLE)
        for start, end in (spans[i] for i in order):
            events = [{"op": a.kind, "id": f"k{n}"} | carried(a) for n, a in acts[start:end]]
            house.deliver(f"topics/bank.people/bank.people+0+{start:010d}.json.gz", lines(*events)).load()
        found.append(sorted(version_rows(house, "people", "id", *COLUMNS), key=str))

    assert found[0] == found[1]
    assert found[0] == oracle(changes)


def test_a_correction_of_the_past_is_inserted_where_it_belongs(house: House) -> None:
    house.declare(SOURCES, PRICES)
    first = cdc("I,a,1.00,2026-01-01,1", "U,a,3.00,2026-03-01,2", columns="sku,price,since")
    house.deliver("db/public/prices/20260301-100000000.csv", first).load()
    later = cdc("U,a,2.00,2026-02-01,3", "U,a,3.50,2026-03-01,4", columns="sku,price,since")

    house.deliver("db/public/prices/20260301-110000000.csv", later).load()

    versions = [
        (row[1], row[2][:10], row[3] and row[3][:10], row[4]) for row in version_rows(house, "prices", "sku", "price")
    ]
    assert versions == [
        ("1.00", "2026-01-01", "2026-02-01", False),
        ("2.00", "2026-02-01", "2026-03-01", False),
        ("3.50", "2026-03-01", None, True),
    ]


@pytest.mark.parametrize("order", [("10", "11"), ("11", "10")])
def test_a_deleted_key_has_versions_but_no_current_one(house: House, order: tuple[str, str]) -> None:
    house.declare(SOURCES, PRICES)
    files = {
        "10": cdc("I,a,1.00,2026-01-01,1", columns="sku,price,since"),
        "11": cdc("D,a,,,2", columns="sku,price,since"),
    }

    for hour in order:
        house.deliver(f"db/public/prices/20260301-{hour}0000000.csv", files[hour]).load()

    [(_, _, since, until, current)] = version_rows(house, "prices", "sku", "price")
    assert (since[:10], until, current) == ("2026-01-01", None, False)


def test_a_mart_may_read_a_history(house: House) -> None:
    pipeline = (
        SOURCES
        + "marts:\n  - {mart: price_changes, sql: marts/price_changes.sql, key: [sku], inputs: [{table: prices_history}]}\n"
    )
    house.declare(pipeline, PRICES, marts__price_changes="SELECT sku, count(*) AS n FROM prices_history GROUP BY sku")
    rows = cdc("I,a,1.00,2026-01-01,1", "U,a,3.00,2026-03-01,2", columns="sku,price,since")
    house.deliver("db/public/prices/20260301-100000000.csv", rows)

    assert house.run().status == "published"

    assert rows_of(house.mart("price_changes")) == [("a", 2)]
