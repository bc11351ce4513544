"""The demo of bnpl as its user sees it: a service that breaks off, sends bad records, lies, and is asked again."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from end_to_end.played import Played
from end_to_end.project import Project
from ledgerlake.config.load import load_environment, load_pipeline
from ledgerlake.lake import readers
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ports.clock import SystemClock
from ledgerlake.ports.secrets import ReferencedSecrets

Told = tuple[Project, dict[str, str]]
SQL = "SELECT {} FROM FINANCE.BNPL_BI.{}"


@pytest.fixture(scope="module")
def played(demos: Played) -> Told:
    """The small demo: its project and what it printed, by chapter."""
    return demos.project, demos.chapters["bnpl"]


@pytest.fixture(scope="module")
def workspace(played: Told) -> Workspace:
    folder = played[0].folder
    environment = load_environment(folder / "conf", "local")
    absolute = environment.model_copy(update={"lake": str(folder / ".local/lake")})
    pipeline = load_pipeline(folder / "conf", folder / "dq_suites", "bnpl")
    return Workspace(pipeline, absolute, ReferencedSecrets({}), SystemClock())


def published(workspace: Workspace, mart: str) -> dict[object, Mapping[str, object]]:
    key = workspace.pipeline.mart(mart).key[0]
    return {r[key]: r for r in readers.read_published(workspace, mart).to_pylist()}


def test_a_week_of_history_is_one_run(played: Told) -> None:
    history = played[1]["History"]
    assert "published in" in history and "7 objects" in history and "unchanged" in played[1]["History again"]


def test_a_day_whose_stream_broke_off_is_whole_and_only_refused_records_are_missing(workspace: Workspace) -> None:
    lacking = {str(d) for d, r in published(workspace, "rpt_daily_quality").items() if r["completeness"] != 1}
    assert lacking == {"2024-11-29"}


def test_a_holiday_has_the_volume_of_a_holiday(workspace: Workspace) -> None:
    day = next(r for d, r in published(workspace, "rpt_daily_quality").items() if str(d) == "2024-11-28")
    assert day["day_type"] == "holiday" and 800 <= day["transactions"] <= 1000


def test_malformed_records_are_quarantined_with_their_reasons_and_the_day_is_published(played: Told) -> None:
    reasons = set(re.findall(r"\d+ × (.*)", played[1]["History"]))
    assert {
        "record: not a JSON object", "status: not an allowed value", "risk_score: above 1", "customer_id: null",
        "amount: not a decimal(18,2)",
    } <= reasons, reasons  # fmt: skip
    assert "published in" in played[1]["History"]


def test_a_day_of_inflated_amounts_is_refused_by_the_daily_quality_gate(played: Told) -> None:
    chapter = played[1]["Saturday"]
    assert "the gate daily_quality_gate is closed" in chapter and "rpt_daily_quality" in chapter
    assert "│       2024-11-30" not in chapter


def test_the_day_asked_again_is_published(played: Told, workspace: Workspace) -> None:
    assert "published in" in played[1]["Saturday, asked again"]
    saturday = next(r for d, r in published(workspace, "rpt_daily_quality").items() if str(d) == "2024-11-30")
    assert saturday["day_type"] == "weekend" and abs(saturday["amount_drift"]) < 0.05


def test_lake_and_snowflake_hold_the_same_transactions(played: Told, workspace: Workspace) -> None:
    served = played[0].ask(
        "sql", SQL.format("count(*) AS N, CAST(sum(amount * 100) AS BIGINT) AS CENTS", "MART_BNPL_TRANSACTIONS")
    )[0]
    rows = published(workspace, "mart_bnpl_transactions")
    assert served["N"] == len(rows) > 3_000
    assert served["CENTS"] == sum(int(r["amount"] * 100) for r in rows.values())


def test_customers_add_up_to_the_transactions(workspace: Workspace) -> None:
    customers = published(workspace, "mart_bnpl_customers")
    assert sum(r["transactions"] for r in customers.values()) == len(published(workspace, "mart_bnpl_transactions"))


def test_every_transaction_has_its_features(workspace: Workspace) -> None:
    features, bought = (published(workspace, f"mart_bnpl_{n}") for n in ("ml_features", "transactions"))
    assert features.keys() == bought.keys()


def test_no_feature_tells_the_outcome(workspace: Workspace) -> None:
    columns = set(next(iter(published(workspace, "mart_bnpl_ml_features").values())))
    assert not columns & {"will_default", "days_to_first_missed_payment", "risk_score", "risk_level", "label"}


def test_the_report_draws_the_declared_charts(played: Told) -> None:
    reports = sorted((played[0].folder / ".local/reports").glob("bnpl-2024-11-29-published-*.html"))
    text = reports[-1].read_text()
    assert "Transactions a day, by type of day" in text and "2024-11-28 holiday:" in text
