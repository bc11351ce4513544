"""Plays LedgerLoop's three days: four sources, one customer master, and what happens when a source goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledgerlake.demo.customer_master.explained import explained
from ledgerlake.demo.customer_master.people import Scale
from ledgerlake.demo.customer_master.sources import Sources, running_sources
from ledgerlake.demo.customer_master.world import build_world
from ledgerlake.demo.stage import Demo, Setting, Stage
from ledgerlake.ops.untaken import open_quarantine

BI = "FINANCE.CUSTOMER_MASTER_BI"


@contextmanager
def running(setting: Setting) -> Iterator[Sources]:
    """Run the sources of the seeded world."""
    world = build_world(scale=Scale.small() if setting.small else Scale())
    with running_sources(world, setting.files) as sources:
        yield sources


def play(stage: Stage, sources: Sources) -> None:
    """Tell the whole story; raise TerminalError where a chapter does not end as it must."""
    world, scale = sources.world, sources.world.cast.scale
    planted = ", ".join(f"{n:,} {k}" for k, n in world.planted.items())
    stage.note(
        f"{world.date_of(0)} to {world.date_of(2)}, seed {world.seed}: {scale.customers:,} customers, planted {planted}"
    )
    stage.say("Day 1", "accounts, contacts, billing, product and subscription events become customers")
    _run(stage, sources, 0, "published")
    _customers(stage, scale.customers + scale.twins - scale.wrong_emails)
    stage.say("Day 2", "merges, splits, late changes; rows that break the contract are set aside")
    _run(stage, sources, 1, "published")
    _set_aside(stage, world.planted["malformed rows"])
    _merges_and_splits(stage, sources)
    stage.say("Day 2 again", "the same command a second time")
    _run(stage, sources, 1, "unchanged")
    stage.say("Day 3", "a bulk import writes one e-mail address to hundreds of accounts")
    _run(stage, sources, 2, "blocked")
    _customers(stage, scale.customers)  # Snowflake goes on serving day 2
    stage.say("Day 3, corrected", "the product restores the addresses")
    _run(stage, sources, 3, "published")
    _customers(stage, scale.customers)
    _conflicts(stage)
    explained(stage, sources)


def _run(stage: Stage, sources: Sources, number: int, expected: str) -> None:
    changes = sources.apply(number)
    stage.note(f"[dim]delivered:[/] {changes:,} changes")
    stage.run(sources.world.date_of(number), expected)


def _customers(stage: Stage, expected: int) -> None:
    rows = stage.ask(
        "What Snowflake serves",
        f"SELECT count(*) AS customers, sum(records) AS records, sum(mrr_usd) AS mrr_usd FROM {BI}.CUSTOMER_MASTER",
    )
    stage.expect(rows[0][0] == expected, f"{rows[0][0]} customers instead of {expected}")


def _set_aside(stage: Stage, expected: int) -> None:
    rows = open_quarantine(stage.workspace())
    for row in rows:
        stage.console.print(
            f"  quarantined: {row['table']} · {'; '.join(row['reasons'])}", markup=False, soft_wrap=True
        )
    stage.note("[dim]ledgerlake quarantine list --pipeline customer_master[/]")
    stage.expect(len(rows) == expected, f"{len(rows)} rows in quarantine instead of {expected}")


def _merges_and_splits(stage: Stage, sources: Sources) -> None:
    day, scale = sources.world.date_of(1).isoformat(), sources.world.cast.scale
    rows = stage.ask(
        "Customers that became one, and one that became two",
        f"SELECT event, count(DISTINCT CASE WHEN event = 'merged' THEN previous_customer_id ELSE customer_id END) AS customers"
        f" FROM {BI}.CUSTOMER_XREF WHERE event IN ('merged', 'split') AND valid_from >= '{day}' GROUP BY event ORDER BY event",
    )
    stage.expect(
        dict(rows) == {"merged": scale.twins, "split": scale.wrong_emails}, "merges and splits are not those planted"
    )


def _conflicts(stage: Stage) -> None:
    rows = stage.ask(
        "Where sources contradict each other",
        f"SELECT field, surviving_source AS survives, source AS loses, lost_by, count(*) AS customers"
        f" FROM {BI}.CUSTOMER_CONFLICTS GROUP BY field, surviving_source, source, lost_by ORDER BY count(*) DESC, field, source LIMIT 8",
    )
    stage.expect(bool(rows), "no conflict was found, although some were planted")
    stage.ask(
        "The conflict rate, day by day",
        f"SELECT day, customers, records, conflicts, conflict_rate, usual_rate, times_usual FROM {BI}.RPT_CONFLICT_RATE"
        f" ORDER BY day DESC LIMIT 5",
    )


DEMO = Demo(
    "customer_master",
    "one trusted record per customer, from Salesforce, Stripe, PostgreSQL and events",
    running,
    play,
)
