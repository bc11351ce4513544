"""From a line to its message: operation, position, the row as delivered, and what is wrong with the frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from ledgerlake.config.models import Table
from ledgerlake.feeds.debezium.layout import Paths, columns_of, foreign_schema, is_tombstone
from ledgerlake.feeds.debezium.names import TableNames
from ledgerlake.feeds.debezium.options import DebeziumSource
from ledgerlake.feeds.debezium.order import Order, mysql_position, other_log, postgresql_position
from ledgerlake.feeds.debezium.ordinary import WITH_ROW, ordinary_reader
from ledgerlake.feeds.debezium.toast import Markers
from ledgerlake.feeds.decoding.keys import STANDS_TWICE, Repetitions
from ledgerlake.feeds.decoding.records import Path, Record, at, record_of, text_of

Row = tuple[Any, ...]
"""One parsed value for each column of the contract."""
Message: TypeAlias = "tuple[int, bytes, str | None, str | None, str | None, Any, Row]"
"""Ordinal, line, op code, position, problem, the message's schema, row."""

_OPS = (*WITH_ROW, "d", "t")
_LAYOUT = "not laid out as declared: see `message`, `schemas` and `form` of the source"
_IDENTITY = "a delete without its key: set REPLICA IDENTITY, or dump the message key and declare `message: key_value`"
_PARTITIONS = "a truncate in a topic of several partitions: its order is not certain; rebuild the table"
_KEY_MOVED = "an update changes the key: the message key is not the key of the contract"
_OTHER_TABLE = "a message of another table: declare `feed: {table: schema.table}` where a topic holds several"
_SERVER = "another server_id: after a change of server the order is unknown"


class Messages:
    """Reads the lines of a table's topic, one by one."""

    def __init__(self, table: Table, source: DebeziumSource, markers: Markers, partitions: int) -> None:
        self._source, self._markers, self._partitions = source, markers, partitions
        self._paths = paths = Paths(source)
        self._ordinary, self._repeats = ordinary_reader(table, source), Repetitions()
        self._parse = _parser(source)
        self._tables = TableNames(table)
        self._columns = columns_of(table)
        self._keys = [table.column_names.index(k) for k in table.key]
        self._nothing: Row = (None,) * len(self._columns)
        self._row = self._flat_row if source.form == "flattened" else self._envelope_row
        self._position = postgresql_position if source.database == "postgresql" else mysql_position
        foreign = foreign_schema(table, source)
        self._foreign_schema = paths.document + foreign if foreign else None

    def __call__(self, ordinal: int, line: bytes) -> Message | None:
        """Return a line's message; None for tombstones and logical messages, which are left out."""
        if self._repeats(line):
            return ordinal, line, None, None, STANDS_TWICE, None, self._nothing
        found = self._ordinary(line)
        if found:
            (op, order, row, server, named), schema = found
            texts = [v if v is None else str(v) for v in order]
            position = self._position(texts, op)
            if position and not self._other_server(op, texts, server) and self._tables.is_own(named):
                return ordinal, line, op, position, None, schema, row
        return self.whole(ordinal, line)

    def whole(self, ordinal: int, line: bytes) -> Message | None:
        """Return the same for a line of which nothing is known, which takes longer."""
        record = self._parse(line)
        root = at(record, self._paths.root)
        if record is None or type(root) is not dict:
            if is_tombstone(record, line, self._source):
                return None
            amiss = "not a JSON object" if record is None else _LAYOUT
            return ordinal, line, None, None, amiss, None, self._nothing
        op = self._op(root, line)
        foreign = not self._tables.is_own([at(root, path) for path in self._paths.named])
        if op == "m" or (foreign and self._tables.are_shared):
            return None
        order = [self._text_at(root, path, line) for path in self._paths.order]
        position = self._position(order, op)
        row, unfit = self._row(record, root, line, op) if op else (self._nothing, None)
        problem = (
            (_OTHER_TABLE if foreign else None) or self._unframed(record, root, line, op, order, position) or unfit
        )
        return ordinal, line, op, position, problem, self._schema(record), row

    def _text_at(self, root: Record, path: Path, line: bytes) -> str | None:
        return text_of(at(root, path), line, self._paths.root + path)

    def _op(self, root: Record, line: bytes) -> str | None:
        paths = self._paths
        op = self._text_at(root, (paths.op,), line)
        if op is None or paths.deleted is None:
            return op
        return "d" if self._text_at(root, (paths.deleted,), line) == "true" else op

    def _schema(self, record: Record) -> Any:
        return at(record, (*self._paths.document, "schema")) if self._source.schemas else None

    def _picked(self, row: Record) -> Row:
        return tuple([at(row, path) for path in self._columns])

    def _flat_row(self, record: Record, root: Record, line: bytes, op: str | None) -> tuple[Row, str | None]:
        return self._deleted(record, root, line) if op == "d" else (self._picked(root), None)

    def _envelope_row(self, record: Record, root: Record, line: bytes, op: str | None) -> tuple[Row, str | None]:
        """Return the row of after, of deletes the key, and what is wrong with it."""
        if op == "d":
            return self._deleted(record, root, line)
        after = root.get("after")
        if type(after) is not dict:
            return self._nothing, "no row in after" if op in WITH_ROW else None
        row = self._picked(after)
        moved = op == "u" and root.get("before") is not None and self._moved(root, line)
        return row, _KEY_MOVED if moved else None

    def _deleted(self, record: Record, root: Record, line: bytes) -> tuple[Row, str | None]:
        """Return a row of the key alone: from before, else from the message key."""
        paths, row = self._paths, list(self._nothing)
        for k in self._keys:
            places = [paths.root + paths.before + self._columns[k]]
            places += [paths.key + self._columns[k]] if paths.key else []
            row[k] = next((v for place in places if (v := _plain_at(record, place, line)) is not None), None)
        unknown = any(row[k] is None or row[k] in self._markers for k in self._keys)
        return tuple(row), _IDENTITY if unknown else None

    def _moved(self, root: Record, line: bytes) -> bool:
        """Say whether before and after differ in the key."""
        for column in (self._columns[k] for k in self._keys):
            old, new = (self._text_at(root, (side, *column), line) for side in ("before", "after"))
            if old is not None and new is not None and old != new:
                return True
        return False

    def _unframed(
        self, record: Record, root: Record, line: bytes, op: str | None, order: Order, position: str | None
    ) -> str | None:
        """Return what is wrong with the frame: layout, operation, order."""
        if op is None or (self._foreign_schema and at(record, self._foreign_schema) is not None):
            return _LAYOUT
        if op not in _OPS:
            return "unknown op"
        server = self._text_at(root, self._paths.server, line) if self._paths.server else None
        if other := self._other_server(op, order, server):
            return other
        if position is None:
            names = "sequence and lsn" if self._source.database == "postgresql" else "file, pos and row"
            return f"no order: {names} are missing or unreadable"
        return _PARTITIONS if op == "t" and self._partitions > 1 else None

    def _other_server(self, op: str, order: Order, server: Any) -> str | None:
        source = self._source
        if source.database == "mysql" and other_log(order, source.binlog or ""):
            return f"the binary log is not {source.binlog}: after a change of server the order is unknown"
        if self._paths.server is None or op == "r":
            return None
        return _SERVER if str(server) != str(source.server_id) else None


def _plain_at(record: Record, path: Path, line: bytes) -> Any:
    """Return what stands at a path, arrays and objects as text: whoever takes it need not know the path."""
    value = at(record, path)
    return text_of(value, line, path) if type(value) in (list, dict) else value


class _Described(msgspec.Struct, gc=False):
    """A document with its schema, which stays as it is written."""

    schema: msgspec.Raw
    payload: dict[str, Any]


class _Key(msgspec.Struct, gc=False):
    payload: Any = None


class _Keyed(msgspec.Struct, gc=False):
    value: _Described
    key: _Key | None = None


def _parser(source: DebeziumSource) -> Callable[[bytes], Record | None]:
    """Return how to parse a line; where messages have schemas these are not parsed, for most are alike."""
    if not source.schemas:
        return record_of
    wrapped = source.message == "key_value"
    decode = msgspec.json.Decoder(_Keyed if wrapped else _Described, float_hook=str).decode

    def parse(line: bytes) -> Record | None:
        try:
            found: Any = decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return record_of(line)  # laid out otherwise, or nothing that can be read
        value = found.value if wrapped else found
        document = {"schema": value.schema, "payload": value.payload}
        return {"key": {"payload": found.key and found.key.payload}, "value": document} if wrapped else document

    return parse
