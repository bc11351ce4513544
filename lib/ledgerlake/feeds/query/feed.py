"""High-watermark query over JDBC against a live PostgreSQL.

A naive ``updated_at > last`` loses rows that commit late with an older timestamp. So the window
is closed below the oldest running transaction, and it overlaps the last one by more than the
longest transaction; the overlap's repetitions are found by their content in bronze.
Hard deletes leave no row behind: they are found by comparing all keys, as often as declared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ledgerlake.config.models import Source, Table
from ledgerlake.core.types import spark_type
from ledgerlake.engines.door import Engines
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.base import Extraction, Feed, Options, Reading
from ledgerlake.feeds.landed import write_manifest
from ledgerlake.feeds.moment_text import moment_text, timestamp_text
from ledgerlake.feeds.parquet_files import parquet_layout, scan_parquet
from ledgerlake.feeds.query.database import Database, by_key, by_time, connect, database_errors, quoted
from ledgerlake.feeds.tabular import by_layout
from ledgerlake.landing.manifest import LandedObject, Layout, Manifest
from ledgerlake.ports.objects import content_hash
from ledgerlake.sql.relation import Relation, literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_GONE_AT = ("_at", "string")  # the column that only landed deletes have: their position
_TICK = timedelta(microseconds=1)


class QuerySource(Options):
    """How the database is read: by how many connections at once, dealt out by key or by time."""

    overlap_minutes: int = Field(default=60, ge=0)
    fetch_rows: int = Field(default=10_000, ge=1)
    partitions: int = Field(default=1, ge=1, le=64)
    partition_by: Literal["key", "watermark"] = "key"


class Deletes(Options):
    """How often keys are compared, and which share of them may be gone before it looks like an accident."""

    every_days: int = Field(ge=1)
    max_share: float = Field(default=0.2, gt=0, le=1)


class QueryTable(Options):
    """The column that every write to a row moves forward; whether hard deletes are looked for."""

    watermark: str
    deletes: Deletes | None = None


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

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Read landed rows and landed deletes; a row's position is its watermark in microseconds."""

        def read_group(layout: Layout, items: list[LandedObject]) -> Relation:
            landed = replace(reading, table=_landed_as(reading.table))
            rows = scan_parquet(engines, landed, layout, items, lambda _: "", ("_at",))  # positions need no order
            return _deletes(rows, reading.table) if _GONE_AT in layout else _rows(rows, reading.table, layout)

        return by_layout(engines, reading, read_group)


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


@dataclass(frozen=True)
class _Pull:
    """One extraction of one table: rows from ``since`` to ``until``; ``seen_at`` is the server's time before it.

    Nothing that is written after ``seen_at`` is counted as read, even where ``until`` lies in the
    server's future: the next window begins there.
    """

    request: Extraction
    table: Table
    own: QueryTable
    options: QuerySource
    database: Database
    since: datetime | None
    until: datetime
    seen_at: datetime

    @property
    def reached(self) -> datetime:
        return min(self.until, self.seen_at)

    @property
    def folder(self) -> str:
        log = self.request.logs[self.table.table]
        place = f"{self.request.run_id}-{log.next_sequence():08d}"
        return f"landing/{self.request.pipeline}/{self.table.table}/{place}"


def _extract_table(request: Extraction, table: Table) -> Manifest:
    cursor = request.logs[table.table].latest_cursor()
    with database_errors(request, table):
        pull = _begin(request, table, cursor.get("until"))
        objects = _land_rows(pull)
        compared = cursor.get("compared")
        if _comparison_is_due(pull, compared):
            objects += _land_deletes(pull)
            compared = request.logical_date.isoformat()
    moved = max(filter(None, [cursor.get("until"), pull.reached.isoformat()]))
    since = pull.since.isoformat() if pull.since else None
    return write_manifest(request, table, objects, [], {"until": moved, "since": since, "compared": compared})


def _begin(request: Extraction, table: Table, cursor_end: str | None) -> _Pull:
    options, own = QuerySource(**request.source.options), QueryTable(**table.feed)
    database = connect(request, options.fetch_rows)
    seen_at, oldest = database.times()
    since, until = window(cursor_end, request.window_end, oldest, timedelta(minutes=options.overlap_minutes))
    return _Pull(request, table, own, options, database, since, until, seen_at)


def _land_rows(pull: _Pull) -> list[LandedObject]:
    rows = pull.database.read(_query(pull.table, pull.own.watermark, pull.since, pull.until), _partitions(pull))
    rows.write.mode("overwrite").parquet(f"{pull.request.lake.uri}/{pull.folder}")
    begin = pull.since.isoformat() if pull.since else "start"
    return _landed(pull.request, pull.table, pull.folder, f"{pull.table.resource} {begin}..{pull.until.isoformat()}")


def _partitions(pull: _Pull) -> list[str]:
    if pull.options.partition_by == "key":
        return by_key(pull.table.key, pull.options.partitions)
    mark = pull.table.column(pull.own.watermark)
    low = pull.since or (pull.database.lowest(pull.table, mark.source_name) if pull.options.partitions > 1 else None)
    return by_time(mark.name, low, pull.reached, pull.options.partitions)


def _comparison_is_due(pull: _Pull, compared: str | None) -> bool:
    if pull.own.deletes is None:
        return False
    days = timedelta(days=pull.own.deletes.every_days)
    return compared is None or pull.request.logical_date - date.fromisoformat(compared) >= days


def _land_deletes(pull: _Pull) -> list[LandedObject]:
    """Land the keys that the lake shows and the server lacks.

    Their position lies after every row of the window and before every row of the next: a key
    that comes back has a later watermark. Raises :class:`SourceError` where more keys are gone
    than the table allows, which is what an emptied or wrong database looks like.
    """
    known, table = pull.request.known_keys(pull.table.table), pull.table
    if known is None or pull.own.deletes is None:
        return []
    position = literal(f"{pull.reached - _TICK:%Y%m%d%H%M%S%f}d")
    folder = f"{pull.folder}-gone"
    missing = known.join(_server_keys(pull), list(table.key), "left_anti")
    kept = [f"`{k}`" for k in table.key]
    missing.selectExpr(*kept, f"{position} AS _at").coalesce(1).write.mode("overwrite").parquet(
        f"{pull.request.lake.uri}/{folder}"
    )
    gone = pull.database.spark.read.parquet(f"{pull.request.lake.uri}/{folder}").count()
    if not gone:
        return []
    total = known.count()
    if gone > total * pull.own.deletes.max_share:
        raise SourceError(
            f"{gone:,} of {total:,} keys are gone from {table.resource}: more than `deletes.max_share` allows",
            where=Where(table=table.table),
            then="check the connection and the table; raise max_share for one run if the deletes are meant",
        )
    return _landed(pull.request, table, folder, f"{table.resource} keys gone {pull.reached.isoformat()}")


def _server_keys(pull: _Pull) -> DataFrame:
    keys = [pull.table.column(k) for k in pull.table.key]
    selected = ", ".join(f"{quoted(c.source_name)} AS {quoted(c.name)}" for c in keys)
    parts = by_key(pull.table.key, pull.options.partitions)
    found = pull.database.read(f"SELECT {selected} FROM {pull.table.resource}", parts)
    return found.selectExpr(*(f"CAST(`{c.name}` AS {spark_type(c.type)}) AS `{c.name}`" for c in keys))


def _query(table: Table, watermark: str, since: datetime | None, until: datetime) -> str:
    columns = ", ".join(f"{quoted(c.source_name)} AS {quoted(c.name)}" for c in table.columns)
    mark = quoted(table.column(watermark).source_name)
    lower = f" AND {mark} >= '{since.isoformat()}'" if since else ""
    return f"SELECT {columns} FROM {table.resource} WHERE {mark} < '{until.isoformat()}'{lower}"


def _landed(request: Extraction, table: Table, folder: str, name: str) -> list[LandedObject]:
    """Return the landed files of a query; at the source they are named by what was asked."""
    found: list[LandedObject] = []
    for item in request.lake.list(folder + "/"):
        if item.path.endswith(".parquet"):
            body, told = request.lake.read(item.path), f"{name} #{len(found)}"
            layout = parquet_layout(item.path, body, _landed_as(table))
            found.append(
                LandedObject(item.path, told, content_hash(body), item.size_bytes, request.clock.now(), layout)
            )
    return found


def _landed_as(table: Table) -> Table:
    """Return the table as its rows are landed: under the contract's names."""
    return table.model_copy(update={"columns": tuple(c.model_copy(update={"source": None}) for c in table.columns)})


def _rows(frame: Relation, table: Table, layout: Layout) -> Relation:
    mark = QueryTable(**table.feed).watermark
    position = (timestamp_text if (mark, "timestamp") in layout else moment_text)(f"`{mark}`")
    return frame.select(*_frame("upsert", position), *(f"`{n}`" for n in table.column_names))


def _deletes(frame: Relation, table: Table) -> Relation:
    values = (
        f"`{c.name}`" if c.name in table.key else f"CAST(NULL AS {spark_type(c.type)}) AS `{c.name}`"
        for c in table.columns
    )
    return frame.select(*_frame("delete", "_at"), *values)


def _frame(op: str, position: str) -> list[str]:
    return [
        "_object", "_ordinal", f"'{op}' AS _op", f"{position} AS _position", "CAST(NULL AS STRING) AS _problem",
        "CAST(NULL AS STRING) AS _raw", "CAST(NULL AS ARRAY<STRING>) AS _carried",
    ]  # fmt: skip
