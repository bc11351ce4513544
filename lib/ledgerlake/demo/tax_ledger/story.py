"""Plays three days of a tax ledger and shows what becomes of each event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from ledgerlake.demo.stage import Demo, Setting, Stage
from ledgerlake.demo.tax_ledger.deliveries import Deliveries, exported_at
from ledgerlake.demo.tax_ledger.world import DAYS, Scale, World, build_world
from ledgerlake.lake.quarantine import kind_of
from ledgerlake.ops.as_of import Moments, as_of
from ledgerlake.ops.untaken import open_quarantine
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
    _quarantined(stage)
    stage.say("Day 2 again", "the same command a second time")
    stage.run(DAYS[1], "unchanged")
    stage.say("Day 3", "a billing event does not balance, and the payments service miscounts its day")
    _run(stage, sources, 2, "blocked")
    _serving(stage, "What Snowflake serves while day 3 is blocked")
    stage.say("Day 3, corrected", "billing reverses the event and posts it again, payments corrects its control")
    _run(stage, sources, 2, "published", corrected=True)
    _serving(stage, "What Snowflake serves now")
    _books(stage)
    _moments(stage)


def _run(stage: Stage, sources: Sources, day: int, expected: str, *, corrected: bool = False) -> None:
    written = sources.deliveries.deliver(day, corrected=corrected)
    stage.note(f"[dim]delivered:[/] {written} new objects")
    stage.run(DAYS[day], expected)


def _quarantined(stage: Stage) -> None:
    reasons = Counter(kind_of(reason) for row in open_quarantine(stage.workspace()) for reason in row["reasons"])
    stage.note("[bold]In quarantine, whole, with the reason[/] [dim](ledgerlake quarantine list)[/]")
    for reason, rows in sorted(reasons.items()):
        stage.note(f"{rows} rows · {reason}")
    stage.ask(
        "What the control totals say of it: those events are still missing",
        f"SELECT control_date, service, max(missing_events) AS missing, max(gaps) AS gaps, max(status) AS status FROM {BI}.RPT_SERVICE_RECONCILIATION WHERE missing_events > 0 GROUP BY control_date, service ORDER BY 1, 2",
    )


def _serving(stage: Stage, title: str) -> None:
    stage.ask(
        title,
        f"SELECT to_date(recorded_at) AS recorded, count(DISTINCT event_id) AS events, {_sum('debit')} AS debit, {_sum('credit')} AS credit FROM {BI}.POSTINGS GROUP BY 1 ORDER BY 1",
    )


def _sum(column: str) -> str:
    return f"CAST(sum({column}) AS DECIMAL(30,3))"


def _moments(stage: Stage) -> None:
    """Compare tax liability as known at the end of day 1 with what is known now."""
    workspace, then = stage.workspace(), exported_at(0)
    stage.say("As of any moment", f"ledgerlake as-of tax_liability --known-at {then:%Y-%m-%dT%H:%M:%S}")
    known, now = (
        {
            (r["jurisdiction"], r["period"]): r["liability_amount"]
            for r in workspace.engines.rows(as_of(workspace, "tax_liability", m))
        }
        for m in (Moments(known_at=then), Moments())
    )
    keys = sorted(now.keys() | known.keys())
    stage.show(
        ["jurisdiction", "period", "known at day 1", "known now"],
        [[*key, known.get(key, "-"), now.get(key, "-")] for key in keys],
    )
    served = stage.query(f"SELECT jurisdiction, period, CAST(liability_amount AS TEXT) FROM {BI}.TAX_LIABILITY")
    stage.expect(
        {(j, p): Decimal(amount) for j, p, amount in served} == now, "what is known now is not what is published"
    )


def _books(stage: Stage) -> None:
    rows = stage.ask(
        "Trial balance",
        f"SELECT currency, {_sum('debit')} AS debit, {_sum('credit')} AS credit, {_sum('balance')} AS balance FROM {BI}.TRIAL_BALANCE GROUP BY currency ORDER BY currency",
    )
    stage.expect(all(row[3] == 0 for row in rows), "the trial balance is not zero")
    stage.note("[bold green]balanced[/]: debits and credits are equal in every currency")
    stage.ask(
        "Late events: the period they belong to, and the one they were posted to",
        f"SELECT late_for_period, posting_period, late_policy, count(DISTINCT event_id) AS events FROM {BI}.POSTINGS WHERE late_for_period IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2",
    )
    stage.ask(
        "What each service wrote and what arrived",
        f"SELECT control_date, service, CAST(sum(events_expected) AS INT) AS expected, CAST(sum(events_found) AS INT) AS found, max(revision) AS revision, max(status) AS status FROM {BI}.RPT_SERVICE_RECONCILIATION GROUP BY 1, 2 ORDER BY 1, 2",
    )


DEMO = Demo("tax_ledger", "financial events written once, double entries, tax liability at any moment", running, play)
