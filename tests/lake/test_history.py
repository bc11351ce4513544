"""History: every version a row ever had, the same whatever the order of arrival."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
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


def priced(house: House, hour: int, *rows: str, at: str = "") -> House:
    """Deliver changes of prices in an object that the source wrote at a moment."""
    path = f"db/public/prices/20260301-{hour:02d}0000000.csv"
    house.deliver(path, cdc(*rows, columns="sku,price,since"))
    moment = datetime.fromisoformat(at or f"2026-03-01T{hour:02d}:00:00+00:00").timestamp()
    os.utime(house.root / "sources" / path, (moment, moment))
    return house


def dated(house: House, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Versions with their bounds as moments, to the hour."""
    path = house.workspace().paths.history(table)
    frame = house.spark.read.format("delta").load(path)
    hours = [f"date_format({n}, 'yyyy-MM-dd HH')" for n in ("_valid_from_at", "_valid_to_at")]
    return sorted(rows_of(frame.selectExpr(*columns, *hours, "_current")), key=str)


@pytest.mark.parametrize("order", [(10, 11), (11, 10)])
def test_a_delete_ends_the_version_that_holds_when_it_was_extracted(house: House, order: tuple[int, int]) -> None:
    house.declare(SOURCES, PRICES)
    rows = {10: ["I,a,1.00,2026-01-01,1"], 11: ["D,a,,,2"]}

    for hour in order:
        priced(house, hour, *rows[hour]).load()

    assert dated(house, "prices", "price") == [("1.00", "2026-01-01 00", "2026-03-01 11", False)]
    [(_, since, until, _)] = version_rows(house, "prices", "sku")
    assert (since[:13], until[:13]) == ("2026-01-01 00", "2026-03-01 11")


LIVES = {
    "what came back later leaves a gap": (
        ["I,a,1.00,2026-01-01,1"], ["D,a,,,2"], ["I,a,1.00,2026-04-01,3"],
        [("1.00", "2026-01-01 00", "2026-03-01 11", False), ("1.00", "2026-04-01 00", None, True)],
    ),
    "what came back since the same time never went": (
        ["I,a,1.00,2026-01-01,1"], ["D,a,,,2"], ["I,a,1.00,2026-01-01,3"],
        [("1.00", "2026-01-01 00", None, True)],
    ),
    "what had not begun when it was deleted never held, and ended nothing": (
        ["I,a,1.00,2026-01-01,1", "U,a,9.00,2026-06-01,2"], ["D,a,,,3"], ["I,a,1.00,2026-01-01,4"],
        [("1.00", "2026-01-01 00", None, True), ("9.00", "2026-06-01 00", "2026-06-01 00", False)],
    ),
    "of several versions the last one that began is ended": (
        ["I,a,1.00,2026-01-01,1", "U,a,2.00,2026-02-01,2"], ["D,a,,,3"], ["D,a,,,4"],
        [("1.00", "2026-01-01 00", "2026-02-01 00", False), ("2.00", "2026-02-01 00", "2026-03-01 11", False)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "third", "versions"), LIVES.values(), ids=LIVES)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)], ids=["as it came", "backwards"])
def test_versions_of_a_key_that_was_deleted_by_effective_time(
    house: House, first: list[str], second: list[str], third: list[str], versions: list[Any], order: Sequence[int]
) -> None:
    house.declare(SOURCES, PRICES)
    for n in order:
        priced(house, 10 + n, *(first, second, third)[n]).load()

    assert dated(house, "prices", "price") == versions


def test_effective_days_end_on_the_day_of_the_delete(house: House) -> None:
    house.declare(SOURCES, PRICES.replace("since, type: timestamp", "since, type: date"))
    priced(house, 10, "I,a,1.00,2026-01-01,1").load()
    priced(house, 11, "D,a,,,2").load()

    assert version_rows(house, "prices", "price") == [("1.00", "2026-01-01", "2026-03-01", False)]


DATED = """
table: owners
source: db
resource: public/prices
key: [sku]
history: {}
columns:
  - {name: sku, type: string, nullable: false}
  - {name: price, type: "decimal(18,2)", nullable: false}
"""


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_positions_have_moments_that_never_run_backwards(house: House, order: Sequence[int]) -> None:
    house.declare(SOURCES, DATED.replace("owners", "prices"))
    rows = (["I,a,1.00,x,1"], ["U,a,2.00,x,2"], ["D,a,,,3"])
    # The first object was written last: its change is older than what was extracted an hour before.
    times = ("2026-03-01T12:00:00+00:00", "2026-03-01T11:00:00+00:00", "2026-03-01T13:00:00+00:00")

    for n in order:
        priced(house.declare(SOURCES, DATED.replace("owners", "prices")), 10 + n, *rows[n], at=times[n]).load()

    assert dated(house, "prices", "price") == [
        ("1.00", "2026-03-01 11", "2026-03-01 11", False), ("2.00", "2026-03-01 11", "2026-03-01 13", False),
    ]  # fmt: skip


SNAPSHOTS = """
pipeline: bank
sources:
  files: {feed: csv, location: files}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
STAFF = """
table: staff
source: files
resource: staff
key: [id]
snapshot: {complete: true, shrink_max: 0.9}
history: {}
columns:
  - {name: id, type: string, nullable: false}
  - {name: city, type: string}
"""
DAYS = {
    "2026-02-25": "1,Bonn 2,Kiel 3,Ulm",
    "2026-02-26": "1,Bonn 2,Kiel 3,Ulm",
    "2026-02-27": "1,Bonn 3,Jena",
    "2026-02-28": "1,Bonn 2,Kiel 3,Jena",
}
STAYS = [
    ("1", "Bonn", "2026-02-25|1", None, True),
    ("2", "Kiel", "2026-02-25|1", "2026-02-27|0", False),
    ("2", "Kiel", "2026-02-28|1", None, True),
    ("3", "Jena", "2026-02-27|1", None, True),
    ("3", "Ulm", "2026-02-25|1", "2026-02-27|1", False),
]


@pytest.mark.parametrize("order", list(itertools.permutations(DAYS))[::5], ids=lambda o: "-".join(d[-2:] for d in o))
def test_a_complete_snapshot_that_repeats_a_row_makes_no_version(house: House, order: Sequence[str]) -> None:
    house.declare(SNAPSHOTS, STAFF)
    for day in order:
        house.deliver(f"files/staff/staff_{day}.csv", "id,city\n" + "\n".join(DAYS[day].split()) + "\n").load()

    assert sorted(version_rows(house, "staff", "id", "city"), key=str) == STAYS


def test_all_snapshots_in_one_delivery_make_the_same_versions(house: House) -> None:
    house.declare(SNAPSHOTS, STAFF)
    for day, rows in DAYS.items():
        house.deliver(f"files/staff/staff_{day}.csv", "id,city\n" + "\n".join(rows.split()) + "\n")
    house.load()

    assert sorted(version_rows(house, "staff", "id", "city"), key=str) == STAYS


BEGUN = {
    "with the next delivery": "U,b,2.50,2026-03-01,4",
    "with the next run, though nothing was delivered": "",
}


@pytest.mark.parametrize("change", BEGUN.values(), ids=BEGUN)
def test_a_history_declared_later_knows_every_key(house: House, change: str) -> None:
    before = PRICES.replace("history: {effective: since}\n", "")
    house.declare(SOURCES, before)
    priced(house, 10, "I,a,1.00,2026-01-01,1", "I,b,2.00,2026-02-01,2", "U,a,1.50,2026-02-01,3").load()

    house.declare(SOURCES, PRICES)
    if change:
        priced(house, 11, change)
    house.load()
    standing = house.versions()["silver/bank/prices_history"]
    house.load()

    versions = {(sku, price) for sku, price, *_ in version_rows(house, "prices", "sku", "price")}
    assert versions == {("a", "1.00"), ("a", "1.50"), ("b", "2.00")} | ({("b", "2.50")} if change else set())
    assert house.versions()["silver/bank/prices_history"] == standing  # derived once


def test_a_mart_asks_a_history_as_of_a_moment(house: House) -> None:
    marts = "marts:\n  - {mart: then, sql: marts/then.sql, key: [sku], inputs: [{table: prices_history}]}\n"
    sql = (
        "SELECT sku, price FROM prices_history WHERE _valid_from_at <= TIMESTAMP '2026-02-10 00:00:00'"
        " AND (_valid_to_at > TIMESTAMP '2026-02-10 00:00:00' OR _valid_to_at IS NULL)"
    )
    house.declare(SOURCES + marts, PRICES, marts__then=sql)
    priced(house, 10, "I,a,1.00,2026-01-01,1", "U,a,2.00,2026-02-01,2", "U,a,3.00,2026-03-01,3")

    assert house.run().status == "published"

    assert rows_of(house.mart("then")) == [("a", "2.00")]


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
