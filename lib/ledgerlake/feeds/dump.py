"""Dumps of any other API or system: JSON lines, JSON arrays and Parquet, with a declared key and order.

``order_by`` names the contract columns that every write moves forward (a version, an
``updated_at``): they are the position, so dumps may overlap and come in any order. Without it the
date in the object's name (else the name) and the record's place decide.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from ledgerlake.config.models import Column, Source, Table
from ledgerlake.core.types import decimal_parts
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.base import Options, Reading
from ledgerlake.feeds.csv_files import placed_rows
from ledgerlake.feeds.files import FileFeed, Probe
from ledgerlake.feeds.frames import (
    contract_values,
    json_fields,
    json_records,
    lines_of,
    literal,
    path_sql,
    with_exact_numbers,
    with_order,
)
from ledgerlake.feeds.json_lines import content, verify
from ledgerlake.feeds.tabular import by_layout, names_of, parquet_layout, scan_parquet
from ledgerlake.landing.manifest import LandedObject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PLACE = "concat(_order, '|', lpad(_ordinal, 12, '0'))"
DOUBLE_DIGITS = "16 AND 17"
"""A JSON number of an array passes through a double on its way, which shows at most 17 digits and keeps
only 15: values of 16 or 17 digits may have been numbers and are refused there; longer ones were text."""


class DumpSource(Options):
    """How dumps are written; ``records`` is the dotted path of the array in a JSON document."""

    format: Literal["json_lines", "json_array", "parquet"] = "json_lines"
    records: str = ""


class DumpTable(Options):
    """Per table: the contract columns that order its records."""

    order_by: tuple[str, ...] = ()


class DumpFeed(FileFeed):
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

    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of an object's frame."""
        options = DumpSource(**source.options)

        def probe(name: str, body: bytes) -> tuple[str, ...]:
            if options.format == "parquet":
                return parquet_layout(name, body)
            if options.format == "json_array":
                _verify_array(name, b"".join(content(name, body)), options.records)
            else:
                verify(name, body)
            return ()

        return probe

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return a Parquet footer's columns; JSON has no header."""
        return dict(entry.split(":", 1) for entry in item.layout) or None

    def read(self, spark: SparkSession, reading: Reading) -> DataFrame:
        """Parse each record once."""
        options = DumpSource(**reading.source_options)
        if options.format == "parquet":
            return by_layout(reading, lambda layout, items: self._parquet(spark, reading, layout, items))
        if options.format == "json_array":
            return self._array(spark, reading, options.records)
        lines = lines_of(spark, reading.lake_uri, [i.path for i in reading.objects])
        return self._changes(spark, reading, json_records(lines, [c.source_name for c in reading.table.columns]))

    def _parquet(
        self, spark: SparkSession, reading: Reading, layout: tuple[str, ...], items: list[LandedObject]
    ) -> DataFrame:
        names = names_of(layout)
        position = _position(reading.table, lambda c: f"`{c.source_name}`")
        return placed_rows(spark, scan_parquet(spark, reading, items), reading, names, items, self.file_order, position)

    def _array(self, spark: SparkSession, reading: Reading, records: str) -> DataFrame:
        """Read each document whole, then one row per record of its array."""
        paths = [c.source_name for c in reading.table.columns]
        schema = f"ARRAY<STRUCT<{json_fields(paths)}>>"
        for part in reversed(records.split(".") if records else []):
            schema = f"STRUCT<`{part}`: {schema}>"
        documents = spark.read.text([f"{reading.lake_uri}/{i.path}" for i in reading.objects], wholetext=True)
        parsed = documents.selectExpr(
            "substring_index(_metadata.file_path, '/', -5) AS _object", f"from_json(value, {literal(schema)}) AS d"
        )
        rows = parsed.selectExpr(
            "_object", f"posexplode({path_sql('d', records) if records else 'd'}) AS (_ordinal, j)"
        )
        return self._changes(
            spark, reading, rows.selectExpr("_object", "CAST(_ordinal AS BIGINT) AS _ordinal", "to_json(j) AS value", "j"),
            _inexact(reading.table),
        )  # fmt: skip

    def _changes(self, spark: SparkSession, reading: Reading, parsed: DataFrame, inexact: str = "false") -> DataFrame:
        table = reading.table
        orders = {i.path: self.file_order(i.source_name) for i in reading.objects}
        position = _position(table, lambda c: path_sql("j", c.source_name))
        exact = with_exact_numbers(with_order(spark, parsed, orders), table)
        problem = (
            "CASE WHEN j IS NULL THEN 'not a JSON object'"
            f" WHEN {inexact} THEN 'a number too long to be read exactly from an array; deliver it as text or lines' END"
        )
        return exact.selectExpr(
            "_object", "_ordinal", "'upsert' AS _op", f"{position} AS _position", f"{problem} AS _problem",
            f"CASE WHEN {problem} IS NOT NULL THEN value END AS _raw", "CAST(NULL AS ARRAY<STRING>) AS _carried", *contract_values(table),
        )  # fmt: skip

    def file_order(self, name: str) -> str:
        """Return an object's place among the others: its date, then its name."""
        day = self.date_of(name)
        return f"{day.isoformat() if day else ''}|{PurePosixPath(name).name}"


def _position(table: Table, value: Callable[[Column], str]) -> str:
    order_by = DumpTable(**table.feed).order_by
    parts = [_ordered(table.column(n), value(table.column(n))) for n in order_by]
    return f"concat({', '.join(parts)})" if parts else PLACE


def _ordered(column: Column, value: str) -> str:
    """Return a value as text whose order is the value's; null (so no position) where it is none."""
    if column.type == "timestamp":
        moment = (
            f"timestamp_seconds(try_cast({value} AS BIGINT))" if column.format == "epoch_seconds"
            else f"timestamp_millis(try_cast({value} AS BIGINT))" if column.format == "epoch_millis"
            else f"try_cast({value} AS TIMESTAMP)"
        )  # fmt: skip
        return f"date_format({moment}, 'yyyyMMddHHmmssSSSSSS')"
    if column.type == "date":
        return f"date_format(try_cast({value} AS DATE), 'yyyyMMdd')"
    if column.type in ("integer", "bigint"):
        # Shifted by 10^19, so that negative numbers stand below positive ones.
        return f"lpad(CAST(try_cast({value} AS DECIMAL(20,0)) + 10000000000000000000BD AS STRING), 20, '0')"
    return f"concat(CAST({value} AS STRING), '|')"


def _inexact(table: Table) -> str:
    tests = [_rounded(path_sql("j", c.source_name)) for c in table.columns if decimal_parts(c.type)]
    return f"coalesce({' OR '.join(tests)}, false)" if tests else "false"


def _rounded(value: str) -> str:
    return f"{value} LIKE '%E%' OR length(regexp_replace({value}, '[^0-9]', '')) BETWEEN {DOUBLE_DIGITS}"


def _verify_array(name: str, text: bytes, records: str) -> None:
    try:
        document: Any = json.loads(text)
        for part in filter(None, records.split(".")):
            document = document[part]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"not a JSON document with an array at {records or 'its top'!r}", where=Where(file=name)
        ) from error
    if not isinstance(document, list):
        raise SourceError(f"no array at {records or 'its top'!r}", where=Where(file=name))
    if not all(isinstance(record, dict) for record in document):
        raise SourceError("the array holds something other than objects", where=Where(file=name))
