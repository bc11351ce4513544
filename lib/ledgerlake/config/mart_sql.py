"""Resolves declared SELECTs against declared columns: what they read, what they give, of which type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.qualify import qualify

from ledgerlake.config.master_tables import master_tables
from ledgerlake.config.models import Pipeline, Table
from ledgerlake.config.sql_rules import select
from ledgerlake.config.sql_types import typed
from ledgerlake.core import change as c
from ledgerlake.core.types import spark_type
from ledgerlake.errors import ConfigError, Where

Schema = Mapping[str, Mapping[str, str]]

PUBLISHED_META = {
    c.BATCH_ID: "string", c.EXTRACTED_AT: "timestamp", c.OBJECT: "string", c.ORDINAL: "bigint", c.POSITION: "string",
}  # fmt: skip
"""Origin columns that mart SQL may read from silver, with their types."""

_SPARK_TYPES = {"integer": "bigint"}
_QUOTED = re.compile(r"'([^']*)'|Unknown column: (\S+)")


def mart_graph(pipeline: Pipeline) -> dict[str, set[str]]:
    """Return each mart with the marts that it is built from."""
    return {m.mart: {i.mart for i in m.inputs if i.mart} for m in pipeline.spec.marts}


def input_schema(pipeline: Pipeline) -> dict[str, dict[str, str]]:
    """Return what marts may read besides each other: columns with Spark types, by the input's name."""
    read = {name: _silver_columns(name, t) for name, t in pipeline.readable.items()}
    return read | {name: _columns(t) for name, t in master_tables(pipeline.spec.masters).items()}


def _silver_columns(name: str, table: Table) -> dict[str, str]:
    found = _columns(table) | PUBLISHED_META
    if name == table.table or table.history is None:
        return found
    effective = table.history.effective
    kind = spark_type(table.column(effective).type) if effective and effective in table.column_names else "string"
    moments = dict.fromkeys((c.VALID_FROM_AT, c.VALID_TO_AT), "timestamp")
    return found | {c.VALID_FROM: kind, c.VALID_TO: kind, c.CURRENT: "boolean"} | moments


def _columns(table: Table) -> dict[str, str]:
    return {col.name: spark_type(col.type) for col in table.columns}


def source_names(pipeline: Pipeline, inputs: Iterable[str]) -> dict[str, str]:
    """Return the name that a source gives a column → its contract name, of tables among ``inputs``."""
    tables = [pipeline.readable[name] for name in inputs if name in pipeline.readable]
    return {k.source_name.lower(): k.name for t in tables for k in t.columns if k.source_name.lower() != k.name}


def meant(name: str, known: Iterable[str], renamed: Mapping[str, str]) -> str:
    """Return what to do about a column that is not there."""
    names = sorted(known)
    own = renamed.get(name.lower()) or next(iter(difflib.get_close_matches(name.lower(), names, 1)), None)
    return f"did you mean {own}?" if own else f"use one of {names}"


def output_types(
    text: str, file: str, inputs: Schema, then: str, renamed: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the columns that a SQL text gives, with their types, read from ``inputs`` (columns with types by name).

    Raises ConfigError with the line where it is more than one repeatable SELECT, reads anything else
    (``then`` says what to do about that) or names a column that is not there; ``renamed`` are the
    sources' own names. A type that is not certain is ``unknown``.
    """
    tree = select(text, file)
    unknown = {t.name for t in tree.find_all(exp.Table)} - {k.alias for k in tree.find_all(exp.CTE)} - set(inputs)
    if unknown:
        where = Where(file=file, line=line_of(text, unknown))
        raise ConfigError(f"the SQL reads {sorted(unknown)}, not declared as inputs", where=where, then=then)
    try:
        qualified = qualify(tree, dialect="spark", schema={n: dict(k) for n, k in inputs.items()})
        return {n: _SPARK_TYPES.get(kind, kind) for n, kind in typed(qualified, inputs).items()}
    except OptimizeError as error:
        raise _misfit(str(error), text, file, inputs, renamed or {}) from None
    except RecursionError:
        raise ConfigError(
            "the SQL is nested too deeply", where=Where(file=file, line=1), then="say it in steps"
        ) from None


def _misfit(said: str, text: str, file: str, inputs: Schema, renamed: Mapping[str, str]) -> ConfigError:
    found = _QUOTED.search(said)
    name = (found[1] or found[2]) if found else ""
    holders = sorted(n for n, columns in inputs.items() if name in columns)
    known = {column for columns in inputs.values() for column in columns if not column.startswith("_")}
    where = Where(file=file, line=line_of(text, {name}))
    if not name:
        return ConfigError(f"the SQL does not fit its inputs: {said}", where=where, then="use declared columns only")
    if len(holders) > 1:
        return ConfigError(f"{name!r} does not fit the inputs: it stands in several", where=where, then=f"say whose: {holders[0]}.{name}")  # fmt: skip
    what = f"the SQL does not fit its inputs: no column {name!r}" + (" where it is read" if holders else "")
    return ConfigError(what, where=where, then="pass it on in the SELECT before" if holders else meant(name, known, renamed))  # fmt: skip


def output_columns(text: str, file: str, inputs: Schema, then: str) -> list[str]:
    """Return the columns that a SQL text gives; errors as of :func:`output_types`."""
    return list(output_types(text, file, inputs, then))


def mart_columns(pipeline: Pipeline) -> dict[str, dict[str, str]]:
    """Return the columns of each mart, with types, of a pipeline whose marts were found right."""
    schema = input_schema(pipeline)
    for name in TopologicalSorter(mart_graph(pipeline)).static_order():
        inputs = {i.name: schema[i.name] for i in pipeline.mart(name).inputs}
        schema[name] = output_types(pipeline.sql[name], "", inputs, "")
    return {name: schema[name] for name in mart_graph(pipeline)}


def line_of(text: str, needles: Iterable[str]) -> int:
    """Return the first line of a text that names one of the needles, else 1."""
    for number, line in enumerate(text.splitlines(), 1):
        if any(n and n.lower() in line.lower() for n in needles):
            return number
    return 1
