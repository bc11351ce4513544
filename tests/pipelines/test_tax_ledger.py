"""The demo of tax_ledger as its user sees it, and what must hold of its lake at every version."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from deltalake import DeltaTable, QueryBuilder
from end_to_end.played import Played
from end_to_end.project import Project
from ledgerlake.demo.tax_ledger.deliveries import exported_at
from ledgerlake.demo.tax_ledger.model import Event, entries_of, event_id, major, reversal
from ledgerlake.demo.tax_ledger.world import DAYS, Scale, World, build_world

Told = tuple[Project, dict[str, str]]
SQL = "SELECT {} FROM FINANCE.TAX_LEDGER_BI.{}"
DAY_1 = f"{exported_at(0):%Y-%m-%dT%H:%M:%S}"


@pytest.fixture(scope="module")
def played(demos: Played) -> Told:
    """The small demo: its project and what it printed, by chapter."""
    return demos.project, demos.chapters["tax_ledger"]


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(scale=Scale.small())


def lake(played: Told, *parts: str) -> str:
    return str(Path(played[0].folder, ".local", "lake", *parts))


def rows(uri: str, sql: str, version: int | None = None) -> list[tuple[Any, ...]]:
    """Ask a Delta table, called ``t``, as of a version."""
    found = QueryBuilder().register("t", DeltaTable(uri, version=version)).execute(sql).read_all()
    return [
        tuple(column[n].as_py() for column in map(found.column, range(found.num_columns)))
        for n in range(found.num_rows)
    ]


def asked(played: Told, columns: str, table: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in played[0].ask("sql", SQL.format(columns, table))]


def publications(played: Told) -> list[dict[str, Any]]:
    found = rows(
        lake(played, "control", "publications"),
        "SELECT status, marts FROM t WHERE pipeline = 'tax_ledger' AND status <> 'sending' ORDER BY sequence",
    )
    return [
        {"status": status, "versions": {m: v["version"] for m, v in json.loads(marts).items()}}
        for status, marts in found
    ]


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_the_bad_rows_of_day_2_wait_with_their_reasons_and_the_others_are_published(played: Told) -> None:
    chapter = squeezed(played[1]["Day 2"])
    assert "published in" in chapter
    assert "2 rows · immutable: another content for a key that is already written" in chapter
    assert "3 rows · record: not a JSON object" in chapter
    assert "waiting" in chapter, "the control totals name what is missing"


def test_replays_and_relays_of_another_service_are_duplicates(played: Told) -> None:
    assert " · 80 duplicate · 5 quarantined" in played[1]["Day 2"]
    assert "unchanged" in played[1]["Day 2 again"]


def test_day_3_is_refused_with_the_reasons_and_day_2_stays_served(played: Told) -> None:
    chapter = squeezed(played[1]["Day 3"])
    assert "blocked in" in chapter
    assert "why: debits and credits must be equal in each currency" in chapter
    assert "why: the entries of an event, with those of its reversals, must balance" in chapter
    assert "why: what arrived must sum up to what the service says it wrote" in chapter
    assert str(DAYS[1]) in chapter.split("while day 3 is blocked")[1]
    assert str(DAYS[2]) not in chapter.split("while day 3 is blocked")[1]


def test_reversing_events_and_a_corrected_control_are_published(played: Told) -> None:
    chapter = played[1]["Day 3, corrected"]
    assert "published in" in chapter and str(DAYS[2]) in chapter and "balanced" in chapter


def test_the_trial_balance_is_zero_per_currency_at_every_published_version_and_never_hides_a_mistake(
    played: Told,
) -> None:
    found = publications(played)
    assert [p["status"] for p in found] == ["published", "published", "blocked", "published"]
    for publication in found:
        version = publication["versions"]
        postings = rows(
            lake(played, "marts", "tax_ledger", "postings"),
            "SELECT currency, sum(debit) - sum(credit) FROM t GROUP BY currency",
            version["postings"],
        )
        balance = rows(
            lake(played, "marts", "tax_ledger", "trial_balance"),
            "SELECT currency, sum(balance) FROM t GROUP BY currency",
            version["trial_balance"],
        )
        assert sorted(postings) == sorted(balance) and len(balance) == 4
        assert any(difference for _, difference in balance) == (publication["status"] == "blocked")


@pytest.mark.parametrize(
    ("mart", "difference"), [("postings", "sum(debit) - sum(credit)"), ("trial_balance", "sum(balance)")]
)
def test_every_delta_version_of_the_books_is_zero_or_was_refused(played: Told, mart: str, difference: str) -> None:
    refused = {p["versions"][mart] for p in publications(played) if p["status"] == "blocked"}
    uri = lake(played, "marts", "tax_ledger", mart)
    for version in range(DeltaTable(uri).version() + 1):
        found = [d for (d,) in rows(uri, f"SELECT {difference} FROM t GROUP BY currency", version)]
        assert len(found) == 4
        assert any(found) == (version in refused), version


def test_no_file_of_the_ledger_was_ever_rewritten(played: Told) -> None:
    log = Path(lake(played, "silver", "tax_ledger", "ledger_events"), "_delta_log")
    actions = [json.loads(line) for file in sorted(log.glob("*.json")) for line in file.read_text().splitlines()]
    assert sum("add" in a for a in actions) >= 4
    assert not any("remove" in a for a in actions)
    assert any(a["metaData"]["configuration"]["delta.appendOnly"] == "true" for a in actions if "metaData" in a)


def test_every_event_is_written_once_and_posted_once(played: Told, world: World) -> None:
    events = [e for day in [*world.recorded, world.correction] for e in day]
    ledger = rows(lake(played, "silver", "tax_ledger", "ledger_events"), "SELECT event_id FROM t")
    assert sorted(i for (i,) in ledger) == sorted(e.event_id for e in events)
    assert asked(played, "count(*) AS n", "POSTINGS") == [(sum(len(e.entries) for e in events),)]


def test_late_events_are_posted_as_their_period_declares(played: Told, world: World) -> None:
    late = [e for day in world.recorded for e in day if (e.effective_at.month, e.recorded_at.month) in ((2, 3), (3, 4))]
    reopened = {e.event_id for e in late if e.effective_at.month == 2}
    found = rows(
        lake(played, "marts", "tax_ledger", "postings"),
        "SELECT DISTINCT event_id, late_for_period, posting_period, close_id FROM t WHERE late_for_period IS NOT NULL",
    )
    assert {row[0] for row in found} == {e.event_id for e in late}
    assert {row[1:] for row in found if row[0] in reopened} == {("2026-02", "2026-02", "close-2026-02")}
    assert {row[1:] for row in found if row[0] not in reopened} == {("2026-03", "2026-04", "close-2026-03")}


def test_out_of_balance_tells_what_arrived_after_its_period_was_closed_and_nothing_worse(
    played: Told, world: World
) -> None:
    found = asked(played, "problem, count(*) AS n", "OUT_OF_BALANCE GROUP BY problem")
    assert found == [("delivered after its period was closed", world.scale.delayed)]


def test_every_service_agrees_and_gaps_are_closed(played: Told) -> None:
    found = asked(played, "DISTINCT status, missing_events, revision", "RPT_SERVICE_RECONCILIATION ORDER BY revision")
    assert found == [("agrees", 0, 1), ("agrees", 0, 2)]


def test_tax_liability_as_known_at_day_1_is_what_was_published_then(played: Told) -> None:
    version = publications(played)[0]["versions"]["tax_liability"]
    then = rows(
        lake(played, "marts", "tax_ledger", "tax_liability"),
        "SELECT jurisdiction, period, liability_amount FROM t",
        version,
    )
    answer = played[0].ask("as-of", "tax_liability", "--known-at", DAY_1, "--pipeline", "tax_ledger")
    assert sorted((r["jurisdiction"], r["period"], Decimal(r["liability_amount"])) for r in answer) == sorted(then)
    assert "known at day 1" in played[1]["As of any moment"]


def test_the_same_seed_gives_the_same_world_and_ids_sort_by_time(world: World) -> None:
    again = build_world(scale=Scale.small())
    assert again.deliveries == world.deliveries and again.contradictions == world.contradictions
    by_id = sorted(world.recorded[0], key=lambda e: e.event_id)
    milliseconds = [int(e.recorded_at.timestamp() * 1000) for e in by_id]
    assert milliseconds == sorted(milliseconds)


def test_every_event_but_the_planted_one_balances(world: World) -> None:
    events = [e for day in [*world.recorded, world.correction] for e in day]
    unbalanced = [e for e in events if sum(d - c for _, d, c in e.entries)]
    assert len(unbalanced) == 2 and {unbalanced[1].reverses, unbalanced[0].reverses} == {unbalanced[0].event_id, None}


def test_each_service_numbers_its_events_without_a_gap(world: World) -> None:
    for service in ("billing", "payments", "tax_engine"):
        numbers = [e.sequence for day in [*world.recorded, world.correction] for e in day if e.service == service]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("kind", "net", "tax", "entries"),
    [
        ("invoice.finalised", 100, 19, (("receivable", 119, 0), ("revenue", 0, 100), ("tax_payable", 0, 19))),
        ("invoice.corrected", 0, -3, (("receivable", 0, 3), ("tax_payable", 3, 0))),
        ("payment.received", 100, 19, (("cash", 119, 0), ("receivable", 0, 119))),
        ("credit_note.issued", 50, 9, (("revenue", 50, 0), ("tax_payable", 9, 0), ("receivable", 0, 59))),
        ("refund.issued", 50, 9, (("receivable", 59, 0), ("cash", 0, 59))),
    ],
)
def test_what_each_event_posts(kind: str, net: int, tax: int, entries: tuple[tuple[str, int, int], ...]) -> None:
    assert entries_of(kind, net, tax) == entries


def test_a_reversal_posts_the_other_side_and_names_what_it_reverses(world: World) -> None:
    event: Event = world.recorded[0][0]
    back = reversal(event, event.recorded_at, Random(1), "billing")
    assert back.reverses == event.event_id and back.event_type == "event.reversed"
    assert [(a, c, d) for a, d, c in back.entries] == list(event.entries)


@pytest.mark.parametrize(
    ("minor", "currency", "text"), [(-5, "USD", "-0.05"), (12345, "EUR", "123.45"), (700, "JPY", "700")]
)
def test_minor_units_are_written_in_major_units(minor: int, currency: str, text: str) -> None:
    assert major(minor, currency) == text


def test_event_ids_are_uuids_of_version_7() -> None:
    found = UUID(event_id(exported_at(0), Random(3)))
    assert found.version == 7
    assert found.int >> 80 == int(exported_at(0).timestamp() * 1000)
