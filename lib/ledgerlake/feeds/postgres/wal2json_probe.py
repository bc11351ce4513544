"""The check of a wal2json object before it lands: whole transactions, marked and in the right format.

A transaction may not be split between objects: its rows take their order from its first mark,
and half a transaction would be loaded, and published, without the other half.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.decoding.bodies import NO_LIMITS, Limits
from ledgerlake.feeds.decoding.lines import chunks
from ledgerlake.feeds.decoding.records import Record, record_of
from ledgerlake.feeds.postgres.types import type_of_name
from ledgerlake.landing.manifest import Layout

_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")


def probe(name: str, body: bytes, table: Table, limits: Limits = NO_LIMITS) -> Layout:
    """Return the undeclared columns of the table's rows and their types.

    Raises :class:`SourceError` for an object that is empty, cut short, not of format-version 2,
    or that begins or ends in the middle of a transaction.
    """
    seen = _Seen(name, table)
    for number, text in enumerate(_lines(name, body, limits), 1):
        seen.take(number, _record(name, number, text))
    seen.finish()
    return tuple(seen.added.items())


def _lines(name: str, body: bytes, limits: Limits) -> Iterator[bytes]:
    for lines in chunks(name, body, limits):
        yield from lines


def _record(name: str, number: int, line: bytes) -> Record:
    record = record_of(line)  # as it is read later: what lands here is not quarantined there
    if record is None:
        raise _refused(name, number, "a line is no JSON object in UTF-8, so its transaction is not whole")
    if "change" in record:
        raise _refused(name, number, "format-version 1 where 2 is needed")
    if not isinstance(record.get("action"), str):
        raise _refused(name, number, "a line without an action: not wal2json format-version 2")
    return record


def _refused(name: str, number: int, what: str) -> SourceError:
    return SourceError(what, where=Where(file=name, line=number), then="deliver the object again under a new name")


@dataclass
class _Seen:
    """What the lines so far say: the open transaction, and the table's undeclared columns."""

    name: str
    table: Table
    open: Record | None = None
    added: dict[str, str] = field(default_factory=dict)

    def take(self, number: int, record: Record) -> None:
        action = record["action"]
        if action == "B":
            self._begin(number, record)
        elif action == "C":
            self._commit(number, record)
        elif action != "M" or record.get("transactional"):  # other messages stand between transactions
            self._row(number, record)

    def finish(self) -> None:
        if self.open is not None:
            raise SourceError(
                "the object ends in the middle of a transaction",
                where=Where(file=self.name),
                then="end objects only after a commit",
            )

    def _begin(self, number: int, record: Record) -> None:
        if self.open is not None:
            raise _refused(self.name, number, "a transaction begins in the middle of another")
        if not _LSN.fullmatch(str(record.get("lsn"))):
            raise _refused(self.name, number, "a transaction without an LSN; set include-lsn")
        self.open = record

    def _commit(self, number: int, record: Record) -> None:
        if self.open is None:
            raise _refused(self.name, number, "the object begins in the middle of a transaction")
        if any(record.get(k) != self.open.get(k) for k in ("lsn", "xid")):
            raise _refused(self.name, number, "a commit does not belong to the transaction that is open")
        self.open = None

    def _row(self, number: int, record: Record) -> None:
        if self.open is None:
            raise _refused(
                self.name, number, "a row outside a transaction; set include-transaction, or the object is cut"
            )
        if "xid" in record and "xid" in self.open and record["xid"] != self.open["xid"]:
            raise _refused(self.name, number, "a row does not belong to the transaction that is open")
        if record["action"] == "M":
            return
        if not isinstance(record.get("schema"), str) or not isinstance(record.get("table"), str):
            raise _refused(self.name, number, "a row without schema and table; set include-schemas")
        if f"{record['schema']}.{record['table']}" == self.table.resource:
            self._columns(record.get("columns"))

    def _columns(self, columns: Any) -> None:
        declared = {c.source_name for c in self.table.columns}
        for column in columns if isinstance(columns, list) else []:
            named = column.get("name") if isinstance(column, dict) else None
            if isinstance(named, str) and named not in declared:
                self.added.setdefault(named, type_of_name(str(column.get("type", "text"))))
