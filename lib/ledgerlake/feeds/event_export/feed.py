"""Event exports in Kafka-connect layout ``topic+partition+startOffset.ext``: JSON lines, Avro containers, or both.

Identity is the declared key (an envelope id), order is (partition, offset): Kafka keeps one
key's events in one partition, so that is each key's business order. Fields that the contract
does not name are ignored. With ``op_field`` events say what they do; ``patch`` events carry
exactly the fields that are present in them, so absent keeps and null clears.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

from ledgerlake.config.models import Column, Source, Table
from ledgerlake.core.types.sources import never
from ledgerlake.engines.door import Engines
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds import kafka_files
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.decoding.bodies import Limits, limits_of
from ledgerlake.feeds.decoding.frame import all_listed, decoded
from ledgerlake.feeds.event_export.avro import MAGIC, avro_fields
from ledgerlake.feeds.event_export.json import JsonEvents
from ledgerlake.feeds.event_export.options import EventSource, EventTable
from ledgerlake.feeds.files import FileFeed, Probe
from ledgerlake.feeds.frames import path_sql, placed, reading_session
from ledgerlake.feeds.kafka_files import file_date, file_order
from ledgerlake.feeds.tabular import by_layout
from ledgerlake.landing.manifest import LandedObject, Layout
from ledgerlake.sql.relation import Relation, literal
from ledgerlake.sql.values import text_sql

__all__ = ["EventExportFeed", "EventSource", "EventTable", "file_date", "file_order"]

_POSITION = "concat(split_part(_order, '|', 1), '|', lpad(CAST(split_part(_order, '|', 2) AS BIGINT) + _ordinal, 20, '0')) AS _position"


class EventExportFeed(FileFeed):
    """Reads Kafka topics that a connector exported to object storage."""

    kind = "event_export"
    tells_partial = True
    source_options = EventSource
    table_options = EventTable

    def check(self, source: Source, table: Table) -> None:
        """Check options: patches need a table that declares partial changes, and JSON."""
        own, avro = EventTable(**table.feed), EventSource(**source.options).format != "json"
        if bool(own.op_field) != bool(own.ops):
            raise ValueError("`op_field` and `ops` go together")
        if bool(own.table_field) != bool(own.table_names):
            raise ValueError("`table_field` and `table_names` go together")
        if avro and ("patch" in own.ops.values() or table.changes == "partial"):
            raise ValueError("Avro records have every field: what a patch leaves out cannot be told from null")
        if "patch" in own.ops.values() and table.changes != "partial":
            raise ValueError("patch operations need `changes: partial`")

    def dates(self, source: Source) -> Callable[[str], date | None]:
        """Return how a ``dt=`` folder tells the day."""
        return file_date

    def bytes_max(self, source: Source) -> int | None:
        """Return the limit of text; containers are read piece by piece."""
        return super().bytes_max(source) if EventSource(**source.options).format == "json" else None

    def probe(self, source: Source, table: Table) -> Probe:
        """Refuse names outside the layout, and what is not whole or not of the declared format."""
        form, limits = EventSource(**source.options).format, limits_of(source.options)

        def probe(name: str, body: bytes) -> Layout:
            if form == "json" or (form == "any" and body[: len(MAGIC)] != MAGIC):
                return _probe_json(name, body, limits)
            return _probe_avro(name, body, table)

        return probe

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Decode each record once; what is not a JSON object is a problem, not an error."""
        if EventSource(**reading.source_options).format == "json":
            return decoded(engines, reading, JsonEvents(reading.table))

        def read_group(layout: Layout, items: list[LandedObject]) -> Relation:
            if layout:  # the fields of a container's schema; lines have none
                return _read_avro(engines, reading, layout, items)
            return decoded(engines, replace(reading, objects=tuple(items)), JsonEvents(reading.table))

        return by_layout(engines, reading, read_group)


def _probe_json(name: str, body: bytes, limits: Limits) -> Layout:
    if body[:4] == MAGIC:
        file_order(name)
        raise SourceError(
            "an Avro container where JSON lines are declared: a topic of Avro is a source with `format: avro`",
            where=Where(file=name),
        )
    return kafka_files.probe(name, body, limits)


def _probe_avro(name: str, body: bytes, table: Table) -> Layout:
    """Return field and type of every leaf; refuse what the contract's columns cannot be read from."""
    file_order(name)
    fields, own = avro_fields(name, body), EventTable(**table.feed)
    where = Where(file=name, table=table.table)
    if own.table_field and fields.get(own.table_field) != "string":
        raise SourceError(f"the schema has no text in the field {own.table_field!r} that names the table", where=where)
    if own.op_field and fields.get(own.op_field) != "string":
        raise SourceError(f"the schema has no text in the operation's field {own.op_field!r}", where=where)
    for column in table.columns:
        problem = _unreadable(column, fields, required=not column.nullable or column.name in table.key)
        if problem:
            raise SourceError(f"the column {column.source_name!r} {problem}", where=where)
    return tuple(fields.items())


def _unreadable(column: Column, fields: dict[str, str], *, required: bool) -> str | None:
    kind = fields.get(column.source_name)
    if kind is None:
        inside = any(f.startswith(f"{column.source_name}.") for f in fields)
        said = "is a struct: declare its fields with `source: field.inner`" if inside else "is missing from the schema"
        return said if inside or required else None
    return never(kind, column.kind, column.unit)


def _read_avro(engines: Engines, reading: Reading, layout: Layout, items: list[LandedObject]) -> Relation:
    """Read containers of one schema; every value becomes text, exactly, so that schemas may differ in a batch."""
    own, kinds = EventTable(**reading.table.feed), dict(layout)
    orders = {i.path: file_order(i.source_name) for i in items}
    spark = reading_session(engines.session())
    records = spark.read.format("avro").load([f"{reading.lake_uri}/{path}" for path in orders])
    all_listed(records, items)
    located = placed(spark, records.selectExpr("struct(*) AS j"), orders)
    rows = Relation.of(f"avro_{len(layout)}_{items[0].path.rpartition('/')[2]}", located, located.columns)
    if own.table_field:
        names = ", ".join(map(literal, own.table_names))
        rows = rows.where(f"coalesce({path_sql('j', own.table_field)} IN ({names}), true)")
    op = _op_sql(own)
    return rows.select(
        "_object", "_ordinal", f"{op} AS _op", _POSITION,
        f"CASE WHEN {op} IS NULL THEN 'unknown operation' END AS _problem",
        f"CASE WHEN {op} IS NULL THEN to_json(j) END AS _raw", "CAST(NULL AS ARRAY<STRING>) AS _carried",
        *(
            f"{_text(c.source_name, kinds)} AS `{c.name}`" for c in reading.table.columns
        ),
    )  # fmt: skip


def _text(source: str, kinds: Mapping[str, str]) -> str:
    return text_sql(path_sql("j", source), kinds[source]) if source in kinds else "CAST(NULL AS STRING)"


def _op_sql(own: EventTable) -> str:
    if not own.op_field:
        return "'upsert'"
    field = path_sql("j", own.op_field)
    tests = {k: f"{field} IS NULL" if k is None else f"{field} = {literal(k)}" for k in own.ops}
    cases = " ".join(f"WHEN {tests[k]} THEN {literal(v)}" for k, v in own.ops.items())
    return f"CASE {cases} END"
