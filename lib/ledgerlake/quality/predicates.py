"""Row-level meaning of expectations as Spark SQL: which rows count, and which of them fail.

The rules for NULL are those of Great Expectations 1.24 on Spark: a single-column expectation
ignores rows where the column is NULL, a pair is ignored as ``ignore_row_if`` says, and a
comparison that yields NULL does not fail. ``tests/quality/test_agrees_with_ge.py`` holds us to it.
"""

from __future__ import annotations

from collections.abc import Callable

from ledgerlake.quality.expectation import Expectation
from ledgerlake.quality.literals import identifier, literal, parse_bound, text

Predicate = Callable[[Expectation], str]

_IGNORED = {
    "both_values_are_missing": " AND ",
    "all_values_are_missing": " AND ",
    "either_value_is_missing": " OR ",
    "any_value_is_missing": " OR ",
}
_COUNTS_NULLS = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null")


def condition(expectation: Expectation) -> str:
    """Return the rows the expectation speaks of: its ``row_condition``, or all."""
    given = expectation.text("row_condition")
    return f"({given})" if given else "true"


def considered(expectation: Expectation) -> str:
    """Return the rows that can fail: under the condition, and not ignored for their NULLs."""
    names = [identifier(column) for column in expectation.columns]
    if expectation.type in _COUNTS_NULLS:
        return condition(expectation)
    if len(names) == 1 and "column" in expectation.kwargs:
        return f"({condition(expectation)} AND {names[0]} IS NOT NULL)"
    default = "both" if "column_A" in expectation.kwargs else "all"
    ignored = _IGNORED.get(expectation.text("ignore_row_if", f"{default}_values_are_missing"))
    if ignored is None:  # "neither" and "never"
        return condition(expectation)
    missing = ignored.join(f"{name} IS NULL" for name in names)
    return f"({condition(expectation)} AND NOT ({missing}))"


def failing(expectation: Expectation) -> str:
    """Return SQL that is TRUE where a row fails; FALSE or NULL where it does not."""
    return f"({considered(expectation)} AND {_FAILS[expectation.type](expectation)})"


def between(value: str, expectation: Expectation) -> str:
    """Return SQL that is TRUE where ``value``, an SQL text, is within the bounds given."""
    tests = []
    for kwarg, strict, sign in (("min_value", "strict_min", ">"), ("max_value", "strict_max", "<")):
        bound = parse_bound(expectation.kwargs.get(kwarg))
        if bound is not None:
            operator = sign if expectation.flag(strict) else f"{sign}="
            tests.append(f"{value} {operator} {literal(bound)}")
    return f"({' AND '.join(tests)})"


def _column(expectation: Expectation, kwarg: str = "column") -> str:
    return identifier(expectation.text(kwarg))


def _in_set(expectation: Expectation) -> str:
    members = ", ".join(literal(value) for value in expectation.sequence("value_set"))
    return f"{_column(expectation)} IN ({members})"


def _matches(expectation: Expectation) -> str:
    return f"{_column(expectation)} RLIKE {text(expectation.text('regex'))}"


def _length(expectation: Expectation) -> str:
    return f"length({_column(expectation)})"


def _length_differs(expectation: Expectation) -> str:
    return f"{_length(expectation)} <> {literal(expectation.kwargs['value'])}"


def _not_greater(expectation: Expectation) -> str:
    operator = ">=" if expectation.flag("or_equal") else ">"
    a, b = _column(expectation, "column_A"), _column(expectation, "column_B")
    return f"NOT ({a} {operator} {b})"


def _differs(expectation: Expectation) -> str:
    return f"NOT ({_column(expectation, 'column_A')} <=> {_column(expectation, 'column_B')})"


_FAILS: dict[str, Predicate] = {
    "expect_column_values_to_not_be_null": lambda e: f"{_column(e)} IS NULL",
    "expect_column_values_to_be_null": lambda e: f"{_column(e)} IS NOT NULL",
    "expect_column_values_to_be_between": lambda e: f"NOT {between(_column(e), e)}",
    "expect_column_values_to_be_in_set": lambda e: f"NOT ({_in_set(e)})",
    "expect_column_values_to_not_be_in_set": _in_set,
    "expect_column_values_to_match_regex": lambda e: f"NOT ({_matches(e)})",
    "expect_column_values_to_not_match_regex": _matches,
    "expect_column_value_lengths_to_be_between": lambda e: f"NOT {between(_length(e), e)}",
    "expect_column_value_lengths_to_equal": _length_differs,
    "expect_column_pair_values_a_to_be_greater_than_b": _not_greater,
    "expect_column_pair_values_to_be_equal": _differs,
}
