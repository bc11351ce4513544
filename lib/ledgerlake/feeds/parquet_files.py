"""Parquet files: their footer is checked against the contract at landing, and each is scanned once.

Only columns that somebody declared are read. What they hold is judged as strictly as text: kept
typed where nothing is lost, else written as exact text for the grammar of the column's type. What
can never be read refuses the object. Layouts name fields by dotted paths, with Spark's names of
their types and those of :mod:`ledgerlake.core.types.sources`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.core.types.sources import is_kept, never
from ledgerlake.engines.door import Engines
from ledgerlake.errors import ContractError, SourceError, Where
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.decoding.faults import attributed
from ledgerlake.feeds.decoding.frame import all_listed
from ledgerlake.feeds.frames import path_sql, placed, reading_session
from ledgerlake.landing.manifest import LandedObject, Layout
from ledgerlake.sql.relation import Relation, quoted
from ledgerlake.sql.values import text_sql

_NAMES = {
    "int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint", "uint8": "smallint", "uint16": "int",
    "uint32": "bigint", "uint64": "decimal(20,0)", "bool": "boolean", "date32[day]": "date", "string": "string",
    "large_string": "string", "string_view": "string", "float": "float", "double": "double", "binary": "binary",
    "large_binary": "binary", "binary_view": "binary",
}  # fmt: skip
_DECIMAL = re.compile(r"decimal[0-9]+\(([0-9]+), ([0-9]+)\)")
_READ_AS = {"timestamp_ntz": "timestamp", "timestamp_ns": "bigint", "timestamp_ntz_ns": "bigint"}
_SETTINGS = {
    "spark.sql.legacy.parquet.nanosAsLong": "true",  # nanoseconds are counted, and cut only where they are zero
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
}
_UNKNOWN_TO_SPARK = ("FLOAT16", "VARIANT", "GEOMETRY", "GEOGRAPHY")
_MILLIS_MAX = (1 << 63) // 1_000
_HELD_ALIKE = ("string", "tinyint", "smallint", "int", "bigint", "boolean", "date", "timestamp")
_OWN = {"_object", "_order", "_ordinal"}
_UNFOLDED = 4  # about how much larger values are than a Parquet file of them


def parquet_layout(name: str, body: bytes, table: Table) -> Layout:
    """Read a Parquet footer and return its layout.

    Raises :class:`SourceError` for what is no whole file, and for types that the table's columns
    can never be read from.
    """
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException, BufferReader

    if not body:
        raise SourceError("the file is empty", where=Where(file=name))
    try:
        file = parquet.ParquetFile(BufferReader(body))
        old = {c.path for c in file.schema if c.physical_type == "INT96"}
        told = _fields(file.schema_arrow, "")
        layout = tuple((path, "timestamp" if path in old else kind) for path, kind in told)
        _check_readable(name, file, table)
    except (ArrowException, OSError) as error:
        raise SourceError("not a whole Parquet file (truncated?)", where=Where(file=name)) from error
    problem = unreadable(table, dict(layout))
    if problem:
        raise SourceError(f"the column {problem[0]!r} {problem[1]}", where=Where(file=name, table=table.table))
    return layout


def delivered_columns(layout: Layout, table: Table) -> dict[str, str]:
    """Return the columns that a file delivers: of structs whose fields the table names, nothing."""
    kinds, named = dict(layout), {c.source_name for c in table.columns}
    tops = {p: k for p, k in kinds.items() if k != "null" and not _is_inside(p, kinds)}
    used = {p for p in tops if tops[p] == "struct" and any(n.startswith(f"{p}.") for n in named)}
    return {p: k for p, k in (tops | {n: kinds[n] for n in named & kinds.keys()}).items() if p not in used}


def unreadable(table: Table, kinds: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the first column whose values can never be read from its type, and why; None where all can."""
    for column in table.columns:
        kind = kinds.get(column.source_name, "string")
        problem = None if kind == "null" else never(kind, column.kind, column.unit)
        if problem:
            return column.source_name, problem
    return None


def scan_parquet(
    engines: Engines, reading: Reading, layout: Layout, items: Sequence[LandedObject], order: Callable[[LandedObject], str],
    own: Sequence[str] = (),
) -> Relation:  # fmt: skip
    """Read the declared columns of Parquet files of one layout under their source's names, and the feed's ``own``.

    Adds what :func:`ledgerlake.feeds.frames.placed` does.
    The layout is the schema, so Spark need not open every footer first.
    """
    kinds = {path: kind for path, kind in dict(layout).items() if kind != "null"}
    problem = unreadable(reading.table, kinds)
    if problem:
        where = Where(file=items[0].source_name, table=reading.table.table)
        raise ContractError(
            f"the column {problem[0]!r} {problem[1]}", where=where, then="deliver or declare it otherwise"
        )
    declared = dict.fromkeys(c.source_name for c in reading.table.columns if c.source_name in kinds)
    wanted = {path: kinds[path] for path in dict.fromkeys([*declared, *(n for n in own if n in kinds)])}
    orders = {i.path: order(i) for i in items}
    located = _held(engines, reading, items, wanted, kinds, orders) or _scanned(engines, reading, items, wanted, kinds, orders)
    texts = {path for path in wanted if not _stays(reading.table, path, kinds[path])}
    return located.select(
        *(f"{text_sql(quoted(n), kinds[n])} AS {quoted(n)}" if n in texts else quoted(n) for n in located.columns)
    ) if texts else located  # fmt: skip


def _scanned(
    engines: Engines, reading: Reading, items: Sequence[LandedObject], wanted: Mapping[str, str],
    kinds: Mapping[str, str], orders: Mapping[str, str],
) -> Relation:  # fmt: skip
    """Return the wanted fields as Spark scans them, with their place."""
    spark = reading_session(engines.session())
    for key, value in _SETTINGS.items():
        spark.conf.set(key, value)
    rows = spark.read.schema(_schema(wanted, kinds)).parquet(*(f"{reading.lake_uri}/{i.path}" for i in items))
    all_listed(rows, items)
    named = (
        rows.selectExpr(*(f"{_read(path, kinds)} AS {quoted(path)}" for path in wanted))
        if _nested(wanted, kinds)
        else rows
    )
    located = placed(spark, named, orders)
    return Relation.of(_name_of(items), located, located.columns)


def _held(
    engines: Engines, reading: Reading, items: Sequence[LandedObject], wanted: Mapping[str, str],
    kinds: Mapping[str, str], orders: Mapping[str, str],
) -> Relation | None:  # fmt: skip
    """Return the same read in this process; None where the files are large, or hold types that are read alike by Spark alone."""
    plain = all(kinds[p].startswith("decimal") or kinds[p] in _HELD_ALIKE for p in wanted) and not any("." in p for p in wanted)
    if not plain or not wanted or not wanted.keys().isdisjoint(_OWN) or sum(i.size_bytes for i in items) * _UNFOLDED > engines.text_bytes_max or not engines.rows_max:
        return None
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parts = []
    for item in items:
        body = reading.lake.read(item.path)
        with attributed(item.source_name):
            rows = parquet.ParquetFile(pa.BufferReader(body)).read(columns=list(wanted)).select(list(wanted))
        count = rows.num_rows
        own = {"_object": item.path, "_order": orders[item.path]}
        for name, text in own.items():
            rows = rows.append_column(name, pa.repeat(pa.scalar(text, pa.string()), count))
        rows = rows.append_column("_ordinal", pa.array(range(count), pa.int64()))
        parts.append(rows.cast(_held_schema(wanted, kinds, rows.schema)))
    whole = pa.concat_tables(parts)
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:  # bytes that are no UTF-8: Spark reads them row by row
        return None
    return Relation.of(_name_of(items), whole, whole.column_names)


def _held_schema(wanted: Mapping[str, str], kinds: Mapping[str, str], found: Any) -> Any:
    import pyarrow as pa

    from ledgerlake.engines.embedded.arrow_kinds import arrow_type

    return pa.schema([pa.field(f.name, arrow_type(kinds[f.name]) if f.name in wanted else f.type) for f in found])


def _name_of(items: Sequence[LandedObject]) -> str:
    return f"parquet_{items[0].path.rpartition('/')[2].replace('.', '_')}"


def _stays(table: Table, path: str, kind: str) -> bool:
    """Say whether a field stays typed: where no column that is read from it loses anything."""
    read = [c for c in table.columns if c.source_name == path]
    return all(c.unit == "major" and is_kept(kind, c.kind) for c in read)


def _fields(schema: Any, above: str) -> Iterable[tuple[str, str]]:
    """Yield (dotted path, type) of an Arrow schema's or struct's fields; structs stand before their own."""
    for field in schema:
        path = above + field.name
        kind = _kind(field.type)
        yield path, kind
        if kind == "struct":
            yield from _fields(field.type, f"{path}.")


def _kind(arrow: Any) -> str:
    """Return what a type of Arrow is called in layouts."""
    text = str(arrow)
    if text.startswith("dictionary<values="):
        return _kind(arrow.value_type)
    decimal = _DECIMAL.fullmatch(text)
    if decimal:
        return f"decimal({decimal[1]},{decimal[2]})"
    if text.startswith("timestamp["):
        return ("timestamp" if arrow.tz else "timestamp_ntz") + ("_ns" if arrow.unit == "ns" else "")
    for name in ("struct", "list", "large_list", "fixed_size_list", "map", "time"):
        if text.startswith((f"{name}<", f"{name}32", f"{name}64")):
            return "array" if name.endswith("list") else name
    if "uuid" in text:
        return "uuid"
    if text.startswith("fixed_size_binary"):
        return "binary"
    return "null" if text == "null" else _NAMES.get(text, f"other ({text})")


def _is_inside(path: str, kinds: Mapping[str, str]) -> bool:
    parts = path.split(".")
    return any(kinds.get(".".join(parts[:n])) == "struct" for n in range(1, len(parts)))


def _nested(wanted: Iterable[str], kinds: Mapping[str, str]) -> bool:
    return any(_is_inside(path, kinds) for path in wanted)


def _read(path: str, kinds: Mapping[str, str]) -> str:
    return path_sql(quoted(path.split(".")[0]), path.partition(".")[2]) if _is_inside(path, kinds) else quoted(path)


def _schema(wanted: Mapping[str, str], kinds: Mapping[str, str]) -> str:
    """Return the DDL of the wanted fields, those of structs inside them."""
    tree: dict[str, Any] = {}
    for path, kind in wanted.items():
        *above, last = path.split(".") if _is_inside(path, kinds) else [path]
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = _READ_AS.get(kind, kind)
    return ", ".join(f"{quoted(name)} {_type(inner)}" for name, inner in tree.items())


def _type(inner: Any) -> str:
    if isinstance(inner, str):
        return inner
    return f"struct<{', '.join(f'{quoted(name)}: {_type(below)}' for name, below in inner.items())}>"


def _check_readable(name: str, file: Any, table: Table) -> None:
    """Raise :class:`SourceError` for what Spark cannot open, and for moments that it would cut or stumble over."""
    named = {c.source_name for c in table.columns}
    for number, column in enumerate(file.schema):
        if column.logical_type.type in _UNKNOWN_TO_SPARK:
            what = f"has a column of type {column.logical_type.type}, with which Spark opens no file: leave {column.path!r} out"
            raise SourceError(what, where=Where(file=name))
        if column.path not in named:
            continue
        if column.physical_type == "INT96" and _has_nanoseconds(file, column.path):
            raise SourceError(
                f"the column {column.path!r} holds moments finer than a microsecond (INT96)", where=Where(file=name)
            )
        arrow = file.schema_arrow.field(column.path.split(".")[0]).type
        if str(arrow).startswith("timestamp[ms") and _is_far(file, number):
            raise SourceError(
                f"the column {column.path!r} holds moments outside the years 1 to 9999", where=Where(file=name)
            )


def _has_nanoseconds(file: Any, path: str) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = file.read(columns=[path]).column(0)
    if not pa.types.is_timestamp(values.type):
        return False  # inside a struct
    counts = pc.cast(values, pa.int64())
    return bool(pc.any(pc.not_equal(pc.subtract(counts, pc.multiply(pc.divide(counts, 1000), 1000)), 0)).as_py())


def _is_far(file: Any, number: int) -> bool:
    groups = [file.metadata.row_group(g).column(number) for g in range(file.metadata.num_row_groups)]
    bounds = [b for g in groups if g.is_stats_set and g.statistics.has_min_max for b in _raw_bounds(g.statistics)]
    return any(abs(b) >= _MILLIS_MAX for b in bounds)


def _raw_bounds(statistics: Any) -> tuple[int, int]:
    return statistics.min_raw, statistics.max_raw
