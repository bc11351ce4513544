"""Decoder of ``pgoutput``, PostgreSQL's built-in logical replication format, protocol version 1.

Pure: bytes in, messages out. Source: PostgreSQL documentation, "Logical Replication Message
Formats". Messages that carry no change of a row (Origin, Type, Message) decode to None.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ledgerlake.core.types.words import decoded
from ledgerlake.errors import SourceError

_IGNORED = b"OYM"
_KEY_FLAG = 1


@dataclass(frozen=True)
class Begin:
    """A transaction starts; ``commit_lsn`` is where its commit record stands."""

    commit_lsn: int
    xid: int


@dataclass(frozen=True)
class Commit:
    """A transaction ends; ``end_lsn`` is where the next record begins."""

    commit_lsn: int
    end_lsn: int


@dataclass(frozen=True)
class RelationColumn:
    """A column of a table: is it part of the replica identity, and which type has it."""

    name: str
    identity: bool
    type_oid: int
    modifier: int


@dataclass(frozen=True)
class Relation:
    """A table as it is from here on; it is sent before its first change and after each alteration."""

    oid: int
    schema: str
    name: str
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True)
class Row:
    """Values by place: text, or None; large values that did not change are only named."""

    values: Mapping[int, str | None]
    unchanged: tuple[int, ...] = ()


@dataclass(frozen=True)
class Change:
    """An insert (I), update (U) or delete (D) of one row; ``whole_old`` where ``old`` is the full row."""

    action: str
    oid: int
    new: Row | None
    old: Row | None
    whole_old: bool = False


@dataclass(frozen=True)
class Truncate:
    """Tables that were emptied by one statement."""

    oids: tuple[int, ...]


Message = Begin | Commit | Relation | Change | Truncate


def decode(data: bytes) -> Message | None:
    """Decode one message; raise :class:`SourceError` for an unknown or cut one."""
    kind, reader = data[:1], _Reader(data, 1)
    if kind and kind in _IGNORED:
        return None
    try:
        message = _message(kind, reader)
    except (struct.error, ValueError, IndexError) as error:
        raise _unreadable(kind) from error
    if message is None or reader.at != len(data):
        raise _unreadable(kind)
    return message


def _unreadable(kind: bytes) -> SourceError:
    return SourceError(
        f"a pgoutput message of type {kind!r} cannot be read",
        then="the slot must be read with proto_version 1; report the server's version",
    )


def _message(kind: bytes, reader: _Reader) -> Message | None:
    if kind == b"B":
        commit_lsn, _, xid = reader.unpack("!QqI")
        return Begin(commit_lsn, xid)
    if kind == b"C":
        _, commit_lsn, end_lsn, _ = reader.unpack("!BQQq")
        return Commit(commit_lsn, end_lsn)
    if kind == b"R":
        return _relation(reader)
    if kind in (b"I", b"U", b"D"):
        return _change(kind.decode(), reader)
    if kind == b"T":
        count, _ = reader.unpack("!IB")
        return Truncate(tuple(reader.unpack(f"!{count}I")))
    return None


def _relation(reader: _Reader) -> Relation:
    (oid,) = reader.unpack("!I")
    schema, name = reader.text(), reader.text()
    _, count = reader.unpack("!BH")
    columns = []
    for _ in range(count):
        (flags,) = reader.unpack("!B")
        column = reader.text()
        type_oid, modifier = reader.unpack("!Ii")
        columns.append(RelationColumn(column, bool(flags & _KEY_FLAG), type_oid, modifier))
    return Relation(oid, schema or "pg_catalog", name, tuple(columns))


def _change(action: str, reader: _Reader) -> Change:
    (oid,) = reader.unpack("!I")
    part, old, whole = reader.letter(), None, False
    if part in "KO":
        old, whole = reader.row(), part == "O"
        part = "" if action == "D" else reader.letter()
    if part != ("" if action == "D" else "N"):
        raise ValueError(part)
    return Change(action, oid, reader.row() if part else None, old, whole)


class _Reader:
    """Walks through a message's bytes."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self.at = data, at

    def unpack(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self.at)
        self.at += struct.calcsize(form)
        return found

    def letter(self) -> str:
        return chr(self.unpack("!B")[0])

    def text(self) -> str:
        end = self._data.index(b"\0", self.at)
        found, self.at = decoded(self._data[self.at : end]), end + 1
        return found

    def row(self) -> Row:
        (count,) = self.unpack("!H")
        values: dict[int, str | None] = {}
        unchanged: list[int] = []
        for place in range(count):
            kind = self.letter()
            if kind == "n":
                values[place] = None
            elif kind == "u":
                unchanged.append(place)
            elif kind == "t":
                values[place] = self._counted()
            else:  # b would be binary, which is never asked for
                raise ValueError(kind)
        return Row(values, tuple(unchanged))

    def _counted(self) -> str:
        (length,) = self.unpack("!i")
        if length < 0 or self.at + length > len(self._data):
            raise ValueError(length)
        found = decoded(self._data[self.at : self.at + length])  # contracts refuse what is not UTF-8
        self.at += length
        return found
