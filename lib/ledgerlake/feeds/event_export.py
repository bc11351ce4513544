"""Event exports: gzipped JSON lines in Kafka-connect layout ``topic+partition+startOffset.ext``.

Identity is the declared key (an envelope id), order is (partition, offset): Kafka keeps one
key's events in one partition, so that is each key's business order. Fields that the contract
does not name are ignored. With ``op_field`` events say what they do; ``patch`` events carry
exactly the fields that are present in them, so absent keeps and null clears.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ledgerlake.config.models import Source, Table
from ledgerlake.feeds.base import Options, Reading
from ledgerlake.feeds.files import FileFeed, Probe
from ledgerlake.feeds.frames import contract_values, json_records, lines_of, literal, with_order
from ledgerlake.feeds.kafka_files import file_date, file_order, probe

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class EventSource(Options):
    """How events are written."""

    format: Literal["json"] = "json"


class EventTable(Options):
    """Per table: the field that names the operation, and what its values mean."""

    op_field: str | None = None
    ops: dict[str, Literal["upsert", "patch", "delete", "truncate"]] = Field(default_factory=dict)


class EventExportFeed(FileFeed):
    """Reads Kafka topics that a connector exported to object storage."""

    kind = "event_export"
    source_options = EventSource
    table_options = EventTable

    def check(self, source: Source, table: Table) -> None:
        """Check options: patches need a table that declares partial changes."""
        own = EventTable(**table.feed)
        if bool(own.op_field) != bool(own.ops):
            raise ValueError("`op_field` and `ops` go together")
        if "patch" in own.ops.values() and table.changes != "partial":
            raise ValueError("patch operations need `changes: partial`")

    def date_of(self, name: str) -> date | None:
        """Return the day of a ``dt=`` folder, None without one."""
        return file_date(name)

    def probe(self, source: Source, table: Table) -> Probe:
        """Refuse names outside the layout, and what is not JSON lines."""
        return probe

    def read(self, spark: SparkSession, reading: Reading) -> DataFrame:
        """Parse each line once; what is not a JSON object is a problem, not an error."""
        table, own = reading.table, EventTable(**reading.table.feed)
        paths = [c.source_name for c in table.columns] + ([own.op_field] if own.op_field else [])
        orders = {i.path: file_order(i.source_name) for i in reading.objects}
        lines = with_order(spark, lines_of(spark, reading.lake_uri, list(orders)), orders)
        parsed = json_records(lines, paths)
        return parsed.selectExpr("*", f"{_op_sql(own)} AS _event_op").selectExpr(
            "_object", "_ordinal", "_event_op AS _op",
            "concat(split_part(_order, '|', 1), '|', lpad(CAST(split_part(_order, '|', 2) AS BIGINT) + _ordinal, 20, '0')) AS _position",
            "CASE WHEN j IS NULL THEN 'not a JSON object' WHEN _event_op IS NULL THEN 'unknown operation' END AS _problem",
            "CASE WHEN j IS NULL OR _event_op IS NULL THEN value END AS _raw", f"{_carried_sql(table)} AS _carried", *contract_values(table, "j"),
        )  # fmt: skip


def _op_sql(own: EventTable) -> str:
    if not own.op_field:
        return "'upsert'"
    field = "j." + own.op_field
    cases = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in own.ops.items())
    return f"CASE {field} {cases} END"


def _carried_sql(table: Table) -> str:
    """Return the columns whose field is present, null or not; only patches need to know."""
    if table.changes == "whole":
        return "CAST(NULL AS ARRAY<STRING>)"
    tests = [f"CASE WHEN {_present(c.source_name)} THEN {literal(c.name)} END" for c in table.columns]
    return f"array_compact(array({', '.join(tests)}))"


def _present(path: str) -> str:
    parent, _, leaf = path.rpartition(".")
    record = f"get_json_object(value, {literal('$.' + parent)})" if parent else "value"
    return f"coalesce(array_contains(json_object_keys({record}), {literal(leaf)}), false)"
