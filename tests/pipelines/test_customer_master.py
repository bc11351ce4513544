"""The demo of the customer master as its user sees it: merges, splits, a refused import, and explanations."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from end_to_end.played import Played
from end_to_end.project import Project
from ledgerlake.config.load import load_environment, load_pipeline
from ledgerlake.lake import readers
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ports.clock import SystemClock
from ledgerlake.ports.secrets import ReferencedSecrets

Told = tuple[Project, dict[str, str]]
Rows = list[dict[str, Any]]
CUSTOMERS, TWINS, MISTYPED = 60, 2, 2
FIELDS = (
    "name", "email", "tax_id", "billing_status", "plan_tier", "subscription_state", "mrr_usd", "account_owner",
    "street", "city", "country", "customer_since",
)  # fmt: skip


@pytest.fixture(scope="module")
def played(demos: Played, open_folder: Path) -> Told:
    """The project after the small demo, as if no other had been played, and what it printed, by chapter."""
    return demos.alone("customer_master", open_folder / "customer_master"), {
        title: " ".join(text.split()) for title, text in demos.chapters["customer_master"].items()
    }


@pytest.fixture(scope="module")
def workspace(played: Told) -> Workspace:
    folder = played[0].folder
    environment = load_environment(folder / "conf", "local")
    absolute = environment.model_copy(update={"lake": str(folder / ".local/lake")})
    pipeline = load_pipeline(folder / "conf", folder / "dq_suites", "customer_master")
    return Workspace(pipeline, absolute, ReferencedSecrets({}), SystemClock())


def published(workspace: Workspace, mart: str) -> Rows:
    return readers.read_published(workspace, mart).to_pylist()


def test_each_day_ends_as_it_must(played: Told) -> None:
    chapters = played[1]
    assert "published in" in chapters["Day 1"] and "published in" in chapters["Day 2"]
    assert "unchanged in" in chapters["Day 2 again"]
    assert "blocked in" in chapters["Day 3"] and "published in" in chapters["Day 3, corrected"]


def test_rows_that_break_the_contract_are_set_aside_with_their_reasons_and_the_day_is_published(played: Told) -> None:
    day = played[1]["Day 2"]
    assert "quarantined: app_accounts · billing_status: not an allowed value" in day
    assert "quarantined: subscription_events · state: not an allowed value" in day
    assert "the key is missing" in day
    assert day.count("quarantined: ") == 4


def test_an_import_that_gives_one_address_to_many_is_refused_with_the_business_reason(played: Told) -> None:
    day = played[1]["Day 3"]
    assert "rpt_conflict_rate" in day and "an import has gone wrong" in day
    assert "60" in day  # what Snowflake serves meanwhile


def test_every_customer_is_there_once_with_every_field_and_its_provenance(workspace: Workspace) -> None:
    rows = published(workspace, "customer_master")
    assert len(rows) == CUSTOMERS == len({r["customer_id"] for r in rows})
    for row in rows:
        for name in FIELDS:
            told = [row[f"{name}_{part}"] for part in ("source", "record", "time")]
            assert row[f"{name}_rule"] and (row[name] is None or None not in told), name


def test_stripe_decides_the_email_and_salesforce_the_name_as_declared(workspace: Workspace) -> None:
    rows = published(workspace, "customer_master")
    assert {r["email_source"] for r in rows if r["email_rule"] == "source"} <= {"stripe"}
    assert {r["name_source"] for r in rows if r["name_rule"] == "trust"} <= {"salesforce", "stripe"}
    assert {r["account_owner_source"] for r in rows} == {"salesforce"}


def test_running_subscriptions_add_up(workspace: Workspace) -> None:
    rows = published(workspace, "customer_master")
    assert all(r["mrr_usd"] > 0 and r["mrr_usd_source"] == "aggregate" for r in rows)


def test_merges_and_splits_are_history(workspace: Workspace) -> None:
    links = [k for k in published(workspace, "customer_xref") if str(k["valid_from"]) < "2026-03-04"]
    merged = {k["previous_customer_id"] for k in links if k["event"] == "merged" and k["valid_from"].day == 3}
    split = {k["customer_id"] for k in links if k["event"] == "split" and k["valid_from"].day == 3}
    assert (len(merged), len(split)) == (TWINS, MISTYPED)
    known = {r["customer_id"] for r in published(workspace, "customer_master")}
    assert not merged & known and split <= known


def test_versions_of_a_customer_follow_each_other_without_overlap(workspace: Workspace) -> None:
    rows = sorted(published(workspace, "customer_master_history"), key=lambda r: (r["customer_id"], r["valid_from"]))
    for one, other in pairwise(rows):
        if one["customer_id"] == other["customer_id"]:
            assert one["valid_to"] is not None and one["valid_to"] <= other["valid_from"]
    assert sum(r["is_current"] for r in rows) == CUSTOMERS


def test_a_late_change_stands_in_the_past_where_it_belongs(workspace: Workspace) -> None:
    late = [
        r for r in published(workspace, "customer_master_history")
        if str(r["valid_from"]).startswith("2026-03-02 12:00") and r["billing_status"] == "current" and r["conflicts"]
    ]  # fmt: skip
    assert (
        len({r["customer_id"] for r in late}) == 3
    )  # two of them came a day late; delinquent for the product, while Stripe, which counts, says current


def test_conflicts_show_what_lost_to_what_by_which_rule(workspace: Workspace) -> None:
    rows = published(workspace, "customer_conflicts")
    names = [r for r in rows if r["field"] == "name"]
    assert names and all(r["lost_by"] == "trust" and r["value"] != r["surviving_value"] for r in names)


def test_the_conflict_rate_is_compared_with_its_own_history(workspace: Workspace) -> None:
    rows = sorted(published(workspace, "rpt_conflict_rate"), key=lambda r: r["day"])
    assert [r["is_latest"] for r in rows].count(True) == 1 and rows[-1]["is_latest"]
    assert rows[-1]["times_usual"] <= 2 and rows[-1]["customers"] == CUSTOMERS


def test_a_record_is_explained_masked_and_an_id_that_was_merged_away_leads_to_its_customer(
    played: Told, workspace: Workspace
) -> None:
    merged = next(
        k for k in published(workspace, "customer_xref") if k["event"] == "merged" and k["valid_from"].day == 3
    )
    facts = played[0].ask("explain", "customer_master", "--key", merged["previous_customer_id"])
    assert facts["customer_id"] == facts["merged_into"] == merged["customer_id"]
    values = {f["field"]: f for f in facts["fields"]}
    assert values["email"]["value"] == "•••" and values["city"]["value"] != "•••"
    assert all(f["rule"] for f in facts["fields"]) and len(facts["records"]) == 6


def test_an_earlier_moment_is_explained_as_it_was(played: Told, workspace: Workspace) -> None:
    merged = next(
        k for k in published(workspace, "customer_xref") if k["event"] == "merged" and k["valid_from"].day == 3
    )
    key = f"{merged['source']}:{merged['record']}"
    facts = played[0].ask("explain", "customer", "--key", key, "--as-of", "2026-03-02T12:00:00")
    assert facts["customer_id"] == merged["previous_customer_id"]


def test_personal_data_is_shown_for_a_reason_only_and_that_is_recorded(played: Told, workspace: Workspace) -> None:
    project = played[0]
    link = next(k for k in published(workspace, "customer_xref") if k["source"] == "app" and k["is_current"])
    asked = ("explain", "customer_master", "--key", f"app:{link['record']}", "--show-personal")
    assert "for a reason only" in project.command(*asked, expect=2).stderr
    facts = project.ask(*asked, "--reason", "ticket 4711")
    assert "@" in {f["field"]: f["value"] for f in facts["fields"]}["email"]
    seen = project.ask("access", "--pipeline", "customer_master")
    assert seen[0]["reason"] == "ticket 4711" and seen[0]["who"] and link["customer_id"] not in str(seen)


def test_an_unknown_key_is_not_found(played: Told) -> None:
    assert "no such key" in played[0].command("explain", "customer_master", "--key", "app:acc_x", expect=7).stderr
