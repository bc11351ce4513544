"""From histories to mastered rows: standardises records in SQL, masters components in Python workers.

One row per version of a record goes in, sorted by component; the pure core masters each
component; its golden versions and links come out as Arrow batches.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ledgerlake.config.master_tables import id_column, links_table, versions_table
from ledgerlake.config.mastering import Master, RecordSet
from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.core.identity import fingerprint
from ledgerlake.core.mastering.model import GoldenVersion, Link, Observation, Plan, Survivor, Value
from ledgerlake.core.mastering.resolve import master as mastered
from ledgerlake.core.types import spark_type
from ledgerlake.engines.embedded.arrow_kinds import arrow_type
from ledgerlake.sql.relation import Relation, literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Row = dict[str, Any]
ROWS_PER_BATCH = 5_000


def record_sql(table: Table) -> str:
    """Return the record's key as one text."""
    return f"concat_ws('/', {', '.join(f'CAST(`{k}` AS STRING)' for k in table.key)})"


def own_id_sql(master: Master) -> str:
    """Return ``core.mastering.identity.own_id`` in SQL."""
    named = f"concat_ws('\\u001f', {literal(master.master)}, source, record)"
    return f"concat({literal(master.id_prefix)}, substring(sha2({named}, 256), 1, 20))"


def standardised(history: Relation, master: Master, records: RecordSet, table: Table) -> Relation:
    """Return the observations of one record set: canonical fields, keys and times of every version.

    ``current`` stands on the version that the source shows now; a record without one is deleted there.
    """
    at = records.at or c.VALID_FROM
    known = history.select(
        "*", f"CAST(({at}) AS TIMESTAMP) AS _at", f"CAST(({records.since}) AS TIMESTAMP) AS _since"
    )
    return known.select(
        f"{literal(records.record)} AS source", f"{record_sql(table)} AS record", f"CAST({c.VALID_FROM} AS STRING) AS `order`",
        f"coalesce(_since, _at, {c.EXTRACTED_AT}) AS since", f"coalesce(_at, _since, {c.EXTRACTED_AT}) AS at",
        f"{c.CURRENT} AS current", f"{_keys_sql(master, records)} AS keys", f"{_values_sql(master, records)} AS `values`",
    )  # fmt: skip


def tombstones(silver: Relation, records: RecordSet, table: Table) -> Relation:
    """Return source, record and ``gone_at`` of deleted records: the extract time of the delete."""
    gone = silver.where(c.DELETED)
    return gone.select(
        f"{literal(records.record)} AS source", f"{record_sql(table)} AS record", f"{c.EXTRACTED_AT} AS gone_at"
    )


def _keys_sql(master: Master, records: RecordSet) -> str:
    structs = [
        f"struct({literal(name)} AS name, nullif(trim(CAST(({sql}) AS STRING)), '') AS value)"
        for name, sql in sorted(records.keys.items())
    ]
    ignored = [
        f"NOT (k.name = {literal(name)} AND k.value IN ({', '.join(map(literal, key.ignore))}))"
        for name, key in master.match.items()
        if key.ignore
    ]
    return f"filter(array({', '.join(structs)}), k -> {' AND '.join(['k.value IS NOT NULL', *ignored])})"


def _values_sql(master: Master, records: RecordSet) -> str:
    cells = [
        f"{literal(f.name)}, CAST({'(' + records.fields[f.name] + ')' if f.name in records.fields else 'NULL'} AS {spark_type(f.type)})"
        for f in master.fields
    ]
    return f"named_struct({', '.join(cells)})"


def resolve(observations: DataFrame, master: Master) -> DataFrame:
    """Master observations with their ``component``; returns ``version`` and ``link`` structs, one of them null."""
    plan, tables = master.plan, (versions_table(master), links_table(master))
    structs = [pa.struct(list(row_schema(t))) for t in tables]
    schema = pa.schema([("version", structs[0]), ("link", structs[1])])
    ddl = ", ".join(f"{n} struct<{_ddl(t)}>" for n, t in zip(("version", "link"), tables, strict=True))
    grouped = observations.repartition("component").sortWithinPartitions("component")
    return grouped.mapInArrow(_worker(plan, id_column(master), schema), ddl)


def _ddl(table: Table) -> str:
    return ", ".join([*(f"`{k.name}`: {spark_type(k.type)}" for k in table.columns), f"{c.CONTENT}: string"])


def row_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of a master table's rows: its columns and the hash of their content."""
    return pa.schema([*((k.name, arrow_type(spark_type(k.type))) for k in table.columns), (c.CONTENT, pa.string())])


def _worker(
    plan: Plan, id_name: str, schema: pa.Schema
) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    def work(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        rows = (row for batch in batches for row in batch.to_pylist())
        pending: list[Row] = []
        for _, own in groupby(rows, key=lambda r: r["component"]):
            versions, links = mastered_rows(own, plan, id_name)
            pending += [{"version": row, "link": None} for row in versions]
            pending += [{"version": None, "link": row} for row in links]
            if len(pending) >= ROWS_PER_BATCH:
                yield pa.RecordBatch.from_pylist(pending, schema=schema)
                pending = []
        if pending:
            yield pa.RecordBatch.from_pylist(pending, schema=schema)

    return work


def _observation(row: Mapping[str, Any]) -> Observation:
    keys = frozenset((k["name"], k["value"]) for k in row["keys"])
    return Observation(
        row["source"], row["record"], row["order"], row["since"], row["at"], row.get("gone_at"), keys, row["values"]
    )


def mastered_rows(own: Iterable[Mapping[str, Any]], plan: Plan, id_name: str) -> tuple[list[Row], list[Row]]:
    """Master the observations of one component; return rows of ``<master>_versions`` and ``<master>_links``."""
    found = mastered(map(_observation, own), plan)
    versions = [version_row(v, id_name) for v in found.versions]
    return [_hashed(r) for r in versions], [_hashed(link_row(k, id_name)) for k in found.links]


def _hashed(row: Row) -> Row:
    return row | {c.CONTENT: hashlib.md5(json.dumps(row, default=text).encode(), usedforsecurity=False).hexdigest()}


def version_row(version: GoldenVersion, id_name: str) -> Row:
    """Return a golden version as a row of ``<master>_versions``."""
    losers = [vars(loser) | {"value": text(loser.value), "time": text(loser.time)} for loser in version.losers]
    row: Row = {
        id_name: version.customer_id, "valid_from": version.valid_from, "valid_to": version.valid_to,
        "is_current": version.valid_to is None, "records": version.records, "conflicts": len(losers),
        "losers": json.dumps(losers, sort_keys=True, ensure_ascii=False),
    }  # fmt: skip
    for name, survivor in version.fields.items():
        row |= _cells(name, survivor)
    return row


def _cells(name: str, survivor: Survivor) -> Row:
    return {
        name: survivor.value, f"{name}_source": survivor.source, f"{name}_record": survivor.record,
        f"{name}_time": survivor.time, f"{name}_rule": survivor.rule,
    }  # fmt: skip


def link_row(link: Link, id_name: str) -> Row:
    """Return a link as a row of ``<master>_links``."""
    return {
        "source": link.source, "record": link.record, f"own_{id_name}": link.own_id, id_name: link.customer_id,
        "valid_from": link.valid_from, "valid_to": link.valid_to, "is_current": link.valid_to is None,
        "event": link.event, f"previous_{id_name}": link.previous_id, "record_ended": link.ended,
    }  # fmt: skip


def text(value: Value) -> str | None:
    """Return a value as it is shown: money without exponent, times in ISO 8601."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def content_hash(master: Master) -> str:
    """Return what the rows of a master mean: its declaration and the code's own version of the rules."""
    return fingerprint([master.fingerprint, "1"])


def utc(row: Mapping[str, Any]) -> Row:
    """Return a row that Spark gave this process with its moments as UTC (the session's zone), as Arrow gives them."""
    return {k: _utc(v) for k, v in row.items()}


def _utc(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return {k: _utc(v) for k, v in value.items()} if isinstance(value, dict) else value
