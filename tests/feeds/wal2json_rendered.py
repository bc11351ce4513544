"""Decoded pgoutput as wal2json would write it: format-version 2, include-lsn, include-xids.

The plugin is not part of PostgreSQL, so its lines are made from the same decoded changes, by the
rules of ``wal2json.c``: numbers and booleans bare, NaN null, bytes without ``\\x``, unchanged TOAST
left out, the identity of an update from the new row where no old one was logged. That they are the
plugin's, byte for byte, is shown in ``test_wal2json_plugin.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import psycopg
from ledgerlake.demo.ledgerbox.settlements_db import Endpoint
from ledgerlake.feeds.postgres.pgoutput import Begin, Change, Commit, Relation, Row, Truncate, decode
from ledgerlake.feeds.postgres.slot_session import SlotSession, format_lsn

BARE = {"smallint", "integer", "bigint", "real", "double precision", "oid"}


def seen(database: Endpoint) -> list[bytes]:
    """Return the lines of each transaction that a slot with the database's name has seen."""
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        session = SlotSession(connection)
        messages = session.peek(database.dbname, "lake", session.flushed(), 10_000_000)
        return rendered(map(decode, messages), connection)


def rendered(messages: Iterable[Any], connection: Any) -> list[bytes]:
    """Return the lines of each transaction; type names are asked of the server."""
    relations: dict[int, Relation] = {}
    names: dict[tuple[int, int], str] = {}
    done: list[bytes] = []
    lines: list[str] = []
    begin = Begin(0, 0)
    for message in messages:
        if isinstance(message, Begin):
            begin, lines = message, [""]
        elif isinstance(message, Relation):
            relations[message.oid] = message
            for c in message.columns:
                asked = connection.execute("SELECT format_type(%s, %s)", (c.type_oid, c.modifier)).fetchone()
                names[c.type_oid, c.modifier] = asked[0]
        elif isinstance(message, Commit):
            lsn, end = f'"lsn":"{format_lsn(begin.commit_lsn)}"', f'"nextlsn":"{format_lsn(message.end_lsn)}"'
            marks = [f'{{"action":"{a}","xid":{begin.xid},{lsn},{end}}}' for a in "BC"]
            done.append("".join(f"{line}\n" for line in [marks[0], *lines[1:], marks[1]]).encode())
        elif isinstance(message, Truncate):
            lines += [_line("T", begin, relations[oid]) + "}" for oid in message.oids]
        elif isinstance(message, Change):
            lines.append(_change(message, begin, relations[message.oid], names))
    return done


def _line(action: str, begin: Begin, relation: Relation) -> str:
    where = f'"schema":{json.dumps(relation.schema)},"table":{json.dumps(relation.name)}'
    return f'{{"action":"{action}","xid":{begin.xid},"lsn":"{format_lsn(begin.commit_lsn - 8)}",{where}'


def _change(change: Change, begin: Begin, relation: Relation, names: dict[tuple[int, int], str]) -> str:
    text = _line(change.action, begin, relation)
    if change.new is not None:
        text += f',"columns":[{_tuple(change.new, relation, names, whole=True)}]'
    identity = change.old or (change.new if change.action == "U" else None)
    if identity is not None:
        text += f',"identity":[{_tuple(identity, relation, names, whole=change.whole_old)}]'
    return text + "}"


def _tuple(row: Row, relation: Relation, names: dict[tuple[int, int], str], *, whole: bool) -> str:
    parts = []
    for place, value in row.values.items():
        column = relation.columns[place]
        if whole or column.identity:
            kind = names[column.type_oid, column.modifier]
            parts.append(
                f'{{"name":{json.dumps(column.name)},"type":{json.dumps(kind)},"value":{_value(kind, value)}}}'
            )
    return ",".join(parts)


def _value(kind: str, value: str | None) -> str:
    if value is None or value in ("NaN", "Infinity", "-Infinity"):
        return "null"
    if kind in BARE or kind.startswith("numeric"):
        return value
    if kind == "boolean":
        return {"t": "true", "f": "false"}[value]
    if kind == "bytea":
        value = value.removeprefix("\\x")
    return json.dumps(value, ensure_ascii=False)
