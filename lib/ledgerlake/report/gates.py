"""From suite results to what the report says of gates. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from ledgerlake.quality.gate import decide
from ledgerlake.quality.result import CheckResult, SuiteResult
from ledgerlake.report.facts import Record
from ledgerlake.report.figures import NONE, count
from ledgerlake.report.page import CheckRow, GateSection, Reason

KEYS_SHOWN = 5
_ORDER = {"block": 0, "warn": 1, "pass": 2}


def gate_sections(
    results: Mapping[str, SuiteResult], tables: frozenset[str], records: Iterable[Record]
) -> tuple[GateSection, ...]:
    """Return one section per judged table or mart, those that block first.

    Rows of ``tables`` that failed a quarantine rule were set aside before they were judged;
    ``records`` are the control table's, which hold the version and the sample keys.
    """
    found = list(records)
    sections = [_section(owner, result, owner in tables, found) for owner, result in results.items()]
    return tuple(sorted(sections, key=lambda s: (_ORDER[s.decision], s.owner)))


def _section(owner: str, result: SuiteResult, set_aside: bool, records: list[Record]) -> GateSection:
    own = [r for r in records if r["owner"] == owner]
    keys = {_signature(r): r["sample_keys"] for r in own}
    return GateSection(
        owner=owner,
        version=own[-1]["owner_version"] if own else None,
        suite=result.suite.name,
        rows=result.rows,
        decision=decide(result, rows_set_aside=set_aside).decision,
        checks=tuple(_check_row(c, keys.get(_signature_of(c)) or "[]") for c in result.checks),
    )


def _signature(record: Record) -> tuple[object, ...]:
    columns = tuple(json.loads(record["columns"]))
    return record["type"], columns, record["on_fail"], record["expected"], record["why"]


def _signature_of(check: CheckResult) -> tuple[object, ...]:
    return check.type, check.columns, check.on_fail, check.expected, check.why


def _check_row(check: CheckResult, keys: str) -> CheckRow:
    return CheckRow(
        expectation=check.type,
        columns=", ".join(check.columns),
        expected=check.expected,
        on_fail=check.on_fail,
        success=check.success,
        finding=finding(check),
        why=check.why,
        keys=() if check.success else sample_keys(keys),
    )


def finding(check: CheckResult) -> str:
    """Return what was found: the rows that fail of those considered, or the value observed."""
    if check.unexpected_count is None:
        return f"observed {check.observed if check.observed is not None else 'no value'}"
    considered = (check.element_count or 0) - (check.missing_count or 0)
    if not considered:
        return "no row to judge"
    if not check.unexpected_count:
        return f"all of {count(considered)} rows"
    verb = "do not, which is allowed" if check.success else "fail"
    return f"{count(check.unexpected_count)} of {count(considered)} rows {verb} ({check.unexpected_percent}%)"


def sample_keys(recorded: str) -> tuple[str, ...]:
    """Return some failing keys in words, from the JSON the control table keeps."""
    keys = json.loads(recorded)
    shown = [", ".join(f"{n} {NONE if v is None else v}" for n, v in key.items()) for key in keys[:KEYS_SHOWN]]
    more = len(keys) - KEYS_SHOWN
    return (*filter(None, shown), *([f"and {more} more"] if more > 0 else []))


def blocking_reasons(results: Mapping[str, SuiteResult], tables: frozenset[str]) -> tuple[Reason, ...]:
    """Return each blocking check as a reason, by table or mart."""
    return tuple(
        Reason(owner, f"{check.expectation.label}: {finding(check)}", check.why)
        for owner, result in sorted(results.items())
        for check in decide(result, rows_set_aside=owner in tables).blocking
    )
