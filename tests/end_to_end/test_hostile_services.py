"""Stripe and Snowflake fail inside whole runs, each as a real server; the next run makes it good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from house import ACCOUNTS, SOURCES, House, cdc, rows_of
from ledgerlake.config.environment import Environment
from ledgerlake.demo.ledgerbox.scale import Scale
from ledgerlake.demo.ledgerbox.stripe_server import DEMO_KEY, FaultKind, StripeServer
from ledgerlake.demo.ledgerbox.world import build_world
from ledgerlake.demo.local_snowflake import LocalSnowflake
from ledgerlake.errors import ConfigError, TransientError
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.snowflake import connector
from ledgerlake.publish import LedgerRow, Publication, PublishOutcome, SnowflakePublisher, Target
from publish.cutting_proxy import CuttingProxy
from pyspark.sql import SparkSession

STRIPE_DAY = date(2026, 3, 2)  # the first day of the demo's world
WITH_STRIPE = SOURCES.replace("  topics:", """  stripe:
    feed: stripe
    connection: stripe
    options: {stripe_version: 2026-01-28.clover, page_size: 7, max_network_retries: 1}
  topics:""")  # fmt: skip
STRIPE_TABLE = """
table: {0}
source: stripe
resource: {0}
key: [id]
columns:
  - {{name: id, type: string, nullable: false}}
  - {{name: amount, type: bigint, nullable: false}}
  - {{name: currency, type: string}}
  - {{name: status, type: string}}
"""
ACCOUNT_FILE = "db/public/accounts/20260301-{}00000000.csv"


@dataclass
class Connected(House):
    """A house whose environment has connections."""

    connections: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def environment(self) -> Environment:
        return super().environment.model_copy(update={"connections": self.connections})


@pytest.fixture
def stripe() -> Iterator[StripeServer]:
    with StripeServer(build_world(seed=7, scale=Scale.small()).stripe_days).running() as running:
        running.apply_day(0)
        yield running


@pytest.fixture
def merchants(tmp_path: Path, spark: SparkSession, stripe: StripeServer) -> Callable[[str], Connected]:
    """A maker of houses with accounts in files and charges and refunds at Stripe."""

    def build(name: str) -> Connected:
        connections = {"stripe": {"api_key": "env:STRIPE_API_KEY", "base_url": stripe.url}}
        clock = FixedClock(datetime(2026, 3, 3, 0, 5, tzinfo=UTC))
        house = Connected(tmp_path / name, spark, clock, secrets={"STRIPE_API_KEY": DEMO_KEY}, connections=connections)
        house.declare(WITH_STRIPE, ACCOUNTS, STRIPE_TABLE.format("charges"), STRIPE_TABLE.format("refunds"))
        house.deliver(ACCOUNT_FILE.format(1), cdc("I,a1,Ann,EUR,1.00,10"))
        return house

    return build


def at_stripe(server: StripeServer, resource: str) -> list[tuple[object, ...]]:
    rows, more = server.store.page(resource, {"limit": ["100"]})
    assert not more
    return sorted((r["id"], r["amount"], r["currency"], r["status"]) for r in rows)


def test_stripe_that_fails_on_its_second_page_stops_alone_and_is_read_exactly_once_later(
    merchants: Callable[[str], Connected], stripe: StripeServer
) -> None:
    house = merchants("house")
    for_ever: tuple[FaultKind, ...] = (500, "cut")
    for kind in for_ever:
        stripe.fail_next(1000, kind, from_page=2)

        report = house.run(STRIPE_DAY)

        assert (report.status, type(report.error)) == ("failed", TransientError)
        assert [f.subject for f in report.failures] == ["stripe"]
        assert report.error is not None
        assert report.error.exit_code == 75
        assert house.workspace().logs["charges"].all() == []
        assert rows_of(house.silver("accounts")) == [("a1", "Ann", "EUR", "1.000")]
    assert house.warehouse.publications == []

    stripe.fail_next(1, 429, from_page=2)
    assert house.run(STRIPE_DAY).status == "published"

    assert stripe.faults.remaining == 0
    tidy = merchants("tidy")
    assert tidy.run(STRIPE_DAY).status == "published"
    for resource in ("charges", "refunds"):
        assert rows_of(house.silver(resource)) == rows_of(tidy.silver(resource)) == at_stripe(stripe, resource)
        assert house.bronze(resource).count() == len(at_stripe(stripe, resource))


def test_a_missing_secret_stops_its_source_alone_until_it_is_set(
    merchants: Callable[[str], Connected], stripe: StripeServer
) -> None:
    house = merchants("house")
    house.secrets.clear()

    report = house.run(STRIPE_DAY)

    assert (report.status, type(report.error)) == ("failed", ConfigError)
    assert "the environment variable STRIPE_API_KEY is not set" in report.message
    assert rows_of(house.silver("accounts")) == [("a1", "Ann", "EUR", "1.000")]
    assert stripe.requests == []

    house.secrets["STRIPE_API_KEY"] = DEMO_KEY
    assert house.run(STRIPE_DAY).status == "published"
    assert rows_of(house.silver("charges")) == at_stripe(stripe, "charges")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalSnowflake]:
    with LocalSnowflake(tmp_path / "snowflake") as running:
        yield running


class Snowflake:
    """One database of the local server, reached through ``port`` if given: one attempt, short timeouts."""

    def __init__(self, server: LocalSnowflake, database: str, clock: FixedClock) -> None:
        self._server, self._clock = server, clock
        self._target = Target(database, "BANK", "BANK_BI")
        self.port: int | None = None

    def _publisher(self) -> SnowflakePublisher:
        lossy = {"port": self.port, "network_timeout": 1, "login_timeout": 1} if self.port else {}
        connect = connector(self._server.parameters(**lossy))
        return SnowflakePublisher(connect, self._target, self._clock, sleep=lambda _: None, attempts=1)

    def newest(self, pipeline: str, run_id: str) -> LedgerRow | None:
        return self._publisher().newest(pipeline)

    def publish(self, publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        return self._publisher().publish(publication, may_commit)

    def ledger(self) -> list[str]:
        return [row.publication_id for row in self._publisher().published("bank")]

    def rows(self) -> list[tuple[object, ...]]:
        connection = connector(self._server.parameters())()
        try:
            cursor = connection.cursor()
            cursor.execute(f"SELECT ACCOUNT_ID, OWNER, BALANCE FROM {self._target.database}.BANK_BI.OWNERS ORDER BY 1")
            return cursor.fetchall()
        finally:
            connection.close(retry=False)


OWNERS = {"marts__owners": "SELECT account_id, owner, balance FROM accounts"}
BANK = SOURCES.replace("publication:", """marts:
  - {mart: owners, sql: marts/owners.sql, key: [account_id], inputs: [{table: accounts}]}
publication:""")  # fmt: skip


# the connector cancels a timed-out statement from a thread of its own, which the outage hits too
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_snowflake_lost_before_during_and_after_the_commit_is_published_once_by_the_next_run(
    houses: Callable[[str], House], server: LocalSnowflake
) -> None:
    house, tidy = (houses(n).declare(BANK, ACCOUNTS, **OWNERS) for n in ("house", "tidy"))
    lossy, straight = (Snowflake(server, n, h.clock) for n, h in (("LOSSY", house), ("STRAIGHT", tidy)))
    house.warehouse, tidy.warehouse = lossy, straight  # type: ignore[assignment]
    faults = (("COPY INTO", False), ('"COMMIT"', False), ('"COMMIT"', True))  # and whether it was carried out
    for number, (statement, done) in enumerate(faults, 1):
        for each in (house, tidy):
            each.deliver(ACCOUNT_FILE.format(number), cdc(f"I,a{number},Ann,EUR,{number}.00,{number}0"))
        with CuttingProxy(int(str(server.parameters()["port"]))) as proxy:
            proxy.cut(statement, forward=done)
            lossy.port = proxy.port

            report = house.run()

            assert (report.status, type(report.error), proxy.cuts) == ("failed", TransientError, 1)
        lossy.port = None
        server.stop()  # Snowflake ends sessions that nobody keeps alive, and rolls back; here it does so at once
        server.start()
        assert len(lossy.ledger()) == number - 1 + done

        again = house.run()

        assert (again.status, again.publication_id) == ("published", report.publication_id)
        assert lossy.ledger()[0] == report.publication_id
        assert len(lossy.ledger()) == number

    assert tidy.run().status == "published"
    assert lossy.rows() == straight.rows()
    assert [row[0] for row in lossy.rows()] == ["a1", "a2", "a3"]
    assert house.run().status == "unchanged"
