"""The gate and the result records, without Spark."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledgerlake.quality.compile import compile_suite
from ledgerlake.quality.gate import blocked_message, decide
from ledgerlake.quality.judge import judge
from ledgerlake.quality.result import SuiteResult

from tests.quality.tables import TYPES, expect, suite_of

NOT_NULL = "expect_column_values_to_not_be_null"


def _result(folder: Path, **unexpected: int) -> SuiteResult:
    """Ten rows; ``unexpected`` rows fail per consequence, in the order of the keywords."""
    columns = ["id", "code", "amount"]
    suite = suite_of(
        folder,
        *(
            expect(NOT_NULL, on_fail, why=f"{column} is needed", column=column)
            for column, on_fail in zip(columns, unexpected, strict=False)
        ),
    )
    measured: dict[str, object] = {"rows": 10}
    for index, count in enumerate(unexpected.values()):
        measured |= {
            f"e{index}_total": 10,
            f"e{index}_considered": 10,
            f"e{index}_unexpected": count,
        }
    return judge(compile_suite(suite, TYPES), measured, list(TYPES))


def test_a_suite_that_holds_passes(tmp_path: Path) -> None:
    assert decide(_result(tmp_path, block=0, warn=0, quarantine=0)).decision == "pass"


def test_a_failed_warning_warns(tmp_path: Path) -> None:
    gate = decide(_result(tmp_path, block=0, warn=1))
    assert (gate.decision, len(gate.warnings), gate.blocking) == ("warn", 1, ())


def test_a_failed_blocking_check_blocks_whatever_else_holds(tmp_path: Path) -> None:
    gate = decide(_result(tmp_path, block=1, warn=1))
    assert (gate.decision, len(gate.blocking), len(gate.warnings)) == ("block", 1, 1)


def test_rows_that_should_have_been_quarantined_block_the_candidate_they_are_in(
    tmp_path: Path,
) -> None:
    result = _result(tmp_path, quarantine=2)
    assert decide(result).decision == "block"
    set_aside = decide(result, rows_set_aside=True)
    assert (set_aside.decision, len(set_aside.quarantined)) == ("warn", 1)


def test_the_message_says_what_was_found_and_why_it_matters(tmp_path: Path) -> None:
    result = _result(tmp_path, block=3, warn=1)
    assert blocked_message(result, decide(result)) == (
        "suite invoices blocks 10 rows:\n"
        "  - expect_column_values_to_not_be_null(id):"
        " 3 of 10 rows (30.0000%) fail; why: id is needed"
    )


def test_a_measure_that_is_missing_is_never_a_pass(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, expect(NOT_NULL, column="id"))
    with pytest.raises(KeyError):
        judge(compile_suite(suite, TYPES), {"rows": 10}, list(TYPES))
