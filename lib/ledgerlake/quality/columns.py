"""Does a suite fit its table? Names and types are compared before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import date

from ledgerlake.errors import ConfigError
from ledgerlake.quality.expectation import Expectation
from ledgerlake.quality.literals import parse_bound
from ledgerlake.quality.suite import Suite

_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_TIMES = ("date", "timestamp", "timestamp_ntz")
_SUMMED = ("expect_column_sum_to_be_between", "expect_column_mean_to_be_between")
_COMPARED = (
    *_SUMMED,
    "expect_column_values_to_be_between",
    "expect_column_min_to_be_between",
    "expect_column_max_to_be_between",
)


def check_columns(suite: Suite, columns: Set[str]) -> None:
    """Raise ConfigError where ``suite`` names a column the table does not have.

    Expectations about the schema itself may name any column: they answer that at run time.
    """
    for expectation in suite.expectations:
        if expectation.kind.shape == "columns":
            continue
        named = set(expectation.columns) | _condition_columns(expectation)
        for unknown in sorted(named - columns):
            raise ConfigError(
                f"{expectation.type} names unknown column {unknown!r}",
                where=expectation.where,
                then="use one of " + ", ".join(sorted(columns)),
            )


def check_types(suite: Suite, types: Mapping[str, str]) -> None:
    """Raise ConfigError where a bound or set member cannot be compared with its column.

    ``types`` maps columns to Spark's short type names, as ``dict(df.dtypes)`` does. Spark would
    cast instead: the string '9.5' is then below the number 10, or NULL, and passes.
    """
    for expectation in suite.expectations:
        compared = _compared(expectation)
        if not compared:
            continue
        column_type = types[expectation.columns[0]]
        allowed = _comparable(compared[0], expectation.type)
        if column_type.split("(")[0] not in allowed:
            raise ConfigError(
                f"{expectation.label} cannot compare a column of type {column_type} with"
                f" the {type(compared[0]).__name__} given",
                where=expectation.where,
                then="correct the argument, or cast the column in the pipeline",
            )


def _compared(expectation: Expectation) -> list[object]:
    if expectation.type in _COMPARED:
        bounds = (parse_bound(expectation.kwargs.get(k)) for k in ("min_value", "max_value"))
        return [bound for bound in bounds if bound is not None]
    return list(expectation.sequence("value_set"))


def _comparable(value: object, expectation_type: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return ("string", *_TIMES)
    if isinstance(value, bool):
        return ("boolean",)
    if isinstance(value, date):
        return () if expectation_type in _SUMMED else _TIMES
    return _NUMBERS


def _condition_columns(expectation: Expectation) -> Set[str]:
    condition = expectation.text("row_condition")
    if not condition:
        return frozenset()
    from sqlglot import exp  # only suites with conditions pay for it

    from ledgerlake.config.sql_rules import expression

    tree = expression(condition, expectation.where, "row_condition")
    if tree.find(exp.AggFunc, exp.Window):
        raise ConfigError(
            "row_condition looks beyond its row (aggregate or window)",
            where=expectation.where,
            then="compute it in the pipeline as a column",
        )
    return {column.name for column in tree.find_all(exp.Column)}
