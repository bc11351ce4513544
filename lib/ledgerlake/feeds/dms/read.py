"""DMS rows of Parquet as raw changes: what a row does, and its place in the source's order (CSV: see ``csv``)."""

from __future__ import annotations

from ledgerlake.config.models import Table
from ledgerlake.core.types import spark_type
from ledgerlake.engines.door import Engines
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.dms.layout import BEFORE, place_of
from ledgerlake.feeds.dms.options import DmsSource
from ledgerlake.feeds.frames import PLACE
from ledgerlake.feeds.parquet_files import scan_parquet
from ledgerlake.feeds.tabular import names_of
from ledgerlake.landing.manifest import LandedObject, Layout
from ledgerlake.sql.relation import Relation, literal, quoted

_COLON, _COMMA = "\x1f", "\x1e"  # separators that no text of a database holds, until all else is escaped
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", _COLON: '": "', _COMMA: '", "'}


def read_parquet(engines: Engines, reading: Reading, layout: Layout, items: list[LandedObject]) -> Relation:
    """Return the raw changes of Parquet files with one layout (columns: see ``feeds.base``)."""
    options = DmsSource(**reading.source_options)
    own = [n for n in (options.op_column, options.sequence_column, options.timestamp_column) if n]
    before = [BEFORE + reading.table.column(k).source_name for k in reading.table.key]
    rows = scan_parquet(engines, reading, layout, items, place_of, [*own, *before])
    return _changes(rows, reading.table, options, [n for n in names_of(layout) if n in rows.columns])


def _position(options: DmsSource) -> str:
    """Return the SQL of a row's place in the source's order.

    Commit time is written like the time in file names, so that it can be compared with the
    place of rows that were read before ``timestamp_column`` was declared.
    """
    if not options.sequence_column and not options.timestamp_column:
        return PLACE
    if options.sequence_column:
        cdc = f"concat('1|', lpad(trim({quoted(options.sequence_column)}), 35, '0'))"
    else:
        cdc = f"concat('1|', {_committed(str(options.timestamp_column))}, substring({PLACE}, 2))"
    return f"CASE WHEN _order LIKE '0|%' THEN {PLACE} ELSE {cdc} END"


def _committed(column: str) -> str:
    return f"date_format(try_cast({quoted(column)} AS TIMESTAMP), 'yyyyMMdd-HHmmssSSSSSS')"


def _problems(options: DmsSource, op: str) -> str:
    tests = [(f"coalesce({op}, '') NOT IN ('I', 'U', 'D')", "unknown Op")]
    if options.sequence_column:
        digits = f"coalesce(trim({quoted(options.sequence_column)}), '') NOT RLIKE '^[0-9]{{1,35}}$'"
        tests.append((f"_order LIKE '1|%' AND {digits}", "no change sequence"))
    elif options.timestamp_column:
        tests.append((f"_order LIKE '1|%' AND {_committed(options.timestamp_column)} IS NULL", "no commit time"))
    return "CASE " + " ".join(f"WHEN {test} THEN {literal(says)}" for test, says in tests) + " END"


def _changes(rows: Relation, table: Table, options: DmsSource, names: list[str]) -> Relation:
    present = set(names)
    op = quoted(options.op_column) if options.op_column in present else "'I'"
    values = [_value(table, c.name, present) for c in table.columns]
    raw = f"CASE WHEN _problem IS NOT NULL THEN {_record(names)} END AS _raw"
    changes = rows.select(
        "*", f"{_problems(options, op)} AS _problem", f"{_position(options)} AS _position", f"{op} AS _dms_op",
        f"{_ops(op, _key_moved(table, present))} AS _op",
    )  # fmt: skip
    return changes.select(
        "_object", "_ordinal", "_op", "_position", "_problem", raw, "CAST(NULL AS ARRAY<STRING>) AS _carried", *values
    )


def _record(names: list[str]) -> str:
    """Return a row as a JSON object of texts, null ones left out.

    What Spark has for it is interpreted, and would keep all columns out of the generated code;
    what is escaped once, and not for each column, keeps that code small.
    """
    texts = (f"concat({literal(n + _COLON)}, CAST({quoted(n)} AS STRING))" for n in names)
    text = f"concat_ws({literal(_COMMA)}, {', '.join(texts)})"
    for plain, written in _ESCAPES.items():
        text = f"replace({text}, {literal(plain)}, {literal(written)})"
    return f"concat('{{\"', {text}, '\"}}')"


def _ops(op: str, key_moved: str | None) -> str:
    """Return the operation, or two where a key can move; a generator copies each row, so only then."""
    if key_moved is None:
        return f"CASE WHEN {op} = 'D' THEN 'delete' ELSE 'upsert' END"
    return (
        f"explode(CASE WHEN {op} = 'U' AND {key_moved} THEN array('delete', 'upsert')"
        f" WHEN {op} = 'D' THEN array('delete') ELSE array('upsert') END)"
    )


def _key_moved(table: Table, present: set[str]) -> str | None:
    pairs = [(table.column(k).source_name, BEFORE + table.column(k).source_name) for k in table.key]
    tests = [f"({quoted(b)} IS NOT NULL AND NOT ({quoted(b)} <=> {quoted(a)}))" for a, b in pairs if b in present]
    return "(" + " OR ".join(tests) + ")" if tests else None


def _value(table: Table, name: str, present: set[str]) -> str:
    column = table.column(name)
    source = column.source_name
    if source not in present:
        return f"CAST(NULL AS {spark_type(column.type)}) AS `{name}`"
    before = BEFORE + source
    if name in table.key and before in present:
        return f"CASE WHEN _dms_op = 'U' AND _op = 'delete' THEN {quoted(before)} ELSE {quoted(source)} END AS `{name}`"
    return f"{quoted(source)} AS `{name}`"
