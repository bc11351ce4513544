"""What Debezium sources may declare, and how the layout of an object is told before it lands."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ledgerlake.config.models import Source, Table
from ledgerlake.errors import SourceError
from ledgerlake.feeds.debezium.decimals import unscaled_decimal, written_decimal
from ledgerlake.feeds.debezium.decoder import DebeziumLines
from ledgerlake.feeds.debezium.feed import DebeziumFeed
from ledgerlake.feeds.debezium.layout import layout_of
from ledgerlake.feeds.debezium.messages import Messages
from ledgerlake.feeds.debezium.options import DebeziumSource
from ledgerlake.feeds.debezium.ordinary import ordinary_reader
from ledgerlake.feeds.debezium.toast import Markers, placeholders
from ledgerlake.feeds.debezium.values import Unreadable
from ledgerlake.landing.manifest import LandedObject
from ledgerlake.testing.debezium import envelope

TABLE = {
    "table": "people",
    "source": "pg",
    "resource": "people",
    "key": ["id"],
    "columns": [
        {"name": "id", "type": "string", "nullable": False},
        {"name": "paid", "type": "decimal(18,2)"},
        {"name": "at", "type": "timestamp"},
    ],
}
CREATED = envelope("c", None, {"id": "a"}, 100, 110)
WRAPPED = {"key": {"id": "a"}, "value": CREATED}
SCHEMA = {"type": "struct"}
FLAT = {"id": "a", "__deleted": "false", "__op": "c"}


def source(**options: Any) -> Source:
    return Source(feed="debezium", location="pg", options={"database": "postgresql", **options})


def table(**feed: Any) -> Table:
    return Table(**TABLE, feed=feed)


@pytest.mark.parametrize(
    ("options", "feed", "says"),
    [
        ({"decimal_mode": "double"}, {}, "doubles lose cents"),
        ({"form": "flattened"}, {}, "need `order_fields`: the 2 fields that hold sequence, lsn"),
        ({"form": "flattened", "order_fields": ["__lsn"]}, {}, "need `order_fields`"),
        ({"order_fields": ["__lsn", "__sequence"]}, {}, "belong to `form: flattened`"),
        ({"database": "mysql"}, {}, "MySQL needs `binlog:`"),
        ({"binlog": "binlog"}, {}, "belong to `database: mysql`"),
        ({"server_id": 7}, {}, "belong to `database: mysql`"),
        ({"schemas": True}, {"scales": {"paid": 2}}, "remove `timestamps` and `scales`"),
        ({}, {"timestamps": {"paid": "millis"}}, "not a timestamp column"),
        ({}, {"scales": {"other": 2}}, "not a decimal column"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], feed: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says.replace("`", ".")):
        DebeziumFeed().check(source(**options), table(**feed))


@pytest.mark.parametrize(
    ("options", "feed"),
    [
        ({}, {"timestamps": {"at": "micros"}, "scales": {"paid": 4}}),
        ({"form": "flattened", "order_fields": ["__source_sequence", "__source_lsn"]}, {}),
        ({"database": "mysql", "binlog": "mysql-bin", "server_id": 7}, {}),
        ({"schemas": True, "message": "key_value"}, {}),
    ],
)
def test_options_that_fit_together_are_taken(options: dict[str, Any], feed: dict[str, Any]) -> None:
    DebeziumFeed().check(source(**options), table(**feed))


@pytest.mark.parametrize(
    ("line", "layout"),
    [
        (CREATED, ("value", False, "envelope")),
        ({"schema": SCHEMA, "payload": CREATED}, ("value", True, "envelope")),
        (WRAPPED, ("key_value", False, "envelope")),
        ({"key": None, "value": {"schema": SCHEMA, "payload": FLAT}}, ("key_value", True, "flattened")),
        (FLAT, ("value", False, "flattened")),
        ({**FLAT, "key": 1, "value": 2}, ("value", False, "flattened")),
        (envelope("t", None, None, 100, 110), ("value", False, "envelope")),
        ({"key": {"id": "a"}, "value": None}, None),
        ({"schema": None, "payload": None}, None),
    ],
)
def test_a_line_tells_its_layout(line: dict[str, Any], layout: object) -> None:
    assert layout_of(line) == layout


def body(*messages: object) -> bytes:
    return "".join(json.dumps(m) + "\n" for m in messages).encode()


def test_tombstones_and_broken_lines_before_the_first_message_do_not_decide_the_layout() -> None:
    probe = DebeziumFeed().probe(source(message="key_value"), table())
    assert probe("people+0+0.json", b"{oops\n\n" + body({"key": {"id": "a"}, "value": None}, WRAPPED)) == ()
    with pytest.raises(SourceError, match="`message: value`, `schemas: false`, `form: envelope`"):
        probe("people+0+0.json.gz", gzip.compress(body({"key": {"id": "a"}, "value": None}, CREATED)))


def test_an_object_of_tombstones_alone_is_taken() -> None:
    assert DebeziumFeed().probe(source(), table())("people+0+0.json", b"null\nnull") == ()


def test_the_marker_of_unchanged_values_is_known_in_every_encoding() -> None:
    assert set(placeholders("gone")) == {
        "gone",
        "Z29uZQ==",
        '["gone"]',
        '["Z29uZQ=="]',
        "[103,111,110,101]",
        '{"gone":"gone"}',
        "50c1f58b-e7f5-347e-8f53-d64c094783c2",
        '["50c1f58b-e7f5-347e-8f53-d64c094783c2"]',
    }


ORDINARY = [
    CREATED,
    envelope("r", None, {"id": "a", "paid": "AA=="}, None, 110, "first"),
    envelope("u", {"id": "a"}, {"id": "a", "at": 5}, 100, 110),
    envelope("u", {"id": None}, {"id": "é", "other": {"deep": [1.50]}}, 100, 110),
]
ODD = [
    envelope("u", {"id": 1}, {"id": "1"}, 100, 110),
    *([{**CREATED, "op": op} for op in ("d", "t", "m", "x", None, 5)]),
    *([{**CREATED, "after": after} for after in (None, 5, [1])]),
    *([{**CREATED, "source": {"sequence": '["1","2"]', "lsn": lsn}} for lsn in (1.5, True, [])]),
    *([{**CREATED, "source": source} for source in (None, 5, {"sequence": ["1", "2"]})]),
    envelope("u", {"id": "a"}, {"id": "b"}, 100, 110),
    {**CREATED, "schema": SCHEMA},
    {"payload": CREATED, "schema": SCHEMA},
    WRAPPED,
    {},
    None,
]


@pytest.mark.parametrize("message", ORDINARY + ODD)
def test_the_short_way_to_a_message_and_the_whole_one_agree(message: object) -> None:
    read = Messages(table(), DebeziumSource(database="postgresql"), Markers("gone"), 1)
    line = json.dumps(message, ensure_ascii=False).encode()
    assert read(7, line) == read.whole(7, line)


@pytest.mark.parametrize("message", ORDINARY)
def test_rows_with_their_order_take_the_short_way(message: object) -> None:
    read = ordinary_reader(table(), DebeziumSource(database="postgresql"))
    assert read(json.dumps(message, ensure_ascii=False).encode()) is not None


def test_a_line_that_is_not_utf8_has_no_record_even_where_no_column_is_concerned() -> None:
    read = Messages(table(), DebeziumSource(database="postgresql"), Markers("gone"), 1)
    line = json.dumps({**CREATED, "note": "?"}).encode().replace(b"?", b"\xff")
    message = read(7, line)
    assert message and message[4] == "not a JSON object"


@pytest.mark.parametrize("value", ["1e10", True, -125, 12.5, [1], {"value": "AA=="}, "AA=", "", "AA==AA=="])
def test_what_only_looks_like_base64_is_no_decimal(value: Any) -> None:
    read = unscaled_decimal("paid", 2)
    line = b'{"paid":1e10}' if value == "1e10" else json.dumps({"paid": value}).encode()
    with pytest.raises(Unreadable, match=r"paid: (not an exact decimal|contradicts what is declared)"):
        read(str(value) if type(value) is float else value, line)
    assert read("1e10", b'{"paid":"1e10"}') == "-27572.60"


def test_a_number_is_a_decimal_where_no_double_can_have_rounded_it() -> None:
    read = written_decimal("paid", ("paid",))
    assert [read(v, b"{}") for v in (5, "12345678.25", "0.0001", None)] == ["5", "12345678.25", "0.0001", None]
    for number in ("1e2", "1.0E-4", "1234567890123.45"):
        assert read(number, f'{{"paid":"{number}"}}'.encode()) == number
        with pytest.raises(Unreadable, match="a JSON number where a string is declared"):
            read(number, f'{{"paid":{number}}}'.encode())


def named(schema: str | None, name: str | None, key: str) -> dict[str, Any]:
    message = envelope("c", None, {"id": key}, 100, 110)
    message["source"] |= {"schema": schema, "table": name}
    return message


TOPICS: dict[str, tuple[str, dict[str, Any], list[tuple[str, bool]]]] = {
    "the topic names its table": ("bank.public.people", {}, [("a", True), ("b", False), ("c", False), ("d", True)]),
    "the first message names it": ("routed", {}, [("a", True), ("b", False), ("c", False), ("d", True)]),
    "it is declared: others are left out": ("routed", {"table": "public.people"}, [("a", True), ("d", True)]),
}


@pytest.mark.parametrize("name", TOPICS)
def test_a_message_of_another_table_is_never_taken(name: str) -> None:
    resource, feed, expected = TOPICS[name]
    declared = Table(**{**TABLE, "resource": resource}, feed=feed)
    item = LandedObject("landing/o", "t+0+0.json", "h", 1, datetime(2026, 3, 1, tzinfo=UTC))
    messages = [named("public", "people", "a"), named("public", "pets", "b"), named("other", "people", "c"), named(None, None, "d")]
    decode = DebeziumLines(declared, DebeziumSource(database="postgresql"), 1)(item)

    changes = decode(0, [json.dumps(m).encode() for m in messages])

    problems = changes.problems or [None] * len(changes.ordinals)
    keys = [messages[n]["after"]["id"] for n in changes.ordinals]
    assert [(k, p is None) for k, p in zip(keys, problems, strict=True)] == expected


def test_a_field_in_another_spelling_refuses_the_object() -> None:
    with pytest.raises(SourceError, match="did you mean 'Paid'"):
        DebeziumFeed().probe(source(), table())("t+0+0.json", body(envelope("c", None, {"id": "a", "Paid": "1"}, 1, 2)))
