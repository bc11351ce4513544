"""The demo of org_balances as its user sees it, and the rule that compares two days."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from end_to_end.played import Played
from end_to_end.project import Project
from ledgerlake.demo.org_balances.balances import changes_to_tell, is_told, movements
from ledgerlake.demo.org_balances.world import Invoice, build_world, day_of
from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
RULE = (ROOT / "conf/pipelines/org_balances/alerts/balance_change.sql").read_text()
SQL = "SELECT {} FROM FINANCE.ORG_BALANCES_BI.{}"
LATEST = "2026-03-10"


@pytest.fixture(scope="module")
def played(demos: Played) -> tuple[Project, dict[str, str]]:
    """The small demo: its project and what it printed, by chapter."""
    return demos.project, demos.chapters["org_balances"]


def test_bad_rows_wait_with_their_reasons_and_the_others_are_published(
    played: tuple[Project, dict[str, str]],
) -> None:
    chapter = played[1]["Day 2"]
    assert "published in" in chapter
    reasons = set(re.findall(r"quarantined (\d+ × .*)", chapter))
    assert reasons == {
        "1 × amount: below 0",
        "1 × invoice_date: no such day",
        "1 × organization_id: not in stg_organizations yet",
        "2 × position: two different changes of the key claim it",
        "1 × snapshot: it has refused rows; what it lacks is not deleted",
        "1 × stg_invoices:expect_column_values_to_not_be_null(payment_date)",
    }


def test_changes_above_one_half_arrive_in_the_channel(played: tuple[Project, dict[str, str]]) -> None:
    told = re.findall(r"#balance-change-alert: .*?\((org_000\d)\): balance (.*?) on 2026-03-03", played[1]["Day 2"])
    assert told == [
        ("org_0001", "grew by 70.0%"),
        ("org_0002", "shrank by 75.0%"),
        ("org_0003", "moved from zero"),
        ("org_0004", "changed its sign"),
    ]


def test_nobody_is_told_twice(played: tuple[Project, dict[str, str]]) -> None:
    chapter = played[1]["Day 2 again"]
    assert "unchanged" in chapter and "nothing sent" in chapter


def test_invoices_in_another_currency_are_refused_with_a_reason(played: tuple[Project, dict[str, str]]) -> None:
    chapter = " ".join(played[1]["Day 3"].split())
    assert "blocked in" in chapter
    assert "fct_invoices: suite fct_invoices blocks" in chapter
    assert "why: an organization is billed in one currency; sums of two would mean nothing" in chapter
    assert "#balance-change-alert" not in chapter


def test_the_corrected_export_is_published_to_the_cent(played: tuple[Project, dict[str, str]]) -> None:
    chapter = played[1]["Day 4, corrected"]
    assert "published in" in chapter and "balanced" in chapter
    assert "(org_0001): balance shrank by 58.8% on 2026-03-05, from 1,700.00 to 700.00 USD" in chapter


def test_what_is_served_has_unique_keys_and_adds_up(played: tuple[Project, dict[str, str]]) -> None:
    unique = "count(*) - count(DISTINCT balance_date || organization_id) AS doubles"
    [row] = played[0].ask("sql", SQL.format(unique, "FCT_ORG_DAILY_BALANCES"))
    assert [str(value) for value in row.values()] == ["0"]
    wrong = "count(*) AS wrong FROM (SELECT total_amount - payment_amount - balance_amount AS off"
    [row] = played[0].ask("sql", f"SELECT {wrong} FROM FINANCE.ORG_BALANCES_BI.DIM_ORGANIZATIONS) WHERE off <> 0")
    assert [str(value) for value in row.values()] == ["0"]


def test_a_finding_is_listed_with_what_became_of_it(played: tuple[Project, dict[str, str]]) -> None:
    listed = played[0].ask("alerts", "--pipeline", "org_balances")
    assert [(a["alert"], a["status"]) for a in listed] == [("balance_change", "sent")] * 5


CASES = [
    # (what, balances by day, what is said)
    ("half_is_not_above_half", {"03-09": "100", "03-10": "150"}, None),
    ("above_half", {"03-09": "100", "03-10": "150.001"}, "grew by 50.0%"),
    ("below_half", {"03-09": "100", "03-10": "49.99"}, "shrank by 50.0%"),
    ("to_zero", {"03-09": "100", "03-10": "0"}, "shrank by 100.0%"),
    ("from_zero", {"03-09": "0", "03-10": "0.01"}, "moved from zero"),
    ("both_zero", {"03-09": "0", "03-10": "0"}, None),
    ("first_row", {"03-10": "5"}, "moved from zero"),
    ("first_row_of_zero", {"03-10": "0"}, None),
    ("missing_days_carry_on", {"03-01": "100", "03-02": "200", "03-10": "290"}, None),
    ("missing_days_and_a_change", {"03-01": "100", "03-10": "200"}, "grew by 100.0%"),
    ("sign_change", {"03-09": "10", "03-10": "-1"}, "changed its sign"),
    ("small_sign_change", {"03-09": "-0.01", "03-10": "0.01"}, "changed its sign"),
    ("deeper_below_zero", {"03-09": "-100", "03-10": "-151"}, "grew by 51.0%"),
    ("negative_half", {"03-09": "-100", "03-10": "-150"}, None),
    ("not_on_the_latest_day", {"03-08": "100", "03-09": "900"}, None),
    ("unchanged", {"03-09": "7", "03-10": "7"}, None),
    ("dated_into_the_future", {"03-09": "7", "12-31": "700"}, None),
]


def found_by(spark: SparkSession, balances: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return what the rule says of organizations, given their balances by day (``MM-DD``)."""
    values = ", ".join(
        f"(DATE '2026-{day}', '{name}', '{name}', 'EUR', CAST('{amount}' AS DECIMAL(18,3)))"
        for name, days in balances.items()
        for day, amount in days.items()
    )
    session = spark.newSession()
    columns = "balance_date, organization_id, organization_name, currency, balance_amount"
    session.sql(f"SELECT * FROM VALUES {values} AS t({columns})").createOrReplaceTempView("fct_org_daily_balances")
    session.sql("SELECT TIMESTAMP '2026-03-10 18:00:00' AS updated_at").createOrReplaceTempView("fct_invoices")
    return {row["organization_id"]: row["change"] for row in session.sql(RULE).collect()}


def test_the_rule_by_a_table_of_cases(spark: SparkSession) -> None:
    found = found_by(spark, {name: days for name, days, _ in CASES})
    assert found == {name: change for name, _, change in CASES if change}


def test_the_rule_agrees_with_the_accountant_on_drawn_balances(spark: SparkSession) -> None:
    chance = Random(11)
    drawn = {f"o{n}": (chance.randint(-40, 40), chance.randint(-40, 40)) for n in range(400)}
    days = ("03-03", "03-07", "03-09")
    found = found_by(spark, {o: {chance.choice(days): str(a), "03-10": str(b)} for o, (a, b) in drawn.items()})
    assert set(found) == {o for o, (a, b) in drawn.items() if is_told(Decimal(a), Decimal(b))}


def invoice(number: int, on: str, amount: int, paid: int = 0, paid_on: str = "") -> Invoice:
    paid_day = date.fromisoformat(paid_on) if paid_on else None
    return Invoice(f"i{number}", "o", date.fromisoformat(on), "EUR", Decimal(amount), Decimal(paid), paid_day)


def test_the_accountant_counts_invoices_and_payments_on_their_days() -> None:
    invoices = [invoice(1, "2026-03-01", 100, 60, LATEST), invoice(2, LATEST, 5)]
    assert movements(invoices) == {"o": {date(2026, 3, 1): Decimal(100), date(2026, 3, 10): Decimal(-55)}}
    [change] = changes_to_tell(invoices)
    assert (change.previous, change.balance) == (Decimal(100), Decimal(45))


def test_the_same_seed_gives_the_same_world() -> None:
    assert build_world(organizations=8) == build_world(organizations=8)
    known = build_world(organizations=8).known(day_of(1))
    assert len({i.invoice_id for i in known}) == len(known)
    assert all(i.paid_on is None or i.paid_on <= day_of(1) for i in known)
