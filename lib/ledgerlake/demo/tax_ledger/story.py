"""Plays three days of a tax ledger and shows what becomes of each event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ledgerlake.demo.stage import Demo, Setting, Stage
from ledgerlake.demo.tax_ledger.deliveries import Deliveries
from ledgerlake.demo.tax_ledger.world import DAYS, Scale, World, build_world
from ledgerlake.ports.secrets import ReferencedSecrets, Secrets

BI = "FINANCE.TAX_LEDGER_BI"


@dataclass
class Sources:
    """The seeded world, and what writes its deliveries."""

    world: World
    deliveries: Deliveries

    @property
    def secrets(self) -> Secrets:
        """Return that nothing here is secret: every source is files."""
        return ReferencedSecrets({})


@contextmanager
def running(setting: Setting) -> Iterator[Sources]:
    """Build the seeded world; deliveries are written as the days are played."""
    world = build_world(scale=Scale.small() if setting.small else Scale())
    yield Sources(world, Deliveries(world, setting.files))


def play(stage: Stage, sources: Sources) -> None:
    """Tell the whole story; raise TerminalError where a chapter does not end as it must."""
    planted = ", ".join(f"{n:,} {k}" for k, n in sources.world.planted.items())
    stage.note(f"{DAYS[0]} to {DAYS[2]}, seed {sources.world.seed}: planted {planted}")
    stage.say("Day 1", "billing and payments in JSON, the tax engine in Avro; some events are still on their way")
    _run(stage, sources, 0, "published")
    stage.say("Day 2", "late and delayed events, replays, malformed lines, contradictions; March is closed")
    _run(stage, sources, 1, "published")
    stage.say("Day 2 again", "the same command a second time")
    stage.run(DAYS[1], "unchanged")
    stage.say("Day 3", "a billing event does not balance, and the payments service miscounts its day")
    _run(stage, sources, 2, "blocked")
    stage.say("Day 3, corrected", "billing reverses the event and posts it again, payments corrects its control")
    _run(stage, sources, 2, "published", corrected=True)
    _books(stage)


def _run(stage: Stage, sources: Sources, day: int, expected: str, *, corrected: bool = False) -> None:
    written = sources.deliveries.deliver(day, corrected=corrected)
    stage.note(f"[dim]delivered:[/] {written} new objects")
    stage.run(DAYS[day], expected)


def _books(stage: Stage) -> None:
    rows = stage.ask(
        "Trial balance",
        f"SELECT currency, sum(debit) AS debit, sum(credit) AS credit, sum(balance) AS balance FROM {BI}.TRIAL_BALANCE GROUP BY currency ORDER BY currency",
    )
    stage.expect(all(row[3] == 0 for row in rows), "the trial balance is not zero")
    stage.note("[bold green]balanced[/]: debits and credits are equal in every currency")
    stage.ask(
        "Late events: the period they belong to, and the one they were posted to",
        f"SELECT late_for_period, posting_period, late_policy, count(DISTINCT event_id) AS events FROM {BI}.POSTINGS WHERE late_for_period IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2",
    )
    stage.ask(
        "What each service wrote and what arrived",
        f"SELECT control_date, service, sum(events_expected) AS expected, sum(events_found) AS found, max(revision) AS revision, max(status) AS status FROM {BI}.RPT_SERVICE_RECONCILIATION GROUP BY 1, 2 ORDER BY 1, 2",
    )


DEMO = Demo("tax_ledger", "financial events written once, double entries, tax liability at any moment", running, play)
