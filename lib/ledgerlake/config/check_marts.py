"""Proves that marts fit their inputs: the SQL is parsed and resolved against declared columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter

from sqlglot import exp

from ledgerlake.config.check_charts import check_charts
from ledgerlake.config.mart_sql import input_schema, mart_graph, meant, output_types, source_names
from ledgerlake.config.models import Input, Mart, Pipeline
from ledgerlake.config.source_map import Document
from ledgerlake.config.sql_rules import expression
from ledgerlake.config.sql_types import UNKNOWN, family_of
from ledgerlake.core import change as c
from ledgerlake.errors import ConfigError, Where
from ledgerlake.quality.columns import check_columns


def check_marts(pipeline: Pipeline, document: Document) -> Iterator[ConfigError]:
    """Yield what is wrong with the marts, in the order of their dependencies, until one is wrong; then with charts."""
    schema = input_schema(pipeline)
    by_name = {m.mart: (n, m) for n, m in enumerate(pipeline.spec.marts)}
    for name in TopologicalSorter(mart_graph(pipeline)).static_order():
        index, mart = by_name[name]
        findings = [*_check_mart(pipeline, mart, schema, document, index)]
        yield from findings
        if findings:
            return  # marts built on this one would only repeat the finding
    yield from check_charts(pipeline, schema, document)


def _check_mart(
    pipeline: Pipeline, mart: Mart, schema: dict[str, dict[str, str]], document: Document, index: int
) -> Iterator[ConfigError]:
    inputs = {i.name: schema[i.name] for i in mart.inputs}
    try:
        schema[mart.mart] = output_types(
            pipeline.sql[mart.mart], str(pipeline.folder / mart.sql), inputs, "add them under `inputs:`",
            source_names(pipeline, inputs),
        )  # fmt: skip
    except ConfigError as error:
        yield error
        return
    output = list(schema[mart.mart])
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
    yield from _check_inputs(pipeline, mart, schema, document, index)


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


def _check_inputs(
    pipeline: Pipeline, mart: Mart, schema: Mapping[str, dict[str, str]], document: Document, index: int
) -> Iterator[ConfigError]:
    for number, item in enumerate(mart.inputs):
        at = document.where("marts", index, "inputs", number)
        yield from _check_moments(pipeline, item, at)
        if item.partition is None:
            continue
        if mart.partition_by is None:
            yield ConfigError(
                "a partition expression on a mart without `partition_by`",
                where=at,
                then="remove it, or partition the mart",
            )
        wanted = schema[mart.mart].get(mart.partition_by or "", UNKNOWN)
        yield from _check_partition(item, schema[item.name], wanted, source_names(pipeline, [item.name]), at)


def _check_partition(
    item: Input, columns: Mapping[str, str], wanted: str, renamed: Mapping[str, str], at: Where
) -> Iterator[ConfigError]:
    """Yield what is wrong with a partition expression over ``columns``; the mart's partitions are of type ``wanted``."""
    try:
        tree = expression(item.partition or "", at, "partition expression")
    except ConfigError as error:
        yield error
        return
    if tree.find(exp.AggFunc, exp.Window):
        yield ConfigError("the partition expression is not about one row", where=at, then="use columns of the row")
        return
    variables = {v.name for scope in tree.find_all(exp.Lambda) for v in scope.expressions}
    unknown = sorted({k.name for k in tree.find_all(exp.Column)} - set(columns) - variables)
    if unknown:
        yield ConfigError(
            f"the partition expression names unknown columns {unknown}", where=at,
            then=meant(unknown[0], columns, renamed),
        )  # fmt: skip
        return
    given = family_of(tree, columns)
    if UNKNOWN not in (given, wanted) and given != _family(wanted):
        yield ConfigError(
            f"the partition expression gives a {given}, the mart's partitions are of type {_family(wanted)}", where=at,
            then=f"write CAST(… AS {wanted.upper()}), or let the SQL give a {given}",
        )  # fmt: skip


def _family(kind: str) -> str:
    return "integer" if kind in ("int", "bigint") else kind


def suite_findings(pipeline: Pipeline, name: str, columns: set[str]) -> Iterator[ConfigError]:
    """Yield what is wrong with a suite's columns."""
    try:
        check_columns(pipeline.suites[name], columns)
    except ConfigError as error:
        yield error
