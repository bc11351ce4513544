"""Debezium messages as documented, and their edges: each is loaded through files and YAML alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from house import NOON, House, counts, rows_of
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.registry import FEEDS
from ledgerlake.ports.clock import FixedClock
from ledgerlake.testing.debezium import HOSTILE, MARKER, envelope, topic
from ledgerlake.testing.samples import Hostile
from pyspark.sql import SparkSession

PIPELINE = """
pipeline: bank
sources:
  pg: {feed: debezium, location: pg, options: {database: postgresql}}
  described:
    feed: debezium
    location: described
    options: {database: postgresql, message: key_value, schemas: true}
  flat:
    feed: debezium
    location: flat
    options: {database: postgresql, form: flattened, order_fields: [__source_sequence, __source_lsn]}
  my:
    feed: debezium
    location: my
    options: {database: mysql, binlog: mysql-bin, server_id: 223344, message: key_value, decimal_mode: string, time_precision: connect}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: pg
resource: people
key: [id]
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
NOTES = PEOPLE.replace("table: people", "table: notes").replace("resource: people", "resource: notes") + (
    "changes: partial\n"
)
VALUES = """
table: amounts
source: pg
resource: amounts
key: [id]
feed: {timestamps: {made_at: millis, seen_at: micros}, scales: {rate: 6}}
columns:
  - {name: id, type: integer, nullable: false}
  - {name: amount, type: "decimal(38,2)"}
  - {name: rate, type: "decimal(18,8)"}
  - {name: day, type: date}
  - {name: made_at, type: timestamp}
  - {name: seen_at, type: timestamp}
  - {name: at, type: timestamp}
"""
DESCRIBED = """
table: described
source: described
resource: described
key: [id]
columns:
  - {name: id, type: integer, nullable: false}
  - {name: amount, type: "decimal(18,4)"}
  - {name: any, type: "decimal(18,4)"}
  - {name: day, type: date}
  - {name: at, type: timestamp}
"""
FLAT = PEOPLE.replace("people", "flat").replace("source: pg", "source: flat")
ORDERS = """
table: orders
source: my
resource: orders
key: [id]
columns:
  - {name: id, type: integer, nullable: false}
  - {name: amount, type: "decimal(18,2)"}
  - {name: at, type: timestamp}
"""
TABLES = (PEOPLE, NOTES, VALUES, DESCRIBED, FLAT, ORDERS)


def person(key: str, owner: str | None = "Ann", city: str | None = "Oslo") -> dict[str, Any]:
    return {"id": key, "owner": owner, "city": city}


def b64(number: int) -> str:
    """Encode an unscaled decimal as Kafka Connect does: Java's shortest big-endian two's complement."""
    bits = (number if number >= 0 else ~number).bit_length()
    return base64.b64encode(number.to_bytes(bits // 8 + 1, "big", signed=True)).decode()


def without_lsn(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "source": {**message["source"], "lsn": None}}


PEOPLE_LINES = [
    envelope("r", None, person("a", "old"), None, 900, "first"),  # its LSN is above the change it does not hold
    envelope("c", None, person("b"), 100, 110),
    envelope("u", None, person("a", "new"), None, 800),
    envelope("c", None, person("c", "first"), 200, 290),  # this transaction ran beside the next, and committed first
    envelope("u", None, person("c", "second"), 300, 210),
    envelope("u", None, person("d", "stale"), 200, 220),
    envelope("r", None, person("d", "again"), 300, 999, "incremental"),
    envelope("r", None, person("e", "reread"), 200, 950, "incremental"),
    envelope("u", None, person("e", "after the reading"), 200, 230),
    envelope("d", {"id": "f", "owner": None, "city": None}, None, 400, 410),  # a moved key: one change, two keys
    "null",
    envelope("c", None, person("g", "moved"), 400, 410),
    envelope("c", None, person("f"), 100, 115),
    envelope("u", person("h", "x"), person("h", "y"), 9, 100),
    envelope("u", person("h", "y"), person("h", "z"), 10, 9),
    without_lsn(envelope("u", None, person("i", "later"), 10, 1000)),
    without_lsn(envelope("u", None, person("i", "earlier"), 10, 999)),
]
NOTES_LINES = [
    envelope("u", None, person("k", MARKER, "Rome"), 200, 210),  # before the row that it belongs to
    envelope("c", None, person("k", "long text"), 100, 110),
    envelope("c", None, person("n", "gone"), 100, 120),
    envelope("u", None, person("n", None, f'["{MARKER}"]'), 200, 220),
    envelope("u", None, person("m", base64.b64encode(MARKER.encode()).decode(), None), 200, 230),
    envelope("u", None, {"id": "m", "owner": {MARKER: MARKER}, "city": "Bonn"}, 300, 310),
    envelope("c", None, person("m"), 100, 130),
    envelope("u", None, person("p", MARKER, "lost"), 200, 240),  # whose row never comes
]


def cents(number: int) -> Decimal:
    """Return an exact amount; arithmetic of Python's decimals would round it to 28 digits."""
    return Decimal(f"{number}E-2")


def amounts(key: int, **values: Any) -> dict[str, Any]:
    return envelope("c", None, {"id": key, **values}, 100, 1000 + key)


AMOUNT_LINES = [
    amounts(1, amount=b64(0), rate=b64(1_500_000), day=20513, made_at=1772366400123, seen_at=1772366400123456),
    amounts(2, amount=b64(-1), rate=b64(-1), day=0, made_at=-1, seen_at=-1, at="2026-03-01T12:00:00.123456Z"),
    amounts(3, amount=b64(10**38 - 1), day=-135140, at="2026-03-01T13:00:00+01:00"),
    amounts(4, amount=b64(-(10**38) + 1)),
    amounts(5, amount=b64(2**56), rate=None),
    amounts(6, amount=b64(-(2**63))),
    amounts(7, amount=b64(2**60)),
    amounts(8, amount=b64(127)),
    amounts(9, amount=b64(128)),
    amounts(10, amount=b64(-(2**120))),
    amounts(11, amount={"scale": 1, "value": b64(-125)}),
    amounts(12, amount={"scale": 0, "value": b64(7)}),
    amounts(13, amount={"scale": -2, "value": b64(7)}),
    amounts(50, amount=b64(10**38)),
    amounts(51, amount="NaN"),
    amounts(54, day=2147483647),
    amounts(55, seen_at=9223372036825200000),
    amounts(56, at=1772366400123),
    amounts(57, at="infinity"),
    amounts(58, amount=b64(2**140)),
]
AMOUNT_REASONS = {
    "50": "at most 38 digits", "51": "at most 38 digits",
    "54": "infinity", "55": "infinity", "56": "unknown unit", "57": "not a timestamp", "58": "at most 38 digits",
}  # fmt: skip


def field(name: str, kind: str, semantic: str | None = None, **parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": kind, "optional": True, "field": name}
    return found | ({"name": semantic, "version": 1, "parameters": parameters} if semantic else {})


DECIMAL, VARIABLE = "org.apache.kafka.connect.data.Decimal", "io.debezium.data.VariableScaleDecimal"


def described(message: dict[str, Any] | None, *fields: dict[str, Any], key: int = 1) -> dict[str, Any]:
    """Wrap a message as a converter with schemas does, key and value."""
    row = [field("id", "int32"), *fields]
    parts = [{"type": "struct", "fields": row, "optional": True, "field": f} for f in ("before", "after")]
    schema = {"type": "struct", "fields": [*parts, {"type": "string", "field": "op"}], "name": "bank.Envelope"}
    keys = {"type": "struct", "fields": [field("id", "int32")], "name": "bank.Key"}
    return {
        "key": {"schema": keys, "payload": {"id": key}},
        "value": {"schema": schema, "payload": message} if message else None,
    }


def told(key: int, semantics: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    return described(envelope("c", None, {"id": key, **values}, 100, 1000 + key), *semantics, key=key)


CENTS = [field("amount", "bytes", DECIMAL, scale="2", **{"connect.decimal.precision": "18"})]
DESCRIBED_LINES = [
    told(1, CENTS, amount=b64(-1234)),
    told(2, [field("amount", "bytes", DECIMAL, scale="4")], amount=b64(-1234)),  # the scale changed in the stream
    told(3, [field("any", "struct", VARIABLE)], any={"scale": 3, "value": b64(5)}),
    told(4, [field("amount", "int64"), field("day", "int32", "io.debezium.time.Date")], amount=12, day=20513),
    told(5, [field("at", "int64", "io.debezium.time.Timestamp")], at=1772366400123),
    told(6, [field("at", "int64", "io.debezium.time.MicroTimestamp")], at=1772366400123456),
    told(7, [field("at", "int64", "io.debezium.time.NanoTimestamp")], at=1772366400123456000),
    told(8, [field("at", "int64", "org.apache.kafka.connect.data.Timestamp")], at=1772366400123),
    told(9, [field("at", "string", "io.debezium.time.ZonedTimestamp")], at="2026-03-01T12:00:00.5Z"),
    told(10, [field("day", "string", "io.debezium.time.IsoDate")], day="2026-03-01Z"),
    described(envelope("d", None, None, 400, 410), key=11),
    told(11, []),
    described(None, key=12),
    {"key": None, "value": {"schema": None, "payload": None}},
    told(50, [field("amount", "double")], amount=0.1),
    told(51, [field("at", "int64")], at=5),
    told(52, [field("at", "int64", "io.debezium.time.NanoTimestamp")], at=1772366400123456001),
]


def flat(op: str, deleted: str, row: dict[str, Any], commit: int | None, lsn: int) -> dict[str, Any]:
    order = json.dumps([commit and str(commit), str(lsn)])
    return {**row, "__deleted": deleted, "__op": op, "__source_sequence": order, "__source_lsn": lsn}


FLAT_LINES = [
    flat("c", "false", person("a"), 100, 110),
    flat("d", "true", person("a", MARKER), 200, 210),
    flat("r", "false", person("b", "old"), None, 500),
    flat("u", "false", person("b", "new"), None, 400),
    {**person("x"), "__deleted": "false"},
]


def mysql(op: str, key: int, file: str, pos: int, amount: str | float | None = None, **more: Any) -> dict[str, Any]:
    after = {"id": key, "amount": amount, "at": more.get("at")} if op != "d" else None
    before = {"id": key, "amount": "1.00", "at": None} if op == "d" and more.get("before", True) else None
    source = {
        "version": "3.0.0.Final", "connector": "mysql", "name": "shop", "ts_ms": 1465491411000,
        "snapshot": "true" if op == "r" else "false", "db": "inventory", "table": "orders",
        "server_id": 0 if op == "r" else more.get("server", 223344), "gtid": None, "file": file, "pos": pos,
        "row": more.get("row", 0), "thread": 7, "query": None,
    }  # fmt: skip
    value = {"before": before, "after": after, "source": source, "op": op, "ts_ms": 1465491411815}
    return {"key": {"id": key}, "value": value}


LOW, HIGH = "mysql-bin.000009", "mysql-bin.000010"
MYSQL_LINES = [
    mysql("u", 1, HIGH, 4, "2.50", at=1772366400123),
    mysql("u", 1, LOW, 9999, "1.50"),
    mysql("c", 2, LOW, 154, "3.00", row=1),
    mysql("r", 2, LOW, 154, "2.00"),  # read at the position where the change begins
    mysql("r", 3, HIGH, 200, "9.00"),  # a second snapshot: newer than all before it
    mysql("u", 3, HIGH, 100, "8.00"),
    mysql("c", 4, LOW, 200, "1.00"),
    mysql("d", 4, HIGH, 300, before=False),
    {"key": {"id": 4}, "value": None},
    mysql("c", 50, "other.000011", 4, "1.00"),
    mysql("c", 51, HIGH, 4, "1.00", server=5),
    mysql("c", 52, "", 4, "1.00"),
    mysql("c", 53, HIGH, 400, 12345678901234567.25),
]


@pytest.fixture(scope="module")
def loaded(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return a house with every golden line loaded once, and each hostile sample beside."""
    house = House(tmp_path_factory.mktemp("debezium"), spark, FixedClock(NOON)).declare(PIPELINE, *TABLES)
    deliveries = {
        "pg/people": PEOPLE_LINES, "pg/notes": NOTES_LINES, "pg/amounts": AMOUNT_LINES,
        "described/described": DESCRIBED_LINES, "flat/flat": FLAT_LINES, "my/orders": MYSQL_LINES,
    }  # fmt: skip
    for folder, messages in deliveries.items():
        for name, body in topic("golden", *messages).items():
            house.deliver(f"{folder}/{name}", body)
    house.load()
    return house


def reasons_by_key(house: House, table: str, key: str = "id") -> dict[Any, str]:
    found = {}
    for row in house.quarantine(table):
        raw = json.loads(row["raw"])
        record = raw.get("value", raw)
        record = record.get("payload", record)
        found[str((record.get("after") or record)[key])] = "; ".join(row["reasons"])
    return found


def test_each_person_ends_as_the_transactions_left_them(loaded: House) -> None:
    assert rows_of(loaded.silver("people").select("id", "owner")) == [
        ("a", "new"), ("b", "Ann"), ("c", "second"), ("d", "again"), ("e", "after the reading"), ("g", "moved"),
        ("h", "z"), ("i", "later"),
    ]  # fmt: skip
    assert loaded.quarantine("people") == []


def test_unchanged_toast_keeps_what_is_stored_in_every_encoding(loaded: House) -> None:
    assert rows_of(loaded.silver("notes")) == [
        ("k", "long text", "Rome"),
        ("m", "Ann", "Bonn"),
        ("n", None, "Oslo"),
    ]
    assert loaded.quarantine("notes") == []


def test_decimals_and_times_without_schemas_are_exact(loaded: House) -> None:
    found = {
        r["id"]: r
        for r in loaded.silver("amounts").selectExpr("*", *_texts("day", "made_at", "seen_at", "at")).collect()
    }
    assert {key: row["amount"] for key, row in found.items()} == {
        1: Decimal("0.00"), 2: Decimal("-0.01"), 3: cents(10**38 - 1), 4: cents(1 - 10**38),
        5: cents(2**56), 6: cents(-(2**63)), 7: cents(2**60),
        8: Decimal("1.27"), 9: Decimal("1.28"), 10: cents(-(2**120)), 11: Decimal("-12.50"),
        12: Decimal("7.00"), 13: Decimal("700.00"),
    }  # fmt: skip
    assert (found[1]["rate"], found[2]["rate"]) == (Decimal("1.50000000"), Decimal("-0.00000100"))
    assert [found[n]["day_"] for n in (1, 2, 3)] == ["2026-03-01", "1970-01-01", "1600-01-01"]
    assert [found[n]["made_at_"] for n in (1, 2)] == ["2026-03-01 12:00:00.123", "1969-12-31 23:59:59.999"]
    assert [found[n]["seen_at_"] for n in (1, 2)] == ["2026-03-01 12:00:00.123456", "1969-12-31 23:59:59.999999"]
    assert [found[n]["at_"] for n in (2, 3)] == ["2026-03-01 12:00:00.123456", "2026-03-01 12:00:00"]


def test_what_is_no_exact_value_goes_to_quarantine(loaded: House) -> None:
    found = reasons_by_key(loaded, "amounts")
    assert found.keys() == AMOUNT_REASONS.keys()
    assert [k for k, words in AMOUNT_REASONS.items() if words not in found[k]] == [], found


def test_a_schema_tells_scale_and_unit_line_by_line(loaded: House) -> None:
    rows = loaded.silver("described").selectExpr(
        "id", *(f"CAST(`{n}` AS STRING)" for n in ("amount", "any", "day", "at"))
    )
    assert rows_of(rows) == [
        (1, "-12.3400", None, None, None),
        (2, "-0.1234", None, None, None),
        (3, None, "0.0050", None, None),
        (4, "12.0000", None, "2026-03-01", None),
        (5, None, None, None, "2026-03-01 12:00:00.123"),
        (6, None, None, None, "2026-03-01 12:00:00.123456"),
        (7, None, None, None, "2026-03-01 12:00:00.123456"),
        (8, None, None, None, "2026-03-01 12:00:00.123"),
        (9, None, None, None, "2026-03-01 12:00:00.5"),
        (10, None, None, "2026-03-01", None),
    ]
    found = reasons_by_key(loaded, "described")
    assert [found[n].split(": ", 2)[2] for n in ("50", "51", "52")] == [
        "a double; set decimal.handling.mode to precise",
        "a number of unknown unit; declare `feed: timestamps` or send schemas",
        "finer than a microsecond",
    ]


@pytest.mark.parametrize("evidence", ["12.50", 1250, 12.5, -3, 1e10], ids=repr)
def test_a_decimal_that_cannot_be_base64_refuses_its_object(houses: Callable[[str], House], evidence: Any) -> None:
    house = houses("modes").declare(PIPELINE, *TABLES)
    for name, body in topic("golden", amounts(1, amount="1234"), amounts(2, amount=evidence)).items():
        house.deliver(f"pg/amounts/{name}", body)

    [record] = house.load(expect=bool)

    assert "amount: contradicts what is declared" in record["reason"]
    assert rows_of(house.silver("amounts")) == []


def test_text_that_may_be_base64_refuses_its_object_where_digits_are_declared(houses: Callable[[str], House]) -> None:
    house = houses("digits").declare(PIPELINE, *TABLES)
    for name, body in topic("golden", mysql("c", 1, HIGH, 4, "1234"), mysql("c", 2, HIGH, 5, "BNI=")).items():
        house.deliver(f"my/orders/{name}", body)

    [record] = house.load(expect=bool)

    assert "amount: contradicts what is declared" in record["reason"]
    assert rows_of(house.silver("orders")) == []


def test_a_field_that_stands_twice_refuses_its_message_alone(houses: Callable[[str], House]) -> None:
    house = houses("twice").declare(PIPELINE, *TABLES)
    for name, body in topic("golden", mysql("c", 1, HIGH, 4, "1.00"), mysql("c", 2, HIGH, 5, "2.00")).items():
        house.deliver(f"my/orders/{name}", body.replace(b'"amount":"2.00"', b'"amount":"2.00","amount":"9.00"'))

    house.load(expect=bool)

    assert rows_of(house.silver("orders").select("id", "amount")) == [(1, "1.00")]
    assert house.reasons("orders") == ["record: a key stands twice in an object"]


def test_flattened_messages_need_their_op_and_order(loaded: House) -> None:
    assert rows_of(loaded.silver("flat")) == [("b", "new", "Oslo")]
    assert reasons_by_key(loaded, "flat").keys() == {"x"}


def test_mysql_changes_follow_the_number_of_the_binary_log(loaded: House) -> None:
    rows = loaded.silver("orders").selectExpr("id", "amount", "CAST(at AS STRING) AS at")
    assert rows_of(rows) == [(1, "2.50", "2026-03-01 12:00:00.123"), (2, "3.00", None), (3, "9.00", None)]
    found = reasons_by_key(loaded, "orders")
    expected = {"50": "not mysql-bin", "51": "another server_id", "52": "no order", "53": "a JSON number"}
    assert [k for k, words in expected.items() if words not in found[k]] == [], found


def _texts(*names: str) -> list[str]:
    return [f"CAST({n} AS STRING) AS {n}_" for n in names]


@pytest.fixture(scope="module")
def attacked(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return object name → reasons, after all hostile samples were delivered together."""
    house = House(tmp_path_factory.mktemp("hostile"), spark, FixedClock(NOON)).declare(PIPELINE, PEOPLE)
    for sample in HOSTILE:
        for name, body in sample.files.items():
            house.deliver(f"pg/people/{name}", body)
    house.load()
    manifests = house.workspace().logs["people"].all()
    refused = {r.source_name: [r.reason] for m in manifests for r in m.refused}
    names = {o.path: o.source_name for m in manifests for o in m.objects}
    found = {name.split("/")[-1]: reasons for name, reasons in refused.items()}
    for row in house.quarantine("people"):
        found.setdefault(names[row["object"]].split("/")[-1], []).extend(row["reasons"])
    found["rows"] = [r["id"] for r in house.silver("people").collect()]
    return found


@pytest.mark.parametrize("sample", HOSTILE, ids=lambda s: s.name.replace(" ", "_"))
def test_hostile_samples_end_as_they_say(attacked: dict[str, list[str]], sample: Hostile) -> None:
    reasons = [r for name in sample.files for r in attacked.get(name, [])]
    if sample.outcome == "accepted":
        assert reasons == []
        assert attacked["rows"] == ["h1"]
    else:
        assert any(sample.says in r for r in reasons), reasons
        assert all(r.startswith("record: ") for r in reasons) == (sample.outcome == "quarantined")


def raw_changes(house: House, table: str, *names: str) -> list[dict[str, Any]]:
    """Return what the feed reads from landed objects, before the lake judges it."""
    workspace = house.workspace()
    landed = [o for m in workspace.logs[table].all() for o in m.objects if o.source_name.split("/")[-1] in names]
    spec = workspace.table(table)
    options = workspace.pipeline.spec.sources[spec.source].options
    rows = FEEDS["debezium"].read(workspace.engines, Reading(spec, tuple(landed), workspace.objects, options))
    return workspace.engines.rows(rows.first(1_000_000, "_object", "_ordinal"))


def test_a_truncate_of_a_topic_with_one_partition_withdraws_all_that_is_older(house: House) -> None:
    house.declare(PIPELINE, PEOPLE)
    lines = [envelope("c", None, person("a"), 100, 110), envelope("t", None, None, 200, 210)]
    lines += [envelope("c", None, person("b"), 200, 220), envelope("m", None, None, 200, 230)]
    for name, body in (topic("one", *lines) | topic("two", lines[1], partition=1)).items():
        house.deliver(f"pg/people/{name}", body)
    assert house.extract() == []
    alone = raw_changes(house, "people", "one+0+0000000000.json")
    assert [(r["_op"], r["id"], r["_problem"]) for r in alone] == [
        ("upsert", "a", None), ("truncate", None, None), ("upsert", "b", None),
    ]  # fmt: skip
    assert sorted(r["_position"] for r in alone) == [r["_position"] for r in alone]
    beside = raw_changes(house, "people", "one+0+0000000000.json", "two+1+0000000000.json")
    assert {r["_problem"] is not None for r in beside if r["_op"] == "truncate"} == {True}


def test_a_redelivered_change_is_a_duplicate_and_a_whole_run_publishes_the_rest(house: House) -> None:
    people = PIPELINE + "marts:\n  - {mart: owners, sql: marts/owners.sql, key: [id], inputs: [{table: people}]}\n"
    house.declare(people, PEOPLE, marts__owners="SELECT id, owner FROM people")
    lines = [envelope("c", None, person("a"), 100, 110), envelope("u", None, person("a", "Bob"), 200, 210)]
    for name, body in topic("people", *lines).items():
        house.deliver(f"pg/people/dt=2026-03-01/{name}", body)
    assert house.run().status == "published"
    for name, body in topic("people", *lines, lines[1], "null", offset=9).items():
        house.deliver(f"pg/people/dt=2026-03-01/{name}", body)
    assert [counts(b) for b in house.load()] == [{"read": 3, "duplicate": 3}]
    assert rows_of(house.mart("owners").select("id", "owner")) == [("a", "Bob")]
    assert house.bronze("people").count() == 2
