"""AWS DMS files on S3: full load and CDC, CSV or Parquet, by table or in transaction order.

Order: full-load rows rank below all CDC rows (their timestamp is transfer time). CDC rows are
ordered by the ``$AR_H_CHANGE_SEQ`` column where declared, else by commit time where declared,
then by file name and row ordinal. Deletes carry only the key. A key update needs before-image
columns; without them a table that declares ``keys_can_change`` is refused. Source: AWS DMS user
guide, "Using Amazon S3 as a target".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from ledgerlake.config.models import Source, Table
from ledgerlake.engines.door import Engines
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.decoding.frame import read_objects
from ledgerlake.feeds.dms.csv import DmsRows
from ledgerlake.feeds.dms.layout import (
    BEFORE,
    ROW_TABLE,
    file_date,
    file_order,
    is_full_load,
    probe_csv,
    probe_file,
)
from ledgerlake.feeds.dms.options import DmsSource, DmsTable, check_options
from ledgerlake.feeds.dms.read import read_parquet
from ledgerlake.feeds.files import FileFeed, Probe
from ledgerlake.feeds.tabular import as_texts, by_layout
from ledgerlake.landing.manifest import LandedObject
from ledgerlake.sql.relation import Relation

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

    def dates(self, source: Source) -> Callable[[str], date | None]:
        """Return how a CDC file's name tells its date; full-load files belong to no date."""
        return file_date

    def own_columns(self, source: Source) -> frozenset[str]:
        """Return the columns that the task adds."""
        options = DmsSource(**source.options)
        return frozenset(filter(None, (options.op_column, options.timestamp_column, options.sequence_column)))

    def order_declared(self, source: Source, table: Table) -> str:
        """Return the sequence: commit times rank among the times in files' names, sequences do not."""
        column = DmsSource(**source.options).sequence_column
        return f"sequence_column: {column}" if column else ""

    def prefixes(self, source: Source, table: Table) -> tuple[str, ...]:
        """Return the table's own folder and that of transaction files."""
        path = DmsSource(**source.options).cdc_path
        return (f"{table.resource}/", *([f"{path}/"] if path else []))

    def refuse_replaced(self, name: str) -> None:
        """Refuse a reload: it is newer than all changes before it, and nothing in it says when it was made."""
        if is_full_load(name):
            raise SourceError(
                "a full load that came again: its rows would rank below all changes", where=Where(file=name),
                then="load the reload as a table of another name, with the changes that follow it",
            )  # fmt: skip

    def bytes_max(self, source: Source) -> int | None:
        """Return the limit of text; Parquet is read piece by piece."""
        return super().bytes_max(source) if DmsSource(**source.options).format == "csv" else None

    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of a file's frame and layout against what the task is declared to write."""
        options = DmsSource(**source.options)
        return lambda name, body: probe_file(name, body, options, table)

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return the payload columns: the layout without DMS's own columns."""
        return {n: t for n, t in item.layout if not n.startswith((BEFORE, "$"))}

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Read each file once: CSV by decoding it, Parquet by Spark, a scan for each layout."""
        options = DmsSource(**reading.source_options)
        columnar = [i for i in reading.objects if options.format == "parquet" and not _in_transactions(i)]
        rows = [i for i in reading.objects if i not in columnar]
        frames = []
        if rows:
            read = DmsRows(reading.table, options)
            frames.append(read_objects(engines, replace(reading, objects=tuple(rows)), read))
        if columnar:
            only = replace(reading, objects=tuple(columnar))
            frames.append(by_layout(engines, only, lambda layout, items: read_parquet(engines, only, layout, items)))
        return frames[0] if len(frames) == 1 else as_texts(engines, frames, reading.table)


def _in_transactions(item: LandedObject) -> bool:
    return any(name == ROW_TABLE for name, _ in item.layout)
