"""Every mart of the five pipelines is built by both engines from the same pinned inputs: the same rows, of the same types."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from end_to_end.played import Played
from ledgerlake.config.environment import Environment
from ledgerlake.config.load import load_environment, load_pipeline
from ledgerlake.demo.demos import NAMES
from ledgerlake.engines.door import Engines
from ledgerlake.lake import reading
from ledgerlake.lake.readers import served
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.mart_engines import EMBEDDED, mart_engines
from ledgerlake.ports.clock import SystemClock
from ledgerlake.ports.secrets import ReferencedSecrets
from ledgerlake.sql.relation import Relation
from pyspark.sql import SparkSession

SPARKS = {"int_daily_metrics": "quantile()", "rpt_daily_quality": "int_daily_metrics"}
"""The marts that Spark builds, whatever their size, and the construct, or the mart below, that says so."""


def opened(folder: Path, pipeline: str) -> Workspace:
    environment = load_environment(folder / "conf", "local")
    inside = {"lake": str(folder / ".local/lake"), "sources": str(folder / ".local/sources")}
    declared = load_pipeline(folder / "conf", folder / "dq_suites", pipeline)
    return Workspace(declared, environment.model_copy(update=inside), ReferencedSecrets({}), SystemClock())


def inputs_of(workspace: Workspace, mart: str) -> list[Relation]:
    """Return the inputs of a mart as the served publication read them, each under its name."""
    record = served(workspace)
    assert record is not None
    found = []
    for item in workspace.pipeline.mart(mart).inputs:
        name = f"_in_{item.name}"
        if item.mart:
            rows = reading.relation(workspace, name, workspace.paths.mart(item.mart), record.marts[item.mart])
        else:
            rows = reading.silver_rows(workspace, item.name, record.inputs[item.name], name)
        found.append(rows.named(item.name))
    return found


def in_order(rows: pa.Table) -> list[str]:
    return sorted(repr(row) for row in rows.to_pylist())


@pytest.mark.parametrize("pipeline", NAMES)
def test_every_mart_is_the_same_built_by_either_engine(demos: Played, spark: SparkSession, pipeline: str) -> None:
    workspace = opened(demos.project.folder, pipeline)
    alone = Environment(environment="test", lake="", sources="", engine="embedded")
    by_spark = Environment(environment="test", lake="", sources="", engine="spark")
    engines = [Engines(alone, lambda: spark), Engines(by_spark, lambda: spark)]
    said = mart_engines(workspace.pipeline)
    assert {m for m, engine in said.items() if engine != EMBEDDED} == SPARKS.keys() & said.keys()

    for mart, engine in said.items():
        if mart in SPARKS:
            assert SPARKS[mart] in engine
            continue
        inputs = inputs_of(workspace, mart)
        here, there = (e.table(e.declared(workspace.pipeline.sql[mart], inputs)) for e in engines)
        assert (here.schema.names, here.schema.types) == (there.schema.names, there.schema.types), mart
        assert in_order(here) == in_order(there), mart
