"""Plays four days of a billing system's exports and shows what ledgerlake does about each of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledgerlake.demo.chat_server import Chat, Post, running_chat
from ledgerlake.demo.org_balances.balances import changes_to_tell, movements
from ledgerlake.demo.org_balances.exports import (
    INVOICE_COLUMNS,
    ORGANIZATION_COLUMNS,
    Row,
    in_one_currency,
    invoice_row,
    organization_row,
    with_faulty_rows,
    write_export,
)
from ledgerlake.demo.org_balances.world import Invoice, World, build_world, day_of
from ledgerlake.demo.stage import Demo, Setting, Stage
from ledgerlake.lake.quarantine import kind_of
from ledgerlake.ops.untaken import open_quarantine
from ledgerlake.ports.secrets import ReferencedSecrets

BI = "FINANCE.ORG_BALANCES_BI"
CHANNEL = "#balance-change-alert"
SHOWN_MAX = 6


@dataclass
class Sources:
    """The billing system's exports, and the chat service that hears of them."""

    world: World
    files: Path
    chat: Chat

    @property
    def secrets(self) -> ReferencedSecrets:
        """Return the address of the webhook behind its reference."""
        return ReferencedSecrets({"SLACK_WEBHOOK_URL": self.chat.url})

    def deliver(self, day: int, invoices: list[Row]) -> None:
        """Export a day: organizations as they are, and the given rows of invoices."""
        folder, organizations = self.files / "billing", map(organization_row, self.world.organizations)
        write_export(folder, "organizations", day_of(day), ORGANIZATION_COLUMNS, organizations)
        write_export(folder, "invoices", day_of(day), INVOICE_COLUMNS, invoices)


@contextmanager
def running(setting: Setting) -> Iterator[Sources]:
    """Run the chat service beside the exports of the seeded world."""
    world = build_world(organizations=40 if setting.small else 600)
    with running_chat() as chat:
        yield Sources(world, setting.files, chat)


def play(stage: Stage, sources: Sources) -> None:
    """Tell the whole story; raise TerminalError where a chapter does not end as it must."""
    _first_day(stage, sources)
    _quarantined_day(stage, sources)
    _refused_day(stage, sources)
    _corrected_day(stage, sources)


def _first_day(stage: Stage, sources: Sources) -> None:
    known = sources.world.known(day_of(0))
    stage.say("Day 1", f"the first export: {len(sources.world.organizations):,} organizations, {len(known):,} invoices")
    sources.deliver(0, [invoice_row(i) for i in known])
    stage.run(day_of(0), "published")
    _told(stage, sources, known)


def _quarantined_day(stage: Stage, sources: Sources) -> None:
    stage.say("Day 2", "some rows are wrong: they wait in quarantine, the others are published")
    rows, good = with_faulty_rows(sources.world.known(day_of(1)), day_of(1))
    sources.deliver(1, rows)
    stage.run(day_of(1), "published")
    reasons = Counter(kind_of(reason) for r in open_quarantine(stage.workspace()) for reason in r["reasons"])
    for reason, times in sorted(reasons.items()):
        stage.note(f"[yellow]quarantined[/] {times} × {reason}")
    stage.note("[dim]ledgerlake quarantine list -p org_balances[/] shows each row with its file and line")
    _told(stage, sources, good)
    _balances(stage, good)
    stage.say("Day 2 again", "the same command a second time: nobody is told twice")
    stage.run(day_of(1), "unchanged")
    stage.expect(not sources.chat.take(), "an alert was repeated")
    stage.note("[bold green]nothing sent[/]")


def _refused_day(stage: Stage, sources: Sources) -> None:
    stage.say("Day 3", "the export fills the currency of every invoice with USD")
    sources.deliver(2, in_one_currency(map(invoice_row, sources.world.known(day_of(2))), "USD"))
    stage.run(day_of(2), "blocked")
    posts = sources.chat.take()
    _show_posts(stage, posts)
    stage.expect(len(posts) == 1 and "blocked" in posts[0].text, "the refused day was not told")
    served = stage.query(f"SELECT count(*) FROM {BI}.FCT_INVOICES WHERE currency <> organization_currency")
    stage.expect(served == [(0,)], "a refused invoice is served")
    stage.note("Snowflake goes on serving day 2; balances of the refused day are told to nobody")


def _corrected_day(stage: Stage, sources: Sources) -> None:
    known = sources.world.known(day_of(3))
    stage.say("Day 4, corrected", "a whole and correct export under a newer date: rows of day 2 are mended as well")
    sources.deliver(3, [invoice_row(i) for i in known])
    stage.run(day_of(3), "published")
    _told(stage, sources, known)
    _balances(stage, known)
    stage.ask(
        "Who owes most",
        f"SELECT organization_id, organization_name, currency, total_invoices, total_amount, payment_amount, balance_amount"
        f" FROM {BI}.DIM_ORGANIZATIONS WHERE currency = 'USD' ORDER BY balance_amount DESC, organization_id LIMIT 5",
    )


def _told(stage: Stage, sources: Sources, invoices: list[Invoice]) -> None:
    """Show what arrived in the channel; it must be exactly what the accountant expects."""
    posts = sources.chat.take()
    told = sorted(m for p in posts for m in re.findall(r"\((org_\d+)\)", p.text))
    expected = [c.organization_id for c in changes_to_tell(invoices)]
    stage.expect(told == expected, f"told of {told}, not of {expected}")
    stage.expect(all(p.channel == CHANNEL for p in posts), "a message went to another channel")
    _show_posts(stage, posts)


def _show_posts(stage: Stage, posts: list[Post]) -> None:
    stage.note(f"[bold]{len(posts)} messages arrived[/]")
    for post in posts[:SHOWN_MAX]:
        stage.console.print(f"  {post.channel or 'webhook'}: {post.text}", markup=False, soft_wrap=True)
    if len(posts) > SHOWN_MAX:
        stage.note(f"… and {len(posts) - SHOWN_MAX} more")


def _balances(stage: Stage, invoices: list[Invoice]) -> None:
    """Ask for the planted organizations; every balance must be the accountant's."""
    stage.ask(
        "Balances of the last days",
        f"SELECT balance_date, organization_id, total_amount, payment_amount, balance_amount, currency"
        f" FROM {BI}.FCT_ORG_DAILY_BALANCES WHERE organization_id <= 'org_0005' AND balance_date >= '2026-02-20'"
        " ORDER BY organization_id, balance_date",
    )
    owed = {o: sum(days.values()) for o, days in movements(invoices).items()}
    rows = stage.query(f"SELECT organization_id, balance_amount FROM {BI}.DIM_ORGANIZATIONS WHERE total_invoices > 0")
    stage.expect(dict(rows) == owed, "balances differ from the accountant's")
    stage.note(f"[bold green]balanced[/]: {len(rows):,} organizations, to the cent")


DEMO = Demo("org_balances", "invoices and organizations from CSV to daily balances and alerts", running, play)
