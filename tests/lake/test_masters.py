"""Masters in the lake: in any split and order of batches they equal a full rebuild, through both engines."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from house import House, cdc
from ledgerlake.core.mastering.model import Mastered, Observation
from ledgerlake.core.mastering.resolve import master as mastered
from ledgerlake.lake.master_records import link_row, version_row
from ledgerlake.lake.masters import MasterBuilder
from ledgerlake.ops.mastering import build_masters
from ledgerlake.ops.progress import Progress

PIPELINE = """
pipeline: bank
sources:
  db:
    feed: dms
    location: db
    options: {sequence_column: seq}
masters:
  - master: client
    id_prefix: cl_
    fields:
      - {name: name, type: string}
      - {name: score, type: integer}
    match:
      mail: {ignore: [nobody]}
      tax: {}
    records:
      - {record: crm, table: crm, since: since, trust: 90, fields: {name: trim(name)}, keys: {mail: lower(mail), tax: tax}}
      - {record: app, table: app, since: since, fields: {name: name, score: length(name)}, keys: {mail: lower(mail)}}
    survivorship:
      name: [non_null, trust, recency, record]
      score: [{aggregate: sum}]
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
TABLE = """
table: {name}
source: db
resource: public/{name}
key: [id]
history: {{effective: held_from}}
columns:
  - {{name: id, type: string, nullable: false}}
  - {{name: mail, type: string}}
  - {{name: tax, type: string}}
  - {{name: name, type: string}}
  - {{name: since, type: timestamp, nullable: false}}
  - {{name: held_from, type: timestamp, nullable: false}}
"""
COLUMNS = "id,mail,tax,name,since,held_from"
START = datetime(2026, 2, 1, tzinfo=UTC)
EXTRACTED = datetime(2026, 3, 1, 6, tzinfo=UTC)
FAMILIES = 40
"""How many histories the one pass packs, each with keys of its own."""


def drawn(rng: Random) -> dict[str, list[tuple[int, str, list[str]]]]:
    """Return table → changes (sequence, op, values) of many families of records that merge, split, end and return."""
    found: dict[str, list[tuple[int, str, list[str]]]] = {"crm": [], "app": []}
    sequence = 0
    for family in range(FAMILIES):
        records = [(t, f"{family}-{n}") for t in ("crm", "app") for n in range(rng.randrange(1, 4))]
        for _ in range(rng.randrange(3, 12)):
            table, key = rng.choice(records)
            sequence += 1
            op = "D" if rng.random() < 0.15 else "I"
            mail = rng.choice(["", "nobody", f" M{family}a".strip(), f"m{family}b", f"m{family}c"])
            tax = rng.choice(["", f"t{family}"]) if table == "crm" else ""
            since = START + timedelta(days=int(key[-1]))
            at = START + timedelta(days=5 + rng.randrange(10))
            found[table].append(
                (sequence, op, [key, mail, tax, rng.choice(["", "A", "Bo", "Cyd"]), f"{since:%F %T}", f"{at:%F %T}"])
            )
    return found


def file_of(changes: list[tuple[int, str, list[str]]]) -> str:
    return cdc(*(f"{op},{','.join(values)},{seq:06d}" for seq, op, values in changes), columns=COLUMNS)


def deliver(house: House, name: str, table: str, changes: list[tuple[int, str, list[str]]]) -> None:
    """Deliver changes in a file whose extract time is the same wherever it is delivered."""
    path = f"db/public/{table}/{name}.csv"
    house.deliver(path, file_of(changes))
    stamp = EXTRACTED.timestamp()
    os.utime(house.root / "sources" / path, (stamp, stamp))


def declared(houses: Callable[[str], House], name: str) -> House:
    return houses(name).declare(PIPELINE, *(TABLE.format(name=t) for t in ("crm", "app")))


def master(house: House) -> None:
    house.load()
    build_masters(house.workspace(), house.tick(), Progress())


def stored(house: House, part: str) -> list[dict[str, Any]]:
    """Return a master table's rows, in the order of their keys, without the engine's own columns."""
    storage, paths = house.workspace().storage, house.workspace().paths
    found = storage.rows(paths.silver(f"client_{part}"))
    assert found is not None
    rows = [{k: v for k, v in row.items() if not k.startswith("_")} for row in found.to_pylist()]
    return sorted(rows, key=lambda r: (r["client_id"], str(r.get("record")), str(r.get("source")), r["valid_from"]))


def expected(house: House, changes: dict[str, list[tuple[int, str, list[str]]]]) -> Mastered:
    """Return what the core makes of the changes, read and standardised by hand."""
    plan = house.pipeline().spec.masters[0].plan
    observations: dict[str, list[Observation]] = {}
    for table, rows in changes.items():
        for key in sorted({values[0] for _, _, values in rows}):
            own = [r for r in rows if r[2][0] == key]
            gone = EXTRACTED if own[-1][1] == "D" else None
            newest = {values[5]: values for _, op, values in own if op == "I"}
            for at, (_, mail, tax, name, since, _) in newest.items():
                keys = {("mail", mail.lower())} if mail and mail != "nobody" else set()
                keys |= {("tax", tax)} if table == "crm" and tax else set()
                told: dict[str, Any] = {"name": name or None}
                told |= {"score": len(name) if name else None} if table == "app" else {"score": None}
                observations.setdefault(key.split("-")[0], []).append(
                    Observation(table, key, at, moment(since), moment(at), gone, frozenset(keys), told)
                )
    families = [mastered(o, plan) for o in observations.values()]
    return Mastered(tuple(v for f in families for v in f.versions), tuple(k for f in families for k in f.links))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_batches_in_any_split_and_order_give_the_masters_of_a_full_rebuild_through_both_engines(
    houses: Callable[[str], House],
) -> None:
    rng = Random(5)
    changes = drawn(rng)
    whole, parts = declared(houses, "whole"), declared(houses, "parts")
    for table, rows in changes.items():
        deliver(whole, "all", table, rows)
    whole.load()
    whole.embedded_rows_max = 0  # from here on everything through Spark
    build_masters(whole.workspace(), whole.tick(), Progress())
    first: dict[str, list[tuple[int, str, list[str]]]] = {"crm": [], "app": []}
    second: dict[str, list[tuple[int, str, list[str]]]] = {"crm": [], "app": []}
    for table, rows in changes.items():
        for row in rows:
            at_once, twice = rng.random() < 0.5, rng.random() < 0.2
            (first if at_once else second)[table].append(row)
            if at_once and twice:
                second[table].append(row)  # delivered again
    for number, part in enumerate((second, first)):  # the later half first
        for table, rows in part.items():
            deliver(parts, f"{number}", table, rows)
        master(parts)
    oracle = expected(whole, changes)
    for part_name, rows_ in (
        ("versions", [version_row(v, "client_id") for v in oracle.versions]),
        ("links", [link_row(k, "client_id") for k in oracle.links]),
    ):
        found = stored(parts, part_name)
        assert found == stored(whole, part_name)
        assert len(found) > FAMILIES
        assert found == sorted(
            rows_, key=lambda r: (r["client_id"], str(r.get("record")), str(r.get("source")), r["valid_from"])
        )


def test_only_touched_customers_change_and_a_killed_run_repeats_safely(house: House) -> None:
    house.declare(PIPELINE, *(TABLE.format(name=t) for t in ("crm", "app")))
    at = "2026-02-05 00:00:00"
    deliver(house, "1", "crm", [(n, "I", [f"{n}", f"m{n}", "", f"N{n}", at, at]) for n in (1, 2, 3)])
    deliver(house, "1", "app", [(9, "I", ["9", "m9", "", "App", at, at])])
    master(house)
    before, versions = stored(house, "versions"), house.versions()
    assert not MasterBuilder(house.workspace(), "r").pending(house.pipeline().spec.masters[0])

    later = "2026-02-06 00:00:00"
    deliver(
        house,
        "2",
        "crm",
        [(20, "I", ["2", "m2", "t2", "Two", at, later]), (21, "I", ["3", "m2", "", "Three", at, later])],
    )
    house.load()
    workspace = house.workspace()
    builder = MasterBuilder(workspace, house.tick())
    declared_ = house.pipeline().spec.masters[0]
    builder.work(declared_)  # killed before it is remembered
    first = stored(house, "versions")
    assert builder.pending(declared_)
    build_masters(house.workspace(), house.tick(), Progress())
    assert stored(house, "versions") == first

    by_id = {r["client_id"] for r in before}
    untouched = {r["client_id"] for r in first if r["name"] in ("N1", "App")}
    assert untouched <= by_id
    feed = (
        house.spark.read.format("delta").option("readChangeFeed", "true")
        .option("startingVersion", versions["silver/bank/client_versions"] + 1)
        .load(workspace.paths.silver("client_versions"))
    )  # fmt: skip
    assert not {r["client_id"] for r in feed.select("client_id").distinct().collect()} & untouched
    merged = [r for r in stored(house, "links") if r["event"] == "merged"]
    assert [(r["record"], r["valid_from"]) for r in merged] == [("3", moment(later))]


def test_a_changed_declaration_masters_everything_anew(house: House) -> None:
    house.declare(PIPELINE, *(TABLE.format(name=t) for t in ("crm", "app")))
    at = "2026-02-05 00:00:00"
    deliver(house, "1", "crm", [(1, "I", ["1", "m1", "", "N1", at, at]), (2, "I", ["2", "m1", "", "N2", at, at])])
    master(house)
    assert len(stored(house, "versions")) == 1
    text = Path(house.root / "conf/pipelines/bank/pipeline.yml").read_text()
    house.declare(text.replace("keys: {mail: lower(mail), tax: tax}", "keys: {tax: tax}"))
    build_masters(house.workspace(), house.tick(), Progress())
    assert len(stored(house, "versions")) == 2
