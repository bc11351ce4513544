"""What Great Expectations does not do: exact money, one action, row rules, keys of failures."""

from __future__ import annotations

import json
from pathlib import Path

from great_expectations.core import ExpectationSuiteValidationResultSchema
from ledgerlake.quality.compile import compile_suite, row_rules
from ledgerlake.quality.judge import judge
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as F

from tests.quality.tables import TYPES, evaluate, expect, failing_keys, invoices, suite_of

BETWEEN = "expect_column_values_to_be_between"
SUM = "expect_column_sum_to_be_between"
NOT_NULL = "expect_column_values_to_not_be_null"
UNIQUE = "expect_column_values_to_be_unique"

ROWS: list[dict[str, object]] = [
    {"id": 1, "code": "a", "amount": "0.10"},
    {"id": 2, "code": "a", "amount": "-1.00"},
    {"id": 3, "code": "b", "amount": None},
    {"id": 4, "code": None, "amount": "99.99"},
]


def test_sums_are_exact_where_doubles_and_longs_are_not(spark: SparkSession, tmp_path: Path) -> None:
    largest = 9_223_372_036_854_775_807
    rows: list[dict[str, object]] = [{"id": largest, "amount": "9999999999.99"}] * 10
    suite = suite_of(
        tmp_path,
        expect(SUM, column="id", min_value=largest * 10, max_value=largest * 10),
        expect(SUM, column="amount", min_value=99999999999, max_value=99999999999),
    )
    first, second = evaluate(invoices(spark, rows), suite).checks
    assert (first.success, first.observed) == (True, "92233720368547758070")
    assert (second.success, second.observed) == (False, "99999999999.90")


def test_a_decimal_bound_is_compared_to_the_cent(spark: SparkSession, tmp_path: Path) -> None:
    entry = expect(BETWEEN, column="amount", max_value=0.1)
    check = evaluate(invoices(spark, ROWS), suite_of(tmp_path, entry)).checks[0]
    assert (check.unexpected_count, check.unexpected_percent) == (1, "33.3333")
    assert (check.element_count, check.missing_count, check.expected) == (4, 1, "max_value=0.1")


def test_all_expectations_on_a_key_set_share_one_grouping(tmp_path: Path) -> None:
    condition = {"row_condition": "open", "condition_parser": "spark"}
    suite = suite_of(
        tmp_path,
        expect(UNIQUE, column="code"),
        expect(UNIQUE, column="code", **condition),
        expect("expect_column_unique_value_count_to_be_between", column="code", min_value=1),
        expect("expect_compound_columns_to_be_unique", column_list=["id", "code"]),
        expect("expect_compound_columns_to_be_unique", column_list=["code", "id"], mostly=0.5),
    )
    groupings = compile_suite(suite, TYPES).groupings
    assert [grouping.keys for grouping in groupings] == [("code",), ("code", "id")]


def test_a_suite_without_keys_can_be_observed_in_a_scan_that_writes_anyway(spark: SparkSession, tmp_path: Path) -> None:
    df = invoices(spark, ROWS)
    condition = {"row_condition": "code = 'a'", "condition_parser": "spark"}
    suite = suite_of(
        tmp_path,
        expect(NOT_NULL, column="id", **condition),
        expect(SUM, column="amount", max_value=0, **condition),
        expect("expect_column_max_to_be_between", column="booked", max_value="2024-12-31"),
    )
    plan = compile_suite(suite, TYPES)
    assert plan.groupings == ()
    observation = Observation()
    columns = [F.expr(sql).alias(alias) for alias, sql in plan.scan.items()]
    df.observe(observation, *columns).write.format("noop").mode("overwrite").save()
    assert judge(plan, observation.get, df.columns) == evaluate(df, suite)


def test_a_row_rule_is_true_exactly_where_the_row_fails(spark: SparkSession, tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        expect(BETWEEN, "quarantine", column="amount", min_value=0),
        expect(NOT_NULL, "quarantine", column="code"),
        expect(BETWEEN, "quarantine", column="amount", max_value=50),
        expect(UNIQUE, "block", column="id"),
    )
    rules = row_rules(suite)
    assert [name for name, _ in rules] == [
        f"invoices:{BETWEEN}(amount)",
        f"invoices:{NOT_NULL}(code)",
        f"invoices:{BETWEEN}(amount)#2",
    ]
    answers = invoices(spark, ROWS).orderBy("id").selectExpr(*(sql for _, sql in rules)).collect()
    assert [tuple(row) for row in answers] == [
        (False, False, False),
        (True, False, False),
        (False, False, False),
        (False, True, True),
    ]


def test_failing_keys_show_keys_only_and_only_of_failed_checks(spark: SparkSession, tmp_path: Path) -> None:
    df = invoices(spark, ROWS)
    suite = suite_of(
        tmp_path,
        expect(BETWEEN, column="amount", min_value=0, max_value=50),
        expect(UNIQUE, column="code"),
        expect(NOT_NULL, column="id"),
        expect(SUM, column="id", max_value=1),
    )
    between, unique, not_null, total = evaluate(df, suite).checks
    assert failing_keys(df, between, ["id"]) == [{"id": "2"}, {"id": "4"}]
    assert failing_keys(df, between, ["id"], limit=1) == [{"id": "2"}]
    assert failing_keys(df, unique, ["id"]) == [{"id": "1"}, {"id": "2"}]
    assert not total.success
    assert failing_keys(df, not_null, ["id"]) == failing_keys(df, total, ["id"]) == []


def test_great_expectations_reads_our_result(spark: SparkSession, tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        expect(BETWEEN, "warn", column="amount", min_value=0.5, mostly=0.9),
        expect(SUM, column="amount", min_value=0),
    )
    result = evaluate(invoices(spark, ROWS), suite)
    document = json.loads(json.dumps(result.to_ge_json({"run_id": "r-1"})))
    loaded = ExpectationSuiteValidationResultSchema().load(document)
    assert (loaded["success"], loaded["suite_name"]) == (False, "invoices")
    assert document["statistics"]["successful_expectations"] == 1
    assert document["results"][1]["result"] == {"observed_value": "99.09"}
    assert document["meta"]["ledgerlake"] == {
        "fingerprint": suite.fingerprint,
        "rows": 4,
        "run_id": "r-1",
    }
