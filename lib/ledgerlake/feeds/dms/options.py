"""What a DMS task is declared to write, per source and per table."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledgerlake.config.models import Source, Table
from ledgerlake.feeds.base import FileOptions, Options
from ledgerlake.feeds.decoding.csv_grammar import CsvOptions


class DmsSource(CsvOptions, FileOptions):
    """How the task writes its files; must match what the files hold, and is verified per file.

    ``op_column: null`` says that the task writes no ``Op`` (``CdcInsertsOnly`` or
    ``CdcInsertsAndUpdates`` without ``IncludeOpForFullLoad``). ``op_on_full_load`` settles
    for header-less full loads whether they have it; left out, their width tells. ``null`` is the
    task's ``CsvNullValue``. ``cdc_path`` is the folder of ``PreserveTransactions``.
    """

    format: Literal["csv", "parquet"] = "csv"
    header: bool = True
    op_column: str | None = "Op"
    op_on_full_load: bool | None = None
    timestamp_column: str | None = None
    sequence_column: str | None = None
    cdc_path: str | None = Field(default=None, pattern=r"^[^/].*[^/]$|^[^/]$")


class DmsTable(Options):
    """Per table: the column orders of header-less CSV files, after ``Op``; told apart by their widths."""

    column_order: tuple[str, ...] = ()
    column_orders: tuple[tuple[str, ...], ...] = ()

    @property
    def orders(self) -> tuple[tuple[str, ...], ...]:
        """Return every declared order."""
        return ((self.column_order,) if self.column_order else ()) + self.column_orders


def check_options(source: Source, table: Table) -> None:
    """Raise ``ValueError`` where options, valid each by itself, do not fit together."""
    options, own = DmsSource(**source.options), DmsTable(**table.feed)
    options.check_dialect()
    if options.format == "csv" and not options.header and not own.orders:
        raise ValueError("CSV without a header needs `feed: {column_order: […]}`")
    if options.cdc_path:
        _check_transactions(options, own, table)
    for column in options.op_column, options.timestamp_column, options.sequence_column:
        if column in {c.source_name for c in table.columns}:
            raise ValueError(f"{column!r} is DMS's own column: a table cannot have it too")
    _check_orders(own, {table.column(k).source_name for k in table.key if k in table.column_names}, options)


def _check_transactions(options: DmsSource, own: DmsTable, table: Table) -> None:
    if options.format == "csv" and options.header:
        raise ValueError("`cdc_path`: DMS writes no headers with PreserveTransactions; set `header: false`")
    if not own.orders:
        raise ValueError("`cdc_path`: transaction files have no header: add `feed: {column_order: […]}`")
    if options.op_column is None:
        raise ValueError("`cdc_path`: transaction files always have an Op; remove `op_column: null`")
    if f"{table.resource}/".startswith(f"{options.cdc_path}/"):
        raise ValueError("`cdc_path` holds transaction files only: it cannot lie above a table's folder")
    if len(table.resource.split("/")) < 2:
        raise ValueError("`cdc_path`: rows are told apart by schema and table: write `resource: schema/table`")


def _check_orders(own: DmsTable, keys: set[str], options: DmsSource) -> None:
    widths = [len(order) for order in own.orders]
    if len(set(widths)) < len(widths):
        raise ValueError("two column orders of one width: a file cannot tell which it has")
    for order in own.orders:
        if options.op_column in order:
            raise ValueError(f"column orders begin after {options.op_column!r}: leave it out")
        if not keys <= set(order):
            raise ValueError(f"a column order lacks the key: {sorted(keys - set(order))}")
        if len(set(order)) < len(order):
            raise ValueError("a column order names a column twice")
