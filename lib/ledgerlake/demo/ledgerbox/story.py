"""Plays LedgerBox's three days and shows what ledgerlake does about each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ledgerlake.demo.ledgerbox.scale import Scale
from ledgerlake.demo.ledgerbox.sources import Sources, running_sources
from ledgerlake.demo.ledgerbox.world import build_world
from ledgerlake.demo.stage import Demo, Setting, Stage
from ledgerlake.ops.trace import trace_row

BI = "FINANCE.LEDGERBOX_BI"


@contextmanager
def running(setting: Setting) -> Iterator[Sources]:
    """Run the sources of the seeded world."""
    world = build_world(scale=Scale.small() if setting.small else Scale())
    with running_sources(world, setting.files, setting.state) as sources:
        yield sources


def play(stage: Stage, sources: Sources) -> None:
    """Tell the whole story; raise TerminalError where a chapter does not end as it must."""
    world = sources.world
    planted = ", ".join(f"{n:,} {k}" for k, n in world.planted.items())
    stage.note(f"{world.date_of(0)} to {world.date_of(2)}, seed {world.seed}: planted {planted}")
    stage.say("Day 1", "full load of merchants, first changes, first pull from Stripe")
    _run(stage, sources, 0, "published")
    stage.say("Day 2", "late and out-of-order changes, corrections, deletes, malformed rows")
    _run(stage, sources, 1, "published")
    stage.say("Day 2 again", "the same command a second time")
    _run(stage, sources, 1, "unchanged")
    stage.say("Day 3", "a new column arrives, and the delivery inflates captured amounts")
    _run(stage, sources, 2, "blocked")
    _serving(stage, "What Snowflake serves while day 3 is blocked")
    stage.say("Day 3, corrected", "the source delivers corrections; everything unpublished is judged again")
    _run(stage, sources, 2, "published", corrected=True)
    _serving(stage, "What Snowflake serves now")
    _reconciliation(stage)
    _trace(stage)


def _run(stage: Stage, sources: Sources, day: int, expected: str, *, corrected: bool = False) -> None:
    delivered = sources.apply_day(day, corrected=corrected)
    stage.note(f"[dim]delivered:[/] {delivered.written} new objects")
    stage.run(sources.world.date_of(day), expected)


def _serving(stage: Stage, title: str) -> None:
    stage.ask(
        title,
        f"SELECT transaction_date, count(*) AS transactions FROM {BI}.FCT_TRANSACTIONS GROUP BY transaction_date ORDER BY transaction_date",
    )


def _reconciliation(stage: Stage) -> None:
    columns = "settlement_date AS date, currency, captured_amount AS captured, refunded_amount AS refunded, fee_amount AS fees, settled_amount AS settled, absolute_stripe_difference AS stripe_diff, absolute_settlement_difference AS settled_diff"
    stage.ask(
        "Reconciliation, to the cent",
        f"SELECT {columns} FROM {BI}.RPT_RECONCILIATION ORDER BY settlement_date, currency",
    )
    unbalanced = stage.query(
        f"SELECT settlement_date FROM {BI}.RPT_RECONCILIATION WHERE absolute_stripe_difference <> 0 OR absolute_settlement_difference <> 0"
    )
    stage.expect(not unbalanced, "the reconciliation does not balance")
    stage.note("[bold green]balanced[/]: no merchant, day and currency differs")


def _trace(stage: Stage) -> None:
    newest = stage.query(
        f"SELECT settlement_id FROM {BI}.FCT_SETTLEMENTS ORDER BY updated_at DESC, settlement_id LIMIT 1"
    )
    key = str(newest[0][0])
    facts = trace_row(stage.workspace(), "fct_settlements", key)
    stage.say("Trace", f"ledgerlake trace --table fct_settlements --key {key}")
    stage.note(
        f"publication {facts['publication_id']} · run {facts['run_id']} · Delta version {facts['delta_version']}"
    )
    for origin in (r for part in facts["made_from"] for r in part["rows"]):
        stage.note(_origin(origin))


def _origin(origin: dict[str, Any]) -> str:
    extracted = f"{origin['source_extract_time']:%Y-%m-%d %H:%M:%S}"
    return f"settlement row ← batch {origin['batch_id']} · {origin['source']} row {origin['ordinal']} · extracted {extracted}"


DEMO = Demo("ledgerbox", "B2B payments, from five sources to reconciled settlements", running, play)
