"""Proves that a pipeline fits together before Spark starts; every finding names file and line."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError

from ledgerlake.config.check_alerts import check_alert_rules
from ledgerlake.config.check_columns import check_column_rules
from ledgerlake.config.check_marts import check_marts, suite_findings
from ledgerlake.config.check_masters import check_masters
from ledgerlake.config.check_targets import check_targets
from ledgerlake.config.mart_sql import mart_graph
from ledgerlake.config.models import Column, Pipeline, Table
from ledgerlake.config.source_map import Document, read_document
from ledgerlake.errors import ConfigError, Where
from ledgerlake.feeds.base import Feed, Options
from ledgerlake.feeds.registry import FEEDS


def check_pipeline(pipeline: Pipeline) -> list[ConfigError]:
    """Return every problem found; an empty list means that the pipeline can run."""
    findings: list[ConfigError] = []
    for table in pipeline.tables.values():
        document = read_document(pipeline.folder / "tables" / f"{table.table}.yml")
        findings += [*_check_table(pipeline, table, document)]
    document = read_document(pipeline.folder / "pipeline.yml")
    findings += [*_check_sources(pipeline, document), *_check_cycles(pipeline, document)]
    findings += [*check_masters(pipeline, document), *check_targets(pipeline, document)]
    if not findings:
        findings += [*check_marts(pipeline, document)]
    if not findings:
        findings += [*check_alert_rules(pipeline, document)]
    return findings


def table_graph(pipeline: Pipeline) -> dict[str, set[str]]:
    """Return each table with the tables that it references: its parents load first."""
    return {t.table: _parents(t) for t in pipeline.tables.values()}


def _parents(table: Table) -> set[str]:
    return {c.references.table for c in table.columns if c.references and c.references.table != table.table}


def _check_table(pipeline: Pipeline, table: Table, document: Document) -> Iterator[ConfigError]:
    names = table.column_names
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ConfigError(
                f"column {name!r} is declared twice", where=document.where("columns", index), then="remove one"
            )
    for index, key in enumerate(table.key):
        if key not in names:
            yield ConfigError(
                f"the key {key!r} is not a column",
                where=document.where("key", index),
                then=f"declare it, or use one of {sorted(names)}",
            )
    for index, column in enumerate(table.columns):
        yield from _check_column(pipeline, table, column, document, index)
    yield from _check_history(pipeline, table, document)
    yield from _check_append_only(table, document)
    yield from _check_feed(pipeline, table, document)
    if table.suite:
        yield from suite_findings(pipeline, table.suite, set(names))


def _check_column(
    pipeline: Pipeline, table: Table, column: Column, document: Document, index: int
) -> Iterator[ConfigError]:
    at = document.where("columns", index)
    if column.references:
        parent = pipeline.tables.get(column.references.table)
        if parent is None:
            yield ConfigError(
                f"references the unknown table {column.references.table!r}",
                where=at,
                then=f"use one of {sorted(pipeline.tables)}",
            )
        elif parent.key != (column.references.column,):
            yield ConfigError(
                f"{column.references.column!r} is not the key of {parent.table}",
                where=at,
                then=f"reference {list(parent.key)}",
            )
    if column.currency and column.currency not in table.column_names:
        yield ConfigError(f"the currency column {column.currency!r} is not declared", where=at, then="declare it")
    elif column.currency and table.column(column.currency).type != "string":
        yield ConfigError(
            f"the currency column {column.currency!r} must be a string: codes are text", where=at,
            then=f"declare `{{name: {column.currency}, type: string}}`",
        )  # fmt: skip
    if column.unit != "major" and not (column.currency and column.type.startswith("decimal")):
        yield ConfigError("minor units need `currency:` and a decimal type", where=at, then="add `currency: <column>`")
    if column.name in table.key and column.nullable:
        yield ConfigError(
            f"the key column {column.name!r} must not be nullable", where=at, then="add `nullable: false`"
        )
    yield from check_column_rules(pipeline, column, at)
    if column.name.startswith("_"):
        yield ConfigError(
            "column names that start with _ belong to ledgerlake", where=at, then="rename it and use `source:`"
        )


def _check_feed(pipeline: Pipeline, table: Table, document: Document) -> Iterator[ConfigError]:
    source = pipeline.spec.sources.get(table.source)
    if source is None:
        yield ConfigError(
            f"unknown source {table.source!r}",
            where=document.where("source"),
            then=f"use one of {sorted(pipeline.spec.sources)}",
        )
        return
    feed = FEEDS.get(source.feed)
    if feed is not None:
        yield from _check_told(feed, table, document)
    if feed is None or _option_findings(source.feed, feed.source_options, source.options, document):
        return  # found once, where the source is declared
    findings = _option_findings(source.feed, feed.table_options, table.feed, document, "feed")
    yield from findings
    if not findings:
        try:
            feed.check(source, table)
        except ValueError as error:
            yield ConfigError(str(error), where=document.where("feed"), then=f"see docs/feeds/{source.feed}.md")


def _check_told(feed: Feed, table: Table, document: Document) -> Iterator[ConfigError]:
    """Yield what is declared of a table's changes that its feed cannot tell: it would do nothing."""
    snapshots = table.snapshot is not None
    if table.changes == "partial" and (snapshots or not feed.tells_partial):
        yield ConfigError(
            f"`changes: partial`: {'rows of a snapshot' if snapshots else f'changes of the feed {feed.kind}'} are whole",
            where=document.where("changes"), then="remove it",
        )  # fmt: skip
    if table.keys_can_change and (snapshots or not feed.tells_key_changes):
        told = "a snapshot tells by what it lacks" if snapshots else f"the feed {feed.kind} does not tell the old key"
        yield ConfigError(
            f"`keys_can_change`: {told}", where=document.where("keys_can_change"),
            then="remove it; let a complete snapshot or a key comparison find rows whose key is gone",
        )  # fmt: skip


def _check_sources(pipeline: Pipeline, document: Document) -> Iterator[ConfigError]:
    for name, source in pipeline.spec.sources.items():
        feed = FEEDS.get(source.feed)
        if feed is None:
            where = document.where("sources", name, "feed")
            yield ConfigError(f"unknown feed {source.feed!r}", where=where, then=f"use one of {sorted(FEEDS)}")
        else:
            at = ("sources", name, "options")
            yield from _option_findings(source.feed, feed.source_options, source.options, document, *at)


def _option_findings(
    kind: str, model: type[Options], given: dict[str, Any], document: Document, *at: str
) -> list[ConfigError]:
    try:
        model(**given)
    except ValidationError as error:
        return [
            ConfigError(
                f"feed option {'.'.join(map(str, p['loc']))!r}: {p['msg']}",
                where=document.where(*at, *p["loc"]),
                then=f"see docs/feeds/{kind}.md",
            )
            for p in error.errors()
        ]
    return []


def _check_history(pipeline: Pipeline, table: Table, document: Document) -> Iterator[ConfigError]:
    if table.history is None:
        return
    name, where = table.history.effective, document.where("history")
    if f"{table.table}_history" in pipeline.tables:
        yield ConfigError(f"the name {table.table}_history is taken", where=where, then="rename that table")
    if name is None:
        return
    if name not in table.column_names or table.column(name).nullable:
        yield ConfigError(
            f"the effective column {name!r} must be declared `nullable: false`", where=where, then="declare it"
        )
    elif table.column(name).type not in ("timestamp", "date"):
        yield ConfigError(f"the effective column {name!r} is no time", where=where, then="use a timestamp or a date")
    elif table.changes == "partial":
        yield ConfigError("effective history needs whole rows", where=where, then="keep history by position")


def _check_append_only(table: Table, document: Document) -> Iterator[ConfigError]:
    if not table.append_only:
        return
    against = {
        "changes": table.changes == "partial", "keys_can_change": table.keys_can_change,
        "snapshot": table.snapshot is not None, "history": table.history is not None,
    }  # fmt: skip
    for name in (n for n, declared in against.items() if declared):
        yield ConfigError(
            f"`append_only` and `{name}` contradict each other: a key is written once and never changes",
            where=document.where(name), then="remove one of them",
        )  # fmt: skip


def _check_cycles(pipeline: Pipeline, document: Document) -> Iterator[ConfigError]:
    known = {m.mart for m in pipeline.spec.marts}
    for index, mart in enumerate(pipeline.spec.marts):
        for number, item in enumerate(mart.inputs):
            if item.name not in (known if item.mart else pipeline.readable):
                yield ConfigError(
                    f"unknown input {item.name!r}",
                    where=document.where("marts", index, "inputs", number),
                    then="declare it",
                )
    for what, graph in (("references of tables", table_graph(pipeline)), ("inputs of marts", mart_graph(pipeline))):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle = error.args[1]
            where = (
                document.where("marts") if cycle[0] not in pipeline.tables else _reference(pipeline, cycle[1], cycle[0])
            )
            yield ConfigError(f"the {what} form a cycle: {' → '.join(cycle)}", where=where, then="break it")


def _reference(pipeline: Pipeline, child: str, parent: str) -> Where:
    """Return the place of the column of ``child`` that references ``parent``."""
    document = read_document(pipeline.folder / "tables" / f"{child}.yml")
    columns = pipeline.tables[child].columns
    index = next((n for n, k in enumerate(columns) if k.references and k.references.table == parent), 0)
    return document.where("columns", index)
