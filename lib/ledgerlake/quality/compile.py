"""A suite as SQL aggregates: one scan for everything, one shuffle per key set for uniqueness.

Great Expectations scans per expectation; here all row rules, sums and extremes of a suite are
columns of one aggregate, and all expectations on one key set share one grouping, whatever their
conditions. No UDF, no Spark import: the result is text, to be run by ``evaluate``, or observed
by an engine in a scan of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledgerlake.quality.columns import check_columns, check_types
from ledgerlake.quality.expectation import Expectation
from ledgerlake.quality.literals import identifier
from ledgerlake.quality.predicates import between, condition, considered, failing
from ledgerlake.quality.suite import Suite

ROWS = "rows"  # the alias of the table's row count

_INTEGERS = ("tinyint", "smallint", "int", "bigint")
_AGGREGATE = {"sum": "sum", "mean": "avg", "min": "min", "max": "max"}


@dataclass(frozen=True)
class Grouping:
    """One key set: counts per key (``per_key``), and aggregates of those counts (``overall``)."""

    keys: tuple[str, ...]
    per_key: Mapping[str, str]
    overall: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """What to measure: aliases to aggregate SQL, over the table (``scan``) and per key set.

    The aliases are ``rows``, and per expectation ``e<index>_`` with ``total``, ``considered``
    and ``unexpected`` (counts), or ``ok`` (boolean, NULL on no data) and ``observed`` (string).
    """

    suite: Suite
    scan: Mapping[str, str]
    groupings: tuple[Grouping, ...]


def compile_suite(suite: Suite, types: Mapping[str, str]) -> Plan:
    """Translate ``suite`` for a table with columns ``types`` (``dict(df.dtypes)``).

    Raises ConfigError where a column is missing or its type cannot be compared.
    """
    check_columns(suite, set(types))
    check_types(suite, types)
    scan = {ROWS: "count(1)"}
    for expectation in suite.expectations:
        if expectation.kind.shape == "row":
            scan |= _named(expectation, _row_counts(expectation))
        if expectation.kind.shape == "value":
            scan |= _named(expectation, _value(expectation, types))
    return Plan(suite, scan, _groupings(suite))


def row_rules(suite: Suite) -> list[tuple[str, str]]:
    """Return (rule name, SQL) for the suite's quarantine expectations.

    The SQL is TRUE where a row fails and FALSE otherwise, never NULL. Call ``check_columns`` and
    ``check_types`` first: without a schema this function cannot.
    """
    return [
        (suite.rule_name(expectation), f"coalesce({failing(expectation)}, false)")
        for expectation in suite.expectations
        if expectation.on_fail == "quarantine"
    ]


def alias(expectation: Expectation, measure: str) -> str:
    """Return the column name of one measure of one expectation."""
    return f"e{expectation.index}_{measure}"


def _named(expectation: Expectation, measures: Mapping[str, str]) -> dict[str, str]:
    return {alias(expectation, measure): sql for measure, sql in measures.items()}


def _row_counts(expectation: Expectation) -> dict[str, str]:
    return {
        "total": f"count_if({condition(expectation)})",
        "considered": f"count_if({considered(expectation)})",
        "unexpected": f"count_if({failing(expectation)})",
    }


def _value(expectation: Expectation, types: Mapping[str, str]) -> dict[str, str]:
    if not expectation.columns:
        count = f"count_if({condition(expectation)})"
        exact = expectation.kwargs.get("value")
        within = f"{count} = {exact}" if exact is not None else between(count, expectation)
        return {"ok": within, "observed": f"CAST({count} AS STRING)"}
    column, column_type = expectation.columns[0], types[expectation.columns[0]]
    function = _AGGREGATE[expectation.type.split("_")[2]]
    value = _exact(identifier(column), column_type, function)
    # Not FILTER (WHERE …): Dataset.observe does not take it, and an engine may observe a plan.
    aggregate = f"{function}(if({condition(expectation)}, {value}, NULL))"
    compared = _as_compared(aggregate, column_type, expectation)
    return {"ok": between(compared, expectation), "observed": f"CAST({aggregate} AS STRING)"}


def _exact(column: str, column_type: str, function: str) -> str:
    # A sum of bigint wraps around silently, and a mean of integers is a double.
    if function in ("min", "max") or column_type not in _INTEGERS:
        return column
    return f"CAST({column} AS DECIMAL(28,{0 if function == 'sum' else 6}))"


def _as_compared(aggregate: str, column_type: str, expectation: Expectation) -> str:
    # As in Great Expectations, a bound that is a date is compared with the date of a moment.
    bounds = [expectation.text("min_value"), expectation.text("max_value")]
    dated = all(len(bound) in (0, len("2024-12-31")) for bound in bounds)
    return f"CAST({aggregate} AS DATE)" if dated and "timestamp" in column_type else aggregate


def _groupings(suite: Suite) -> tuple[Grouping, ...]:
    by_keys: dict[tuple[str, ...], list[Expectation]] = {}
    for expectation in suite.expectations:
        if expectation.kind.shape in ("unique", "distinct"):
            by_keys.setdefault(tuple(sorted(expectation.columns)), []).append(expectation)
    return tuple(_grouping(keys, members) for keys, members in by_keys.items())


def _grouping(keys: tuple[str, ...], members: list[Expectation]) -> Grouping:
    per_key: dict[str, str] = {}
    overall: dict[str, str] = {}
    for member in members:
        per_key[alias(member, "t")] = f"count_if({condition(member)})"
        per_key[alias(member, "n")] = f"count_if({considered(member)})"
        counts = _unique if member.kind.shape == "unique" else _distinct
        overall |= _named(member, counts(member, alias(member, "t"), alias(member, "n")))
    return Grouping(keys, per_key, overall)


def _unique(_: Expectation, total: str, considered_rows: str) -> dict[str, str]:
    return {
        "total": f"coalesce(sum({total}), 0)",
        "considered": f"coalesce(sum({considered_rows}), 0)",
        # Every row of a repeated key fails, the first one too.
        "unexpected": f"coalesce(sum(if({considered_rows} > 1, {considered_rows}, 0)), 0)",
    }


def _distinct(expectation: Expectation, _: str, considered_rows: str) -> dict[str, str]:
    count = f"count_if({considered_rows} > 0)"
    if "proportion" in expectation.type:
        # 18 digits after the point; Great Expectations calls the share of no rows 0.
        rows = f"CAST(nullif(sum({considered_rows}), 0) AS DECIMAL(18,0))"
        count = f"coalesce(CAST({count} AS DECIMAL(18,0)) / {rows}, 0)"
    return {"ok": between(count, expectation), "observed": f"CAST({count} AS STRING)"}
