"""What a suite found in a table: one frozen record per expectation, and GE's JSON of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ledgerlake.quality.expectation import Expectation, OnFail
from ledgerlake.quality.suite import Suite


@dataclass(frozen=True)
class CheckResult:
    """One expectation's outcome; counts are None where the expectation does not count rows.

    ``element_count`` is the rows under the row condition, ``missing_count`` those of them that
    were ignored for their NULLs, ``unexpected_percent`` of the rest. No values of rows in here.
    """

    expectation: Expectation
    success: bool
    element_count: int | None = None
    missing_count: int | None = None
    unexpected_count: int | None = None
    observed: str | None = None

    @property
    def type(self) -> str:
        """Return the expectation's type."""
        return self.expectation.type

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns the expectation names."""
        return self.expectation.columns

    @property
    def on_fail(self) -> OnFail:
        """Return what a failure leads to."""
        return self.expectation.on_fail

    @property
    def why(self) -> str:
        """Return the suite's reason for the expectation."""
        return self.expectation.why

    @property
    def unexpected_percent(self) -> str | None:
        """Return the failing share of the considered rows in percent, with four decimals."""
        if self.unexpected_count is None or self.element_count is None:
            return None
        considered = self.element_count - (self.missing_count or 0)
        share = Decimal(100 * self.unexpected_count) / considered if considered else Decimal(0)
        return f"{share:.4f}"

    @property
    def expected(self) -> str:
        """Return the arguments other than columns, as in ``min_value=0, mostly=0.99``."""
        named = ("column", "column_A", "column_B", "column_list", "condition_parser")
        given = ((k, v) for k, v in self.expectation.kwargs.items() if k not in named)
        return ", ".join(f"{key}={_shown(value)}" for key, value in given)


@dataclass(frozen=True)
class SuiteResult:
    """The outcome of one suite on one table of ``rows`` rows; ``success`` means all checks."""

    suite: Suite
    checks: tuple[CheckResult, ...]
    rows: int

    @property
    def success(self) -> bool:
        """Return whether every expectation holds, whatever its consequence."""
        return all(check.success for check in self.checks)

    def to_ge_json(self, meta: Mapping[str, object] | None = None) -> dict[str, object]:
        """Return the shape of Great Expectations' ExpectationSuiteValidationResult.

        Numbers that may be money are strings. ``meta`` (run, batch, versions) is added to ours.
        """
        passed = sum(check.success for check in self.checks)
        ours = {"fingerprint": self.suite.fingerprint, "rows": self.rows}
        return {
            "success": self.success,
            "results": [_ge_result(check) for check in self.checks],
            "suite_name": self.suite.name,
            "suite_parameters": {},
            "statistics": {
                "evaluated_expectations": len(self.checks),
                "successful_expectations": passed,
                "unsuccessful_expectations": len(self.checks) - passed,
                "success_percent": passed * 100 / len(self.checks) if self.checks else None,
            },
            "meta": {"ledgerlake": {**ours, **(meta or {})}},
            "id": None,
        }


def _ge_result(check: CheckResult) -> dict[str, object]:
    return {
        "success": check.success,
        "expectation_config": {
            "type": check.type,
            "kwargs": {key: _plain(value) for key, value in check.expectation.kwargs.items()},
            "meta": {"ledgerlake": {"on_fail": check.on_fail, "why": check.why}},
            "severity": check.expectation.severity,
        },
        "result": _ge_numbers(check),
        "meta": {},
        "exception_info": {
            "raised_exception": False,
            "exception_traceback": None,
            "exception_message": None,
        },
    }


def _ge_numbers(check: CheckResult) -> dict[str, object]:
    if check.unexpected_count is None:
        return {"observed_value": check.observed}
    return {
        "element_count": check.element_count,
        "unexpected_count": check.unexpected_count,
        # Great Expectations' schema takes no string here; a share of rows is not money.
        "unexpected_percent": float(check.unexpected_percent or 0),
        "missing_count": check.missing_count,
    }


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return str(value) if isinstance(value, Decimal) else value


def _shown(value: object) -> str:
    members = value if isinstance(value, list) else [value]
    more = ", …" if len(members) > 10 else ""
    return ", ".join(str(member) for member in members[:10]) + more
