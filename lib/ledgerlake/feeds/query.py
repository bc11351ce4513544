"""High-watermark query over JDBC against a live PostgreSQL.

A naive ``updated_at > last`` loses rows that commit late with an older timestamp. So the window
is closed below the oldest running transaction, and it overlaps the last one by more than the
longest transaction; the overlap's repetitions are found by their content in bronze.
Hard deletes are invisible to this feed; see docs/feeds/query.md.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from ledgerlake.config.models import Source, Table
from ledgerlake.errors import ConfigError, SourceError, TransientError, Where
from ledgerlake.feeds.base import Extraction, Feed, Options, Reading
from ledgerlake.feeds.files import write_manifest
from ledgerlake.feeds.frames import literal
from ledgerlake.landing.manifest import LandedObject, Manifest
from ledgerlake.ports.objects import content_hash

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_OLDEST = (
    "SELECT count(*) AS running, min(xact_start) AS oldest FROM pg_stat_activity"
    " WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()"
)


class QuerySource(Options):
    """How the database is read."""

    overlap_minutes: int = Field(default=60, ge=0)
    fetch_rows: int = Field(default=10_000, ge=1)


class QueryTable(Options):
    """The column that every write to a row moves forward."""

    watermark: str


class QueryFeed(Feed):
    """Reads the rows that changed since the last window."""

    kind = "query"
    source_options = QuerySource
    table_options = QueryTable

    def check(self, source: Source, table: Table) -> None:
        """Check that the watermark is a declared, not-null timestamp column."""
        watermark = QueryTable(**table.feed).watermark
        if watermark not in table.column_names or table.column(watermark).type != "timestamp":
            raise ValueError(f"the watermark {watermark!r} must be a declared timestamp column")
        if table.column(watermark).nullable:
            raise ValueError(f"the watermark {watermark!r} must be `nullable: false`")
        if source.connection is None:
            raise ValueError("a query source needs `connection:`")

    def pending(self, request: Extraction) -> dict[str, int]:
        """One query for each table whose day has not been landed yet."""
        return {t.table: int(not request.logs[t.table].covers(request.logical_date)) for t in request.tables}

    def extract(self, request: Extraction) -> list[Manifest]:
        """Query each table's window, land the rows as Parquet, write its manifest."""
        todo = self.pending(request)
        return [_extract_table(request, t) for t in request.tables if todo[t.table]]

    def read(self, spark: SparkSession, reading: Reading) -> DataFrame:
        """Read landed rows; position is the watermark in microseconds."""
        table = reading.table
        watermark = QueryTable(**table.feed).watermark
        return spark.read.parquet(*(f"{reading.lake_uri}/{i.path}" for i in reading.objects)).selectExpr(
            "substring_index(_metadata.file_path, '/', -5) AS _object",
            "_metadata.row_index AS _ordinal", "'upsert' AS _op",
            f"date_format(`{watermark}`, 'yyyyMMddHHmmssSSSSSS') AS _position",
            "CAST(NULL AS STRING) AS _problem", "CAST(NULL AS STRING) AS _raw",
            "CAST(NULL AS ARRAY<STRING>) AS _carried", *(f"`{n}`" for n in table.column_names),
        )  # fmt: skip


def window(
    cursor_end: str | None, window_end: datetime, oldest_running: datetime | None, overlap: timedelta
) -> tuple[datetime | None, datetime]:
    """Return (from, until) of the next query.

    ``until`` stays below the oldest running transaction, ``from`` overlaps the last window;
    ``from`` is None for the first load. Both in UTC, half-open.
    """
    until = min(window_end, oldest_running) if oldest_running else window_end
    since = datetime.fromisoformat(cursor_end) - overlap if cursor_end else None
    return since, until


def _extract_table(request: Extraction, table: Table) -> Manifest:
    options, own = QuerySource(**request.source.options), QueryTable(**table.feed)
    url, properties = _connection(request, options)
    spark = request.spark()
    cursor = request.logs[table.table].latest_cursor()
    try:
        running = spark.read.jdbc(url, f"({_OLDEST}) AS o", properties=properties).first()
        assert running is not None, "an aggregate always gives one row"
        oldest = running["oldest"].astimezone(UTC) if running["running"] else None
        since, until = window(
            cursor.get("until"), request.window_end, oldest, timedelta(minutes=options.overlap_minutes)
        )
        folder = (
            f"landing/{request.pipeline}/{table.table}/{request.run_id}-{request.logs[table.table].next_sequence():08d}"
        )
        rows = spark.read.jdbc(url, _query(table, own.watermark, since, until), properties=properties)
        rows.write.mode("overwrite").parquet(f"{request.lake.uri}/{folder}")
    except Exception as error:
        raise _source_error(error, request, table) from error
    objects = _landed(
        request, folder, f"{table.resource} {since.isoformat() if since else 'start'}..{until.isoformat()}"
    )
    moved = max(filter(None, [cursor.get("until"), until.isoformat()]))
    return write_manifest(request, table, objects, [], {"until": moved, "since": since.isoformat() if since else None})


def _query(table: Table, watermark: str, since: datetime | None, until: datetime) -> str:
    columns = ", ".join(f'"{c.source_name}" AS "{c.name}"' for c in table.columns)
    mark = table.column(watermark).source_name
    lower = f" AND \"{mark}\" >= '{since.isoformat()}'" if since else ""
    return f"(SELECT {columns} FROM {table.resource} WHERE \"{mark}\" < '{until.isoformat()}'{lower}) AS w"


def _connection(request: Extraction, options: QuerySource) -> tuple[str, dict[str, str]]:
    declared = request.environment.connections.get(request.source.connection or "")
    if declared is None:
        raise ConfigError(
            f"the environment has no connection {request.source.connection!r}",
            then=f"add `connections: {{{request.source.connection}: {{jdbc_url: env:…}}}}`",
        )
    known = {k: request.secrets.resolve(v) for k, v in declared.items()}
    return known.pop("jdbc_url"), {"driver": "org.postgresql.Driver", "fetchsize": str(options.fetch_rows)} | known


def _landed(request: Extraction, folder: str, query_window: str) -> list[LandedObject]:
    """Return the landed files of a window; at the source they are named by the query's window."""
    found = [i for i in request.lake.list(folder + "/") if i.path.endswith(".parquet")]
    return [
        LandedObject(
            i.path, f"{query_window} #{n}", content_hash(request.lake.read(i.path)), i.size_bytes, request.clock.now()
        )
        for n, i in enumerate(found)
    ]


def _source_error(error: Exception, request: Extraction, table: Table) -> Exception:
    """Classify a database error without printing it: driver messages can hold values."""
    text = str(error)
    where = Where(table=table.table)
    if "Connection" in text or "terminating" in text or "I/O error" in text:
        return TransientError(
            f"the database behind source {request.source_name!r} cannot be reached",
            where=where,
            then="check that it runs and that the network path is open, then run again",
        )
    return SourceError(
        f"the query on {table.resource} was refused",
        where=where,
        then=f"check that these columns exist: {', '.join(literal(c.source_name) for c in table.columns)}",
    )
