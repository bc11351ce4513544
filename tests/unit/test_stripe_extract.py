"""The Stripe extractor finds every change once, and nothing lands when Stripe does not answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from ledgerlake.demo.ledgerbox.scale import Scale
from ledgerlake.demo.ledgerbox.stripe_server import DEMO_KEY, FaultKind, StripeServer
from ledgerlake.demo.ledgerbox.world import World, build_world
from ledgerlake.errors import ConfigError, SourceError, TransientError
from ledgerlake.feeds.stripe.extract import ExtractedObject, StripeExtractor, StripeOptions
from ledgerlake.ports.clock import FixedClock

RESOURCES = ("charges", "refunds", "payouts", "balance_transactions", "disputes")
VERSION = "2026-01-28.clover"
DAY = timedelta(days=1)
END_OF_DAY_1 = datetime(2026, 3, 3, tzinfo=UTC)


class Pauses(list[float]):
    """Records how long a caller would have waited, and does not wait."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, scale=Scale.small())


@pytest.fixture
def server(world: World) -> Iterator[StripeServer]:
    with StripeServer(world.stripe_days).running() as running:
        running.apply_day(0)
        yield running


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(END_OF_DAY_1 + timedelta(minutes=5))


def extractor(
    server: StripeServer,
    clock: FixedClock,
    *,
    key: str = DEMO_KEY,
    pause: Pauses | None = None,
    **options: Any,
) -> StripeExtractor:
    chosen = {"resources": RESOURCES, "look_back_days": 3, "stripe_version": VERSION, "page_size": 7}
    client = stripe.StripeClient(key, base_addresses={"api": server.url})
    configured = StripeOptions(**{**chosen, "max_network_retries": 0, **options})
    return StripeExtractor(client, configured, clock, Pauses() if pause is None else pause)


def lines(objects: list[ExtractedObject], resource: str) -> list[dict[str, Any]]:
    bodies = [gzip.decompress(o.body).decode() for o in objects if o.resource == resource]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def landed(objects: list[ExtractedObject], resource: str) -> dict[str, dict[str, Any]]:
    return {line["object"]["id"]: line["object"] for line in lines(objects, resource)}


def at_stripe(world: World, through: int, kind: str) -> dict[str, dict[str, Any]]:
    days = world.stripe_days[: through + 1]
    return {o["id"]: o for day in days for o in day.objects if o["object"] == kind}


def next_day(server: StripeServer, clock: FixedClock, day: int) -> datetime:
    server.apply_day(day)
    clock.advance(DAY)
    return END_OF_DAY_1 + day * DAY


def test_the_first_load_brings_every_object_of_every_resource(
    server: StripeServer, clock: FixedClock, world: World
) -> None:
    objects, _ = extractor(server, clock).extract({}, END_OF_DAY_1)
    for resource in RESOURCES:
        assert landed(objects, resource) == at_stripe(world, 0, resource.removesuffix("s"))


def test_objects_made_at_or_after_until_wait_for_the_next_pull(
    server: StripeServer, clock: FixedClock, world: World
) -> None:
    charges = sorted(c["created"] for c in at_stripe(world, 0, "charge").values())
    middle = charges[len(charges) // 2]
    objects, _ = extractor(server, clock).extract({}, datetime.fromtimestamp(middle, UTC))
    created = [c["created"] for c in landed(objects, "charges").values()]
    assert created
    assert max(created) < middle


def test_pulling_again_with_nothing_new_lands_nothing(server: StripeServer, clock: FixedClock) -> None:
    pull = extractor(server, clock)
    _, cursor = pull.extract({}, END_OF_DAY_1)
    objects, again = pull.extract(cursor, END_OF_DAY_1)
    assert objects == []
    assert again["seen"] == cursor["seen"]


def test_three_daily_pulls_together_hold_the_last_version_of_everything(
    server: StripeServer, clock: FixedClock, world: World
) -> None:
    pull = extractor(server, clock)
    objects, cursor = pull.extract({}, END_OF_DAY_1)
    for day in (1, 2):
        more, cursor = pull.extract(cursor, next_day(server, clock, day))
        objects += more
    for resource in RESOURCES:
        assert landed(objects, resource) == at_stripe(world, 2, resource.removesuffix("s"))


def test_a_refund_on_an_old_charge_is_found_by_its_event(server: StripeServer, clock: FixedClock, world: World) -> None:
    pull = extractor(server, clock, look_back_days=0)
    _, cursor = pull.extract({}, END_OF_DAY_1)
    objects, _ = pull.extract(cursor, next_day(server, clock, 1))
    changed = {
        key: charge
        for key, charge in at_stripe(world, 1, "charge").items()
        if charge["amount_refunded"] and charge != at_stripe(world, 0, "charge").get(key, charge)
    }
    assert changed
    assert {key: landed(objects, "charges")[key] for key in changed} == changed


def test_the_charge_of_a_new_dispute_is_fetched_with_it(server: StripeServer, clock: FixedClock, world: World) -> None:
    pull = extractor(server, clock, look_back_days=0)
    _, cursor = pull.extract({}, END_OF_DAY_1)
    objects, _ = pull.extract(cursor, next_day(server, clock, 1))
    disputes = landed(objects, "disputes").values()
    assert len(disputes) == world.scale.disputes
    assert all(landed(objects, "charges")[d["charge"]]["disputed"] for d in disputes)


def test_a_balance_entry_that_becomes_available_is_found_by_looking_back(
    server: StripeServer, clock: FixedClock
) -> None:
    pull = extractor(server, clock)
    first, cursor = pull.extract({}, END_OF_DAY_1)
    second, _ = pull.extract(cursor, next_day(server, clock, 1))
    before, after = landed(first, "balance_transactions"), landed(second, "balance_transactions")
    assert before
    assert {entry["status"] for entry in before.values()} == {"pending"}
    assert {after[key]["status"] for key in before} == {"available"}


def test_an_outage_longer_than_the_look_back_loses_no_balance_entry(
    server: StripeServer, clock: FixedClock, world: World
) -> None:
    pull = extractor(server, clock, look_back_days=1)
    objects, cursor = pull.extract({}, END_OF_DAY_1)
    next_day(server, clock, 1)
    next_day(server, clock, 2)
    clock.advance(10 * DAY)
    more, _ = pull.extract(cursor, END_OF_DAY_1 + 12 * DAY)
    entries = at_stripe(world, 2, "balance_transaction")
    assert landed(objects + more, "balance_transactions") == entries


def test_an_outage_longer_than_events_are_kept_asks_for_a_full_resync(server: StripeServer, clock: FixedClock) -> None:
    pull = extractor(server, clock)
    _, cursor = pull.extract({}, END_OF_DAY_1)
    clock.advance(31 * DAY)
    with pytest.raises(SourceError, match=r"full resync is needed.*`resync: 2026-04-03`"):
        pull.extract(cursor, END_OF_DAY_1 + 30 * DAY + timedelta(seconds=1))


def test_a_quiet_account_is_not_mistaken_for_an_outage(server: StripeServer, clock: FixedClock) -> None:
    pull = extractor(server, clock)
    _, cursor = pull.extract({}, END_OF_DAY_1)
    for days in (20, 40, 60):
        clock.advance(20 * DAY)
        objects, cursor = pull.extract(cursor, END_OF_DAY_1 + days * DAY)
        assert objects == []


def test_an_object_deleted_after_its_event_is_skipped(server: StripeServer, clock: FixedClock) -> None:
    pull = extractor(server, clock, look_back_days=0)
    _, cursor = pull.extract({}, END_OF_DAY_1)
    until = next_day(server, clock, 1)
    events = server.store.page("events", {"limit": ["100"], "type": ["charge.dispute.created"]})[0]
    charge = events[0]["data"]["object"]["charge"]
    server.store.forget("charges", charge)
    objects, _ = pull.extract(cursor, until)
    assert charge not in landed(objects, "charges")
    assert landed(objects, "disputes")


def test_an_event_that_shows_up_late_is_still_followed(server: StripeServer, clock: FixedClock) -> None:
    pull = extractor(server, clock, look_back_days=0)
    _, cursor = pull.extract({}, END_OF_DAY_1)
    old = server.store.page("charges", {"limit": ["100"]})[0][-1]
    changed = {**old, "description": "changed"}
    late = int((END_OF_DAY_1 - timedelta(minutes=30)).timestamp())
    event = {"id": "evt_late", "object": "event", "type": "charge.updated", "created": late}
    server.store.put([changed, {**event, "data": {"object": old}}])
    clock.advance(DAY)
    objects, again = pull.extract(cursor, END_OF_DAY_1 + timedelta(minutes=10))
    assert landed(objects, "charges") == {old["id"]: changed}
    assert pull.extract(again, END_OF_DAY_1 + timedelta(minutes=20))[0] == []


def test_events_themselves_can_be_landed(server: StripeServer, clock: FixedClock, world: World) -> None:
    pull = extractor(server, clock, resources=("events",))
    objects, cursor = pull.extract({}, END_OF_DAY_1)
    more, _ = pull.extract(cursor, next_day(server, clock, 1))
    assert landed(objects + more, "events") == at_stripe(world, 1, "event")
    assert len(lines(objects + more, "events")) == len(at_stripe(world, 1, "event"))


def test_the_cursor_is_json_and_forgets_what_is_older_than_the_window(
    server: StripeServer, clock: FixedClock, world: World
) -> None:
    pull = extractor(server, clock, look_back_days=1)
    _, cursor = pull.extract({}, END_OF_DAY_1)
    _, cursor = pull.extract(cursor, next_day(server, clock, 1))
    second_day = int(END_OF_DAY_1.timestamp())
    recent = {k for k, c in at_stripe(world, 1, "charge").items() if c["created"] >= second_day}
    assert json.loads(json.dumps(cursor)) == cursor
    assert set(cursor["seen"]["charges"]) == recent


def test_the_same_pull_gives_the_same_bytes(server: StripeServer, clock: FixedClock) -> None:
    first, cursor = extractor(server, clock).extract({}, END_OF_DAY_1)
    second, same = extractor(server, clock, page_size=100).extract({}, END_OF_DAY_1)
    assert (first, cursor) == (second, same)


def test_fetch_times_never_go_back_even_where_the_clock_does(server: StripeServer, clock: FixedClock) -> None:
    pull = extractor(server, clock)
    first, cursor = pull.extract({}, END_OF_DAY_1)
    until = next_day(server, clock, 1)
    clock.advance(-3 * DAY)
    second, _ = pull.extract(cursor, until)
    before = [line["fetched_at"] for line in lines(first, "charges")]
    after = [line["fetched_at"] for line in lines(second, "charges")]
    assert before == sorted(before)
    assert after == sorted(after)
    assert before[-1] < after[0]


@pytest.mark.parametrize("fault", [429, 500, "cut"])
def test_a_page_that_fails_for_good_lands_nothing(server: StripeServer, clock: FixedClock, fault: FaultKind) -> None:
    pull = extractor(server, clock)
    server.fail_next(1, fault, from_page=3)
    with pytest.raises(TransientError, match="nothing landed, the cursor stays"):
        pull.extract({}, END_OF_DAY_1)


@pytest.mark.parametrize("fault", [429, 500, "cut"])
def test_a_page_that_fails_once_is_asked_for_again(
    server: StripeServer, clock: FixedClock, world: World, fault: FaultKind
) -> None:
    pull = extractor(server, clock, max_network_retries=1)
    server.fail_next(1, fault, from_page=2)
    objects, _ = pull.extract({}, END_OF_DAY_1)
    assert landed(objects, "charges") == at_stripe(world, 0, "charge")


def test_a_rate_limit_is_answered_with_growing_pauses(server: StripeServer, clock: FixedClock) -> None:
    pauses = Pauses()
    server.fail_next(3, 429)
    extractor(server, clock, pause=pauses, max_network_retries=3).extract({}, END_OF_DAY_1)
    assert pauses == [0.5, 1.0, 2.0]


def test_a_refused_key_is_a_configuration_error_that_does_not_show_it(server: StripeServer, clock: FixedClock) -> None:
    with pytest.raises(ConfigError, match="check the secret") as caught:
        extractor(server, clock, key="sk_test_wrong_9f8e").extract({}, END_OF_DAY_1)
    assert "9f8e" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unknown_resource_is_refused_before_any_request(server: StripeServer, clock: FixedClock) -> None:
    with pytest.raises(ConfigError, match=r"'coupons'.* not supported"):
        extractor(server, clock, resources=("coupons",))
    assert server.requests == []


def test_lists_are_paged_newest_first_in_both_directions(server: StripeServer, world: World) -> None:
    client = stripe.StripeClient(DEMO_KEY, base_addresses={"api": server.url})
    everything = list(client.v1.charges.list({"limit": 5}).auto_paging_iter())
    created = [charge.created for charge in everything]
    assert len(everything) == len(at_stripe(world, 0, "charge"))
    assert created == sorted(created, reverse=True)
    newer = client.v1.charges.list({"limit": 3, "ending_before": everything[5].id})
    assert [charge.id for charge in newer.data] == [charge.id for charge in everything[2:5]]
    assert newer.has_more


def test_events_can_be_asked_for_by_type(server: StripeServer) -> None:
    client = stripe.StripeClient(DEMO_KEY, base_addresses={"api": server.url})
    wanted = ["charge.failed", "refund.created"]
    events = list(client.v1.events.list({"types": wanted, "limit": 50}).auto_paging_iter())
    assert {event.type for event in events} == set(wanted)


def test_the_pinned_version_is_sent_with_every_request(server: StripeServer, clock: FixedClock) -> None:
    pull = extractor(server, clock, look_back_days=0)
    _, cursor = pull.extract({}, END_OF_DAY_1)
    pull.extract(cursor, next_day(server, clock, 1))
    assert server.versions == {VERSION}
