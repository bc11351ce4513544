"""The report's page: what it says of runs that published, were blocked, failed or did nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ledgerlake.core.identity import RunKey
from ledgerlake.errors import ContractError, GateBlocked, Where
from ledgerlake.lake.readers import PublicationRecord
from ledgerlake.ops.extract import Failure
from ledgerlake.ops.progress import Step
from ledgerlake.ops.run import RunReport
from ledgerlake.quality.expectation import Expectation, OnFail
from ledgerlake.quality.result import CheckResult, SuiteResult
from ledgerlake.quality.suite import Suite
from ledgerlake.report.build import build_page
from ledgerlake.report.document import render
from ledgerlake.report.facts import RunFacts
from ledgerlake.report.page import Tile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = '<img src=x onerror="x">'


def facts(status: str = "unchanged", **changes: Any) -> RunFacts:
    report = RunReport("run-1", RunKey("bank", date(2026, 3, 1)), NOON, status, "p-1", "nothing changed")
    base = RunFacts(report, NOON + timedelta(seconds=75), "Books", "0.1.0", "f" * 64, frozenset({"accounts"}))
    return replace(base, **changes)


def batch(table: str = "accounts", **changes: Any) -> dict[str, Any]:
    return {
        "table": table, "batch_id": "b-1", "kind": "landed", "status": "finished", "run_id": "run-1",
        "objects": '[{"path": "a"}]', "read": 10, "applied": 6, "superseded": 2, "duplicate": 1, "quarantined": 1,
        "held": 0, "position_min": "1", "position_max": "9", "extracted_min": "2026-03-01 01:00:00.5",
        "extracted_max": "2026-03-01 02:00:00.5", "bronze_version": 1, "silver_version": 2, "milliseconds": 1500,
        **changes,
    }  # fmt: skip


def result(on_fail: OnFail, *, success: bool, why: str = "money is never negative") -> SuiteResult:
    wanted = Expectation("expect_column_values_to_be_between", {"column": "balance", "min_value": 0}, on_fail, why)
    check = CheckResult(wanted, success, 10, 0, 0 if success else 4)
    return SuiteResult(Suite("accounts", Path("s.json"), (wanted,), "f"), (check,), 10)


def publication(status: str = "published", run_id: str = "run-0") -> PublicationRecord:
    return PublicationRecord(
        "p-0", run_id, "2026-02-28", status, NOON - timedelta(days=1), {"accounts": 3}, {"balances": 2}, {"balances": "f"},
        {"balances": ("2026-02-28",)}, {"balances": 7},
    )  # fmt: skip


def refused(reason: str, table: str = "accounts", run_id: str = "run-1") -> dict[str, Any]:
    return {"table": table, "state": "refused", "reasons": [reason], "quarantined_at": NOON, "run_id": run_id}


def tile(found: tuple[Tile, ...], label: str) -> Tile:
    return next(t for t in found if t.label == label)


def test_a_run_that_did_nothing_has_a_page_without_empty_tables() -> None:
    page = build_page(facts())
    html = render(page)

    assert (page.alert, page.batches, page.steps, page.gates) == (None, (), (), ())
    assert "Nothing changed." in html
    assert "Nothing has been published yet." in html
    assert "<h2>Batches</h2>" not in html
    assert dict(page.facts)["Duration"] == "1 min 15 s"


def test_batches_are_added_up_by_table_and_in_all() -> None:
    page = build_page(facts("published", batches=(batch(), batch(batch_id="b-2"), batch("payments"))))

    assert [(f.table, f.counts.read) for f in page.fates] == [("accounts", 20), ("payments", 10)]
    assert tile(page.tiles, "Changes read") == Tile("Changes read", "30", "3 batches, 2 tables")
    assert tile(page.tiles, "Accounted").value == "yes"


def test_a_batch_that_does_not_add_up_is_shouted() -> None:
    page = build_page(facts("failed", batches=(batch(applied=5),)))

    assert tile(page.tiles, "Accounted") == Tile("Accounted", "no", "1 batch out of balance", "bad")
    assert "✕ does not add up" in render(page)


def test_a_batch_quarantined_whole_says_why_and_has_no_ranges() -> None:
    whole = {
        "table": "accounts",
        "batch_id": "b-9",
        "kind": "landed",
        "status": "quarantined",
        "reason": "a column is gone",
    }
    page = build_page(facts("published", batches=(whole,)))

    assert (page.batches[0].positions, page.batches[0].silver_version) == (None, None)
    assert tile(page.tiles, "Quarantined").note == "and 1 batch whole"
    assert "quarantined whole: a column is gone" in render(page)


def test_a_blocked_run_says_on_top_why_and_what_stays_served() -> None:
    found = facts("blocked", served=publication(), publication=publication("blocked", "run-1"))
    found.report.results = {"balances": result("block", success=False)}
    found.report.error = GateBlocked("balances: blocked", then="correct the source, then run `ledgerlake run bank`")
    page = build_page(found)

    assert page.alert is not None
    assert page.alert.title == "Blocked: 1 reason, and nothing new was published"
    assert [(r.subject, r.what, r.detail) for r in page.alert.reasons] == [
        (
            "balances",
            "expect_column_values_to_be_between(balance): 4 of 10 rows fail (40.0000%)",
            "money is never negative",
        )
    ]
    assert page.alert.served.startswith("Publication p-0 of 2026-02-28 stays served")
    assert "<code>ledgerlake run bank</code>" in render(page)
    assert tile(page.tiles, "Rows published").value == "0"
    assert page.publication is not None
    assert page.publication.title == "Blocked publication"


def test_a_failed_run_names_every_table_that_stopped() -> None:
    found = facts("failed")
    error = ContractError("a column is gone", where=Where(table="accounts", column="balance"), then="ask the source")
    found.report.failures, found.report.error = [Failure("accounts", error)], error
    alert = build_page(found).alert

    assert alert is not None
    assert [(r.subject, r.what, r.detail) for r in alert.reasons] == [
        ("accounts", "a column is gone", "table accounts, column balance")
    ]
    assert alert.served == "Nothing has been published yet: readers see no data at all."
    assert alert.then == "ask the source"


def test_rows_set_aside_before_a_table_was_judged_do_not_block_it() -> None:
    found = facts("published", tables=frozenset({"accounts"}))
    failing = result("quarantine", success=False)
    found.report.results = {"accounts": failing, "balances": failing}

    assert [(g.owner, g.decision) for g in build_page(found).gates] == [
        ("balances", "block"),
        ("accounts", "warn"),
    ]


def test_a_failed_check_shows_some_of_the_keys_that_were_recorded() -> None:
    keys = [{"account_id": f"a{n}"} for n in range(7)]
    record = {
        "owner": "balances", "owner_version": 4, "type": "expect_column_values_to_be_between",
        "columns": '["balance"]', "on_fail": "block", "expected": "min_value=0", "why": "money is never negative",
        "sample_keys": json.dumps(keys),
    }  # fmt: skip
    found = facts("blocked", checks=(record,))
    found.report.results = {"balances": result("block", success=False)}
    gate = build_page(found).gates[0]

    assert gate.version == 4
    assert gate.checks[0].keys == (*(f"account_id a{n}" for n in range(5)), "and 2 more")


def test_the_most_frequent_reasons_of_quarantine_come_first_and_the_rest_are_one_line() -> None:
    rows = [refused("owner: null")] * 2 + [refused(f"rule {n}", run_id="run-0") for n in range(6)]
    page = build_page(facts(quarantine=tuple(rows)))

    assert (page.quarantine[0].reason, page.quarantine[0].rows, page.quarantine[0].new) == (
        "owner: null",
        2,
        2,
    )
    assert (page.quarantine[-1].reason, page.quarantine[-1].rows, page.quarantine[-1].new) == (
        "2 further reasons",
        2,
        0,
    )
    assert len(page.quarantine) == 6


def test_the_strip_of_runs_holds_this_run_even_where_it_left_no_record() -> None:
    earlier = {"run_id": "run-0", "logical_date": "2026-02-28", "status": "published"}
    marks = build_page(facts(runs=(earlier,))).runs

    assert [(m.run_id, m.status, m.is_this) for m in marks] == [
        ("run-0", "published", False),
        ("run-1", "unchanged", True),
    ]


def books(day: int, currency: str, settled: str, difference: str = "0") -> dict[str, Any]:
    return {
        "settlement_date": date(2026, 3, day), "currency": currency, "captured_amount": Decimal("100.000"),
        "refunded_amount": Decimal("10.000"), "fee_amount": Decimal("1.000"), "settled_amount": Decimal(settled),
        "stripe_difference": Decimal(0), "settlement_difference": Decimal(difference),
        "merchants_out_of_balance": 0 if difference == "0" else 1,
    }  # fmt: skip


def test_books_are_kept_apart_by_currency_and_limited_to_the_latest_days() -> None:
    rows = [books(day, currency, "89.000") for day in range(1, 21) for currency in ("USD", "JPY")]
    found = build_page(facts(books=tuple(rows), served=publication())).reconciliation

    assert found is not None
    assert [c.currency for c in found.currencies] == ["JPY", "USD"]
    assert [d.day for d in found.currencies[0].days] == [f"2026-03-{n:02}" for n in range(7, 21)]
    assert found.currencies[0].days[0].due == Decimal("89.000")


def test_a_day_out_of_balance_is_listed_with_its_difference_in_its_own_decimals() -> None:
    rows = (books(1, "KWD", "89.000"), books(2, "KWD", "88.995", "0.005"), books(2, "JPY", "89"))
    html = render(build_page(facts(books=rows, served=publication())))

    assert "2026-03-02 KWD: settlements 0.005, Stripe 0.000, 1 merchant" in html
    assert '<td class="number">178</td>' not in html
    assert '<td class="number">89</td>' in html


def test_a_mart_of_that_name_with_other_columns_is_not_taken_for_the_books() -> None:
    assert build_page(facts(books=({"day": 1},), served=publication())).reconciliation is None


def test_hostile_names_never_become_markup() -> None:
    found = facts(
        "failed",
        description=HOSTILE,
        batches=(batch(HOSTILE, batch_id=HOSTILE, position_min=HOSTILE, reason=HOSTILE),),
        quarantine=(refused(HOSTILE, HOSTILE),),
        runs=({"run_id": HOSTILE, "logical_date": "2026-03-01" + HOSTILE, "status": HOSTILE},),
        served=replace(publication(), publication_id=HOSTILE, marts={HOSTILE: 1}, inputs={HOSTILE: 1}),
        books=(books(1, HOSTILE, "1", "1"),),
    )
    found.report.error = ContractError(HOSTILE, then=f"`{HOSTILE}`")
    found.report.steps = [Step(HOSTILE, HOSTILE, 1.0, HOSTILE)]
    found.report.results = {HOSTILE: result("block", success=False, why=HOSTILE)}
    html = render(build_page(found))

    assert "<img" not in html
    assert html.count("&lt;img") > 15


def test_the_document_fetches_nothing() -> None:
    html = render(build_page(facts("published", batches=(batch(),), served=publication())))

    assert "<script" not in html
    assert [word for word in ("http:", "https:", "src=", "url(", "@import", "<link") if word in html] == []
