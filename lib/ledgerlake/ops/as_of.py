"""Questions as of a moment: a mart as it was *known at* one time and *effective at* another.

There is no second way to compute a mart: the same SQL, of the mart and of those it is built
from, runs over inputs that are cut to the rows known, and effective, by then. Nothing is written.
Inputs are read at the versions of the publication that readers are served, so an answer holds
nothing that no gate has passed. Which columns tell is declared with each input (``known``,
``effective``); ``known`` only of tables whose rows are never replaced, where the past is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter

from sqlglot import exp

from ledgerlake.config.mart_sql import mart_graph
from ledgerlake.config.models import Input, Mart, Pipeline
from ledgerlake.config.sql_rules import expression
from ledgerlake.errors import NOWHERE, ConfigError, NotFoundError, Where
from ledgerlake.lake.readers import served
from ledgerlake.lake.reading import silver_rows
from ledgerlake.lake.workspace import Workspace
from ledgerlake.sql.relation import Relation, literal


@dataclass(frozen=True)
class Moments:
    """By when rows were known and effective, UTC and both included; None: whenever."""

    known_at: datetime | None = None
    effective_at: datetime | None = None


def as_of(workspace: Workspace, mart: str, moments: Moments) -> Relation:
    """Return the mart's rows as of the moments.

    Raises NotFoundError for an unknown mart and before the first publication, ConfigError where
    an input does not say since when its rows are known, or no input since when they hold.
    """
    pipeline = workspace.pipeline
    if mart not in {m.mart for m in pipeline.spec.marts}:
        raise NotFoundError(f"no mart {mart!r}", then=f"use one of {sorted(m.mart for m in pipeline.spec.marts)}")
    needed = built_from(pipeline, mart)
    check_moments(needed, moments)
    record = served(workspace)
    if record is None:
        raise NotFoundError(
            "nothing is published yet", where=Where(table=mart), then=f"run `ledgerlake run {pipeline.name}`"
        )
    made: dict[str, Relation] = {}
    for item in needed:
        inputs = []
        for source in item.inputs:
            rows = made[source.name] if source.mart else _cut(workspace, item, source, record.inputs, moments)
            inputs.append(rows.named(source.name))
        table = workspace.engines.table(workspace.engines.declared(pipeline.sql[item.mart], inputs))
        made[item.mart] = Relation.of(f"_made_{item.mart}", table, table.column_names)
    return made[mart]


def built_from(pipeline: Pipeline, mart: str) -> list[Mart]:
    """Return the mart and all marts below it, those that others read first."""
    graph = mart_graph(pipeline)
    found, open_ = set[str](), [mart]
    while open_:
        name = open_.pop()
        found.add(name)
        open_ += graph[name] - found
    return [pipeline.mart(n) for n in TopologicalSorter(graph).static_order() if n in found]


def check_moments(marts: list[Mart], moments: Moments) -> None:
    """Raise ConfigError where the declared inputs cannot be cut at the moments."""
    inputs = [(m.mart, i) for m in marts for i in m.inputs if i.table]
    unknown = sorted({f"{mart} reads {i.table}" for mart, i in inputs if i.known is None})
    if moments.known_at is not None and unknown:
        raise ConfigError(
            f"since when rows are known is not declared: {', '.join(unknown)}",
            then="add `known: _extracted_at` to those inputs (tables with `append_only: true`)",
        )
    if moments.effective_at is not None and not any(i.effective for _, i in inputs):
        raise ConfigError(
            "since when rows are effective is not declared by any input", then="add `effective: <column>` to an input"
        )


def condition(source: Input, moments: Moments) -> str:
    """Return the SQL predicate that cuts an input."""
    cuts = ((source.known, moments.known_at), (source.effective, moments.effective_at))
    tests = [
        f"`{column}` <= TIMESTAMP {literal(at.astimezone(UTC).isoformat())}" for column, at in cuts if column and at
    ]
    return " AND ".join(tests) or "true"


def chosen(rows: Relation, mart: Mart, key: str | None, where: str | None) -> Relation:
    """Return the rows of one key (its columns' values joined by commas), or those for which the SQL condition holds.

    Raises ConfigError where the condition is none over the mart's columns.
    """
    if key is not None:
        values = key.split(",")
        if len(values) != len(mart.key):
            raise ConfigError(f"the key has {len(mart.key)} columns", then=f"give {','.join(mart.key)}")
        for column, value in zip(mart.key, values, strict=True):
            rows = rows.where(f"CAST(`{column}` AS STRING) = {literal(value)}")
    if where is None:
        return rows
    named = {column.name.lower() for column in expression(where, NOWHERE, "condition").find_all(exp.Column)}
    if not named <= {column.lower() for column in rows.columns}:
        raise ConfigError("the condition does not fit the mart", then=f"use its columns: {list(rows.columns)}")
    return rows.where(f"({where})")


def _cut(
    workspace: Workspace, mart: Mart, source: Input, versions: Mapping[str, int], moments: Moments
) -> Relation:
    if versions.get(source.name, -1) < 0:
        raise NotFoundError(
            "the table was not there when the served publication was made", where=Where(table=source.name),
            then=f"run `ledgerlake run {workspace.pipeline.name}`",
        )  # fmt: skip
    rows = silver_rows(workspace, source.name, versions[source.name], f"_in_{mart.mart}_{source.name}")
    return rows.where(condition(source, moments))
