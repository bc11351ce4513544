"""Whatever is declared and delivered: a typed outcome, an exit code that tells it, accounted rows, a next run that works.

200 cases in every run of the tests; `make test-fuzz` draws 10,000.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import pytest
import yaml
from end_to_end.fuzzed import Case, drawn
from house import House
from ledgerlake.config.check import check_pipeline
from ledgerlake.config.load import load_pipeline
from ledgerlake.errors import NOT_TAKEN_EXIT, ConfigError, ContractError, SourceError, UnexpectedError
from ledgerlake.ops.run import RunReport
from ledgerlake.ops.untaken import object_paths

COUNT = int(os.environ.get("LEDGERLAKE_FUZZ", "200"))
SEED = int(os.environ.get("LEDGERLAKE_FUZZ_SEED", "13"))
TOGETHER = 20
DAY = date(2026, 3, 1)
PLAIN = {"feed": "csv", "location": "plain"}
PLAIN_TABLE = {
    "table": "plain", "source": "s_plain", "resource": "things", "key": ["id"],
    "columns": [{"name": "id", "type": "string", "nullable": False}],
}  # fmt: skip


@dataclass
class Told:
    """What became of some cases that ran in one lake."""

    house: House
    cases: list[Case]
    refused: dict[str, list[ConfigError]] = field(default_factory=dict)

    @property
    def running(self) -> list[Case]:
        return [c for c in self.cases if c.name not in self.refused]


def declare(house: House, cases: list[Case]) -> None:
    """Write one pipeline of these cases, and a plain table that must always load."""
    pipeline = {
        "pipeline": "bank",
        "sources": {"s_plain": PLAIN} | {f"s_{c.name}": c.source for c in cases},
        "marts": [{"mart": "m", "sql": "marts/m.sql", "key": ["id"], "inputs": [{"table": "plain"}]}],
        "publication": {"database": "FINANCE", "schema": "BANK", "bi_schema": "BANK_BI"},
    }
    for old in (house.root / "conf" / "pipelines" / "bank" / "tables").glob("*.yml"):
        old.unlink()
    tables = [yaml.safe_dump(t, allow_unicode=True, sort_keys=False) for t in (PLAIN_TABLE, *(c.table for c in cases))]
    house.declare(yaml.safe_dump(pipeline, allow_unicode=True), *tables, marts__m="SELECT id FROM plain")


def findings(house: House, case: Case) -> list[ConfigError]:
    """Return what `validate` says of one case."""
    declare(house, [case])
    try:
        return check_pipeline(load_pipeline(house.root / "conf", house.root / "suites", "bank"))
    except ConfigError as error:
        return [error]


def accounted(told: Told, report: RunReport) -> None:
    """Check that everything delivered was landed or refused, and everything landed loaded or quarantined."""
    workspace = told.house.workspace()
    stopped = {f.subject for f in report.failures}
    for case in told.running:
        if case.name in stopped or f"s_{case.name}" in stopped:
            continue
        manifests = workspace.logs[case.name].all()
        landed = {o.source_name: o.path for m in manifests for o in m.objects}
        known = landed.keys() | {r.source_name for m in manifests for r in m.refused}
        given = {path.partition("/")[2] for path in case.files}
        assert given <= known, f"passed over in silence: {given - known}\n{case}"
        records = [r for r in workspace.control.read("batches") if r["table"] == case.name]
        settled = {p for r in records if r["status"] in ("finished", "quarantined") for p in object_paths(r)}
        assert set(landed.values()) <= settled, f"landed and neither loaded nor quarantined\n{case}"
        for record in records:
            fates = [record[n] for n in ("applied", "superseded", "duplicate", "quarantined")]
            assert record["read"] == sum(fates), f"{record}\n{case}"


def judged(told: Told, report: RunReport) -> None:
    """Check that the outcome is one of the product's own, and that the exit code tells it."""
    for failure in report.failures:
        case = next((c for c in told.cases if failure.subject in (c.name, f"s_{c.name}")), None)
        assert isinstance(failure.error, (SourceError, ContractError, ConfigError)), f"{failure}\n{case}"
        assert failure.error.then, f"no next step: {failure}\n{case}"
    assert not isinstance(report.error, UnexpectedError), report.message
    open_ = report.untaken
    expected = report.error.exit_code if report.error else NOT_TAKEN_EXIT if open_.objects or open_.batches else 0
    assert report.exit_code == expected
    assert report.status == ("failed" if report.error else "published" if report.batches else report.status)
    for reason in [o.refused.reason for o in open_.objects] + [b["reason"] for b in open_.batches]:
        assert reason and "Traceback" not in reason and "unexpected" not in reason, reason


@pytest.mark.parametrize("start", range(0, COUNT, TOGETHER))
def test_every_run_ends_with_a_typed_outcome_accounted_rows_and_a_next_run_that_works(
    houses: Callable[[str], House], start: int
) -> None:
    house = houses("drawn")
    told = Told(house, [drawn(SEED, n) for n in range(start, min(start + TOGETHER, COUNT))])
    told.refused = {c.name: found for c in told.cases if (found := findings(house, c))}
    assert all(f.then for found in told.refused.values() for f in found)
    declare(house, told.running)
    for case in told.running:
        (house.root / "sources" / case.name).mkdir(parents=True)
        for path, body in case.files.items():
            house.deliver(path, body)
    house.deliver("plain/things/1.csv", "id\n1\n")

    first = house.run(DAY)
    judged(told, first)
    accounted(told, first)
    again = house.run(DAY)
    judged(told, again)
    assert {f.subject for f in again.failures} == {f.subject for f in first.failures}
    assert sum(b["read"] for b in again.batches) == 0

    stopped = {f.subject for f in first.failures}
    told.cases = [c for c in told.running if c.name not in stopped and f"s_{c.name}" not in stopped]
    declare(house, told.cases)
    for case in told.cases[::4]:
        path, body = case.good
        case.files[path] = body
        house.deliver(path, body)
    house.deliver("plain/things/2.csv", "id\n2\n")
    last = house.run(DAY)
    judged(told, last)
    accounted(told, last)
    assert last.status == "published"
    assert house.mart("m").count() == 2
