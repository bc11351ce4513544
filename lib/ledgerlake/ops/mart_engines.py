"""Which engine builds each mart of small days, and which construct of its SQL says so."""

from __future__ import annotations

from graphlib import TopologicalSorter

from ledgerlake.config.environment import Environment
from ledgerlake.config.mart_sql import input_schema, mart_graph
from ledgerlake.config.models import Pipeline
from ledgerlake.engines.base import Unsupported
from ledgerlake.engines.embedded import engine
from ledgerlake.errors import ConfigError, Where

EMBEDDED = "embedded"


def mart_engines(pipeline: Pipeline) -> dict[str, str]:
    """Return mart → ``embedded``, or ``Spark`` with the construct and its line, of a pipeline that was found right.

    A mart of another one that Spark builds is told by that one's types, which only Spark knows.
    """
    known = {name: dict(columns) for name, columns in input_schema(pipeline).items()}
    found: dict[str, str] = {}
    for name in TopologicalSorter(mart_graph(pipeline)).static_order():
        inputs = [i.name for i in pipeline.mart(name).inputs]
        missing = [i for i in inputs if i not in known]
        if missing:
            found[name] = f"Spark, or {EMBEDDED}: it reads {missing[0]}"
            continue
        try:
            known[name] = engine.planned(pipeline.sql[name], {i: known[i] for i in inputs}).columns
            found[name] = EMBEDDED
        except Unsupported as problem:
            line = f" (line {problem.line})" if problem.line else ""
            found[name] = f"Spark: {problem.construct}{line}"
    return {mart.mart: found[mart.mart] for mart in pipeline.spec.marts}


def check_engine(environment: Environment, pipeline: Pipeline) -> list[ConfigError]:
    """Return the marts that the environment's engine cannot build."""
    if environment.engine != EMBEDDED:
        return []
    return [
        ConfigError(
            f"the mart {name} is Spark's ({says.removeprefix('Spark: ')}), and the environment says `engine: embedded`",
            where=Where(file=str(pipeline.mart(name).sql), table=name),
            then="declare `engine: auto`, or say it in SQL that the embedded engine knows (docs/engines.md)",
        )
        for name, says in mart_engines(pipeline).items()
        if says.startswith("Spark:")
    ]  # fmt: skip
