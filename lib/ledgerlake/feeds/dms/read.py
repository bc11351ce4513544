"""From landed DMS files to raw changes: what a row does, and its place in the source's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgerlake.config.models import Table
from ledgerlake.core.types import spark_type
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.dms.layout import BEFORE, ROW_SCHEMA, ROW_TABLE, file_order, row_names
from ledgerlake.feeds.dms.options import DmsSource
from ledgerlake.feeds.frames import PLACE, literal
from ledgerlake.feeds.parquet_files import scan_parquet
from ledgerlake.feeds.tabular import names_of, scan_csv
from ledgerlake.landing.manifest import LandedObject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_COLON, _COMMA = "\x1f", "\x1e"  # separators that no text of a database holds, until all else is escaped
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", _COLON: '": "', _COMMA: '", "'}


def read_group(spark: SparkSession, reading: Reading, layout: tuple[str, ...], items: list[LandedObject]) -> DataFrame:
    """Return the raw changes of files with one layout (columns: see ``feeds.base``)."""
    options, names = DmsSource(**reading.source_options), names_of(layout)
    in_transactions = ROW_TABLE in names
    if options.format == "parquet" and not in_transactions:
        own = [n for n in (options.op_column, options.sequence_column, options.timestamp_column) if n]
        before = [BEFORE + reading.table.column(k).source_name for k in reading.table.key]
        rows = scan_parquet(spark, reading, layout, items, file_order, [*own, *before])
        names = [n for n in names if n in rows.columns]
    else:
        header = options.header and not in_transactions
        rows = scan_csv(spark, reading, names, items, file_order, header=header, null=options.null)
    if in_transactions:
        rows = rows.where(_own_row(reading.table))
    return _changes(rows, reading.table, options, names)


def _own_row(table: Table) -> str:
    """Return the test that a row of a transaction file is the table's, or cannot be said to be another's."""
    schema, named = row_names(table)
    own = f"`{ROW_TABLE}` = {literal(named)} AND `{ROW_SCHEMA}` = {literal(schema)}"
    return f"coalesce({own}, true)"


def _position(options: DmsSource) -> str:
    """Return the SQL of a row's place in the source's order.

    Commit time is written like the time in file names, so that it can be compared with the
    place of rows that were read before ``timestamp_column`` was declared.
    """
    if not options.sequence_column and not options.timestamp_column:
        return PLACE
    if options.sequence_column:
        cdc = f"concat('1|', lpad(trim(`{options.sequence_column}`), 35, '0'))"
    else:
        cdc = f"concat('1|', {_committed(str(options.timestamp_column))}, substring({PLACE}, 2))"
    return f"CASE WHEN _order LIKE '0|%' THEN {PLACE} ELSE {cdc} END"


def _committed(column: str) -> str:
    return f"date_format(try_cast(`{column}` AS TIMESTAMP), 'yyyyMMdd-HHmmssSSSSSS')"


def _problems(options: DmsSource, op: str, names: list[str]) -> str:
    tests = [("_broken IS NOT NULL", "wrong number of columns, or not CSV")]
    if ROW_TABLE in names:
        tests.insert(0, (f"`{ROW_TABLE}` IS NULL OR `{ROW_SCHEMA}` IS NULL", "a row without table and schema"))
    tests.append((f"coalesce({op}, '') NOT IN ('I', 'U', 'D')", "unknown Op"))
    if options.sequence_column:
        digits = f"coalesce(trim(`{options.sequence_column}`), '') NOT RLIKE '^[0-9]{{1,35}}$'"
        tests.append((f"_order LIKE '1|%' AND {digits}", "no change sequence"))
    elif options.timestamp_column:
        tests.append((f"_order LIKE '1|%' AND {_committed(options.timestamp_column)} IS NULL", "no commit time"))
    return "CASE " + " ".join(f"WHEN {test} THEN {literal(says)}" for test, says in tests) + " END"


def _changes(rows: DataFrame, table: Table, options: DmsSource, names: list[str]) -> DataFrame:
    present = set(names)
    op = f"`{options.op_column}`" if options.op_column in present else "'I'"
    values = [_value(table, c.name, present) for c in table.columns]
    raw = f"CASE WHEN _problem IS NOT NULL THEN coalesce(_broken, {_record(names)}) END AS _raw"
    frame = rows.selectExpr(
        "*", f"{_problems(options, op, names)} AS _problem", f"{_position(options)} AS _position", f"{op} AS _dms_op",
        f"{_ops(op, _key_moved(table, present))} AS _op",
    )  # fmt: skip
    return frame.selectExpr(
        "_object", "_ordinal", "_op", "_position", "_problem", raw, "CAST(NULL AS ARRAY<STRING>) AS _carried", *values
    )


def _record(names: list[str]) -> str:
    """Return a row as a JSON object of texts, null ones left out.

    What Spark has for it is interpreted, and would keep all columns out of the generated code;
    what is escaped once, and not for each column, keeps that code small.
    """
    texts = (f"concat({literal(n + _COLON)}, CAST(`{n}` AS STRING))" for n in names)
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
    tests = [f"(`{b}` IS NOT NULL AND NOT (`{b}` <=> `{a}`))" for a, b in pairs if b in present]
    return "(" + " OR ".join(tests) + ")" if tests else None


def _value(table: Table, name: str, present: set[str]) -> str:
    column = table.column(name)
    source = column.source_name
    if source not in present:
        return f"CAST(NULL AS {spark_type(column.type)}) AS `{name}`"
    before = BEFORE + source
    if name in table.key and before in present:
        return f"CASE WHEN _dms_op = 'U' AND _op = 'delete' THEN `{before}` ELSE `{source}` END AS `{name}`"
    return f"`{source}` AS `{name}`"
