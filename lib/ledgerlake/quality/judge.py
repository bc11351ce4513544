"""From measured numbers to check results: the arithmetic of success, without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from ledgerlake.quality.compile import ROWS, Plan, alias
from ledgerlake.quality.expectation import Expectation
from ledgerlake.quality.result import CheckResult, SuiteResult


def judge(plan: Plan, measured: Mapping[str, object], columns: Sequence[str]) -> SuiteResult:
    """Return the outcome of ``plan`` from its aliases' values and the table's columns in order.

    Raises KeyError where an alias was not measured: a missing number is never a pass.
    """
    checks = tuple(_check(e, measured, columns) for e in plan.suite.expectations)
    return SuiteResult(plan.suite, checks, _count(measured[ROWS]))


def _check(expectation: Expectation, measured: Mapping[str, object], columns: Sequence[str]) -> CheckResult:
    shape = expectation.kind.shape
    if shape == "columns":
        observed = ", ".join(columns)
        return CheckResult(expectation, _schema_holds(expectation, columns), observed=observed)
    if shape in ("row", "unique"):
        return _counted(expectation, measured)
    ok, observed_value = (measured[alias(expectation, m)] for m in ("ok", "observed"))
    shown = None if observed_value is None else str(observed_value)
    # NULL (no rows, or a sum too large for a decimal) is a failure, as in Great Expectations.
    return CheckResult(expectation, ok is True, observed=shown)


def _counted(expectation: Expectation, measured: Mapping[str, object]) -> CheckResult:
    total, considered, unexpected = (
        _count(measured[alias(expectation, m)]) for m in ("total", "considered", "unexpected")
    )
    # No row to speak of: vacuously true, as in Great Expectations.
    success = considered == 0 or (Fraction(considered - unexpected, considered) >= Fraction(expectation.mostly))
    return CheckResult(expectation, success, total, total - considered, unexpected)


def _count(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a count is an int, not {type(value).__name__}")
    return value


def _schema_holds(expectation: Expectation, columns: Sequence[str]) -> bool:
    if expectation.type == "expect_column_to_exist":
        position = expectation.kwargs.get("column_index")
        # Great Expectations does not look at the position where it is 0; nor may we differ.
        if isinstance(position, int) and position > 0:
            columns = columns[position : position + 1]
        return expectation.text("column") in columns
    expected = set(expectation.sequence("column_set"))
    if expectation.flag("exact_match", default=True):
        return expected == set(columns)
    return expected <= set(columns)
