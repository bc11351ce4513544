"""Proves that masters fit the tables they read; every finding names file and line."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from ledgerlake.config.mart_sql import meant
from ledgerlake.config.master_tables import id_column, master_tables, versions_table
from ledgerlake.config.mastering import Master, RecordSet
from ledgerlake.config.models import Pipeline, Table
from ledgerlake.config.source_map import Document
from ledgerlake.config.sql_rules import expression
from ledgerlake.config.sql_types import UNKNOWN, family_of
from ledgerlake.core.types import decimal_parts, spark_type
from ledgerlake.errors import ConfigError, Where

ORIGIN = ("_extracted_at",)
"""What standardising SQL may read beside the contract's columns."""


def check_masters(pipeline: Pipeline, document: Document) -> Iterator[ConfigError]:
    """Yield what is wrong with the masters of a pipeline."""
    taken = set(pipeline.tables) | {f"{t}_history" for t, k in pipeline.tables.items() if k.history}
    for number, master in enumerate(pipeline.spec.masters):
        at = ("masters", number)
        for name in sorted(set(_tables_of(master)) & taken):
            yield ConfigError(
                f"the name {name} is taken", where=document.where(*at), then="rename the master or the table"
            )
        taken |= set(_tables_of(master))
        yield from _check_fields(master, document, at)
        yield from _check_survivorship(master, document, at)
        for index, records in enumerate(master.records):
            yield from _check_records(pipeline, master, records, document, (*at, "records", index))


def _tables_of(master: Master) -> list[str]:
    return [*master_tables([master]), f"{master.master}_components"]


def _check_fields(master: Master, document: Document, at: tuple[str | int, ...]) -> Iterator[ConfigError]:
    names = [f.name for f in master.fields]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ConfigError(
                f"field {name!r} is declared twice", where=document.where(*at, "fields", index), then="remove one"
            )
    if len(set(names)) == len(names):
        columns = versions_table(master).column_names
        for name in sorted({n for n in columns if columns.count(n) > 1}):
            yield ConfigError(
                f"two columns of {master.master}_versions would be called {name!r}",
                where=document.where(*at, "fields"), then=f"rename the field; {id_column(master)} and the like are taken",
            )  # fmt: skip
    sets = [r.record for r in master.records]
    for index, name in enumerate(sets):
        if name in sets[:index]:
            yield ConfigError(
                f"records {name!r} stand twice", where=document.where(*at, "records", index), then="rename one"
            )
    if not any(r.identifies for r in master.records):
        yield ConfigError(
            "no records identify anything", where=document.where(*at, "records"), then="let some: `identifies: true`"
        )


def _check_survivorship(master: Master, document: Document, at: tuple[str | int, ...]) -> Iterator[ConfigError]:
    fields, sources = {f.name: f for f in master.fields}, {r.record for r in master.records}
    for name in sorted(set(fields) - set(master.survivorship)):
        yield ConfigError(
            f"no survivorship for field {name!r}", where=document.where(*at, "survivorship"), then="add its rules"
        )
    for name, rules in master.survivorship.items():
        where = document.where(*at, "survivorship", name)
        if name not in fields:
            yield ConfigError(
                f"survivorship of the unknown field {name!r}", where=where, then=f"use one of {sorted(fields)}"
            )
            continue
        last = bool(rules) and (rules[-1].kind == "record" or rules[-1].computes)
        if not last or any(r.computes or r.kind == "record" for r in rules[:-1]):
            yield ConfigError(
                f"the rules of {name!r} must end, and only end, with one that always decides", where=where,
                then="let `record` (the smallest source and record) or an aggregate sum or count be the last",
            )  # fmt: skip
        for rule in rules:
            unknown = sorted(set(rule.order) - sources) if rule.kind == "source" else []
            if unknown:
                yield ConfigError(
                    f"{name!r} ranks unknown records {unknown}", where=where, then=f"use some of {sorted(sources)}"
                )
            kind = fields[name].type
            if rule.kind == "sum" and decimal_parts(kind) is None and kind not in ("integer", "bigint"):
                yield ConfigError(f"{name!r} is a {kind} and cannot be summed", where=where, then="sum numbers only")
            if rule.kind == "count" and kind not in ("integer", "bigint"):
                yield ConfigError(f"a count is a whole number, {name!r} is a {kind}", where=where, then="use integer")


def _check_records(
    pipeline: Pipeline, master: Master, records: RecordSet, document: Document, at: tuple[str | int, ...]
) -> Iterator[ConfigError]:
    table = pipeline.tables.get(records.table)
    if table is None:
        yield ConfigError(
            f"unknown table {records.table!r}", where=document.where(*at), then=f"use one of {sorted(pipeline.tables)}"
        )
        return
    if table.history is None:
        yield ConfigError(
            f"{table.table} keeps no history, from which masters are made", where=document.where(*at, "table"),
            then=f"add `history: {{}}` to tables/{table.table}.yml",
        )  # fmt: skip
    elif table.history.effective is None and records.at is None:
        yield ConfigError(
            f"when a version of {table.table} began is not told", where=document.where(*at),
            then="add `at:`, or `history: {effective: column}` to the table",
        )  # fmt: skip
    given = [
        ("fields", set(records.fields), {f.name for f in master.fields}),
        ("keys", set(records.keys), set(master.match)),
    ]
    given.append(("field_trust", set(records.field_trust), set(records.fields)))
    for part, names, known in given:
        for name in sorted(names - known):
            yield ConfigError(
                f"unknown name {name!r}", where=document.where(*at, part, name), then=f"use one of {sorted(known)}"
            )
    yield from _check_sql(records, table, document, at)


def _check_sql(
    records: RecordSet, table: Table, document: Document, at: tuple[str | int, ...]
) -> Iterator[ConfigError]:
    single: list[tuple[tuple[str, ...], str]] = [(("since",), records.since)]
    single += [(("at",), records.at)] if records.at else []
    many = [((part, name), sql) for part in ("fields", "keys") for name, sql in getattr(records, part).items()]
    known = {*table.column_names, *ORIGIN}
    renamed = {k.source_name.lower(): k.name for k in table.columns}
    for path, sql in [*single, *many]:
        where = document.where(*at, *path)
        try:
            tree = expression(sql, where, "expression")
        except ConfigError as error:
            yield error
            continue
        unknown = sorted({k.name for k in tree.find_all(exp.Column) if not _is_variable(k)} - known)
        if unknown:
            then = meant(unknown[0], table.column_names, renamed)
            yield ConfigError(f"the expression names unknown columns {unknown}", where=where, then=then)
        elif tree.find(exp.AggFunc, exp.Window):
            yield ConfigError("the expression is not about one row", where=where, then=f"use columns of {table.table}")
        elif path in (("since",), ("at",)):
            yield from _check_time(tree, path[0], table, where)


def _check_time(tree: exp.Expr, name: str, table: Table, where: Where) -> Iterator[ConfigError]:
    """Yield a finding where what says since when a record holds is certainly no time."""
    columns = {k.name: spark_type(k.type) for k in table.columns} | dict.fromkeys(ORIGIN, "timestamp")
    given = family_of(tree, columns)
    if given not in ("timestamp", "date", UNKNOWN):
        yield ConfigError(f"`{name}` gives a {given}, not a time", where=where, then="write CAST(… AS TIMESTAMP)")


def _is_variable(column: exp.Column) -> bool:
    """Say whether a name is a lambda's own variable."""
    scope = column.find_ancestor(exp.Lambda)
    return scope is not None and column.name in {v.name for v in scope.expressions}
