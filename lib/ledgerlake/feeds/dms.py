"""AWS DMS files on S3: full load and CDC, CSV or Parquet.

Order: full-load rows rank below all CDC rows (their timestamp is transfer time). CDC rows are
ordered by the ``$AR_H_CHANGE_SEQ`` column where declared, else by file name and row ordinal.
Deletes carry only the key. A key update needs before-image columns; without them a table that
declares ``keys_can_change`` is refused. Source: AWS DMS user guide, "Using Amazon S3 as a
target", and FEEDS notes kept in docs/feeds.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from ledgerlake.config.models import Source, Table
from ledgerlake.core.types import spark_type
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.base import Options, Reading
from ledgerlake.feeds.files import FileFeed, Probe
from ledgerlake.feeds.frames import with_order
from ledgerlake.feeds.tabular import by_layout, csv_columns, names_of, parquet_layout, scan_csv, scan_parquet
from ledgerlake.landing.manifest import LandedObject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_LOAD = re.compile(r"LOAD([0-9A-Fa-f]{8})\.")
_CDC = re.compile(r"(\d{8})-\d{9}\.")
_BEFORE = "BI_"


class DmsSource(Options):
    """How the task writes its files; must match what the files hold, and is verified per file."""

    format: Literal["csv", "parquet"] = "csv"
    header: bool = True
    op_column: str = "Op"
    timestamp_column: str | None = None
    sequence_column: str | None = None


class DmsTable(Options):
    """Per table: the column order of header-less CSV files, after ``Op``."""

    column_order: tuple[str, ...] = ()


class DmsFeed(FileFeed):
    """Reads what AWS DMS wrote."""

    kind = "dms"
    source_options = DmsSource
    table_options = DmsTable

    def check(self, source: Source, table: Table) -> None:
        """Check options: header-less CSV needs a column order."""
        options, own = DmsSource(**source.options), DmsTable(**table.feed)
        if options.format == "csv" and not options.header and not own.column_order:
            raise ValueError("CSV without a header needs `feed: {column_order: […]}`")

    def date_of(self, name: str) -> date | None:
        """Return the commit date in a CDC file's name; full-load files belong to no date."""
        return file_date(name)

    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of a file's frame and layout against what the task is declared to write."""
        options, own = DmsSource(**source.options), DmsTable(**table.feed)

        def probe(name: str, body: bytes) -> tuple[str, ...]:
            layout = parquet_layout(name, body) if options.format == "parquet" else probe_csv(name, body, options, own)
            _verify_layout(name, layout, options, table)
            return layout

        return probe

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return the payload columns: the layout without DMS's own columns."""
        pairs = dict(entry.split(":", 1) for entry in item.layout)
        return {n: t for n, t in pairs.items() if not n.startswith(_BEFORE)}

    def read(self, spark: SparkSession, reading: Reading) -> DataFrame:
        """Read each group of files with one layout, then union; one scan in all."""
        return by_layout(reading, lambda layout, items: _read_group(spark, reading, layout, items))


def file_date(name: str) -> date | None:
    """Return the commit date in a CDC file's name; full-load files belong to no date."""
    found = _CDC.search(PurePosixPath(name).name)
    return date(int(found[1][:4]), int(found[1][4:6]), int(found[1][6:8])) if found else None


def file_order(name: str) -> str:
    """Return the position prefix of a file: full load (hexadecimal counter) below CDC (time)."""
    base = PurePosixPath(name).name
    load = _LOAD.search(base)
    return f"0|{int(load[1], 16):010d}" if load else f"1|{base}"


def probe_csv(name: str, body: bytes, options: DmsSource, own: DmsTable) -> tuple[str, ...]:
    """Check a CSV file's frame and return its layout: every column is text."""
    declared = (options.op_column, *own.column_order)
    return tuple(f"{c}:string" for c in csv_columns(name, body, header=options.header, declared=declared))


def _verify_layout(name: str, layout: tuple[str, ...], options: DmsSource, table: Table) -> None:
    names = names_of(layout)
    wanted = [options.op_column, options.timestamp_column, options.sequence_column]
    for column in filter(None, wanted):
        if column not in names and not (column == options.op_column and _LOAD.search(name)):
            raise SourceError(f"the column {column!r} is missing", where=Where(file=name, table=table.table))
    if table.keys_can_change and not _LOAD.search(name):
        for key in table.key:
            if _BEFORE + table.column(key).source_name not in names:
                raise SourceError(
                    f"keys of the table can change, but {_BEFORE}{key} is missing",
                    where=Where(file=name, table=table.table),
                    then="set add-before-image-columns on the task",
                )


def _read_group(spark: SparkSession, reading: Reading, layout: tuple[str, ...], items: list[LandedObject]) -> DataFrame:
    options, names = DmsSource(**reading.source_options), names_of(layout)
    parquet = options.format == "parquet"
    rows = (
        scan_parquet(spark, reading, items)
        if parquet
        else scan_csv(spark, reading, names, items, header=options.header)
    )
    ordered = with_order(spark, rows, {i.path: file_order(i.source_name) for i in items})
    return _changes(ordered, reading.table, options, names)


def _changes(rows: DataFrame, table: Table, options: DmsSource, names: list[str]) -> DataFrame:
    present = set(names)
    op = f"`{options.op_column}`" if options.op_column in present else "'I'"
    sequence = options.sequence_column
    order = "concat(_order, '|', lpad(_ordinal, 12, '0'))"
    if sequence and sequence in present:
        order = f"CASE WHEN _order LIKE '0|%' THEN {order} ELSE concat('1|', lpad(trim(`{sequence}`), 35, '0')) END"
    problems = [
        "WHEN _broken IS NOT NULL THEN 'wrong number of columns, or not CSV'",
        f"WHEN coalesce({op}, '') NOT IN ('I', 'U', 'D') THEN 'unknown Op'",
    ]
    if sequence and sequence in present:
        problems.append(
            f"WHEN _order LIKE '1|%' AND coalesce(trim(`{sequence}`), '') NOT RLIKE '^[0-9]{{1,35}}$' THEN 'no change sequence'"
        )
    key_moved = _key_moved(table, present)
    values = [_value(table, c.name, present) for c in table.columns]
    raw = f"CASE WHEN _problem IS NOT NULL THEN coalesce(_broken, to_json(struct({', '.join(f'`{n}`' for n in names)}))) END AS _raw"
    frame = rows.selectExpr(
        "*", f"CASE {' '.join(problems)} END AS _problem", f"{order} AS _position", f"{op} AS _dms_op",
        f"explode(CASE WHEN {op} = 'U' AND {key_moved} THEN array('delete', 'upsert')"
        f" WHEN {op} = 'D' THEN array('delete') ELSE array('upsert') END) AS _op",
    )  # fmt: skip
    return frame.selectExpr(
        "_object", "_ordinal", "_op", "_position", "_problem", raw, "CAST(NULL AS ARRAY<STRING>) AS _carried", *values
    )


def _key_moved(table: Table, present: set[str]) -> str:
    pairs = [(table.column(k).source_name, _BEFORE + table.column(k).source_name) for k in table.key]
    tests = [f"(`{b}` IS NOT NULL AND NOT (`{b}` <=> `{a}`))" for a, b in pairs if b in present]
    return "(" + " OR ".join(tests) + ")" if tests else "false"


def _value(table: Table, name: str, present: set[str]) -> str:
    column = table.column(name)
    source = column.source_name
    if source not in present:
        return f"CAST(NULL AS {spark_type(column.type)}) AS `{name}`"
    before = _BEFORE + source
    if name in table.key and before in present:
        return f"CASE WHEN _dms_op = 'U' AND _op = 'delete' THEN `{before}` ELSE `{source}` END AS `{name}`"
    return f"`{source}` AS `{name}`"
