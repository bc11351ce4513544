"""Proves that marts fit their inputs: the SQL is parsed and resolved against declared columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any, cast

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from ledgerlake.config.check_charts import check_charts
from ledgerlake.config.master_tables import master_tables
from ledgerlake.config.models import Input, Mart, Pipeline, Table
from ledgerlake.config.source_map import Document
from ledgerlake.core import change as c
from ledgerlake.core.types import spark_type
from ledgerlake.errors import ConfigError, Where
from ledgerlake.quality.columns import check_columns

PUBLISHED_META = ("_batch_id", "_extracted_at", "_object", "_ordinal", "_position")
"""Origin columns that mart SQL may read from silver."""


def mart_graph(pipeline: Pipeline) -> dict[str, set[str]]:
    """Return each mart with the marts that it is built from."""
    return {m.mart: {i.mart for i in m.inputs if i.mart} for m in pipeline.spec.marts}


def check_marts(pipeline: Pipeline, document: Document) -> Iterator[ConfigError]:
    """Yield what is wrong with the marts, in the order of their dependencies, until one is wrong; then with charts."""
    schema = _input_schema(pipeline)
    by_name = {m.mart: (n, m) for n, m in enumerate(pipeline.spec.marts)}
    for name in TopologicalSorter(mart_graph(pipeline)).static_order():
        index, mart = by_name[name]
        findings = [*_check_mart(pipeline, mart, schema, document, index)]
        yield from findings
        if findings:
            return  # marts built on this one would only repeat the finding
    yield from check_charts(pipeline, schema, document)


def _input_schema(pipeline: Pipeline) -> dict[str, dict[str, str]]:
    read = {name: _silver_schema(name, t) for name, t in pipeline.readable.items()}
    return read | {name: _columns(t) for name, t in master_tables(pipeline.spec.masters).items()}


def _silver_schema(name: str, table: Table) -> dict[str, str]:
    bounds = dict.fromkeys((c.VALID_FROM, c.VALID_TO, c.CURRENT), "string") if name != table.table else {}
    return _columns(table) | dict.fromkeys(PUBLISHED_META, "string") | bounds


def _columns(table: Table) -> dict[str, str]:
    return {col.name: spark_type(col.type) for col in table.columns}


def _check_mart(
    pipeline: Pipeline, mart: Mart, schema: dict[str, dict[str, str]], document: Document, index: int
) -> Iterator[ConfigError]:
    inputs = {i.name: schema[i.name] for i in mart.inputs}
    try:
        output = output_columns(
            pipeline.sql[mart.mart], str(pipeline.folder / mart.sql), inputs, "add them under `inputs:`"
        )
    except ConfigError as error:
        yield error
        return
    schema[mart.mart] = dict.fromkeys(output, "string")
    if set(mart.pii) - set(output):
        yield ConfigError(
            f"`pii` names unknown columns {sorted(set(mart.pii) - set(output))}",
            where=document.where("marts", index, "pii"),
            then=f"the SQL gives {output}",
        )
    wanted = {*mart.key, *([mart.partition_by] if mart.partition_by else [])}
    if wanted - set(output):
        yield ConfigError(
            f"the SQL gives no column {sorted(wanted - set(output))}",
            where=document.where("marts", index, "key"),
            then=f"it gives {output}",
        )
    if mart.suite:
        yield from suite_findings(pipeline, mart.suite, set(output))
    yield from _check_inputs(pipeline, mart, inputs, document, index)


def _check_moments(pipeline: Pipeline, item: Input, at: Where) -> Iterator[ConfigError]:
    """Yield what is wrong with the columns by which an input is read as of a moment."""
    if item.table is None:
        return
    table = pipeline.readable[item.table]
    columns = table.columns
    if item.known and not (table.append_only and table.table == item.table):
        yield ConfigError(
            f"`known` on {item.table}, whose rows are replaced: what they said before is gone",
            where=at, then="only tables with `append_only: true` remember what was known when",
        )  # fmt: skip
    times = {k.name for k in columns if k.type in ("timestamp", "date") and not k.nullable}
    for kind, name in (("known", item.known), ("effective", item.effective)):
        if name is not None and name not in (times | {c.EXTRACTED_AT} if kind == "known" else times):
            yield ConfigError(
                f"`{kind}: {name}` is no time of {item.table} that every row has",
                where=at,
                then=f"use one of {sorted(times)}",
            )


def output_columns(text: str, file: str, inputs: Mapping[str, dict[str, str]], then: str) -> list[str]:
    """Return the columns that a SQL text gives, read from ``inputs`` (columns with types by name).

    Raises ConfigError with the line where it cannot be parsed, reads anything else (``then`` says
    what to do about that) or names a column that is not there.
    """
    try:
        tree = sqlglot.parse_one(text, dialect="spark")
        unknown = {t.name for t in tree.find_all(exp.Table)} - {c.alias for c in tree.find_all(exp.CTE)} - set(inputs)
        if unknown:
            where = Where(file=file, line=_line(text, unknown))
            raise ConfigError(f"the SQL reads {sorted(unknown)}, not declared as inputs", where=where, then=then)
        return cast("exp.Query", qualify(tree, dialect="spark", schema=dict[str, object](inputs))).named_selects
    except sqlglot.errors.ParseError as error:
        first: dict[str, Any] = error.errors[0] if error.errors else {"line": 1, "description": "fix it"}
        where = Where(file=file, line=first["line"])
        raise ConfigError("the SQL cannot be parsed", where=where, then=str(first["description"])) from error
    except sqlglot.errors.OptimizeError as error:
        name = str(error).split("'")[1] if "'" in str(error) else ""
        where = Where(file=file, line=_line(text, {name}))
        raise ConfigError(
            f"the SQL does not fit its inputs: {error}", where=where, then="use declared columns only"
        ) from error


def mart_columns(pipeline: Pipeline) -> dict[str, dict[str, str]]:
    """Return the columns of each mart of a pipeline whose marts were found right."""
    schema = _input_schema(pipeline)
    for name in TopologicalSorter(mart_graph(pipeline)).static_order():
        inputs = {i.name: schema[i.name] for i in pipeline.mart(name).inputs}
        schema[name] = dict.fromkeys(output_columns(pipeline.sql[name], "", inputs, ""), "string")
    return {name: schema[name] for name in mart_graph(pipeline)}


def _check_inputs(
    pipeline: Pipeline, mart: Mart, schema: dict[str, dict[str, str]], document: Document, index: int
) -> Iterator[ConfigError]:
    for number, item in enumerate(mart.inputs):
        at = document.where("marts", index, "inputs", number)
        yield from _check_moments(pipeline, item, at)
        if item.partition is None:
            continue
        try:
            columns = {c.name for c in sqlglot.parse_one(item.partition, dialect="spark").find_all(exp.Column)}
        except sqlglot.errors.ParseError:
            yield ConfigError("the partition expression cannot be parsed", where=at, then="give a Spark SQL expression")
            continue
        if mart.partition_by is None:
            yield ConfigError(
                "a partition expression on a mart without `partition_by`",
                where=at,
                then="remove it, or partition the mart",
            )
        if columns - set(schema[item.name]):
            yield ConfigError(
                f"the partition expression names unknown columns {sorted(columns - set(schema[item.name]))}",
                where=at,
                then=f"use columns of {item.name}",
            )


def _line(text: str, needles: Iterable[str]) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if any(n and n.lower() in line.lower() for n in needles):
            return number
    return 1


def suite_findings(pipeline: Pipeline, name: str, columns: set[str]) -> Iterator[ConfigError]:
    """Yield what is wrong with a suite's columns."""
    try:
        check_columns(pipeline.suites[name], columns)
    except ConfigError as error:
        yield error
