"""Dumps of any other API or system: JSON lines, JSON arrays and Parquet, with a declared key and order.

``order_by`` names the contract columns that every write moves forward (a version, an
``updated_at``): they are the position, so dumps may overlap and come in any order. Without it the
objects' order (see ``file_order``) and the record's place decide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow.compute as pc

from ledgerlake.config.models import Column, Source, Table
from ledgerlake.core.types import decimal_parts
from ledgerlake.engines.door import Engines
from ledgerlake.feeds.base import Options, Reading
from ledgerlake.feeds.csv_files import upserts
from ledgerlake.feeds.csv_names import check_spelling
from ledgerlake.feeds.decoding.bodies import limits_of
from ledgerlake.feeds.decoding.changes import Changes, numbered
from ledgerlake.feeds.decoding.frame import Decode, decoded
from ledgerlake.feeds.decoding.lines import ArrayElements, chunks, verify
from ledgerlake.feeds.decoding.records import Records, path_of
from ledgerlake.feeds.decoding.spelling import check_fields
from ledgerlake.feeds.file_order import order_of, place_of
from ledgerlake.feeds.files import Probe
from ledgerlake.feeds.frames import PLACE
from ledgerlake.feeds.moment_text import moment_text, timestamp_text, usual_text
from ledgerlake.feeds.ordered_files import OrderedFileFeed, OrderedOptions
from ledgerlake.feeds.parquet_files import delivered_columns, parquet_layout, scan_parquet
from ledgerlake.feeds.tabular import by_layout
from ledgerlake.landing.manifest import LandedObject, Layout
from ledgerlake.sql.relation import Relation, quoted
from ledgerlake.sql.values import text_sql, value_sql


class DumpSource(OrderedOptions):
    """How dumps are written; ``records`` is the dotted path of the array in a JSON document."""

    format: Literal["json_lines", "json_array", "parquet"] = "json_lines"
    records: str = ""


class DumpTable(Options):
    """Per table: the contract columns that order its records."""

    order_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class DumpedRecords:
    """Decodes one table's JSON records; ``orders`` is landed path → the object's place among the others.

    With ``order_by`` only positions of usual moments are told: Spark reads all others as it reads the values.
    """

    table: Table
    orders: Mapping[str, str]

    def __call__(self, item: LandedObject) -> Decode:
        """Open an object; every record is read alike."""
        paths, order = [path_of(c.source_name) for c in self.table.columns], self.orders[item.path]
        ordering = [self.table.column(n) for n in DumpTable(**self.table.feed).order_by]
        places = [self.table.column_names.index(c.name) for c in ordering]
        usual = all(c.type == "timestamp" and c.format == "auto" and c.zone is None for c in ordering)

        def decode(first: int, texts: Sequence[bytes]) -> Changes:
            records = Records(texts)
            values, positions, problems = records.columns(paths), None, records.problems()
            check_fields(item.source_name, records, paths, values)
            if not ordering:
                positions = numbered(f"{order}|", range(first, first + len(texts)), 12)
            elif usual:
                positions = pc.binary_join_element_wise(*(usual_text(values[n]) for n in places), "")
            return Changes(
                range(first, first + len(texts)), "upsert", positions, values, problems, records.raws(problems)
            )

        return decode


class DumpFeed(OrderedFileFeed):
    """Reads records as upserts."""

    kind = "dump"
    source_options = DumpSource
    table_options = DumpTable

    def check(self, source: Source, table: Table) -> None:
        """Check options: order columns are declared, not null, and of types that have an order as text."""
        for name in DumpTable(**table.feed).order_by:
            if name not in table.column_names:
                raise ValueError(f"`order_by` names {name!r}, which the table does not declare")
            column = table.column(name)
            if column.nullable:
                raise ValueError(f"the order column {name!r} must be `nullable: false`")
            if column.type == "boolean" or decimal_parts(column.type):
                raise ValueError(f"the order column {name!r} must be a timestamp, date, integer or string")
        if DumpSource(**source.options).records and DumpSource(**source.options).format != "json_array":
            raise ValueError("`records` belongs to `format: json_array`")

    def rows_have_order(self, table: Table) -> bool:
        """Say whether `order_by` is declared."""
        return bool(DumpTable(**table.feed).order_by)

    def order_declared(self, source: Source, table: Table) -> str:
        """Return `order_by` with the columns' types, else the declared order of objects."""
        columns = [table.column(n) for n in DumpTable(**table.feed).order_by]
        told = {"order_by": [[c.source_name, c.type, c.format, c.zone, c.finer] for c in columns]}
        return json.dumps(told) if columns else super().order_declared(source, table)

    def bytes_max(self, source: Source) -> int | None:
        """Return the limit of text; Parquet is read piece by piece."""
        return None if DumpSource(**source.options).format == "parquet" else super().bytes_max(source)

    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of an object's frame."""
        options, limits = DumpSource(**source.options), limits_of(source.options)

        def probe(name: str, body: bytes) -> Layout:
            if options.format == "parquet":
                layout = parquet_layout(name, body, table)
                check_spelling(name, [n for n, _ in layout], [c.source_name for c in table.columns])
                return layout
            if options.format == "json_array":
                list(ArrayElements(options.records)(name, body, limits))
            else:
                verify(name, body, limits)
            return ()

        return probe

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return a Parquet footer's columns; JSON has no header."""
        return delivered_columns(item.layout, table) or None

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Parse each record once."""
        options = DumpSource(**reading.source_options)
        if options.format == "parquet":
            return by_layout(engines, reading, lambda layout, items: self._parquet(engines, reading, layout, items))
        cut = ArrayElements(options.records) if options.format == "json_array" else chunks
        order = order_of(reading.source_options)
        orders = {i.path: place_of(i, order) for i in reading.objects}
        changes = decoded(engines, reading, DumpedRecords(reading.table, orders), cut)
        if not DumpTable(**reading.table.feed).order_by:
            return changes
        others = _position(reading.table, lambda c: f"`{c.name}`", {})
        position = f"CASE WHEN _problem IS NULL THEN coalesce(_position, {others}) END"
        own = {"_position": f"{position} AS _position"}
        return changes.select(*(own.get(n, f"`{n}`") for n in changes.columns))

    def _parquet(self, engines: Engines, reading: Reading, layout: Layout, items: list[LandedObject]) -> Relation:
        order = order_of(reading.source_options)
        rows = scan_parquet(engines, reading, layout, items, lambda item: place_of(item, order))
        position = _position(reading.table, lambda c: quoted(c.source_name), engines.types(rows))
        return upserts(rows, reading, list(rows.columns), position)


def _position(table: Table, value: Callable[[Column], str], kinds: Mapping[str, str]) -> str:
    ordering = [table.column(n) for n in DumpTable(**table.feed).order_by]
    parts = [_ordered(c, value(c), kinds.get(c.source_name, "string")) for c in ordering]
    return " || ".join(parts) if parts else PLACE


def _ordered(column: Column, value: str, kind: str) -> str:
    """Return a value of Spark's type ``kind`` as text whose order is the value's; null (so no position) where it is none."""
    typed = value_sql(column.kind, value, kind)
    if column.type == "timestamp":
        return timestamp_text(value) if kind == "timestamp" and column.format == "auto" else moment_text(typed)
    if column.type == "date":
        return f"date_format({typed}, 'yyyyMMdd')"
    if column.type in ("integer", "bigint"):
        # Shifted by 10^19, so that negative numbers stand below positive ones.
        return f"lpad(CAST(CAST({typed} AS DECIMAL(20,0)) + 10000000000000000000 AS STRING), 20, '0')"
    # As ``file_order.ranked``: what ends a part ranks below every character of one.
    return f"concat(regexp_replace({text_sql(value, kind)}, '[\\\\x00-!]', '!$0'), ' ')"
