"""AWS DMS files on S3: full load and CDC, CSV or Parquet, by table or in transaction order.

Order: full-load rows rank below all CDC rows (their timestamp is transfer time). CDC rows are
ordered by the ``$AR_H_CHANGE_SEQ`` column where declared, else by commit time where declared,
then by file name and row ordinal. Deletes carry only the key. A key update needs before-image
columns; without them a table that declares ``keys_can_change`` is refused. Source: AWS DMS user
guide, "Using Amazon S3 as a target".
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from ledgerlake.config.models import Source, Table
from ledgerlake.feeds.base import Extraction, Reading
from ledgerlake.feeds.dms.layout import BEFORE, file_date, file_order, probe_csv, probe_file
from ledgerlake.feeds.dms.options import DmsSource, DmsTable, check_options
from ledgerlake.feeds.dms.read import read_group
from ledgerlake.feeds.files import FileFeed, Probe, changed, copy_files, open_location, unseen, write_manifest
from ledgerlake.feeds.tabular import by_layout
from ledgerlake.landing.manifest import LandedObject, Manifest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["DmsFeed", "DmsSource", "DmsTable", "file_date", "file_order", "probe_csv"]


class DmsFeed(FileFeed):
    """Reads what AWS DMS wrote."""

    kind = "dms"
    tells_key_changes = True
    source_options = DmsSource
    table_options = DmsTable

    def check(self, source: Source, table: Table) -> None:
        """Check that what is declared of the files fits together."""
        check_options(source, table)

    def date_of(self, name: str) -> date | None:
        """Return the date in a CDC file's name; full-load files belong to no date."""
        return file_date(name)

    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of a file's frame and layout against what the task is declared to write."""
        options = DmsSource(**source.options)
        return lambda name, body: probe_file(name, body, options, table)

    def extract(self, request: Extraction) -> list[Manifest]:
        """Land new objects per table: its own folder's, and the transaction files."""
        return [m for t in request.tables if (m := self._extract_table(request, t))]

    def _extract_table(self, request: Extraction, table: Table) -> Manifest | None:
        probe = self.probe(request.source, table)
        found = [copy_files(request, table, prefix, probe, self.date_of) for prefix in _prefixes(request, table)]
        objects = [o for landed, _ in found for o in landed]
        refused = [r for _, broken in found for r in broken]
        return write_manifest(request, table, objects, refused, {}) if objects or refused else None

    def pending(self, request: Extraction) -> dict[str, int]:
        """Count unseen (and replaced) objects per table."""
        return {
            t.table: sum(self._waiting(request, t, prefix) for prefix in _prefixes(request, t)) for t in request.tables
        }

    def _waiting(self, request: Extraction, table: Table, prefix: str) -> int:
        store, log = open_location(request), request.logs[table.table]
        fresh = sum(1 for _ in unseen(store, prefix, log, request.logical_date, self.date_of))
        return fresh + len(changed(store, prefix, log))

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return the payload columns: the layout without DMS's own columns."""
        pairs = dict(entry.split(":", 1) for entry in item.layout)
        return {n: t for n, t in pairs.items() if not n.startswith((BEFORE, "$"))}

    def read(self, spark: SparkSession, reading: Reading) -> DataFrame:
        """Read each group of files with one layout, then union; one scan in all."""
        return by_layout(reading, lambda layout, items: read_group(spark, reading, layout, items))


def _prefixes(request: Extraction, table: Table) -> list[str]:
    path = DmsSource(**request.source.options).cdc_path
    return [f"{table.resource}/", *([f"{path}/"] if path else [])]
