"""wal2json format-version 2: JSON lines, one per message, between the marks B and C of their transaction.

The marks carry the commit's LSN, rows do not: so an object holds whole transactions, which is
verified before it lands, and each row takes the LSN of the mark before it. Messages and rows of
other tables are left out. An unchanged TOAST value is omitted from ``columns``: absent is not
null. Source: wal2json's README and ``wal2json.c``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgerlake.config.models import Source, Table
from ledgerlake.core.types import spark_type
from ledgerlake.feeds.base import Extraction, Options, Reading
from ledgerlake.feeds.decoding.frame import decoded
from ledgerlake.feeds.files import FileFeed, Probe, changed, land_files, open_location, unseen
from ledgerlake.feeds.postgres.wal2json_lines import Wal2JsonLines
from ledgerlake.feeds.postgres.wal2json_probe import probe
from ledgerlake.landing.manifest import LandedObject, Manifest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


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

    def probe(self, source: Source, table: Table) -> Probe:
        """Refuse objects that do not hold whole transactions; the layout is the table's undeclared columns."""
        return lambda name, body: probe(name, body, table)

    def extract(self, request: Extraction) -> list[Manifest]:
        """Land new objects for each table: all tables of the source read the same ones."""
        landed = [
            land_files(request, t, _folder(t), self.probe(request.source, t), self.date_of) for t in request.tables
        ]
        return [m for m in landed if m]

    def pending(self, request: Extraction) -> dict[str, int]:
        """Count unseen (and replaced) objects per table."""
        store, found = open_location(request), {}
        for table in request.tables:
            log = request.logs[table.table]
            fresh = sum(1 for _ in unseen(store, _folder(table), log, request.logical_date, self.date_of))
            found[table.table] = fresh + len(changed(store, _folder(table), log))
        return found

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return the declared columns and the undeclared ones that the object's rows carry."""
        declared = {c.source_name: spark_type(c.type) for c in table.columns}
        return declared | dict(entry.rsplit(":", 1) for entry in item.layout)

    def read(self, spark: SparkSession, reading: Reading) -> DataFrame:
        """Decode the landed lines."""
        return decoded(spark, reading, Wal2JsonLines(reading.table))


def _folder(table: Table) -> str:
    folder = Wal2JsonTable(**table.feed).folder.strip("/")
    return f"{folder}/" if folder else ""
