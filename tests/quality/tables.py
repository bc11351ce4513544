"""Small literal tables and suites for the tests of the quality room."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ledgerlake import arrow
from ledgerlake.config.environment import Environment
from ledgerlake.engines.door import Engines
from ledgerlake.quality import evaluate as on_an_engine
from ledgerlake.quality.result import CheckResult, SuiteResult
from ledgerlake.quality.suite import Suite, load_suite
from ledgerlake.sql.relation import Relation
from pyspark.sql import DataFrame, SparkSession

Entry = dict[str, object]

# Invoices: every type that suites compare, all of them nullable.
TYPES = {
    "id": "bigint",
    "code": "string",
    "amount": "decimal(12,2)",
    "paid": "decimal(12,2)",
    "rate": "double",
    "booked": "date",
    "changed": "timestamp",
    "open": "boolean",
}


def expect(name: str, on_fail: str = "block", /, why: object = "", **kwargs: object) -> Entry:
    """Return one entry of a suite file."""
    return {
        "type": name,
        "kwargs": kwargs,
        "meta": {"ledgerlake": {"on_fail": on_fail, **({"why": why} if why else {})}},
    }


def write_suite(folder: Path, *entries: Entry, name: str = "invoices") -> Path:
    """Write a suite file and return its path."""
    path = folder / "invoices.json"
    path.write_text(json.dumps({"name": name, "expectations": entries, "meta": {}}, indent=2))
    return path


def suite_of(folder: Path, *entries: Entry) -> Suite:
    """Write and load a suite."""
    return load_suite(write_suite(folder, *entries))


def invoices(spark: SparkSession, rows: Sequence[Mapping[str, object]]) -> DataFrame:
    """Return a table of ``TYPES`` with ``rows``; columns a row does not give are NULL.

    Built from SQL text: no Python worker, no pandas, and a tenth of the time.
    """
    empty = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in TYPES.items())
    if not rows:
        return spark.sql(f"SELECT {empty}").where("false")
    lines = ", ".join(f"({', '.join(_cell(row.get(name)) for name in TYPES)})" for row in rows)
    casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in TYPES.items())
    return spark.sql(f"SELECT {casts} FROM VALUES {lines} AS t({', '.join(TYPES)})")


def _cell(value: object) -> str:
    if value is None:
        return "CAST(NULL AS STRING)"
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _both(df: DataFrame) -> list[tuple[Engines, Relation]]:
    """Return the table for each engine: as Spark's frame, and as rows in this process."""
    environments = {e: Environment(environment="test", lake="", sources="", engine=e) for e in ("spark", "auto")}
    held = arrow.out_of_spark(df)
    rows = {"spark": Relation.of("rows", df, df.columns), "auto": Relation.of("rows", held, held.column_names)}
    return [(Engines(environments[e], lambda: df.sparkSession), rows[e]) for e in rows]


def evaluate(df: DataFrame, suite: Suite) -> SuiteResult:
    """Return what a suite says of a table; both engines must say the same."""
    by_spark, here = (on_an_engine.evaluate(engines, rows, suite) for engines, rows in _both(df))
    assert here == by_spark
    return here


def failing_keys(df: DataFrame, check: CheckResult, keys: Sequence[str], limit: int = 20) -> list[dict[str, str | None]]:
    """Return the keys of rows that fail; both engines must say the same."""
    by_spark, here = (on_an_engine.failing_keys(engines, rows, check, keys, limit) for engines, rows in _both(df))
    assert here == by_spark
    return here
