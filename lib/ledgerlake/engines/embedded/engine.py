"""DuckDB as an engine: translated queries over Arrow tables, within bounds of memory."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import cache, lru_cache
from math import isfinite
from typing import TYPE_CHECKING

import pyarrow as pa

from ledgerlake.engines.base import NotHere, Unsupported
from ledgerlake.engines.embedded.arrow_kinds import columns_of, schema_of, without_zones
from ledgerlake.engines.embedded.translate import Query, translated
from ledgerlake.sql.relation import Relation, quoted

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"
_SETTINGS = ("SET TimeZone = 'UTC'", f"SET memory_limit = '{MEMORY}'")
_MACROS = (
    "ledger_quotient(n, d) AS CASE WHEN d <> 0 THEN"
    " CAST(sign(n) * sign(d) * ((2 * abs(n) + abs(d)) // (2 * abs(d))) AS DECIMAL(38,0)) END",
    # DuckDB wants a blank before a zone's name, none before an offset, and a colon in it.
    "ledger_moment(s) AS timezone('UTC', TRY_CAST(CASE WHEN regexp_matches(s, '[0-9][A-SU-Y]')"
    r" THEN regexp_replace(s, '([0-9])([A-SU-Y])', '\1 \2') WHEN regexp_matches(s, ' [+-]|[+-][0-9]{4}\z')"
    r" THEN regexp_replace(regexp_replace(s, ' ([+-])', '\1'), '([+-][0-9]{2})([0-9]{2})\z', '\1:\2')"
    " ELSE s END AS TIMESTAMPTZ))",
    "ledger_date_text(d) AS CASE WHEN d IS NULL OR d BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
    " THEN CAST(d AS VARCHAR) ELSE error('a day of other years as text') END",
    "ledger_timestamp_text(t) AS CASE WHEN t IS NULL OR t BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
    " THEN CAST(t AS VARCHAR) ELSE error('a moment of other years as text') END",
    "ledger_upper(s) AS CASE WHEN s IS NULL THEN NULL WHEN strlen(s) = length(s) THEN upper(s)"
    " ELSE error('letters beyond ASCII in upper()') END",
    "ledger_lower(s) AS CASE WHEN s IS NULL THEN NULL WHEN strlen(s) = length(s) THEN lower(s)"
    " ELSE error('letters beyond ASCII in lower()') END",
    "ledger_from_utc(t, z) AS timezone(z, timezone('UTC', t))",
    "ledger_day_before(t, z) AS timezone('UTC', timezone(z, t - INTERVAL 1 DAY)) + INTERVAL 1 DAY",
    # Of a local time that comes twice Spark takes the earlier moment, DuckDB the later one.
    "ledger_to_utc(t, z) AS CASE WHEN ledger_from_utc(ledger_day_before(t, z), z) = t THEN ledger_day_before(t, z)"
    " ELSE timezone('UTC', timezone(z, t)) END",
    "ledger_days(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN b < a THEN error('a sequence backwards')"
    " ELSE list_transform(range(0, date_diff('day', a, b) + 1), lambda i: a + CAST(i AS INTEGER)) END",
    "ledger_any(l) AS CASE WHEN l IS NULL THEN NULL WHEN list_contains(l, true) THEN true"
    " WHEN len(list_filter(l, lambda x: x IS NULL)) > 0 THEN NULL ELSE false END",
    "ledger_joined(l) AS CASE WHEN len(list_filter(l, lambda x: x IS NULL)) > 0 THEN NULL ELSE flatten(l) END",
    # What JSON holds beside texts engines write differently as text.
    "ledger_text(j, p) AS CASE json_type(j, p) WHEN 'VARCHAR' THEN json_extract_string(j, p) WHEN 'NULL' THEN NULL"
    " ELSE CASE WHEN json_type(j, p) IS NULL THEN NULL ELSE error('a number or a structure for a text in JSON') END END",
    "ledger_no_json(s) AS CASE WHEN s IS NULL OR s = '' THEN NULL ELSE error('no array in JSON') END",
    "ledger_known(m) AS CASE WHEN m IS NULL THEN NULL"
    " ELSE map_from_entries(list_filter(map_entries(m), lambda e: e.value IS NOT NULL)) END",
)


Inputs = Mapping[str, Mapping[str, str]]
"""Columns with Spark's types, by the input's name."""
_STEP = re.compile(r"`(q[0-9a-f]{10})`")
_WORD = re.compile(r"\w+")


@lru_cache(maxsize=4096)
def _translated(text: str, inputs: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> Query:
    return translated(text, {name: dict(columns) for name, columns in inputs})


def planned(text: str, inputs: Inputs) -> Query:
    """Return one SELECT over ``inputs`` as DuckDB runs it; raise Unsupported."""
    return _translated(text, tuple((n, tuple(k.items())) for n, k in inputs.items()))


def plan(relation: Relation, inputs: Inputs) -> Query:
    """Return a relation as DuckDB runs it; raise Unsupported.

    Steps are translated one by one and remembered: of a table's batches only the steps that name
    the batch differ.
    """
    known: dict[str, Mapping[str, str]] = dict(inputs)
    numbers: dict[str, str] = {}
    heads, last = [], None
    for name, text in relation.steps:
        if not text:
            continue
        said = _STEP.sub(lambda found: f"`{numbers.get(found[1], found[1])}`", text)
        words = set(_WORD.findall(said.lower()))
        used = {n: columns for n, columns in known.items() if n.lower() in words}
        own = numbers.setdefault(name, f"s{len(numbers)}") if _STEP.fullmatch(f"`{name}`") else name
        last = planned(said, used)
        known[own] = last.columns
        heads.append((own, last))
    if last is None:
        return planned(f"SELECT * FROM {quoted(relation.name)}", {relation.name: inputs[relation.name]})
    before = ", ".join(f'"{name}" AS ({query.text})' for name, query in heads[:-1])
    return Query(f"WITH {before} {last.text}" if before else last.text, last.columns)


def run(relation: Relation) -> pa.Table:
    """Return the rows of a relation whose inputs are Arrow tables, in the types that Spark gives them.

    Raises Unsupported for constructs, NotHere for rows, that are Spark's.
    """
    import duckdb

    inputs: Mapping[str, pa.Table] = relation.inputs
    known = plan(relation, {name: columns_of(rows.schema) for name, rows in inputs.items()})
    with _cursor() as cursor:
        for name, rows in inputs.items():
            cursor.register(name, without_zones(rows))
        try:
            found = cursor.sql(known.text).to_arrow_table()
        except duckdb.Error as error:
            raise NotHere(_said(error)) from error
        finally:
            for name in inputs:
                cursor.unregister(name)
    return _shaped(found, known)


def _shaped(found: pa.Table, known: Query) -> pa.Table:
    schema = schema_of(known.columns)
    try:
        return found.rename_columns(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Unsupported(f"a result that does not fit ({error})") from error


def _said(error: Exception) -> str:
    """Return the kind of an error without its text: that may hold values of rows."""
    return type(error).__name__


@contextmanager
def _cursor() -> Iterator[duckdb.DuckDBPyConnection]:
    cursor = _database().cursor()
    try:
        cursor.execute("SET TimeZone = 'UTC'")
        yield cursor
    finally:
        cursor.close()


_lock = threading.Lock()


def _database() -> duckdb.DuckDBPyConnection:
    with _lock:
        return _opened()


@cache
def _opened() -> duckdb.DuckDBPyConnection:
    import duckdb

    database = duckdb.connect(":memory:")
    spill = tempfile.mkdtemp(prefix="ledgerlake-")  # its owner's alone
    atexit.register(shutil.rmtree, spill, ignore_errors=True)
    database.execute("SET temp_directory = $1", [spill])
    for setting in _SETTINGS:
        database.execute(setting)
    for macro in _MACROS:
        database.execute(f"CREATE MACRO {macro}")
    database.create_function("ledger_crc32", _crc32, ["VARCHAR"], "BIGINT")
    database.create_function("ledger_plain", _plain, ["VARCHAR"], "VARCHAR")
    database.create_function("ledger_written", _written, ["DOUBLE"], "VARCHAR")
    database.create_function("ledger_grouped", _grouped, ["VARCHAR", "INTEGER", "INTEGER"], "VARCHAR")
    atexit.register(database.close)
    return database


def _plain(text: str) -> str:
    """Return a number with an exponent without it: DuckDB loses digits of some, and takes others that do not fit."""
    return f"{Decimal(text):f}"


def _written(number: float) -> str | None:
    return f"{Decimal(repr(number)):f}" if isfinite(number) else None


def _grouped(number: str, least: int, most: int) -> str:
    """Return a number with its thousands apart, halves to the even digit: as Java's DecimalFormat does."""
    text = f"{Decimal(number):,.{most}f}"
    while most > least and text.endswith("0"):
        text, most = text[:-1], most - 1
    return text.removesuffix(".")


def _crc32(text: str) -> int:
    return zlib.crc32(text.encode())
