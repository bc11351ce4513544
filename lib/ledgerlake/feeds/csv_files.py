"""CSV files below ``resource/``: exports and snapshots of any system.

Order is the files' (see ``file_order``), then the row's place in its file. A file that is the whole
table is a matter of the table's ``snapshot`` option, not of the format: see ``lake.snapshots``.
Values are text; the contract types them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ledgerlake.config.models import Source, Table
from ledgerlake.core.types import spark_type
from ledgerlake.engines.door import Engines
from ledgerlake.feeds.base import Options, Reading
from ledgerlake.feeds.csv_names import header_columns
from ledgerlake.feeds.decoding.bodies import Body, Limits, limits_of
from ledgerlake.feeds.decoding.changes import Changes, numbered
from ledgerlake.feeds.decoding.csv_columns import BadRow, CsvColumns
from ledgerlake.feeds.decoding.csv_grammar import CsvOptions
from ledgerlake.feeds.decoding.frame import read_objects
from ledgerlake.feeds.file_order import order_of, place_of
from ledgerlake.feeds.files import Probe
from ledgerlake.feeds.frames import PLACE
from ledgerlake.feeds.ordered_files import OrderedFileFeed, OrderedOptions
from ledgerlake.feeds.tabular import names_of
from ledgerlake.landing.manifest import LandedObject, Layout
from ledgerlake.sql.relation import Relation, quoted


class CsvSource(CsvOptions, OrderedOptions):
    """How the files are written."""

    header: bool = True


class CsvTable(Options):
    """Per table: the column order of files without a header."""

    column_order: tuple[str, ...] = ()


@dataclass(frozen=True)
class CsvUpserts:
    """Reads one table's files; ``places`` is landed path → the file's place among the others."""

    table: Table
    source: CsvSource
    places: Mapping[str, str]

    def __call__(self, item: LandedObject, body: Body, limits: Limits) -> Iterator[Changes]:
        """Yield a file's rows as upserts; what is no row is a problem, not an error."""
        names = names_of(item.layout)
        wanted = [names.index(c.source_name) if c.source_name in names else None for c in self.table.columns]
        before = f"{self.places[item.path]}|"
        for rows in CsvColumns(self.source, len(names), self.source.header)(item.source_name, body, limits):
            if isinstance(rows, BadRow):
                yield bad_row(rows, f"{before}{rows.ordinal:012d}", len(wanted))
            else:
                values = [None if n is None else rows.columns[n] for n in wanted]
                yield Changes(rows.ordinals, "upsert", numbered(before, rows.ordinals, 12), values)


def bad_row(row: BadRow, position: str | None, columns: int, op: str = "upsert") -> Changes:
    """Return a row that cannot be read as a change with its problem."""
    return Changes.of_rows([(row.ordinal, op, position, row.problem, row.raw, None, *[None] * columns)], columns)


class CsvFeed(OrderedFileFeed):
    """Reads CSV files as upserts."""

    kind = "csv"
    source_options = CsvSource
    table_options = CsvTable

    def check(self, source: Source, table: Table) -> None:
        """Check options: a dialect that can be told apart, a column order for files without a header."""
        options = CsvSource(**source.options)
        options.check_dialect()
        if not options.header and not CsvTable(**table.feed).column_order:
            raise ValueError("CSV without a header needs `feed: {column_order: […]}`")

    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of a file's frame."""
        options, own = CsvSource(**source.options), CsvTable(**table.feed)
        limits, wanted = limits_of(source.options), [c.source_name for c in table.columns]

        def probe(name: str, body: bytes) -> Layout:
            declared = None if options.header else own.column_order
            return tuple((c, "string") for c in header_columns(name, body, options, limits, declared, wanted))

        return probe

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return the header's columns."""
        return dict(item.layout)

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Read each file once."""
        order = order_of(reading.source_options)
        places = {i.path: place_of(i, order) for i in reading.objects}
        return read_objects(engines, reading, CsvUpserts(reading.table, CsvSource(**reading.source_options), places))


def upserts(rows: Relation, reading: Reading, names: list[str], position: str = PLACE) -> Relation:
    """Return scanned rows as upserts; ``position`` may use ``_order`` (of the file), ``_ordinal`` and any column."""
    present = set(names)
    return rows.select(
        "_object", "_ordinal", "'upsert' AS _op", f"{position} AS _position",
        "CAST(NULL AS STRING) AS _problem", "CAST(NULL AS STRING) AS _raw", "CAST(NULL AS ARRAY<STRING>) AS _carried",
        *(
            f"{quoted(c.source_name)} AS `{c.name}`" if c.source_name in present
            else f"CAST(NULL AS {spark_type(c.type)}) AS `{c.name}`"
            for c in reading.table.columns
        ),
    )  # fmt: skip
