"""Plays LedgerLoop's three days: four sources, one customer master, and what happens when a source goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledgerlake.demo.customer_master.people import Scale
from ledgerlake.demo.customer_master.sources import Sources, running_sources
from ledgerlake.demo.customer_master.world import build_world
from ledgerlake.demo.stage import Demo, Setting, Stage

BI = "FINANCE.CUSTOMER_MASTER_BI"


@contextmanager
def running(setting: Setting) -> Iterator[Sources]:
    """Run the sources of the seeded world."""
    world = build_world(scale=Scale.small() if setting.small else Scale())
    with running_sources(world, setting.files) as sources:
        yield sources


def play(stage: Stage, sources: Sources) -> None:
    """Tell the whole story; raise TerminalError where a chapter does not end as it must."""
    world = sources.world
    planted = ", ".join(f"{n:,} {k}" for k, n in world.planted.items())
    stage.note(
        f"{world.date_of(0)} to {world.date_of(2)}, seed {world.seed}: {len(world.cast.customers):,} customers, planted {planted}"
    )
    stage.say("Day 1", "accounts, contacts, billing, product and subscription events become customers")
    _run(stage, sources, 0, "published")
    stage.say("Day 2", "merges, splits, late changes; rows that break the contract are set aside")
    _run(stage, sources, 1, "published")
    stage.say("Day 2 again", "the same command a second time")
    _run(stage, sources, 1, "unchanged")
    stage.say("Day 3", "a bulk import writes one e-mail address to hundreds of accounts")
    _run(stage, sources, 2, "blocked")
    stage.say("Day 3, corrected", "the product restores the addresses")
    _run(stage, sources, 3, "published")


def _run(stage: Stage, sources: Sources, number: int, expected: str) -> None:
    changes = sources.apply(number)
    stage.note(f"[dim]delivered:[/] {changes:,} changes")
    stage.run(sources.world.date_of(number), expected)


DEMO = Demo(
    "customer_master", "one trusted record per customer, from Salesforce, Stripe, PostgreSQL and events", running, play
)
