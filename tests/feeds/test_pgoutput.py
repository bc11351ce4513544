"""pgoutput messages, byte by byte, as the PostgreSQL documentation lays them out."""

from __future__ import annotations

import struct

import pytest
from ledgerlake.core.types.words import UNDECODABLE
from ledgerlake.errors import SourceError
from ledgerlake.feeds.postgres.pgoutput import Begin, Change, Commit, Relation, RelationColumn, Row, Truncate, decode
from ledgerlake.feeds.postgres.slot_landing import described
from ledgerlake.feeds.postgres.slot_session import format_lsn, parse_lsn
from ledgerlake.feeds.postgres.types import type_of_name, type_of_oid

PEOPLE = Relation(
    7, "public", "people",
    (RelationColumn("id", True, 20, -1), RelationColumn("name", False, 25, -1), RelationColumn("bio", False, 25, -1)),
)  # fmt: skip


def text(value: str) -> bytes:
    return b"t" + struct.pack("!i", len(value.encode())) + value.encode()


def row(*values: bytes) -> bytes:
    return struct.pack("!H", len(values)) + b"".join(values)


RELATION = (
    b"R" + struct.pack("!I", 7) + b"public\0people\0d" + struct.pack("!H", 3)
    + b"\x01id\0" + struct.pack("!Ii", 20, -1) + b"\0name\0" + struct.pack("!Ii", 25, -1)
    + b"\0bio\0" + struct.pack("!Ii", 25, -1)
)  # fmt: skip
NEW = b"N" + row(text("1"), text("é"), b"u")
CASES = {
    b"B" + struct.pack("!QqI", 0x16B374D848, 5, 700): Begin(0x16B374D848, 700),
    b"C\0" + struct.pack("!QQq", 10, 20, 5): Commit(10, 20),
    RELATION: PEOPLE,
    b"I" + struct.pack("!I", 7) + NEW: Change("I", 7, Row({0: "1", 1: "é"}, (2,)), None),
    b"U" + struct.pack("!I", 7) + b"K" + row(text("0"), b"n", b"n") + NEW: Change(
        "U", 7, Row({0: "1", 1: "é"}, (2,)), Row({0: "0", 1: None, 2: None})
    ),
    b"U" + struct.pack("!I", 7) + b"O" + row(text("0"), b"n", text("x")) + NEW: Change(
        "U", 7, Row({0: "1", 1: "é"}, (2,)), Row({0: "0", 1: None, 2: "x"}), whole_old=True
    ),
    b"D" + struct.pack("!I", 7) + b"K" + row(text("1"), b"n", b"n"): Change(
        "D", 7, None, Row({0: "1", 1: None, 2: None})
    ),
    b"T" + struct.pack("!IB", 2, 1) + struct.pack("!II", 7, 8): Truncate((7, 8)),
    b"O" + struct.pack("!Q", 1) + b"elsewhere\0": None,
    b"Y" + struct.pack("!I", 9) + b"public\0mood\0": None,
    b"M\x01" + struct.pack("!Q", 1) + b"prefix\0" + struct.pack("!I", 1) + b"x": None,
}


@pytest.mark.parametrize("data", CASES, ids=lambda d: d[:1].decode() + str(len(d)))
def test_each_message_is_read_whole(data: bytes) -> None:
    assert decode(data) == CASES[data]


@pytest.mark.parametrize(
    "data", [d for d, m in CASES.items() if m is not None], ids=lambda d: d[:1].decode() + str(len(d))
)
def test_a_message_cut_anywhere_is_refused(data: bytes) -> None:
    for end in range(len(data)):
        with pytest.raises(SourceError, match="cannot be read"):
            decode(data[:end])


@pytest.mark.parametrize(
    "data", [b"", b"Z123", b"S" + struct.pack("!IB", 1, 1), b"I" + struct.pack("!I", 7) + b"N" + row(b"b")]
)
def test_unknown_messages_stream_messages_and_binary_values_are_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match="proto_version 1"):
        decode(data)


def test_bytes_that_are_not_utf8_stay_visible_to_the_contract() -> None:
    message = decode(b"I" + struct.pack("!I", 7) + b"N" + row(b"t" + struct.pack("!i", 1) + b"\xff"))
    assert message == Change("I", 7, Row({0: UNDECODABLE}), None)


def test_an_old_key_names_only_the_identity_and_an_old_row_everything() -> None:
    old = Row({0: "1", 1: None, 2: None})
    assert described(Change("D", 7, None, old), PEOPLE) == {"action": "D", "old": {"id": "1"}}
    whole = described(Change("D", 7, None, old, whole_old=True), PEOPLE)
    assert whole == {"action": "D", "old": {"id": "1", "name": None, "bio": None}}


def test_a_large_value_that_did_not_change_is_named_not_nulled() -> None:
    found = described(Change("U", 7, Row({0: "1", 1: None}, (2,)), None), PEOPLE)
    assert found == {"action": "U", "new": {"id": "1", "name": None}, "unchanged": ["bio"]}


def test_lsns_are_numbers_in_two_halves() -> None:
    assert parse_lsn("16/B374D848") == 0x16B374D848
    assert format_lsn(0x16B374D848) == "16/B374D848"
    assert format_lsn(0x100000000) == "1/0"


@pytest.mark.parametrize(
    ("oid", "modifier", "name", "kind"),
    [
        (20, -1, "bigint", "bigint"),
        (21, -1, "smallint", "int"),
        (16, -1, "boolean", "boolean"),
        (1184, 3, "timestamp(3) with time zone", "timestamp"),
        (1700, (18 << 16 | 3) + 4, "numeric(18,3)", "decimal(18,3)"),
        (1700, (5 << 16 | 0x7FE) + 4, "numeric(5,-2)", "string"),
        (1700, (50 << 16 | 3) + 4, "numeric(50,3)", "string"),
        (1700, -1, "numeric", "string"),
        (701, -1, "double precision", "string"),
        (3802, -1, "jsonb", "string"),
    ],
)
def test_types_have_the_same_name_by_oid_and_by_name(oid: int, modifier: int, name: str, kind: str) -> None:
    assert type_of_oid(oid, modifier) == type_of_name(name) == kind
