"""Exported topics as Kafka connectors write them, JSON lines and Avro containers, from YAML and files alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from house import House, counts, lines, rows_of
from ledgerlake.config.models import Source, Table
from ledgerlake.feeds.event_export.avro import avro_fields
from ledgerlake.feeds.event_export.feed import EventExportFeed
from ledgerlake.testing.event_export import HOSTILE, avro, fields
from ledgerlake.testing.samples import Hostile

PIPELINE = """
pipeline: bank
sources:
  topics: {{feed: event_export, location: topics, options: {{format: {format}}}}}
publication: {{database: FINANCE, schema: BANK, bi_schema: BANK_BI}}
"""
PEOPLE = """
table: people
source: topics
resource: people
key: [id]
feed: {feed}
columns:
  - {{name: id, type: string, nullable: false}}
  - {{name: owner, type: string}}
  - {{name: city, type: string}}
"""
OPS = "{op_field: op, ops: {put: upsert, drop: delete}}"
PAYMENTS = """
table: payments
source: topics
resource: payments
key: [event_id]
feed: {op_field: meta.op, ops: {CREATED: upsert, DELETED: delete}}
columns:
  - {name: event_id, type: string, source: meta.id, nullable: false}
  - {name: amount, type: "decimal(30,10)", source: payload.amount}
  - {name: fee, type: "decimal(9,2)", source: payload.fee}
  - {name: sent_at, type: timestamp, source: payload.sent_at}
  - {name: made_at, type: timestamp, source: payload.made_at}
  - {name: due, type: date, source: payload.due}
  - {name: count, type: bigint, source: payload.count}
  - {name: final, type: boolean, source: payload.final}
  - {name: later, type: string, source: payload.later}
"""


def declared(house: House, format_: str, table: str = "") -> House:
    return house.declare(PIPELINE.format(format=format_), table or PEOPLE.format(feed="{}"))


@pytest.mark.parametrize("sample", HOSTILE, ids=lambda s: s.name)
def test_hostile_exports_end_where_they_must(house: House, sample: Hostile) -> None:
    kind = sample.name.split(":")[0]
    declared(house, "avro" if kind == "avro" else "json", PEOPLE.format(feed=OPS if kind == "ops" else "{}"))
    for path, body in sample.files.items():
        house.deliver(f"topics/people/{path}", body)

    house.load()

    refused = [r.reason for m in house.workspace().logs["people"].all() for r in m.refused]
    shown = refused if sample.outcome == "refused" else house.reasons()
    assert any(sample.says in reason for reason in shown) or sample.outcome == "accepted", (refused, house.reasons())
    assert bool(refused) == (sample.outcome == "refused")
    assert bool(house.reasons()) == (sample.outcome == "quarantined")


PAYLOAD = {
    "type": "record", "name": "Payload", "namespace": "bank.v1",
    "fields": fields(
        amount=["null", {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 10}],
        fee={"type": "fixed", "name": "Fee", "size": 5, "logicalType": "decimal", "precision": 9, "scale": 2},
        sent_at={"type": "long", "logicalType": "timestamp-micros"},
        made_at=["null", {"type": "long", "logicalType": "timestamp-millis"}],
        due={"type": "int", "logicalType": "date"},
        count="long", final="boolean", tags={"type": "array", "items": "string"}, ratio="double",
    ),
}  # fmt: skip
META = {"type": "record", "name": "Meta", "fields": fields(id="string", op={"type": "enum", "name": "Op", "symbols": ["CREATED", "DELETED", "SEEN"]})}  # fmt: skip


def container(*events: tuple[str, str, dict[str, Any] | None], payload: Any = PAYLOAD, codec: str = "deflate") -> bytes:
    schema = {"type": "record", "name": "Event", "namespace": "bank.v1", "fields": fields(meta=META, payload=["null", payload])}  # fmt: skip
    sink = io.BytesIO()
    records = [{"meta": {"id": i, "op": op}, "payload": values} for i, op, values in events]
    fastavro.writer(sink, fastavro.parse_schema(schema), records, codec=codec, sync_interval=200)
    return sink.getvalue()


def values(**changed: Any) -> dict[str, Any]:
    at = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)
    return {
        "amount": Decimal("12345678901234567890.1234567891"), "fee": Decimal("-0.05"), "sent_at": at, "made_at": at,
        "due": date(2026, 3, 31), "count": 2**53 + 1, "final": True, "tags": ["a"], "ratio": 0.5,
    } | changed  # fmt: skip


def test_avro_values_are_exact_and_nested_fields_have_dotted_sources(house: House) -> None:
    declared(house, "avro", PAYMENTS)
    first = container(("e1", "CREATED", values()), ("e2", "CREATED", values(amount=None, made_at=None, final=False)))

    house.deliver("topics/payments/payments+0+0000000000.avro", first).load()

    at = "2026-03-01 09:30:00.123456"
    assert rows_of(house.silver("payments")) == [
        ("e1", "12345678901234567890.1234567891", "-0.05", at, at[:-3] + "000", "2026-03-31", 2**53 + 1, True, None),
        ("e2", None, "-0.05", at, None, "2026-03-31", 2**53 + 1, False, None),
    ]


def test_order_and_operations_of_avro_records_hold_over_blocks_files_and_schemas(house: House) -> None:
    declared(house, "avro", PAYMENTS)
    many = [("e1", "CREATED", values(count=n)) for n in range(40)]
    wider = {**PAYLOAD, "fields": [*PAYLOAD["fields"], *fields(later=["null", "string"])]}
    house.deliver("topics/payments/payments+0+0000000000.avro", container(*many, ("e2", "CREATED", values())))
    house.deliver(
        "topics/payments/payments+0+0000000041.avro",
        container(
            ("e2", "DELETED", None), ("e3", "CREATED", values(later="x") | {"later": "x"}), ("e4", "SEEN", None),
            payload=wider, codec="snappy" if _has_snappy() else "null",
        ),
    )  # fmt: skip
    house.deliver("topics/payments/again/payments+0+0000000005.avro", container(*many[5:9], codec="null"))

    [record] = house.load()

    rows = {r["event_id"]: r for r in house.silver("payments").collect()}
    assert {key: (row["count"], row["later"]) for key, row in rows.items()} == {
        "e1": (39, None),
        "e3": (2**53 + 1, "x"),
    }
    assert house.reasons() == ["record: unknown operation"]
    assert counts(record) == {"read": 48, "applied": 3, "superseded": 40, "duplicate": 4, "quarantined": 1}


def _has_snappy() -> bool:
    try:
        import cramjam  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ({"name": "ratio", "type": "decimal(9,2)", "source": "payload.ratio"}, "not exact"),
        ({"name": "sent", "type": "timestamp", "source": "payload.sent_at", "format": "epoch_millis"}, "leave `format` out"),
        ({"name": "tags", "type": "string", "source": "payload.tags"}, "is a list"),
        ({"name": "payload", "type": "string"}, "is a struct: declare its fields"),
        ({"name": "ratio", "type": "string", "source": "payload.ratio"}, "is a double, which is not exact"),
        ({"name": "sent", "type": "bigint", "source": "payload.sent_at"}, "is a moment"),
        ({"name": "gone", "type": "string", "nullable": False}, "missing from the schema"),
    ],
)  # fmt: skip
def test_a_schema_that_does_not_serve_the_contract_is_refused(column: dict[str, Any], says: str) -> None:
    columns = [{"name": "id", "type": "string", "source": "meta.id"}, column]
    table = Table(table="t", source="s", resource="t", key=("id",), columns=columns)  # type: ignore[arg-type]
    probe = EventExportFeed().probe(Source(feed="event_export", options={"format": "avro"}), table)

    with pytest.raises(Exception, match=says):
        probe("t+0+0.avro", container(("e1", "CREATED", values())))


def test_every_cut_of_a_container_is_refused_but_after_a_whole_block() -> None:
    body = container(*[(f"e{n}", "CREATED", values()) for n in range(8)], codec="null")
    mark = body[-16:]
    ends = {n for n in range(1, len(body) + 1) if body[:n].endswith(mark)}

    whole = set()
    for length in range(1, len(body) + 1):
        try:
            avro_fields("t+0+0.avro", body[:length])
        except Exception as error:
            assert "truncated" in str(error) or "not an Avro container" in str(error)
        else:
            whole.add(length)

    assert whole == ends
    assert len(ends) > 2


def test_samples_for_users_are_whole_containers() -> None:
    body = avro({"id": "1", "owner": "Zoë"}, {"id": "2", "owner": "x" * 200})

    assert list(fastavro.reader(io.BytesIO(body))) == [{"id": "1", "owner": "Zoë"}, {"id": "2", "owner": "x" * 200}]
    assert avro_fields("t+0+0.avro", body) == {"id": "string", "owner": "string"}


def test_an_envelope_id_that_comes_again_elsewhere_keeps_the_newest_place(house: House) -> None:
    declared(house, "json")
    house.deliver("topics/people/people+0+7.json", lines({"id": "1", "owner": "Ann"}, {"id": "1", "owner": "Eve"}))
    house.deliver("topics/people/people+1+3.json", lines({"id": "1", "owner": "Bob"}))

    [record] = house.load()

    assert rows_of(house.silver("people")) == [("1", "Bob", None)]
    assert counts(record) == {"read": 3, "applied": 1, "superseded": 2}


def test_absent_and_null_are_one_in_a_whole_event_and_two_in_a_patch(houses: Callable[[str], House]) -> None:
    events = [{"op": "put", "id": "1", "owner": "Ann", "city": "Bonn"}, {"op": "set", "id": "1", "city": None}]
    ends = {}
    for changes, op in (("whole", "upsert"), ("partial", "patch")):
        own = f"{{op_field: op, ops: {{put: upsert, set: {op}}}}}\nchanges: {changes}"
        house = declared(houses(changes), "json", PEOPLE.format(feed=own))
        house.deliver("topics/people/people+0+0.json.gz", lines(*events)).load()
        ends[changes] = rows_of(house.silver("people"))

    assert ends == {"whole": [("1", None, None)], "partial": [("1", "Ann", None)]}


def test_a_whole_run_loads_dated_avro(house: House) -> None:
    declared(house, "avro")
    house.deliver("topics/people/dt=2026-03-01/people+0+0.avro", avro({"id": "1", "owner": "Zoë", "city": "Köln"}))

    assert house.run().status == "published"

    assert rows_of(house.silver("people")) == [("1", "Zoë", "Köln")]


@pytest.mark.parametrize(
    ("options", "feed", "changes", "says"),
    [
        ({"format": "avro"}, {"op_field": "op", "ops": {"set": "patch"}}, "partial", "cannot be told from null"),
        ({"format": "avro"}, {}, "partial", "cannot be told from null"),
        ({}, {"op_field": "op", "ops": {"set": "patch"}}, "whole", "changes: partial"),
        ({}, {"op_field": "op"}, "whole", "go together"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    options: dict[str, Any], feed: dict[str, Any], changes: Any, says: str
) -> None:
    columns = [{"name": "id", "type": "string"}]
    table = Table(table="t", source="s", resource="t", key=("id",), columns=columns, changes=changes, feed=feed)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=says):
        EventExportFeed().check(Source(feed="event_export", options=options), table)
