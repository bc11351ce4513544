"""CSV files below ``resource/``: exports and snapshots of any system.

Order is the date in the file's name (else the name), then the row's place in the file. A file
that is the whole table is a matter of the table's ``snapshot`` option, not of the format: see
``lake.snapshots``. Values are text; the contract types them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ledgerlake.config.models import Source, Table
from ledgerlake.core.types import spark_type
from ledgerlake.feeds.base import Options, Reading
from ledgerlake.feeds.files import FileFeed, Probe
from ledgerlake.feeds.frames import PLACE
from ledgerlake.feeds.tabular import by_layout, csv_columns, names_of, scan_csv
from ledgerlake.landing.manifest import LandedObject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class CsvSource(Options):
    """How the files are written; ``null`` is the text that stands for null."""

    header: bool = True
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    null: str = ""


class CsvTable(Options):
    """Per table: the column order of files without a header."""

    column_order: tuple[str, ...] = ()


class CsvFeed(FileFeed):
    """Reads CSV files as upserts."""

    kind = "csv"
    source_options = CsvSource
    table_options = CsvTable

    def check(self, source: Source, table: Table) -> None:
        """Check options: files without a header need a column order."""
        if not CsvSource(**source.options).header and not CsvTable(**table.feed).column_order:
            raise ValueError("CSV without a header needs `feed: {column_order: […]}`")

    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of a file's frame."""
        options, own = CsvSource(**source.options), CsvTable(**table.feed)

        def probe(name: str, body: bytes) -> tuple[str, ...]:
            found = csv_columns(
                name, body, header=options.header, declared=own.column_order, delimiter=options.delimiter
            )
            return tuple(f"{c}:string" for c in found)

        return probe

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return the header's columns."""
        return dict(entry.split(":", 1) for entry in item.layout)

    def read(self, spark: SparkSession, reading: Reading) -> DataFrame:
        """Read each group of files with one header; one scan in all."""
        options = CsvSource(**reading.source_options)

        def read_group(layout: tuple[str, ...], items: list[LandedObject]) -> DataFrame:
            names = names_of(layout)
            rows = scan_csv(
                spark, reading, names, items, self.file_order,
                header=options.header, delimiter=options.delimiter, null=options.null,
            )  # fmt: skip
            return upserts(rows, reading, names)

        return by_layout(reading, read_group)


def upserts(rows: DataFrame, reading: Reading, names: list[str], position: str = PLACE) -> DataFrame:
    """Return scanned rows as upserts; ``position`` may use ``_order`` (of the file), ``_ordinal`` and any column."""
    present = set(names)
    return rows.selectExpr(
        "_object", "_ordinal", "'upsert' AS _op", f"{position} AS _position",
        "CASE WHEN _broken IS NOT NULL THEN 'wrong number of columns, or not CSV' END AS _problem",
        "_broken AS _raw",
        "CAST(NULL AS ARRAY<STRING>) AS _carried",
        *(
            f"`{c.source_name}` AS `{c.name}`" if c.source_name in present
            else f"CAST(NULL AS {spark_type(c.type)}) AS `{c.name}`"
            for c in reading.table.columns
        ),
    )  # fmt: skip
