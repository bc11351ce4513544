"""Pull objects from Stripe: everything once, then events, what they name, and a look-back.

Lists are newest first and their ``created`` filter never returns later changes to old objects
(https://docs.stripe.com/api/pagination). So an incremental pull reads the events since the last
one, lists the look-back window, and fetches by id every named object outside that window. An
event is a signal, not the truth: what lands is the object as it is when fetched.
"""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import stripe

from ledgerlake.errors import ConfigError, SourceError
from ledgerlake.feeds.stripe.calls import Calls, Client, Fetched, Objects, canonical
from ledgerlake.ports.clock import Clock

EVENTS = "events"
RESOURCE_OF_OBJECT = {
    "charge": "charges",
    "refund": "refunds",
    "payout": "payouts",
    "balance_transaction": "balance_transactions",
    "dispute": "disputes",
    "customer": "customers",
    "subscription": "subscriptions",
    "invoice": "invoices",
    "payment_intent": "payment_intents",
}
DELETABLE = ("customers", "invoices")  # customers, and invoices that are still drafts
EVENT_RETENTION = timedelta(days=30)  # https://docs.stripe.com/api/events: listable for 30 days
EVENT_OVERLAP = timedelta(hours=1)  # events come in no order: one may appear after a newer one
OBJECT_ROWS_MAX = 50_000


@dataclass(frozen=True)
class StripeOptions:
    """What to pull: resources as in the API's paths, the window in days, the pinned version."""

    resources: tuple[str, ...]
    look_back_days: int
    stripe_version: str
    page_size: int = 100
    max_network_retries: int = 4


@dataclass(frozen=True)
class ExtractedObject:
    """One object to land: gzipped JSON lines ``{"fetched_at": …, "object": {…}}``."""

    resource: str
    name: str  # relative, unique by moment and content
    body: bytes
    rows: int
    extracted_at: datetime


class StripeExtractor:
    """Pulls the configured resources and keeps its place in a JSON-serialisable cursor.

    ``pause`` waits a number of seconds between attempts that the library does not repeat.
    """

    def __init__(
        self,
        client: stripe.StripeClient,
        options: StripeOptions,
        clock: Clock,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        unknown = set(options.resources) - {EVENTS, *RESOURCE_OF_OBJECT.values()}
        if unknown:
            raise ConfigError(
                f"Stripe resources {sorted(unknown)} are not supported",
                then=f"use some of {sorted({EVENTS, *RESOURCE_OF_OBJECT.values()})}",
            )
        self.options, self._clock = options, clock
        self._client = Client(client, options.stripe_version, options.page_size, options.max_network_retries, pause)

    def extract(
        self, cursor: Mapping[str, Any], until: datetime, resync: Mapping[str, set[str]] | None = None
    ) -> tuple[list[ExtractedObject], dict[str, Any]]:
        """Return what is new or changed among objects created before ``until``, and the next cursor.

        An empty cursor loads everything, and so does ``resync``: the ids that are known, by
        resource; those that Stripe no longer lists are asked for one by one. Raises
        :class:`SourceError` where events are no longer listable, :class:`TransientError` where
        Stripe does not answer, :class:`ConfigError` where it refuses the key; then nothing is to
        be landed and the cursor stays.
        """
        until, begun = until.astimezone(UTC), int(cursor.get("events_until", 0))
        calls = Calls(self._client, self._clock, cursor.get("fetched_at"))
        now = calls.moment()
        anew = not cursor or resync is not None
        if anew:
            until = max(until, datetime.fromtimestamp(begun, UTC))
            pull = self._everything(calls, until, resync or {})
        else:
            pull = self._increment(calls, cursor, until)
        seen = {} if anew else cursor["seen"]
        landed = {r: _changed(things, seen.get(r, {})) for r, things in pull.found.items()}
        position = max(int(min(until, now).timestamp()), begun)  # what happens after now is not yet told
        return list(_packed(landed, calls.last)), {
            **self._memory(pull, position),
            "events_until": position,
            "complete_at": now.isoformat() if anew else cursor.get("complete_at"),
            "fetched_at": calls.last.isoformat(timespec="microseconds"),
        }

    def _everything(self, calls: Calls, until: datetime, known: Mapping[str, set[str]]) -> _Pull:
        created = {"created": {"lt": int(until.timestamp())}}
        window = {r: calls.listed(r, created) for r in self.options.resources}
        found = {r: dict(objects) for r, objects in window.items()}
        for resource, key in ((r, k) for r in found for k in sorted(known.get(r, set()) - found[r].keys())):
            fetched = calls.one(resource, key, told_deleted=resource in DELETABLE)
            found[resource] |= {key: fetched} if fetched else {}
        return _Pull(found, window, window.get(EVENTS, {}))

    def _increment(self, calls: Calls, cursor: Mapping[str, Any], until: datetime) -> _Pull:
        position = _position(cursor, calls.last)
        events = calls.listed(EVENTS, _between(position - EVENT_OVERLAP, until))
        # From the last position, not from now: after an outage longer than the look-back,
        # balance entries, which no event tells of, would else be missed.
        created = _between(min(position, until) - timedelta(days=self.options.look_back_days), until)
        fresh = {"created": {"lt": int(until.timestamp())}}  # a resource that was added later is loaded whole
        window = {
            r: events if r == EVENTS else calls.listed(r, created if r in cursor["seen"] else fresh)
            for r in self.options.resources
        }
        known = set(cursor["events_seen"])
        news = [event for key, event in events.items() if key not in known]
        return _Pull(_with_named(calls, window, news), window, events)

    def _memory(self, pull: _Pull, position: int) -> dict[str, Any]:
        """Return what the next pull must know: recent events, and what was landed of the window."""
        overlap = position - int(EVENT_OVERLAP.total_seconds())
        watched = position - self.options.look_back_days * 86_400
        return {
            "events_seen": sorted(_digests(pull.events, overlap)),
            "seen": {
                resource: _digests(objects, overlap if resource == EVENTS else watched)
                for resource, objects in pull.window.items()
            },
        }


@dataclass(frozen=True)
class _Pull:
    """What one pull found by resource; ``window`` is the part that was listed, not named."""

    found: dict[str, Objects]
    window: dict[str, Objects]
    events: Objects


def _position(cursor: Mapping[str, Any], now: datetime) -> datetime:
    """Return the moment up to which events have been read; refuse a gap events cannot fill.

    What happened before everything was last fetched needs no event.
    """
    position = datetime.fromtimestamp(int(cursor["events_until"]), UTC)
    told_since = max(position, datetime.fromisoformat(cursor.get("complete_at") or position.isoformat()))
    if now - told_since > EVENT_RETENTION:
        raise SourceError(
            f"Stripe events were last read up to {position.isoformat()}, and Stripe lists them for only "
            f"{EVENT_RETENTION.days} days: changes to older objects are lost. A full resync is needed",
            then=f"give the source's options a new word, `resync: {now:%Y-%m-%d}`, and run again",
        )
    return position


def _between(since: datetime, until: datetime) -> dict[str, dict[str, int]]:
    return {"created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())}}


def _digests(objects: Objects, since: int) -> dict[str, str]:
    return {k: o.digest for k, o in sorted(objects.items()) if o.content["created"] >= since}


def _with_named(calls: Calls, window: Mapping[str, Objects], news: list[Fetched]) -> dict[str, Objects]:
    """Return the window's objects and those that new events name outside of it."""
    found = {resource: dict(objects) for resource, objects in window.items()}
    deleted = {e.content["data"]["object"].get("id") for e in news if e.content["type"].endswith(".deleted")}
    for resource, key in sorted(set(chain.from_iterable(map(_named, news)))):
        if resource in found and key not in found[resource]:
            fetched = calls.one(resource, key, told_deleted=key in deleted)
            found[resource] |= {key: fetched} if fetched else {}
    return found


def _named(event: Fetched) -> Iterator[tuple[str, str]]:
    """Yield (resource, id) of an event's object, and of the charge a refund or dispute changes."""
    about = event.content["data"]["object"]
    resource = RESOURCE_OF_OBJECT.get(about.get("object", ""))
    if resource:
        yield resource, about["id"]
        if isinstance(about.get("charge"), str):
            yield "charges", about["charge"]


def _changed(found: Objects, seen: Mapping[str, str]) -> list[Fetched]:
    """Return what differs from the version last landed, in an order that does not depend on paging."""
    fresh = [thing for key, thing in found.items() if seen.get(key) != thing.digest]
    return sorted(fresh, key=lambda f: (f.fetched_at, f.content.get("created", 0), f.content["id"]))


def _packed(landed: Mapping[str, list[Fetched]], extracted_at: datetime) -> Iterator[ExtractedObject]:
    for resource, things in landed.items():
        for first in range(0, len(things), OBJECT_ROWS_MAX):
            part = things[first : first + OBJECT_ROWS_MAX]
            body = gzip.compress("".join(map(_line, part)).encode(), mtime=0)
            digest = hashlib.sha256(body).hexdigest()[:12]
            name = f"{resource}/{extracted_at:%Y%m%dT%H%M%S%f}Z-{digest}.json.gz"
            yield ExtractedObject(resource, name, body, len(part), extracted_at)


def _line(fetched: Fetched) -> str:
    moment = f"{fetched.fetched_at:%Y-%m-%dT%H:%M:%S.%f}Z"
    return canonical({"fetched_at": moment, "object": fetched.content}) + "\n"
