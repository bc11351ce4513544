"""Debezium messages: any order, any split, any redelivery of the same changes end in the oracle's table."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from convergence import Acts, Format, Sent, assert_converges
from histories import Act, drawn, interleaved
from house import House, lines
from ledgerlake.core.change import Change, Op
from ledgerlake.testing.debezium import MARKER, envelope

PIPELINE = """
pipeline: bank
sources:
  pg: {feed: debezium, location: pg, options: {database: postgresql}}
  my: {feed: debezium, location: my, options: {database: mysql, binlog: binlog, message: key_value}}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: pg
resource: bank.public.people
key: [id]
changes: partial
keys_can_change: true
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
COLUMNS = ("owner", "city")


class PostgreSql(Format):
    """Three changes to a transaction; every second transaction began before the one that commits ahead of it."""

    pipeline, table = PIPELINE, PEOPLE

    def play(self, acts: Acts) -> list[Sent]:
        keys = {number: f"k{number}" for number, _ in acts}
        seen: set[int] = set()
        sent: list[Sent] = []
        for turn, (number, act) in enumerate(acts):
            sent += _changes(keys, number, act, turn, first=number not in seen)
            seen.add(number)
        return sent

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return _exported("pg/bank.public.people", pile, number)


class Truncated(PostgreSql):
    """The same in a topic of one partition, whose table is truncated every forty changes."""

    def play(self, acts: Acts) -> list[Sent]:
        sent = []
        for turn, record in enumerate(super().play(acts), 1):
            sent.append(record)
            if turn % 40 == 0:
                commit, lsn = 40 * (turn // 4), 9
                gone = Change((), Op.TRUNCATE, f"1 {commit:06d} {lsn:06d}", {})
                sent.append(Sent(envelope("t", None, None, commit, lsn), (gone,)))
        return sent

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return {
            f"pg/bank.public.people/bank.public.people+0+{number * 100_000:010d}.json": lines(
                *(s.record for s in pile)
            ).encode()
        }


class MySql(Format):
    """Whole rows, wrapped with their keys; deletes name no row but by the message key."""

    pipeline = PIPELINE
    table = PEOPLE.replace("source: pg", "source: my").replace("changes: partial", "changes: whole")

    def play(self, acts: Acts) -> list[Sent]:
        keys = {number: f"k{number}" for number, _ in acts}
        return [s for turn, (number, act) in enumerate(acts) for s in _rows(keys, number, act, turn)]

    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        return _exported("my/bank.public.people", pile, number)


def _exported(folder: str, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
    """Write three partitions; a record that comes again has another offset."""
    found = {}
    for partition in range(3):
        body = lines(*(s.record for s in pile if _partition(s.record) == partition)).encode()
        name = f"{folder}/bank.public.people+{partition}+{number * 100_000:010d}.json"
        found |= {f"{name}.gz": gzip.compress(body, mtime=0)} if number % 2 else {name: body}
    return {name: body for name, body in found.items() if body}


def _partition(record: Any) -> int:
    return len(json.dumps(record)) % 3


def _changes(keys: dict[int, str], number: int, act: Act, turn: int, *, first: bool) -> list[Sent]:
    """Return the records of one act, in the order that the connector sends them."""
    key, transaction = keys[number], turn // 3
    commit = transaction * 40 or None
    lsn = 5 + (transaction - 3 * (transaction % 2)) * 40 + turn % 3 if transaction > 2 else 5 + turn
    position = f"1 {commit or 0:06d} {lsn:06d}"
    row = {"id": key, "owner": act.owner, "city": act.city}
    values = {c: row[c] for c in COLUMNS}
    if act.kind == "drop":
        before = {"id": key, "owner": None, "city": None}
        gone = Sent(envelope("d", before, None, commit, lsn), (Change((key,), Op.DELETE, position, {}),))
        return [gone, Sent(None, ())]
    if act.kind == "move" and len(key) < 8:
        keys[number] = moved = f"{key}m"
        left = envelope("d", {"id": key, "owner": None, "city": None}, None, commit, lsn)
        come = envelope("c", None, {**row, "id": moved}, commit, lsn)
        return [
            Sent(left, (Change((key,), Op.DELETE, position, {}),)),
            Sent(None, ()),
            Sent(come, (Change((moved,), Op.UPSERT, position, values),)),
        ]
    if act.kind == "set" and set(act.carried) != set(COLUMNS):
        after = {"id": key} | {c: row[c] if c in act.carried else MARKER for c in COLUMNS}
        held = {c: row[c] for c in act.carried}
        return [Sent(envelope("u", None, after, commit, lsn), (Change((key,), Op.PATCH, position, held),))]
    if act.kind == "put" and first and number % 2:  # of the first snapshot, whose LSN is above the first changes
        told = envelope("r", None, row, None, 9000 + turn, "true")
        return [Sent(told, (Change((key,), Op.UPSERT, f"0 {turn:06d}", values),))]
    if act.kind == "put" and number % 5 == 0 and commit:  # read again, within the stream
        told = envelope("r", None, row, commit, lsn, "incremental")
        return [Sent(told, (Change((key,), Op.UPSERT, f"1 {commit:06d} 000000 {lsn:06d}", values),))]
    return [Sent(envelope("u", None, row, commit, lsn), (Change((key,), Op.UPSERT, position, values),))]


def _rows(keys: dict[int, str], number: int, act: Act, turn: int) -> list[Sent]:
    """Return the records of one act; two rows to an event, ninety to a binary log."""
    key, file, event = keys[number], 8 + turn // 90, turn % 90 // 2
    position = f"{file:06d} {event:06d} {turn % 2}"
    source = {
        "connector": "mysql", "snapshot": "false", "file": f"binlog.{file:06d}", "pos": 4 + event * 31,
        "row": turn % 2, "server_id": 1, "gtid": None, "ts_ms": 0,
    }  # fmt: skip

    def record(op: str, to: str, after: dict[str, Any] | None) -> dict[str, Any]:
        return {"key": {"id": to}, "value": {"before": None, "after": after, "source": source, "op": op, "ts_ms": 1}}

    moved = f"{key}m" if act.kind == "move" and len(key) < 8 else key
    left = Sent(record("d", key, None), (Change((key,), Op.DELETE, position, {}),))
    if act.kind == "drop":
        return [left, Sent({"key": {"id": key}, "value": None}, ())]
    keys[number] = moved
    values = {"owner": act.owner, "city": act.city}
    come = Sent(record("u", moved, {"id": moved, **values}), (Change((moved,), Op.UPSERT, position, values),))
    return [come] if moved == key else [left, come]


def test_every_delivery_of_the_same_postgresql_changes_converges(houses: Callable[[str], House]) -> None:
    histories = drawn("put", "put", "set", "set", "drop", "move")
    assert_converges(houses, PostgreSql(), interleaved(histories, Random(1)))


def test_every_delivery_of_changes_and_truncates_converges(houses: Callable[[str], House]) -> None:
    histories = drawn("put", "put", "set", "drop", "move")[:120]
    assert_converges(houses, Truncated(), interleaved(histories, Random(4)))


def test_every_delivery_of_the_same_mysql_changes_converges(houses: Callable[[str], House]) -> None:
    assert_converges(houses, MySql(), interleaved(drawn("put", "put", "drop", "move")[:120], Random(1)))
