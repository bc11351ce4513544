"""Run a suite on a Spark table: the only module of this room with Spark actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from ledgerlake.quality.compile import Grouping, Plan, compile_suite
from ledgerlake.quality.judge import judge
from ledgerlake.quality.literals import identifier
from ledgerlake.quality.predicates import considered, failing
from ledgerlake.quality.result import CheckResult, SuiteResult
from ledgerlake.quality.suite import Suite

FAILING_KEYS_MAX = 20


def evaluate(df: DataFrame, suite: Suite) -> SuiteResult:
    """Measure and judge ``suite`` on ``df`` in one Spark action.

    ``df`` is scanned once, and once more, with only the key columns, per key set that has a
    uniqueness expectation. Raises ConfigError where the suite does not fit the columns.
    """
    plan = compile_suite(suite, dict(df.dtypes))
    return judge(plan, measure(df, plan), df.columns)


def measure(df: DataFrame, plan: Plan) -> Mapping[str, object]:
    """Return the value of every alias of ``plan``; one Spark action."""
    scan = df.agg(*_columns(plan.scan))
    # One-row frames: their product is one row, and their branches run side by side.
    frames = [scan, *(_grouped(df, grouping) for grouping in plan.groupings)]
    row = reduce(DataFrame.crossJoin, frames).first()
    return row.asDict() if row is not None else {}


def failing_keys(
    df: DataFrame, check: CheckResult, key_columns: Sequence[str], limit: int = FAILING_KEYS_MAX
) -> list[dict[str, str | None]]:
    """Return at most ``limit`` (20 at most) keys of rows that fail ``check``, smallest first.

    Only ``key_columns`` are read out, as strings: keep personal data out of them. Empty for
    checks that hold and for those that no single row fails (sums, counts, schemas).
    """
    shape = check.expectation.kind.shape
    if check.success or shape not in ("row", "unique"):
        return []
    failed = _repeated(df, check) if shape == "unique" else df.where(failing(check.expectation))
    keys = [F.col(identifier(column)).cast("string").alias(column) for column in key_columns]
    order = [F.col(identifier(column)) for column in key_columns]
    rows = failed.select(*order).distinct().orderBy(*order).select(*keys)
    return [row.asDict() for row in rows.limit(min(limit, FAILING_KEYS_MAX)).collect()]


def _columns(measures: Mapping[str, str]) -> list[Column]:
    return [F.expr(sql).alias(name) for name, sql in measures.items()]


def _grouped(df: DataFrame, grouping: Grouping) -> DataFrame:
    keys = [F.col(identifier(key)) for key in grouping.keys]
    return df.groupBy(*keys).agg(*_columns(grouping.per_key)).agg(*_columns(grouping.overall))


def _repeated(df: DataFrame, check: CheckResult) -> DataFrame:
    keys = [F.col(identifier(column)) for column in check.columns]
    counted = df.where(considered(check.expectation)).withColumn(
        "__rows_of_key", F.count(F.lit(1)).over(Window.partitionBy(*keys))
    )
    return counted.where("__rows_of_key > 1")
