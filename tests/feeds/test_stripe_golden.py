"""The Stripe feed against a server that speaks its API: money, events, deletes, resync, and hostile answers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from random import Random
from threading import Thread
from typing import Any, ClassVar

import pytest
from histories import COUNT
from house import NOON, House, rows_of
from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Source, Table
from ledgerlake.demo.ledgerbox.stripe_server import DEMO_KEY, StripeServer
from ledgerlake.errors import SourceError
from ledgerlake.feeds.stripe.feed import StripeFeed
from ledgerlake.ops.extract import Failure
from ledgerlake.ports.clock import FixedClock
from ledgerlake.testing.samples import Hostile
from ledgerlake.testing.stripe import HOSTILE, customer
from pyspark.sql import SparkSession

DAY = date(2026, 3, 1)
PIPELINE = """
pipeline: bank
sources:
  stripe: {{feed: stripe, connection: stripe, options: {{stripe_version: 2026-01-28.clover, max_network_retries: 0{more}}}}}
publication: {{database: FINANCE, schema: BANK, bi_schema: BANK_BI}}
"""
CUSTOMERS = """
table: customers
source: stripe
resource: customers
key: [id]
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string, source: name}
  - {name: city, type: string, source: address.city}
  - {name: currency, type: string}
  - {name: balance, type: "decimal(18,3)", unit: stripe, currency: currency}
"""
MONEY = """
table: {0}
source: stripe
resource: {0}
key: [id]
columns:
  - {{name: id, type: string, nullable: false}}
  - {{name: currency, type: string}}
  - {{name: amount, type: "decimal(18,3)", unit: stripe, currency: currency}}
  - {{name: status, type: string}}
"""
CREATED = int(NOON.timestamp()) - 20 * 86_400


@dataclass
class Connected(House):
    """A house that is connected to an account."""

    url: str = ""

    @property
    def environment(self) -> Environment:
        declared = {"stripe": {"api_key": "env:KEY", "base_url": self.url}}
        return super().environment.model_copy(update={"connections": declared})


@pytest.fixture
def account() -> Iterator[StripeServer]:
    with StripeServer([]).running() as running:
        yield running


def connected(root: Any, spark: SparkSession, url: str, *tables: str, more: str = "") -> Connected:
    house = Connected(root, spark, FixedClock(NOON), secrets={"KEY": DEMO_KEY}, url=url)
    house.declare(PIPELINE.format(more=more), *tables)
    return house


@pytest.fixture
def house(tmp_path: Any, spark: SparkSession, account: StripeServer) -> Iterator[Connected]:
    yield connected(tmp_path, spark, account.url, CUSTOMERS)
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def money(kind: str, key: str, currency: str, amount: int, **more: Any) -> dict[str, Any]:
    return {
        "id": key,
        "object": kind,
        "created": CREATED,
        "currency": currency,
        "amount": amount,
        "status": None,
    } | more


def told(about: Mapping[str, Any], number: int, at: int, kind: str = "updated") -> dict[str, Any]:
    """Return an event; what it says of the object is already out of date, as it may be."""
    stale = {k: v for k, v in about.items() if k in ("id", "object", "charge")}
    return {
        "id": f"evt_{number}", "object": "event", "type": f"{about['object']}.{kind}", "created": at,
        "data": {"object": stale},
    }  # fmt: skip


def later(house: House, days: int) -> date:
    """Move the clock to noon of a later day."""
    house.clock.advance(timedelta(days=days))
    return house.clock.now().date()


def moment(house: House) -> int:
    return int(house.clock.now().timestamp()) - 60


AMOUNTS = [
    ("usd", 1099, "10.990"), ("jpy", 500, "500.000"), ("krw", 7, "7.000"), ("mga", 20, "20.000"), ("kwd", 5120, "5.120"),
    ("bhd", 10, "0.010"), ("isk", 500, "5.000"), ("ugx", 500, "5.000"), ("huf", 1000, "10.000"), ("twd", 80000, "800.000"),
]  # fmt: skip


def test_amounts_are_scaled_by_stripes_own_exponents(tmp_path: Any, spark: SparkSession, account: StripeServer) -> None:
    house = connected(tmp_path, spark, account.url, MONEY.format("charges"), MONEY.format("payouts"))
    for kind in ("charge", "payout"):
        account.store.put([money(kind, f"{kind}_{c}", c, amount) for c, amount, _ in AMOUNTS])
    account.store.put([money("charge", "ch_odd", "xau", 1)])

    house.load()

    for kind in ("charge", "payout"):
        found = {row["currency"]: str(row["amount"]) for row in house.silver(f"{kind}s").collect()}
        assert found == {c.upper(): major for c, _, major in AMOUNTS}
    assert house.reasons() == ["currency: unknown currency"]
    assert account.versions == {"2026-01-28.clover"}


def test_an_old_object_that_changes_is_found_by_its_events_in_any_order_and_number(
    house: Connected, account: StripeServer
) -> None:
    account.store.put([customer(f"cus_{n}", created=CREATED) for n in range(4)])
    house.load()
    day = later(house, 1)
    newest = customer("cus_1", created=CREATED, name="Anna")
    at = moment(house)
    account.store.put([newest, customer("cus_2", deleted=True), customer("cus_3", created=CREATED, name="Untold")])
    events = [
        told(newest, 1, at),
        told(newest, 2, at),
        told(newest, 3, at - 3600),
        told(customer("cus_2"), 4, at, "deleted"),
    ]
    account.store.put(events)

    [record] = house.load(day)

    assert [(r[0], r[1]) for r in rows_of(house.silver("customers"))] == [
        ("cus_0", "Ann"),
        ("cus_1", "Anna"),
        ("cus_3", "Ann"),
    ]
    assert record["read"] == 2


def test_a_draft_invoice_that_was_deleted_is_gone(tmp_path: Any, spark: SparkSession, account: StripeServer) -> None:
    house = connected(tmp_path, spark, account.url, MONEY.format("invoices"), MONEY.format("subscriptions"))
    account.store.put([money("invoice", "in_1", "eur", 1), money("subscription", "sub_1", "eur", 1, status="canceled")])
    house.load()
    assert len(rows_of(house.silver("invoices"))) == 1
    assert [r[3] for r in rows_of(house.silver("subscriptions"))] == ["canceled"]
    day = later(house, 1)
    account.store.forget("invoices", "in_1")
    account.store.put([told(money("invoice", "in_1", "eur", 1), 1, moment(house), "deleted")])

    house.load(day)

    assert rows_of(house.silver("invoices")) == []


def test_after_a_gap_in_the_events_a_new_word_loads_everything_anew(house: Connected, account: StripeServer) -> None:
    account.store.put([customer(f"cus_{n}", created=CREATED) for n in range(3)])
    house.load()
    account.store.put([customer("cus_0", created=CREATED, name="Changed"), customer("cus_1", deleted=True)])
    day = later(house, 40)

    failures: list[Failure] = []
    house.load(day, expect=lambda found: failures.extend(found) or True)  # type: ignore[func-returns-value]
    assert isinstance(failures[0].error, SourceError)
    assert "`resync: 2026-04-10`" in str(failures[0].error)

    house.declare(PIPELINE.format(more=', resync: "2026-04-10"'))
    house.load(day)

    assert [(r[0], r[1]) for r in rows_of(house.silver("customers"))] == [("cus_0", "Changed"), ("cus_2", "Ann")]
    asked = len(account.requests)
    house.load(day)
    assert len(account.requests) == asked, "a word is good for one load"


def test_a_resync_asks_for_what_is_landed_and_not_yet_loaded(tmp_path: Any, account: StripeServer) -> None:
    house = connected(tmp_path, None, account.url, CUSTOMERS)  # type: ignore[arg-type]
    account.store.put([customer("cus_1", created=CREATED), customer("cus_2", created=CREATED)])
    assert house.extract() == []
    account.store.put([customer("cus_1", deleted=True)])

    house.declare(PIPELINE.format(more=', resync: "again"'))
    assert house.extract(later(house, 1)) == []

    workspace = house.workspace()
    objects = [o.path for m in workspace.logs["customers"].all() for o in m.objects]
    landed = gzip.decompress(workspace.objects.read(objects[-1])).splitlines()
    assert {"id": "cus_1", "deleted": True} in [json.loads(line)["object"] for line in landed]


def test_a_resync_goes_on_where_retention_has_removed_what_was_landed(tmp_path: Any, account: StripeServer) -> None:
    house = connected(tmp_path, None, account.url, CUSTOMERS)  # type: ignore[arg-type]
    account.store.put([customer("cus_1", created=CREATED)])
    assert house.extract() == []
    [first] = house.workspace().logs["customers"].all()
    (tmp_path / "lake" / first.objects[0].path).unlink()

    house.declare(PIPELINE.format(more=', resync: "again"'))

    assert house.extract(later(house, 1)) == []
    assert len(house.workspace().logs["customers"].all()) == 2


def test_a_resource_that_is_declared_later_is_loaded_whole(house: Connected, account: StripeServer) -> None:
    account.store.put([customer(created=CREATED), money("charge", "ch_1", "eur", 100)])
    house.load()

    house.declare(PIPELINE.format(more=""), MONEY.format("charges")).load(later(house, 1))

    assert [r[0] for r in rows_of(house.silver("charges"))] == ["ch_1"]


def test_a_rate_limit_ends_the_run_and_the_next_one_goes_on(house: Connected, account: StripeServer) -> None:
    account.store.put([customer()])
    account.fail_next(1, 429)

    failures = house.extract()

    assert "nothing landed, the cursor stays" in str(failures[0].error)
    assert house.run().status == "published"
    assert [r[0] for r in rows_of(house.silver("customers"))] == ["cus_1"]


def _round(random: Random, state: dict[str, dict[str, Any] | None], number: int) -> list[dict[str, Any]]:
    """Change a part of all customers; return the objects and events, of which some are doubled or late."""
    things: list[dict[str, Any]] = []
    at = int(NOON.timestamp()) + (number - 1) * 86_400
    for key in random.sample(sorted(state), len(state) // 2):
        if state[key] is None:
            continue
        gone = random.random() < 0.2
        state[key] = None if gone else customer(key, created=CREATED, name=random.choice(["Ann", "Bob", None]))
        things.append(customer(key, created=CREATED, deleted=True) if gone else dict(state[key] or {}))
        for copy in range(random.choice([1, 1, 2])):
            serial = number * 10_000_000 + len(things) * 10 + copy
            things.append(told(customer(key), serial, at - random.randrange(3000), "deleted" if gone else "updated"))
    return things


def test_pulls_at_any_pace_end_in_the_state_of_the_account(
    tmp_path: Any, spark: SparkSession, account: StripeServer
) -> None:
    """One house pulls every day, the other once at the end: both show what Stripe holds."""
    often, seldom = (connected(tmp_path / n, spark, account.url, CUSTOMERS) for n in ("often", "seldom"))
    state: dict[str, dict[str, Any] | None] = {f"cus_{n}": customer(f"cus_{n}", created=CREATED) for n in range(COUNT)}
    account.store.put([dict(c) for c in state.values() if c])
    often.load()
    seldom.load()
    random = Random(5)
    for number in (1, 2, 3):
        day = later(often, 1)
        later(seldom, 1)
        account.store.put(_round(random, state, number + 1))
        often.load(day)
    seldom.load(day)

    expected = sorted((key, c["name"] or "") for key, c in state.items() if c)
    for house in (often, seldom):
        assert sorted((r["id"], r["owner"] or "") for r in house.silver("customers").collect()) == expected
    assert any(c is None for c in state.values())


@dataclass
class Canned:
    """A server that answers each list of customers with the next of its bodies, and knows no events."""

    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self) -> Iterator[Canned]:
        server = HTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"canned": self}))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    canned: ClassVar[Canned]

    def do_GET(self) -> None:
        body = self.canned.bodies.pop(0)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the console quiet."""


@pytest.mark.parametrize("sample", HOSTILE, ids=lambda s: s.name)
def test_hostile_answers_end_where_they_must(tmp_path: Any, spark: SparkSession, sample: Hostile) -> None:
    with Canned(list(sample.files.values())).running() as server:
        house = connected(tmp_path, spark, server.url, CUSTOMERS)
        failures = house.extract()
    records = house.load() if sample.outcome != "refused" else []
    quarantined = [*house.reasons(), *(r["reason"] for r in records if r["status"] == "quarantined")]

    shown = " ".join([*(str(f.error) for f in failures), *quarantined])

    assert sample.says in shown, shown
    assert bool(failures) == (sample.outcome == "refused")
    assert bool(quarantined) == (sample.outcome == "quarantined")


@pytest.mark.parametrize(
    ("connection", "key", "changes", "says"),
    [
        (None, "id", "whole", "connection"),
        ("stripe", "other", "whole", "source: id"),
        ("stripe", "id", "partial", "changes: partial"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(connection: Any, key: str, changes: Any, says: str) -> None:
    columns = [{"name": "id", "type": "string"}, {"name": "other", "type": "string"}]
    table = Table(table="t", source="s", resource="charges", key=(key,), columns=columns, changes=changes)  # type: ignore[arg-type]
    source = Source(feed="stripe", connection=connection, options={"stripe_version": "2026-01-28.clover"})

    with pytest.raises(ValueError, match=says):
        StripeFeed().check(source, table)
