"""The same suite file and table, judged by Great Expectations on Spark and by us."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from great_expectations.core import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from hypothesis import HealthCheck, Phase, example, given, settings
from ledgerlake.quality.registry import REGISTRY
from ledgerlake.quality.result import CheckResult, SuiteResult
from ledgerlake.quality.suite import load_suite
from pyspark.sql import SparkSession

from tests.quality.drawn import a_table, some_expectations
from tests.quality.judge_ge import WholeTable, validate, whole_dataframe
from tests.quality.tables import TYPES, evaluate, expect, invoices, write_suite

# Great Expectations takes seconds per table; raise this where there is time.
EXAMPLES = int(os.environ.get("LEDGERLAKE_GE_EXAMPLES", "3"))

NULL_CODE = {"row_condition": "code IS NOT NULL", "condition_parser": "spark"}
OPEN = {"row_condition": "open AND amount > 1", "condition_parser": "spark"}
NOTHING = {"row_condition": "id > 1000000", "condition_parser": "spark"}

NOT_NULL = "expect_column_values_to_not_be_null"
NULL = "expect_column_values_to_be_null"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
NOT_IN_SET = "expect_column_values_to_not_be_in_set"
REGEX = "expect_column_values_to_match_regex"
NOT_REGEX = "expect_column_values_to_not_match_regex"
LENGTHS = "expect_column_value_lengths_to_be_between"
LENGTH = "expect_column_value_lengths_to_equal"
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
EQUAL = "expect_column_pair_values_to_be_equal"
UNIQUE = "expect_column_values_to_be_unique"
COMPOUND = "expect_compound_columns_to_be_unique"
ROWS = "expect_table_row_count_to_be_between"
ROWS_EQUAL = "expect_table_row_count_to_equal"
SUM = "expect_column_sum_to_be_between"
MEAN = "expect_column_mean_to_be_between"
MIN = "expect_column_min_to_be_between"
MAX = "expect_column_max_to_be_between"
DISTINCT = "expect_column_unique_value_count_to_be_between"
PROPORTION = "expect_column_proportion_of_unique_values_to_be_between"
EXISTS = "expect_column_to_exist"
COLUMNS = "expect_table_columns_to_match_set"

PAIR = {"column_A": "amount", "column_B": "paid"}
KEY = {"column_list": ["code", "booked"]}

EVERY_KIND = [
    expect(NOT_NULL, column="code"),
    expect(NOT_NULL, column="amount", mostly=0.6, **OPEN),
    expect(NOT_NULL, column="amount", **NOTHING),
    expect(NULL, column="code"),
    expect(NULL, column="rate", mostly=0.5, **NULL_CODE),
    expect(BETWEEN, column="amount", min_value=0.1, max_value=10),
    expect(BETWEEN, column="amount", min_value=0, max_value=20.5, strict_min=True, mostly=0.7),
    expect(BETWEEN, column="id", max_value=3, strict_max=True),
    expect(BETWEEN, column="rate", min_value=0.1, **OPEN),
    expect(BETWEEN, column="booked", min_value="2024-01-31", max_value="2024-03-01"),
    expect(BETWEEN, column="changed", min_value="2024-01-31T12:00:00"),
    expect(BETWEEN, column="changed", max_value="2024-01-31", mostly=0.25),
    expect(IN_SET, column="code", value_set=["A-1", "it's", "B\\2"]),
    expect(IN_SET, column="amount", value_set=[0.1, 10, 20.5], mostly=0.5),
    expect(IN_SET, column="open", value_set=[True], **NULL_CODE),
    expect(NOT_IN_SET, column="code", value_set=["A-1"]),
    expect(NOT_IN_SET, column="id", value_set=[1, 2], **OPEN),
    expect(REGEX, column="code", regex="^[A-Z]-\\d+$"),
    expect(REGEX, column="code", regex="\\\\|'", mostly=0.3, **OPEN),
    expect(NOT_REGEX, column="code", regex="^[A-Z]-\\d+$"),
    expect(LENGTHS, column="code", min_value=3, max_value=4, strict_max=True),
    expect(LENGTHS, column="code", min_value=3, strict_min=True, mostly=0.2),
    expect(LENGTH, column="code", value=3),
    expect(GREATER, **PAIR),
    expect(GREATER, **PAIR, or_equal=True, mostly=0.5),
    expect(GREATER, **PAIR, or_equal=True, ignore_row_if="neither"),
    expect(GREATER, **PAIR, ignore_row_if="either_value_is_missing", **OPEN),
    expect(EQUAL, **PAIR),
    expect(EQUAL, **PAIR, ignore_row_if="either_value_is_missing", mostly=0.4),
    expect(EQUAL, **PAIR, ignore_row_if="neither", **NULL_CODE),
    expect(UNIQUE, column="code"),
    expect(UNIQUE, column="code", mostly=0.5, **OPEN),
    expect(UNIQUE, column="amount", **NOTHING),
    expect(COMPOUND, **KEY),
    expect(COMPOUND, **KEY, ignore_row_if="any_value_is_missing"),
    expect(COMPOUND, **KEY, ignore_row_if="never", mostly=0.5, **OPEN),
    expect(ROWS, min_value=1, max_value=6),
    expect(ROWS, max_value=2, **OPEN),
    expect(ROWS_EQUAL, value=6),
    expect(ROWS_EQUAL, value=2, **NULL_CODE),
    expect(SUM, column="amount", min_value=0.1, max_value=40.6),
    expect(SUM, column="id", min_value=10, strict_min=True, **OPEN),
    expect(SUM, column="rate", max_value=0.3),
    expect(MEAN, column="amount", min_value=10.15),
    expect(MEAN, column="id", max_value=2.5),
    expect(MEAN, column="rate", max_value=0.15, **NULL_CODE),
    expect(MIN, column="amount", min_value=0.1),
    expect(MIN, column="booked", min_value="2024-01-31"),
    expect(MIN, column="changed", min_value="2024-01-31", strict_min=True),
    expect(MAX, column="amount", max_value=20.5, strict_max=True),
    expect(MAX, column="rate", max_value=0.2, **OPEN),
    expect(MAX, column="changed", max_value="2024-03-01"),
    expect(MAX, column="changed", max_value="2024-03-01T00:00:00"),
    expect(DISTINCT, column="code", min_value=2, max_value=3),
    expect(DISTINCT, column="code", min_value=2, strict_min=True, **OPEN),
    expect(PROPORTION, column="code", min_value=0.5),
    expect(PROPORTION, column="id", min_value=0.9, strict_max=True, **OPEN),
    expect(PROPORTION, column="amount", max_value=0, **NOTHING),
    expect(EXISTS, column="code"),
    expect(EXISTS, column="code", column_index=0),
    expect(EXISTS, column="code", column_index=2),
    expect(EXISTS, column="code", column_index=1),
    expect(EXISTS, column="nowhere", column_index=99),
    expect(COLUMNS, column_set=list(TYPES)),
    expect(COLUMNS, column_set=["id", "code"]),
    expect(COLUMNS, column_set=["id", "code"], exact_match=False),
    expect(COLUMNS, column_set=["id", "nowhere"], exact_match=False),
]


def _row(cells: Sequence[object]) -> dict[str, object]:
    return dict(zip(TYPES, cells, strict=True))


MIXED = [
    _row((1, "A-1", "0.10", "0.10", 0.1, "2024-01-31", "2024-01-31 12:00:00", True)),
    _row((2, "A-1", "10.00", "9.99", 0.2, "2024-01-31", "2024-01-31 00:00:00", True)),
    _row((3, "it's", "20.50", "20.51", 0.1, "2024-03-01", "2024-03-01 09:30:00", False)),
    _row((4, "B\\2", None, "1.00", None, None, None, True)),
    _row((5, None, "10.00", None, 0.3, "2024-02-29", "2024-02-29 23:59:59.5", None)),
    _row((None, None, None, None, None, None, None, None)),
]


@pytest.fixture(scope="module")
def definition(spark: SparkSession) -> WholeTable:
    return whole_dataframe()


def _numbered(entries: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    # Great Expectations returns results in an order of its own; ``why`` tells them apart.
    return [{**entry, "meta": {"ledgerlake": {"why": str(i)}}} for i, entry in enumerate(entries)]


def _differences(ours: SuiteResult, theirs: ExpectationSuiteValidationResult) -> list[str]:
    by_number = {
        result.expectation_config.meta["ledgerlake"]["why"]: result
        for result in theirs.results
        if result.expectation_config is not None
    }
    assert len(by_number) == len(ours.checks)
    pairs = [(check, by_number[check.why]) for check in ours.checks]
    return [f"{check} {result}" for check, result in pairs if not _same(check, result)]


def _same(ours: CheckResult, theirs: ExpectationValidationResult) -> bool:
    if (theirs.exception_info or {}).get("raised_exception", True):
        return False  # an error of theirs is no verdict
    if ours.success != theirs.success:
        return False
    if ours.unexpected_count is None:
        return "unexpected_count" not in theirs.result
    # On an empty table their sum of failures is None.
    return (
        ours.unexpected_count == (theirs.result["unexpected_count"] or 0)
        and ours.element_count == theirs.result["element_count"]
        and ours.missing_count == (theirs.result.get("missing_count") or 0)
    )


def test_the_suite_of_these_tests_has_every_supported_type() -> None:
    assert {entry["type"] for entry in EVERY_KIND} == set(REGISTRY)


@pytest.mark.parametrize("rows", [MIXED, []], ids=["mixed", "empty"])
def test_success_and_counts_are_those_of_great_expectations(
    spark: SparkSession, definition: WholeTable, tmp_path: Path, rows: list[dict[str, object]]
) -> None:
    path = write_suite(tmp_path, *_numbered(EVERY_KIND))
    df = invoices(spark, rows)
    ours = evaluate(df, load_suite(path))
    assert not _differences(ours, validate(definition, df, path))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(rows=MIXED[-1:], entries=EVERY_KIND[:45:3])  # nothing but NULLs
@given(rows=a_table, entries=some_expectations)
def test_any_suite_on_any_table_agrees_with_great_expectations(
    spark: SparkSession,
    definition: WholeTable,
    tmp_path: Path,
    rows: list[dict[str, object]],
    entries: list[dict[str, object]],
) -> None:
    path = write_suite(tmp_path, *_numbered(entries))
    df = invoices(spark, rows)
    ours = evaluate(df, load_suite(path))
    assert not _differences(ours, validate(definition, df, path))
