"""wal2json format-version 2: JSON lines, one per message, between the marks B and C of their transaction.

The marks carry the commit's LSN, rows do not: so an object holds whole transactions, which is
verified before it lands, and each row takes the LSN of the mark before it. Messages and rows of
other tables are left out. An unchanged TOAST value is omitted from ``columns``: absent is not
null. Source: wal2json's README and ``wal2json.c``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from ledgerlake.config.models import Source, Table
from ledgerlake.core.types import spark_type
from ledgerlake.engines.door import Engines
from ledgerlake.feeds.base import Options, Reading
from ledgerlake.feeds.decoding.bodies import limits_of
from ledgerlake.feeds.decoding.frame import decoded
from ledgerlake.feeds.file_order import day_of
from ledgerlake.feeds.files import FileFeed, Probe
from ledgerlake.feeds.postgres.wal2json_lines import Wal2JsonLines
from ledgerlake.feeds.postgres.wal2json_probe import probe
from ledgerlake.landing.manifest import LandedObject
from ledgerlake.sql.relation import Relation


class Wal2JsonTable(Options):
    """Per table: ``folder`` below the source's location, where its objects do not hold all tables."""

    folder: str = ""


class Wal2JsonFeed(FileFeed):
    """Reads files of wal2json lines; an object may hold rows of many tables."""

    kind = "wal2json"
    tells_partial = True
    tells_key_changes = True
    table_options = Wal2JsonTable

    def check(self, source: Source, table: Table) -> None:
        """Check that the resource names a schema and a table."""
        if table.resource.count(".") != 1:
            raise ValueError(f"the resource {table.resource!r} must be schema.table")

    def prefixes(self, source: Source, table: Table) -> tuple[str, ...]:
        """Return the folder that all tables of the source read, or the table's own."""
        folder = Wal2JsonTable(**table.feed).folder.strip("/")
        return (f"{folder}/" if folder else "",)

    def probe(self, source: Source, table: Table) -> Probe:
        """Refuse objects that do not hold whole transactions; the layout is the table's undeclared columns."""
        return lambda name, body: probe(name, body, table, limits_of(source.options))

    def dates(self, source: Source) -> Callable[[str], date | None]:
        """Return how a name tells its day."""
        return day_of

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return the declared columns and the undeclared ones that the object's rows carry."""
        declared = {c.source_name: spark_type(c.type) for c in table.columns}
        return declared | dict(item.layout)

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Decode the landed lines."""
        return decoded(engines, reading, Wal2JsonLines(reading.table))
