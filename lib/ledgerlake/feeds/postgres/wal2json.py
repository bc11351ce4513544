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
from ledgerlake.feeds.files import FileFeed, Probe, changed, land_files, open_location, unseen
from ledgerlake.feeds.frames import lines_of, literal
from ledgerlake.feeds.postgres.row_changes import position_sql, raw_changes
from ledgerlake.feeds.postgres.wal2json_probe import probe
from ledgerlake.landing.manifest import LandedObject, Manifest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_PAIRS = "ARRAY<STRUCT<name: STRING, value: STRING>>"
_RECORD = (
    f"ARRAY<STRUCT<action: STRING, lsn: STRING, schema: STRING, table: STRING, columns: {_PAIRS}, identity: {_PAIRS}>>"
)
# Numbers become text before JSON is parsed, because Spark reads them as doubles. Inside a string
# the quotes of `"value":` would be escaped, so only keys can match.
_QUOTED = r"""regexp_replace(value, '("value"\\s*:\\s*)(-?[0-9][^,}\\s]*)', '$1"$2"')"""


class Wal2JsonTable(Options):
    """Per table: ``folder`` below the source's location, where its objects do not hold all tables."""

    folder: str = ""


class Wal2JsonFeed(FileFeed):
    """Reads files of wal2json lines; an object may hold rows of many tables."""

    kind = "wal2json"
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
        """Parse each line once and give each row the commit LSN of its transaction's first mark."""
        lines = lines_of(spark, reading.lake_uri, [i.path for i in reading.objects])
        parsed = lines.selectExpr(
            "_object",
            "_ordinal",
            "value AS _raw",
            f"from_json(concat('[', {_QUOTED}, ']'), {literal(_RECORD)})[0] AS j",
        )
        return raw_changes(_rows(parsed, reading.table), reading.table)


def _folder(table: Table) -> str:
    folder = Wal2JsonTable(**table.feed).folder.strip("/")
    return f"{folder}/" if folder else ""


def _rows(parsed: DataFrame, table: Table) -> DataFrame:
    """Return the table's rows with their positions; marks and rows of other tables are left out.

    The place counts the table's own rows, so that it stays the same however the plugin filters
    other tables. A transaction that stands twice in an object is counted from its own mark.
    """
    schema, name = table.resource.split(".")
    mine = f"(j.schema = {literal(schema)} AND j.table = {literal(name)} AND j.action NOT IN ('B', 'C', 'M'))"
    own = f"(j.action IS NULL OR {mine})"  # what Spark cannot parse may be the table's, and is not passed over
    before = "OVER (PARTITION BY _object ORDER BY _ordinal)"
    # An empty array drops its row. A filter would be moved below the parsing, which then ran for each field it asks for.
    wanted = f"IF(coalesce(j.action = 'B' OR {own}, false), array(j), CAST(array() AS ARRAY<{_type_of(parsed)}>))"
    marked = parsed.selectExpr("_object", "_ordinal", "_raw", f"explode({wanted}) AS j")
    begun = marked.selectExpr(
        "*", f"last(CASE WHEN j.action = 'B' THEN struct(_ordinal AS at, j.lsn AS lsn) END, true) {before} AS _begin"
    )
    place = "row_number() OVER (PARTITION BY _object, _begin.at ORDER BY _ordinal)"
    placed = begun.where(own).selectExpr("*", f"{position_sql('_begin.lsn', place)} AS _position")
    checked = placed.selectExpr(
        "*", f"{_mappable('j.columns')} AS _new_fits", f"{_mappable('j.identity')} AS _old_fits"
    )
    return checked.selectExpr(
        "_object", "_ordinal", "_position", "_raw", f"{_unreadable()} AS _unreadable", "j.action AS action",
        "CASE WHEN _new_fits THEN map_from_entries(j.columns) END AS new",
        "CASE WHEN _old_fits THEN map_from_entries(j.identity) END AS old",
        f"CASE WHEN j.action = 'U' THEN array_except({_sometimes_left_out(table)}, j.columns.name) END AS unchanged",
    )  # fmt: skip


def _unreadable() -> str:
    return (
        "CASE WHEN coalesce(j.action, '') NOT IN ('I', 'U', 'D', 'T') THEN 'unknown action'"
        " WHEN j.action IN ('I', 'U') AND j.columns IS NULL THEN 'no columns'"
        " WHEN j.action = 'D' AND j.identity IS NULL THEN 'no identity'"
        " WHEN NOT _new_fits OR NOT _old_fits THEN 'a column has no name, or stands twice' END"
    )


def _mappable(pairs: str) -> str:
    """Say whether names and values make a map; asking for a name tells of nulls too, by answering null."""
    names = f"{pairs}.name"
    named = f"NOT coalesce(array_contains({names}, ''), true)"
    return f"({pairs} IS NULL OR {named} AND size(array_distinct({names})) = size({names}))"


def _type_of(parsed: DataFrame) -> str:
    return parsed.schema["j"].dataType.simpleString()


def _sometimes_left_out(table: Table) -> str:
    """Return the columns whose absence can mean "unchanged": types of a fixed size are never TOASTed."""
    large = [literal(c.source_name) for c in table.columns if c.type == "string" or c.type.startswith("decimal")]
    return f"array({', '.join(large)})" if large else "CAST(array() AS ARRAY<STRING>)"
