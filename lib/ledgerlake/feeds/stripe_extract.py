"""Pull objects from Stripe: everything once, then events, what they name, and a look-back.

Lists are newest first and their ``created`` filter never returns later changes to old objects
(https://docs.stripe.com/api/pagination). So an incremental pull reads the events since the last
one, lists the look-back window, and fetches by id every named object outside that window. An
event is a signal, not the truth: what lands is the object as it is when fetched.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import stripe

from ledgerlake.errors import ConfigError, LedgerlakeError, SourceError, TransientError
from ledgerlake.ports.clock import Clock

EVENTS = "events"
RESOURCE_OF_OBJECT = {
    "charge": "charges",
    "refund": "refunds",
    "payout": "payouts",
    "balance_transaction": "balance_transactions",
    "dispute": "disputes",
}
EVENT_RETENTION = timedelta(days=30)  # https://docs.stripe.com/api/events: listable for 30 days
EVENT_OVERLAP = timedelta(hours=1)  # events come in no order: one may appear after a newer one
OBJECT_ROWS_MAX = 50_000
PAUSE_S_MAX = 30.0

Objects = dict[str, "Fetched"]  # by id


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


@dataclass(frozen=True)
class Fetched:
    """A Stripe object as plain data, and the moment just before it was asked for."""

    content: dict[str, Any]
    fetched_at: datetime

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the object's canonical JSON."""
        return hashlib.sha256(_canonical(self.content).encode()).hexdigest()


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
        self.client, self.options, self._clock, self._pause = client, options, clock, pause

    def extract(self, cursor: Mapping[str, Any], until: datetime) -> tuple[list[ExtractedObject], dict[str, Any]]:
        """Return what is new or changed among objects created before ``until``, and the next cursor.

        An empty cursor loads everything. Raises :class:`SourceError` where events are no longer
        listable, :class:`TransientError` where Stripe does not answer, :class:`ConfigError`
        where it refuses the key; then nothing is to be landed and the cursor stays.
        """
        until = until.astimezone(UTC)
        calls = _Calls(self, self._clock, self._pause, cursor.get("fetched_at"))
        read_until = min(until, calls.moment())  # what happens after now is not yet told
        pull = self._increment(calls, cursor, until) if cursor else self._everything(calls, until)
        seen = cursor.get("seen", {})
        landed = {r: _changed(things, seen.get(r, {})) for r, things in pull.found.items()}
        position = max(int(read_until.timestamp()), int(cursor.get("events_until", 0)))
        return list(_packed(landed, calls.last)), {
            **self._memory(pull, position),
            "events_until": position,
            "fetched_at": calls.last.isoformat(timespec="microseconds"),
        }

    def _everything(self, calls: _Calls, until: datetime) -> _Pull:
        created = {"created": {"lt": int(until.timestamp())}}
        found = {r: calls.listed(r, created) for r in self.options.resources}
        return _Pull(found, found, found.get(EVENTS, {}))

    def _increment(self, calls: _Calls, cursor: Mapping[str, Any], until: datetime) -> _Pull:
        position = _position(cursor, until)
        events = calls.listed(EVENTS, _between(position - EVENT_OVERLAP, until))
        # From the last position, not from now: after an outage longer than the look-back,
        # balance entries, which no event tells of, would else be missed.
        created = _between(min(position, until) - timedelta(days=self.options.look_back_days), until)
        window = {r: events if r == EVENTS else calls.listed(r, created) for r in self.options.resources}
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


class _Calls:
    """Calls of the library, one page at a time, repeated where it would not, errors translated."""

    def __init__(
        self, source: StripeExtractor, clock: Clock, pause: Callable[[float], None], after: str | None
    ) -> None:
        self._source, self._clock, self._pause = source, clock, pause
        version, self._retries = source.options.stripe_version, source.options.max_network_retries
        self._per_request = {"stripe_version": version, "max_network_retries": self._retries}
        earliest = datetime.fromisoformat(after) + timedelta(microseconds=1) if after else clock.now()
        self.last = earliest.astimezone(UTC)

    def moment(self) -> datetime:
        """Return the present moment; it never goes back, and is after the extraction before."""
        self.last = max(self._clock.now().astimezone(UTC), self.last)
        return self.last

    def listed(self, resource: str, filters: Mapping[str, Any]) -> Objects:
        """Return every object that the filters let through."""
        service = getattr(self._source.client.v1, resource)
        params: dict[str, Any] = {**filters, "limit": self._source.options.page_size}
        found: Objects = {}
        while True:  # bounded: every page must bring an object not seen before
            at = self.moment()
            page = self._repeated(resource, lambda: service.list(dict(params), self._per_request))
            if page is None:
                raise SourceError(f"Stripe has no list of {resource}", then="check the source's resources")
            fresh = [thing for thing in page.data if thing.id not in found]
            found |= {thing.id: Fetched(thing.to_dict(for_json=True), at) for thing in fresh}
            if not page.has_more:
                return found
            if not fresh:
                raise TransientError(f"Stripe's list of {resource} does not advance", then="run again")
            params["starting_after"] = page.data[-1].id

    def one(self, resource: str, key: str) -> Fetched | None:
        """Return an object by id, or None where Stripe no longer has it."""
        service = getattr(self._source.client.v1, resource)
        at = self.moment()
        thing = self._repeated(resource, lambda: service.retrieve(key, None, self._per_request))
        content = thing.to_dict(for_json=True) if thing is not None else {"deleted": True}
        return None if content.get("deleted") else Fetched(content, at)

    def _repeated(self, resource: str, call: Callable[[], Any]) -> Any:
        """Make a call, repeating what the library never does; None where there is no such object."""
        for attempt in range(self._retries + 1):
            try:
                return call()
            except stripe.StripeError as error:
                if error.http_status == 404:
                    return None
                if attempt == self._retries or not _worth_repeating(error):
                    raise _translated(error, resource) from None
                self._pause(min(0.5 * 2**attempt, PAUSE_S_MAX))
        raise AssertionError("the last attempt returns or raises")


def _worth_repeating(error: stripe.StripeError) -> bool:
    # The library has already repeated 409, 5xx and connections that it deems repeatable.
    cut = isinstance(error, stripe.APIConnectionError) and not error.should_retry
    return cut or isinstance(error, stripe.RateLimitError)


def _translated(error: stripe.StripeError, resource: str) -> LedgerlakeError:
    """Return our error for Stripe's; its own message may show part of the key and is left out."""
    what = f"Stripe did not deliver {resource} (HTTP {error.http_status}, {type(error).__name__})"
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return ConfigError(what, then="check the secret the source's key refers to and what it may read")
    if isinstance(error, stripe.InvalidRequestError):
        return SourceError(what, then="check the resource and the pinned stripe_version")
    return TransientError(what, then="run the same command again; nothing landed, the cursor stays")


def _position(cursor: Mapping[str, Any], until: datetime) -> datetime:
    """Return the moment up to which events have been read; refuse a gap events cannot fill."""
    position = datetime.fromtimestamp(int(cursor["events_until"]), UTC)
    if until - position > EVENT_RETENTION:
        raise SourceError(
            f"Stripe events were last read up to {position.isoformat()}, and Stripe lists them for only "
            f"{EVENT_RETENTION.days} days: changes to older objects are lost. A full resync is needed",
            then="ledgerlake run … --resync SOURCE",
        )
    return position


def _between(since: datetime, until: datetime) -> dict[str, dict[str, int]]:
    return {"created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())}}


def _digests(objects: Objects, since: int) -> dict[str, str]:
    return {k: o.digest for k, o in sorted(objects.items()) if o.content["created"] >= since}


def _with_named(calls: _Calls, window: Mapping[str, Objects], news: Iterable[Fetched]) -> dict[str, Objects]:
    """Return the window's objects and those that new events name outside of it."""
    found = {resource: dict(objects) for resource, objects in window.items()}
    for resource, key in sorted(set(chain.from_iterable(map(_named, news)))):
        if resource in found and key not in found[resource]:
            fetched = calls.one(resource, key)
            found[resource] |= {key: fetched} if fetched else {}
    return found


def _named(event: Fetched) -> Iterator[tuple[str, str]]:
    """Yield (resource, id) of an event's object, and of the charge a refund or dispute changes."""
    about = event.content["data"]["object"]
    resource = RESOURCE_OF_OBJECT.get(about.get("object", ""))
    if resource:
        yield resource, about["id"]
        if about.get("charge"):
            yield "charges", about["charge"]


def _changed(found: Objects, seen: Mapping[str, str]) -> list[Fetched]:
    """Return what differs from the version last landed, in an order that does not depend on paging."""
    fresh = [thing for key, thing in found.items() if seen.get(key) != thing.digest]
    return sorted(fresh, key=lambda f: (f.fetched_at, f.content["created"], f.content["id"]))


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
    return _canonical({"fetched_at": moment, "object": fetched.content}) + "\n"


def _canonical(content: Mapping[str, Any]) -> str:
    # Money is integer minor units and decimals are strings (for_json): no float is formed here.
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
