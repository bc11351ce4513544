"""From raw changes to a judged and folded batch: one scan, one shuffle.

Each change leaves with exactly one fate: quarantined (``_reasons``), held (``_held_for``),
``_duplicate``, or accepted; among the accepted changes of a key the newest is its winner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ledgerlake.config.models import Column, Table
from ledgerlake.core import change as c
from ledgerlake.feeds.frames import with_fact
from ledgerlake.lake.contract import exponents_sql, reasons_sql, typed_sql
from ledgerlake.sql.relation import Relation, joined_by, literal
from ledgerlake.sql.values import canonical_sql, text_sql

OK = "(size(_reasons) = 0 AND _held_for IS NULL)"
CLASH = "immutable: two contents for one key in one delivery"
CONTRADICTION = "immutable: another content for a key that is already written"


@dataclass(frozen=True)
class BatchInput:
    """What a batch is made of beside its raw changes.

    ``extracted_at`` maps objects to source extract times; ``parents`` maps a referencing
    column to a relation with one column of that name, the keys that exist.
    """

    batch_id: str
    table: Table
    extracted_at: dict[str, datetime]
    parents: dict[str, Relation]
    suite_rules: list[tuple[str, str]]
    doubt: str | None = None  # why a snapshot's absences do not count, as SQL over judged rows


def judge(raw: Relation, sources: Mapping[str, str], batch: BatchInput) -> Relation:
    """Type every value, find what is wrong with every change, and look its parents up.

    ``sources`` are the types in which the raw values come, by column.
    """
    table = batch.table
    times = {path: f"TIMESTAMP {literal(at.isoformat())}" for path, at in batch.extracted_at.items()}
    timed = with_fact(raw, times, "_extracted_at")
    named = timed.select(
        "_object", "_ordinal", "_op", "_position", "_problem", "_raw", "_carried", "_extracted_at",
        *(f"`{col.name}` AS _r_{col.name}" for col in table.columns),
    )  # fmt: skip
    priced = named.select("*", *exponents_sql(table))
    typed = priced.select("*", *(f"{typed_sql(table, col, sources)} AS `{col.name}`" for col in table.columns))
    judged = typed.select("*", f"{reasons_sql(table, batch.suite_rules, sources)} AS _reasons")
    for column, keys in batch.parents.items():
        parents = keys.select(f"`{column}` AS _p_{column}")
        judged = judged.left_join(parents, f"l.`{column}` = r._p_{column}")
    fated = judged.select(
        *(n for n in ("_object", "_ordinal", "_op", "_position", "_carried", "_extracted_at", "_reasons")),
        f"{_held_sql(table, list(batch.parents))} AS _held_for",
        f"{_kept_sql(table, sources, list(batch.parents))} AS _raw",
        f"{_change_id_sql(table)} AS _change_id",
        *(f"`{n}`" for n in table.column_names),
    )
    if batch.doubt is None:
        return fated
    doubted = fated.select("*", f"{batch.doubt} AS _doubt")
    return doubted.replaced("_reasons", "CASE WHEN _doubt IS NOT NULL THEN array(_doubt) ELSE _reasons END").without("_doubt")


def label(judged: Relation, table: Table) -> Relation:
    """Mark clashes, duplicates and winners; all windows share one partitioning by key.

    A clash (one key and position, two contents; where keys are written once, one key) cannot
    be decided and is quarantined. Of equal changes the last is kept, so a key's last row is
    never a duplicate.
    """
    key = ", ".join(f"`{k}`" for k in table.key)
    distinct = f"CASE WHEN {OK} THEN _change_id END"
    at = f"OVER (PARTITION BY {key}{'' if table.append_only else ', _position'})"
    clash = f"{OK} AND min({distinct}) {at} <> max({distinct}) {at}"
    reason = literal(CLASH if table.append_only else "position: two different changes of the key claim it")
    decided = judged.replaced("_reasons", f"CASE WHEN {clash} THEN array({reason}) ELSE _reasons END")
    # Where keys are written once, the first export is kept: since then the row is known.
    turn = "_extracted_at DESC, _position DESC" if table.append_only else "_position"
    ordered = f"OVER (PARTITION BY {key} ORDER BY {OK}, {turn}, _change_id, _object, _ordinal)"
    return decided.select(
        "*", f"coalesce({OK} AND lead(_change_id) {ordered} = _change_id, false) AS _duplicate",
        f"{OK} AND lead(_change_id) {ordered} IS NULL AS _winner",
    )  # fmt: skip


def measures(table: Table) -> list[str]:
    """Return the aggregates that describe a labelled batch; they ride on a scan that runs anyway."""
    accepted = f"{OK} AND NOT _duplicate"
    return [
        "count(1) AS read",
        "count_if(size(_reasons) > 0) AS refused",
        "count_if(size(_reasons) = 0 AND _held_for IS NOT NULL) AS held",
        "count_if(_duplicate) AS duplicate",
        f"count_if({accepted}) AS accepted",
        f"min(_position) FILTER (WHERE {accepted}) AS position_min",
        f"max(_position) FILTER (WHERE {accepted}) AS position_max",
        f"max(_position) FILTER (WHERE {accepted} AND _op = 'truncate') AS truncated_at",
        f"min(concat(_object, '|', concat_ws('; ', _reasons))) FILTER (WHERE {_contradicts()}) AS contradiction",
        f"CAST(min(`{table.key[0]}`) FILTER (WHERE {accepted}) AS STRING) AS key_min",
        f"CAST(max(`{table.key[0]}`) FILTER (WHERE {accepted}) AS STRING) AS key_max",
        "CAST(min(_extracted_at) AS STRING) AS extracted_min",
        "CAST(max(_extracted_at) AS STRING) AS extracted_max",
    ]


def _contradicts() -> str:
    return f"size(_reasons) > 0 AND instr(concat_ws('; ', _reasons), {literal(c.CONTRADICTION)}) > 0"


def read_keys(table: Table) -> list[str]:
    """Return the aggregates of the lowest and highest key that may be written already; none where keys may change."""
    if not table.append_only:
        return []
    maybe = f"FILTER (WHERE {OK} OR _reasons = array({literal(CLASH)}))"
    return [f"CAST({kind}(`{table.key[0]}`) {maybe} AS STRING) AS seen_{kind}" for kind in ("min", "max")]


def against_bronze(labelled: Relation, earlier: Relation, table: Table) -> Relation:
    """Compare with earlier changes of overlapping position: equal ones are duplicates, others clash."""
    keys = [*table.key, c.POSITION]
    seen = earlier.select(*(f"`{k}` AS `_seen_{k}`" for k in keys), "_change_id AS _change").grouped(
        [f"_seen_{k}" for k in keys], "min(_change) AS _seen"
    )
    same = " AND ".join(f"l.`{k}` <=> r.`_seen_{k}`" for k in keys)  # a truncate has no key
    joined = labelled.left_join(seen, same).without(*(f"_seen_{k}" for k in keys))
    reason = literal("position: contradicts a change loaded before")
    clash = f"{OK} AND _seen IS NOT NULL AND _seen <> _change_id"
    marked = joined.select(
        "*", f"coalesce({clash}, false) AS _clash", f"coalesce({OK} AND _seen = _change_id, false) AS _again"
    )
    judged = marked.replaced("_reasons", f"CASE WHEN _clash THEN array({reason}) ELSE _reasons END")
    counted = judged.replaced("_duplicate", "_duplicate OR _again")
    return counted.replaced("_winner", "_winner AND NOT _clash").without("_clash", "_again", "_seen")


def against_silver(labelled: Relation, standing: Relation, table: Table) -> Relation:
    """Compare with the keys that are written already: equal content is a duplicate, other contradicts.

    Of two contents in one delivery, the one that stands already is its duplicate.
    """
    seen = standing.select(*(f"`{k}` AS `_seen_{k}`" for k in table.key), "_change_id AS _seen")
    joined = labelled.left_join(seen, joined_by(table.key, prefix="_seen_")).without(*(f"_seen_{k}" for k in table.key))
    again = f"(_seen = _change_id AND ({OK} OR _reasons = array({literal(CLASH)})))"
    other = f"(_seen <> _change_id AND ({OK} OR _reasons = array({literal(CLASH)})))"
    marked = joined.select("*", f"coalesce({again}, false) AS _again", f"coalesce({other}, false) AS _other")
    reasons = f"CASE WHEN _again THEN CAST(array() AS ARRAY<STRING>) WHEN _other THEN array({literal(CONTRADICTION)}) ELSE _reasons END"
    judged = marked.replaced("_reasons", reasons)
    counted = judged.replaced("_duplicate", "(_duplicate OR _again) AND NOT _other")
    return counted.replaced("_winner", "_winner AND _seen IS NULL").without("_again", "_other", "_seen")


def _held_sql(table: Table, columns: list[str]) -> str:
    parts = [
        f"CASE WHEN _op <> 'delete' AND `{col}` IS NOT NULL AND _p_{col} IS NULL THEN {literal(_missing(table, col))} END"
        for col in columns
    ]
    return f"nullif(concat_ws('; ', {', '.join(parts)}), '')" if parts else "CAST(NULL AS STRING)"


def _missing(table: Table, column: str) -> str:
    reference = table.column(column).references
    assert reference is not None, "only referencing columns have parents"
    return f"{column}: not in {reference.table} yet"


def _kept_sql(table: Table, sources: Mapping[str, str], parents: list[str]) -> str:
    """Return what is kept of a record for quarantine: as delivered, null where it is not quarantined."""
    refused = f"{_keeps_raw(table)} OR size(_reasons) > 0 OR {_held_sql(table, parents)} IS NOT NULL"
    raw = _raw_sql(table, sources)
    return f"CASE WHEN {refused} THEN CASE WHEN _problem IS NOT NULL THEN coalesce(_raw, {raw}) ELSE {raw} END END"


def _raw_sql(table: Table, sources: Mapping[str, str]) -> str:
    """Return the record as delivered, by contract column: what a release reads back."""
    texts = (f"{text_sql('_r_' + n, sources[n])} AS `{n}`" for n in table.column_names)
    return f"to_json(struct({', '.join(texts)}))"


def _keeps_raw(table: Table) -> str:
    """Say whether every record is kept as delivered: where typed values cannot be read again as if delivered.

    That two contents clash is only known after both were typed (see ``quarantine.raw_sql``).
    """
    return "true" if table.append_only and not all(k.as_written for k in table.columns) else "false"


def _change_id_sql(table: Table) -> str:
    """Return the id of what a change says, and where it says it; where keys are written once, of what it says."""
    carried = "coalesce(array_join(array_sort(_carried), ','), '')"
    content = f"CASE WHEN _op = 'delete' THEN {_content_sql(table, table.key)} ELSE {_content_sql(table, table.column_names)} END"
    position = "" if table.append_only else "_position, "
    return f"md5(concat_ws('|', _op, {position}{carried}, {content}))"


def _content_sql(table: Table, names: Iterable[str]) -> str:
    """Return the canonical texts of columns, each under its name, texts after their length so that none runs into the next.

    Nulls are left out, so a column added later does not change the ids of older changes.
    """
    return f"concat_ws('|', {', '.join(_named_sql(table.column(n)) for n in names)})"


def _named_sql(column: Column) -> str:
    text = canonical_sql(column.kind, f"`{column.name}`")
    size = f"length({text}), ':', " if column.type == "string" else ""
    return f"concat('{column.name}=', {size}{text})"
