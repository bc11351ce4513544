"""From pgoutput messages to landed objects: one JSON line per change, each with its position.

Every line carries its commit's LSN and its place among the table's changes of the transaction, so
objects may end anywhere; what belongs together stays together because one extraction is one
manifest, and a manifest is one batch.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.feeds.base import Extraction
from ledgerlake.feeds.landed import landing_path
from ledgerlake.feeds.postgres.pgoutput import Begin, Change, Commit, Message, Relation, Row, Truncate
from ledgerlake.feeds.postgres.slot_session import format_lsn
from ledgerlake.feeds.postgres.types import type_of_oid
from ledgerlake.landing.manifest import LandedObject, Layout
from ledgerlake.ports.objects import content_hash


@dataclass
class TableLanding:
    """The open object of one table; at most ``object_bytes_max`` and one line are held in memory."""

    request: Extraction
    table: Table
    name: str
    object_bytes_max: int
    landed_until: int  # changes committed before this LSN were landed by an earlier extraction
    objects: list[LandedObject] = field(default_factory=list)
    layout: Layout = ()
    place: int = 0
    _lines: list[bytes] = field(default_factory=list)
    _size: int = 0

    def relate(self, columns: Iterable[tuple[str, int, int]]) -> None:
        """Take the table's columns (name, type OID, modifier); a changed layout closes the open object."""
        layout = tuple((name, type_of_oid(oid, modifier)) for name, oid, modifier in columns)
        if layout != self.layout:
            self.close()
            self.layout = layout

    def add(self, begin: Begin, change: dict[str, Any]) -> None:
        """Take one change of a transaction, unless it was landed before."""
        self.place += 1
        if begin.commit_lsn >= self.landed_until:
            self._append({"commit_lsn": format_lsn(begin.commit_lsn), "place": self.place, "xid": begin.xid} | change)

    def add_snapshot_row(self, lsn: int, values: dict[str, str | None]) -> None:
        """Take a row that stood in the table at the start: it ranks below every change from ``lsn`` on."""
        self._append({"commit_lsn": format_lsn(lsn), "place": 0, "action": "I", "new": values})

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._lines.append(text)
        self._size += len(text)
        if self._size >= self.object_bytes_max:
            self.close()

    def close(self) -> None:
        """Land the open object, if it holds anything."""
        if not self._lines:
            return
        body = gzip.compress(b"".join(self._lines), compresslevel=6, mtime=0)
        first = json.loads(self._lines[0])
        digest = content_hash(body)
        name = f"{self.name}-{first['commit_lsn'].replace('/', '_')}-{first['place']}.json.gz"
        path = landing_path(self.request.pipeline, self.table.table, digest, name)
        self.request.lake.write(path, body, if_absent=True)
        self.objects.append(LandedObject(path, name, digest, len(body), self.request.clock.now(), self.layout))
        self._lines, self._size = [], 0


@dataclass
class SlotReader:
    """Sorts messages to their tables and keeps the LSN up to which whole transactions were read."""

    landings: dict[str, TableLanding]  # by schema.table
    read_until: int = 0
    messages: int = 0
    _relations: dict[int, Relation] = field(default_factory=dict)
    _begin: Begin | None = None

    def take_all(self, messages: Iterable[Message | None]) -> None:
        """Read messages to their end and land what they hold."""
        for message in messages:
            self.messages += 1
            self._take(message)
        for landing in self.landings.values():
            landing.close()

    def _take(self, message: Message | None) -> None:
        if isinstance(message, Begin):
            self._begin = message
            for landing in self.landings.values():
                landing.place = 0
        elif isinstance(message, Commit):
            self.read_until = message.end_lsn
        elif isinstance(message, Relation):
            self._relations[message.oid] = message
            if owner := self._landing(message.oid):
                owner.relate((c.name, c.type_oid, c.modifier) for c in message.columns)
        elif isinstance(message, Truncate):
            for oid in message.oids:
                self._add(oid, {"action": "T"})
        elif isinstance(message, Change):
            self._add(message.oid, described(message, self._relations[message.oid]))

    def _landing(self, oid: int) -> TableLanding | None:
        relation = self._relations[oid]
        return self.landings.get(f"{relation.schema}.{relation.name}")

    def _add(self, oid: int, change: dict[str, Any]) -> None:
        assert self._begin is not None, "pgoutput sends changes between begin and commit only"
        if landing := self._landing(oid):
            landing.add(self._begin, change)


def described(change: Change, relation: Relation) -> dict[str, Any]:
    """Return a change as a line says it: values by column name.

    Of an old key the server sends every other column as null: those are left out.
    """
    names = [c.name for c in relation.columns]
    found: dict[str, Any] = {"action": change.action}
    if change.new is not None:
        found["new"] = _named(change.new, names)
        if change.new.unchanged:
            found["unchanged"] = [names[i] for i in change.new.unchanged]
    if change.old is not None:
        known = {c.name for c in relation.columns if c.identity or change.whole_old}
        found["old"] = {n: v for n, v in _named(change.old, names).items() if n in known}
    return found


def _named(row: Row, names: list[str]) -> dict[str, str | None]:
    return {names[place]: value for place, value in row.values.items()}
