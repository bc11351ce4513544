"""What a DMS file's name and first rows tell: its date, its place among the others, its columns.

Names: ``LOAD0000000A.csv`` (full load, hexadecimal counter), ``20260301-120000000.csv`` (changes),
``CDC_TXN-20260301120000000.csv`` (changes of all tables in transaction order). Source: AWS DMS
user guide, "Using Amazon S3 as a target".
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import PurePosixPath

from ledgerlake.config.models import Table
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.csv_names import check_spelling, header_columns
from ledgerlake.feeds.decoding.csv_columns import first_row, rows_of
from ledgerlake.feeds.dms.options import DmsSource, DmsTable
from ledgerlake.feeds.parquet_files import parquet_layout
from ledgerlake.feeds.tabular import names_of
from ledgerlake.landing.manifest import LandedObject, Layout

BEFORE = "BI_"
ROW_TABLE, ROW_SCHEMA = "$table", "$schema"
"""Second and third column of transaction files."""
_LOAD = re.compile(r"LOAD([0-9A-Fa-f]{8})\.")
_CDC = re.compile(r"(\d{8})-?\d{9}\.")
_TRANSACTIONS = re.compile(r"CDC_TXN-\d{17}\.")
_OPS = ("I", "U", "D")


def file_date(name: str) -> date | None:
    """Return the date in a CDC file's name; full-load files belong to no date."""
    found = _CDC.search(PurePosixPath(name).name)
    return date(int(found[1][:4]), int(found[1][4:6]), int(found[1][6:8])) if found else None


def file_order(name: str) -> str:
    """Return the position prefix of a file: full load (hexadecimal counter) below CDC (time)."""
    base = PurePosixPath(name).name
    load = _LOAD.search(base)
    return f"0|{int(load[1], 16):010d}" if load else f"1|{base}"


def place_of(item: LandedObject) -> str:
    """Return the same for a delivery: one that came again under its name ranks above the first, below the next name."""
    return file_order(item.source_name) + (f"~{item.delivery:04d}" if item.delivery > 1 else "")


def is_full_load(name: str) -> bool:
    """Say whether a file is part of a full load."""
    return _LOAD.search(PurePosixPath(name).name) is not None


def is_transactions(name: str, options: DmsSource) -> bool:
    """Say whether a file holds the changes of all tables; raise :class:`SourceError` for a strange name there."""
    if options.cdc_path is None or not name.startswith(f"{options.cdc_path}/"):
        return False
    if not _TRANSACTIONS.search(PurePosixPath(name).name):
        raise SourceError("the name is not CDC_TXN-timestamp.csv", where=Where(file=name))
    return True


def probe_file(name: str, body: bytes, options: DmsSource, table: Table) -> Layout:
    """Check a file's frame and return its layout; raise :class:`SourceError` where it is not as declared."""
    own = DmsTable(**table.feed)
    if is_transactions(name, options):
        layout = _probe_transactions(name, body, options, own, table)
    elif options.format == "parquet":
        layout = parquet_layout(name, body, table)
    else:
        layout = probe_csv(name, body, options, own)
    _verify(name, layout, options, table)
    return layout


def probe_csv(name: str, body: bytes, options: DmsSource, own: DmsTable) -> Layout:
    """Check a CSV file's frame and return its layout: every column is text."""
    declared = None if options.header else _declared(name, body, options, own)
    return tuple((c, "string") for c in header_columns(name, body, options, options.limits, declared, ()))


def _declared(name: str, body: bytes, options: DmsSource, own: DmsTable) -> tuple[str, ...]:
    """Return the one declared layout that has the width of the file's first row.

    Where none has it, the first is returned, which :func:`header_columns` refuses.
    """
    layouts = [layout for order in own.orders for layout in _with_op(name, order, options)]
    first = first_row(name, body, options, options.limits)
    fitting = [layout for layout in layouts if len(layout) == len(first)]
    if len(fitting) > 1:
        raise SourceError(
            f"{len(first)} columns fit two declared layouts, with and without Op: declare `op_on_full_load`",
            where=Where(file=name),
        )
    if not fitting and len(layouts) > 1 and tuple(first) not in layouts:
        widths = sorted({len(layout) for layout in layouts})
        raise SourceError(
            f"{len(first)} columns where {widths} are declared: add the new layout to `column_orders`",
            where=Where(file=name),
        )
    return fitting[0] if fitting else layouts[0]


def _with_op(name: str, order: tuple[str, ...], options: DmsSource) -> list[tuple[str, ...]]:
    """Return an order as it may stand in a file: only full loads may lack a declared ``Op``."""
    if options.op_column is None:
        return [order]
    full = (options.op_column, *order)
    if not is_full_load(name):
        return [full]
    return {None: [full, order], True: [full], False: [order]}[options.op_on_full_load]


def _probe_transactions(name: str, body: bytes, options: DmsSource, own: DmsTable, table: Table) -> Layout:
    """Return the layout of the table's rows in a transaction file, by the width of the first of them."""
    schema, named = row_names(table)
    rows = rows_of(name, body, options, options.limits)
    first = next(rows, [])
    if len(first) < 4 or first[0] not in _OPS:
        raise SourceError("a transaction file's rows begin with operation, table, schema", where=Where(file=name))
    found = (len(row) for row in (first, *rows) if row[1:3] == [named, schema])
    orders = {len(order) + 3: order for order in own.orders}
    width = next(found, min(orders))
    for _ in found:  # the frame of the whole file is checked
        pass
    if width not in orders:
        raise SourceError(
            f"rows of {width - 3} values where {sorted(n - 3 for n in orders)} are declared: "
            "add the new layout to `column_orders`",
            where=Where(file=name, table=table.table),
        )
    return tuple((c, "string") for c in (options.op_column or "Op", ROW_TABLE, ROW_SCHEMA, *orders[width]))


def row_names(table: Table) -> tuple[str, str]:
    """Return (schema, table) as rows of transaction files name the table."""
    schema, named = table.resource.split("/")[-2:]
    return schema, named


def _verify(name: str, layout: Layout, options: DmsSource, table: Table) -> None:
    names, load = names_of(layout), is_full_load(name)
    where = Where(file=name, table=table.table)
    for column in filter(None, [options.op_column, options.timestamp_column, options.sequence_column]):
        if column not in names and not (column == options.op_column and load):
            raise SourceError(f"the column {column!r} is missing", where=where)
    check_spelling(name, names, [c.source_name for c in table.columns])
    if options.op_column is None and "Op" in names:
        raise SourceError("the file has an Op where `op_column: null` is declared", where=where)
    if table.keys_can_change and not load:
        for key in table.key:
            if BEFORE + table.column(key).source_name not in names:
                raise SourceError(
                    f"keys of the table can change, but {BEFORE}{key} is missing: "
                    "set add-before-image-columns on the task",
                    where=where,
                )
