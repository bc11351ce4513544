"""Run a suite on a relation: the only module of this room that asks an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from ledgerlake.engines.door import Engines
from ledgerlake.quality.compile import Grouping, Plan, compile_suite
from ledgerlake.quality.judge import judge
from ledgerlake.quality.literals import identifier
from ledgerlake.quality.predicates import considered, failing
from ledgerlake.quality.result import CheckResult, SuiteResult
from ledgerlake.quality.suite import Suite
from ledgerlake.sql.relation import Relation

FAILING_KEYS_MAX = 20


def evaluate(engines: Engines, rows: Relation, suite: Suite) -> SuiteResult:
    """Measure and judge ``suite`` on ``rows`` in one query.

    They are scanned once, and once more, with only the key columns, per key set that has a
    uniqueness expectation. Raises ConfigError where the suite does not fit the columns.
    """
    plan = compile_suite(suite, engines.types(rows))
    return judge(plan, measure(engines, rows, plan), rows.columns)


def measure(engines: Engines, rows: Relation, plan: Plan) -> Mapping[str, object]:
    """Return the value of every alias of ``plan``; one query."""
    scan = rows.grouped((), *_items(plan.scan))
    # One-row relations: their product is one row, and their branches run side by side.
    parts = [scan, *(_grouped(rows, grouping) for grouping in plan.groupings)]
    return engines.row(reduce(lambda a, b: a.left_join(b, "true"), parts))


def failing_keys(
    engines: Engines, rows: Relation, check: CheckResult, key_columns: Sequence[str], limit: int = FAILING_KEYS_MAX
) -> list[dict[str, str | None]]:
    """Return at most ``limit`` (20 at most) keys of rows that fail ``check``, smallest first.

    Only ``key_columns`` are read out, as strings: keep personal data out of them. Empty for
    checks that hold and for those that no single row fails (sums, counts, schemas).
    """
    shape = check.expectation.kind.shape
    if check.success or shape not in ("row", "unique") or not key_columns:
        return []
    failed = _repeated(rows, check) if shape == "unique" else rows.where(failing(check.expectation))
    keys = [identifier(column) for column in key_columns]
    found = failed.select(*keys).distinct()
    turn = f"row_number() OVER (ORDER BY {', '.join(keys)}) AS _turn"
    some = found.select("*", turn).where(f"_turn <= {min(limit, FAILING_KEYS_MAX)}")
    texts = some.select("_turn", *(f"CAST({k} AS STRING) AS {k}" for k in keys))
    ordered = sorted(engines.rows(texts), key=lambda row: int(row["_turn"]))
    return [{k: row[k] for k in key_columns} for row in ordered]


def _items(measures: Mapping[str, str]) -> list[str]:
    return [f"{sql} AS {identifier(name)}" for name, sql in measures.items()]


def _grouped(rows: Relation, grouping: Grouping) -> Relation:
    return rows.grouped(grouping.keys, *_items(grouping.per_key)).grouped((), *_items(grouping.overall))


def _repeated(rows: Relation, check: CheckResult) -> Relation:
    keys = ", ".join(identifier(column) for column in check.columns)
    counted = rows.where(considered(check.expectation)).select("*", f"count(1) OVER (PARTITION BY {keys}) AS _rows_of_key")
    return counted.where("_rows_of_key > 1")
