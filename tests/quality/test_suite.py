"""Loading suites: what is refused, where the error points, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from ledgerlake.errors import ConfigError
from ledgerlake.quality.columns import check_columns, check_types
from ledgerlake.quality.suite import load_suite

from tests.quality.tables import TYPES, Entry, expect, suite_of, write_suite

NOT_NULL = expect("expect_column_values_to_not_be_null", column="id")
BETWEEN = "expect_column_values_to_be_between"
SUM = "expect_column_sum_to_be_between"


def _refusal(folder: Path, *entries: Entry) -> str:
    with pytest.raises(ConfigError) as refused:
        suite_of(folder, *entries)
    return str(refused.value)


def test_a_suite_keeps_arguments_exact_and_consequences_explicit(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        expect(BETWEEN, "quarantine", why="no negative cents", column="amount", min_value=0.1),
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 3}},
    )
    first, second = suite.expectations
    assert first.kwargs == {"column": "amount", "min_value": Decimal("0.1")}
    assert (first.on_fail, first.why, first.columns) == (
        "quarantine",
        "no negative cents",
        ("amount",),
    )
    assert (second.on_fail, second.index) == ("block", 1)


def test_loading_imports_neither_spark_nor_great_expectations(tmp_path: Path) -> None:
    path = write_suite(tmp_path, NOT_NULL)
    script = (
        "import sys, pathlib; from ledgerlake.quality.suite import load_suite;"
        "from ledgerlake.quality.compile import row_rules;"
        "row_rules(load_suite(pathlib.Path(sys.argv[1])));"
        "print([m for m in ('pyspark', 'great_expectations', 'pandas') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert ran.stdout.strip() == "[]"


def test_the_fingerprint_follows_the_content_and_not_the_layout(tmp_path: Path) -> None:
    path = write_suite(tmp_path, NOT_NULL)
    before = load_suite(path).fingerprint
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert load_suite(path).fingerprint == before
    assert suite_of(tmp_path, {**NOT_NULL, "severity": "info"}).fingerprint != before


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "expect_magic", "kwargs": {}}, "unknown expectation type 'expect_magic'"),
        ({**NOT_NULL, "mostly": 1}, "unknown key 'mostly' in expectation"),
        ({**NOT_NULL, "severity": "fatal"}, "unknown severity 'fatal'"),
        ({**NOT_NULL, "meta": {"ledgerlake": {"on_fial": "warn"}}}, "unknown key 'on_fial'"),
        ({**NOT_NULL, "meta": {"ledgerlake": {"on_fail": "stop"}}}, "on_fail is warn, quarantine"),
        (expect(BETWEEN, min_value=0), "needs column"),
        (expect(BETWEEN, column="id"), "needs min_value, max_value or both"),
        (expect(BETWEEN, column="id", min_value=0, maximum=1), "has no argument 'maximum'"),
        (expect(BETWEEN, column="id", min_value="ten"), "min_value must be a number, a date"),
        (expect(BETWEEN, column="id", min_value=2, max_value=1), "the smaller one first"),
        (expect(BETWEEN, column="id", min_value=2, max_value="2024-01-31"), "of one kind"),
        (expect(BETWEEN, column="id", min_value=0, mostly=1.5), "mostly must be a number from 0"),
        (expect(BETWEEN, column="id", min_value=0, mostly=None), "mostly must be a number from 0"),
        (expect(BETWEEN, column="id", min_value=0, row_condition="open"), "given together"),
        (
            expect("expect_column_values_to_be_in_set", column="id", value_set=[1, "1"]),
            "value_set must be a non-empty list of only strings",
        ),
        (
            expect("expect_column_values_to_be_unique", "quarantine", column="id"),
            "cannot quarantine",
        ),
        (
            expect(BETWEEN, "quarantine", column="id", min_value=0, mostly=0.9),
            "cannot quarantine",
        ),
        (expect(SUM, "quarantine", column="id", min_value=0), "cannot quarantine"),
    ],
)
def test_a_wrong_expectation_is_refused_at_its_line(tmp_path: Path, entry: Entry, message: str) -> None:
    refusal = _refusal(tmp_path, expect("expect_table_row_count_to_equal", value=1), entry)
    assert message in refusal
    line = int(refusal.split("invoices.json:")[1].split(")")[0])
    lines = (tmp_path / "invoices.json").read_text().splitlines()
    second = [i for i, text in enumerate(lines, 1) if text == "    {"][1]
    assert second <= line <= len(lines)


def test_an_unknown_type_is_answered_with_the_supported_ones(tmp_path: Path) -> None:
    refusal = _refusal(tmp_path, {"type": "expect_column_median_to_be_between", "kwargs": {}})
    assert "use one of expect_column_max_to_be_between, " in refusal


def test_the_error_names_the_line_of_the_wrong_argument(tmp_path: Path) -> None:
    path = tmp_path / "invoices.json"
    path.write_text(
        '{"name": "n", "expectations": [\n'
        '  {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 1}},\n'
        '  {"type": "expect_table_row_count_to_equal", "kwargs": {\n'
        '     "value": -1}}\n'
        "]}"
    )
    with pytest.raises(ConfigError, match=r"value must be a whole number.*invoices\.json:4"):
        load_suite(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "suite is not JSON"),
        ("[]", "a suite is a JSON object"),
        ('{"name": "n", "name": "m"}', 'key "name" is repeated'),
        ('{"name": "n", "expectations": [], "meta": {}}', "expects nothing"),
        ('{"expectations": [{}]}', "suite has no name"),
        ('{"name": "n", "expectations": [{}], "data_asset_type": 1}', "unknown key"),
        ('{"name": "n", "expectations": [NaN]}', "NaN is not a number"),
    ],
)
def test_a_file_that_is_no_suite_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "suite.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_suite(path)


def test_a_missing_suite_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_suite(tmp_path / "absent.json")


def test_the_same_expectation_twice_is_refused(tmp_path: Path) -> None:
    assert "declared twice" in _refusal(tmp_path, NOT_NULL, NOT_NULL)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"column": "ammount"},
        {"column": "amount", "row_condition": "opne AND id = 1", "condition_parser": "spark"},
    ],
)
def test_unknown_columns_are_found_in_arguments_and_conditions(tmp_path: Path, kwargs: dict[str, object]) -> None:
    suite = suite_of(tmp_path, expect("expect_column_values_to_not_be_null", **kwargs))
    with pytest.raises(ConfigError, match=r"unknown column '(ammount|opne)'.*invoices\.json:4"):
        check_columns(suite, set(TYPES))


@pytest.mark.parametrize("condition", ["amount > (SELECT 1)", "amount > avg(amount)", "rank() OVER (ORDER BY id) = 1"])
def test_a_condition_that_looks_beyond_its_row_is_refused(tmp_path: Path, condition: str) -> None:
    kwargs = {"row_condition": condition, "condition_parser": "spark"}
    entry = expect("expect_column_values_to_not_be_null", column="id", **kwargs)
    with pytest.raises(ConfigError, match=r"looks beyond its row|no expression over a row"):
        check_columns(suite_of(tmp_path, entry), set(TYPES))


def test_schema_expectations_may_name_columns_that_do_not_exist(tmp_path: Path) -> None:
    check_columns(suite_of(tmp_path, expect("expect_column_to_exist", column="x")), set(TYPES))


@pytest.mark.parametrize(
    "entry",
    [
        expect(BETWEEN, column="code", min_value=10),
        expect(BETWEEN, column="amount", min_value="2024-01-31"),
        expect(SUM, column="booked", min_value="2024-01-31"),
        expect("expect_column_values_to_be_in_set", column="code", value_set=[1]),
        expect("expect_column_values_to_be_in_set", column="id", value_set=["1"]),
    ],
)
def test_a_comparison_that_spark_would_cast_is_refused(tmp_path: Path, entry: Entry) -> None:
    with pytest.raises(ConfigError, match="cannot compare a column of type"):
        check_types(suite_of(tmp_path, entry), TYPES)
