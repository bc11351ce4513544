"""The gate: from a suite's result to one decision. Pure; raising is the caller's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ledgerlake.quality.result import CheckResult, SuiteResult

Decision = Literal["pass", "warn", "block"]


@dataclass(frozen=True)
class Gate:
    """The decision and the failed checks behind it, by their consequence."""

    decision: Decision
    blocking: tuple[CheckResult, ...]
    warnings: tuple[CheckResult, ...]
    quarantined: tuple[CheckResult, ...]


def decide(result: SuiteResult, *, rows_set_aside: bool = False) -> Gate:
    """Decide from the failed checks: any blocking one blocks, else any other one warns.

    A failed quarantine check blocks too, because its rows are still in the candidate; unless
    ``rows_set_aside`` says that the result describes rows as they came in, and that those which
    fail have been taken out since.
    """
    failed = [check for check in result.checks if not check.success]
    quarantined = tuple(check for check in failed if check.on_fail == "quarantine")
    left_in = () if rows_set_aside else quarantined
    blocking = (*(check for check in failed if check.on_fail == "block"), *left_in)
    warnings = tuple(check for check in failed if check.on_fail == "warn")
    decision: Decision = "block" if blocking else "warn" if failed else "pass"
    return Gate(decision, blocking, warnings, quarantined)


def blocked_message(result: SuiteResult, gate: Gate) -> str:
    """Return what a blocked gate says to people: one line per blocking check, no row values."""
    lines = [f"suite {result.suite.name} blocks {result.rows} rows:"]
    return "\n".join([*lines, *(f"  - {_sentence(check)}" for check in gate.blocking)])


def _sentence(check: CheckResult) -> str:
    expected = f" [{check.expected}]" if check.expected else ""
    why = f"; why: {check.why}" if check.why else ""
    return f"{check.expectation.label}{expected}: {_finding(check)}{why}"


def _finding(check: CheckResult) -> str:
    if check.unexpected_count is None:
        return f"observed {check.observed if check.observed is not None else 'no value'}"
    considered = (check.element_count or 0) - (check.missing_count or 0)
    return f"{check.unexpected_count} of {considered} rows ({check.unexpected_percent}%) fail"
