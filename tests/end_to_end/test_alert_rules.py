"""Alert rules judge what is published, tell each finding once, and lose none that could not be sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from textwrap import dedent

import pytest
from house import ACCOUNTS, DAY, SOURCES, House, cdc
from ledgerlake.demo.chat_server import Chat, running_chat
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run

RULES = """
marts:
  - mart: balances
    sql: marts/balances.sql
    key: [account_id]
    inputs: [{table: accounts}]
alerts:
  webhook: env:HOOK
  rules:
    - alert: large_balance
      sql: alerts/large_balance.sql
      key: [account_id]
      channel: "#money"
      message: "{account_id} holds {balance}"
"""
BALANCES = "SELECT account_id, balance, owner IS NULL AS is_unowned FROM accounts"
LARGE = "SELECT account_id, balance FROM balances WHERE balance > 1000"


@pytest.fixture
def chat() -> Iterator[Chat]:
    with running_chat() as running:
        yield running


def alerting(house: House, sql: str = LARGE) -> House:
    """Return a house whose rule is ``sql``, with one account that is rich and one that is not."""
    house.declare(SOURCES.rstrip() + RULES, ACCOUNTS, marts__balances=BALANCES)
    file = house.root / "conf" / "pipelines" / house.name / "alerts" / "large_balance.sql"
    file.parent.mkdir()
    file.write_text(dedent(sql))
    return house.deliver(
        "db/public/accounts/20260301-100000000.csv", cdc("I,a1,Ada,EUR,5000.50,001", "I,a2,Bo,EUR,10,002")
    )


def said(report: RunReport) -> list[tuple[str, str]]:
    return [(s.subject, s.result) for s in report.steps if s.stage == "alert"]


def test_a_finding_is_told_once_and_a_new_one_when_it_is_found(house: House, chat: Chat) -> None:
    alerting(house).secrets["HOOK"] = chat.url

    assert said(house.run()) == [("large_balance", "1 new findings, 0 told before"), ("#money", "1 sent")]
    assert [(p.channel, p.text) for p in chat.take()] == [("#money", "a1 holds 5000.500")]

    changed = cdc("U,a1,Ada,EUR,7000,003", "U,a2,<!channel>,EUR,2000,004")
    house.deliver("db/public/accounts/20260301-110000000.csv", changed)

    assert said(house.run()) == [("large_balance", "1 new findings, 1 told before"), ("#money", "1 sent")]
    assert [p.text for p in chat.take()] == ["a2 holds 2000.000"]
    assert said(house.run()) == []


def test_what_cannot_be_sent_stays_pending_and_goes_with_a_later_run(house: House, chat: Chat) -> None:
    first = alerting(house).run()

    assert first.status == "published"
    assert said(first)[1][1] == "1 not sent, the next run tries again: the environment variable HOOK is not set"

    house.secrets["HOOK"], chat.status = chat.url, 500
    refused = house.run()

    assert refused.status == "unchanged"
    assert said(refused) == [("#money", "1 not sent, the next run tries again: the service answered HTTP 500")]
    assert chat.url not in str(said(refused))

    chat.status, _ = 200, chat.take()
    assert said(house.run()) == [("#money", "1 sent")]
    assert [p.text for p in chat.take()] == ["a1 holds 5000.500"]
    assert said(house.run()) == []


def test_a_run_killed_after_its_publication_is_made_up_for_by_the_next(house: House, chat: Chat) -> None:
    def kill(stage: str, subject: str, result: str) -> None:
        if stage == "alert":
            raise KeyboardInterrupt

    alerting(house).secrets["HOOK"] = chat.url
    house.clock.advance(timedelta(minutes=1))
    with pytest.raises(KeyboardInterrupt):
        run(house.workspace(), DAY, house.warehouse, Progress(kill))
    assert chat.posts == []

    report = house.run()

    assert report.status == "unchanged"
    assert [p.text for p in chat.take()] == ["a1 holds 5000.500"]


def test_a_rule_that_fails_leaves_the_run_published_and_says_so_once(house: House, chat: Chat) -> None:
    alerting(house, "SELECT CAST(raise_error('no') AS STRING) AS account_id, balance FROM balances")
    house.secrets["HOOK"] = chat.url

    report = house.run()

    assert report.status == "published"
    [(rule, judged), sent] = said(report)
    assert rule == "large_balance" and judged.startswith("not judged: ")
    assert sent == ("#money", "1 sent")
    [post] = chat.take()
    assert post.text.startswith(f"large_balance could not judge publication {report.publication_id}: ")
    assert [subject for subject, _ in said(house.run())] == ["large_balance"]  # tried again, told no more
    assert chat.posts == []
