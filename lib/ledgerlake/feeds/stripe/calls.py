"""Calls of the Stripe library: one page or object at a time, repeated where it would not, errors translated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import stripe

from ledgerlake.errors import ConfigError, LedgerlakeError, SourceError, TransientError
from ledgerlake.ports.clock import Clock

PAUSE_S_MAX = 30.0
_LISTED_WITH = {"subscriptions": {"status": "all"}}  # else Stripe leaves out the canceled ones


@dataclass(frozen=True)
class Client:
    """The library's client and how it is to be used: pinned version, page size, retries, how to wait."""

    library: stripe.StripeClient
    version: str
    page_size: int
    retries: int
    pause: Callable[[float], None]


Objects = dict[str, "Fetched"]  # by id


@dataclass(frozen=True)
class Fetched:
    """A Stripe object as plain data, and the moment just before it was asked for."""

    content: dict[str, Any]
    fetched_at: datetime

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the object's canonical JSON."""
        return hashlib.sha256(canonical(self.content).encode()).hexdigest()


class Calls:
    """The calls of one pull; each knows the moment at which it was made."""

    def __init__(self, client: Client, clock: Clock, after: str | None) -> None:
        self._client, self._clock = client, clock
        self._per_request = {"stripe_version": client.version, "max_network_retries": client.retries}
        earliest = datetime.fromisoformat(after) + timedelta(microseconds=1) if after else clock.now()
        self.last = earliest.astimezone(UTC)

    def moment(self) -> datetime:
        """Return the present moment; it never goes back, and is after the extraction before."""
        self.last = max(self._clock.now().astimezone(UTC), self.last)
        return self.last

    def listed(self, resource: str, filters: Mapping[str, Any]) -> Objects:
        """Return every object that the filters let through."""
        params: dict[str, Any] = {**filters, **_LISTED_WITH.get(resource, {}), "limit": self._client.page_size}
        found: Objects = {}
        while True:  # bounded: every page must bring an object not seen before
            at = self.moment()
            page = self._asked(resource, f"/v1/{resource}", params)
            if page is None:
                raise SourceError(f"Stripe has no list of {resource}", then="check the source's resources")
            things: list[dict[str, Any]] = page["data"]
            fresh = [thing for thing in things if thing["id"] not in found]
            found |= {thing["id"]: Fetched(thing, at) for thing in fresh}
            if not page["has_more"]:
                return found
            if not fresh:
                raise TransientError(f"Stripe's list of {resource} does not advance", then="run again")
            params["starting_after"] = things[-1]["id"]

    def one(self, resource: str, key: str, *, told_deleted: bool = False) -> Fetched | None:
        """Return an object by id, ``{id, deleted}`` where it was deleted, None where Stripe has none.

        Stripe answers for a deleted customer, but not for a deleted draft invoice: that one was
        deleted where an event says so (``told_deleted``).
        """
        at = self.moment()
        thing = self._asked(resource, f"/v1/{resource}/{quote(key, safe='')}", {})
        content = thing if thing is not None else {"deleted": told_deleted}
        if content.get("deleted"):
            return Fetched({"id": key, "deleted": True}, at)
        return Fetched(content, at) if thing is not None else None

    def _asked(self, resource: str, url: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return an answer as the JSON that it is: the library's objects take ten times as long to make as to fetch."""
        call = partial(self._client.library.raw_request, "get", url, **params, **self._per_request)
        answer = self._repeated(resource, call)
        return None if answer is None else dict(answer.data)

    def _repeated(self, resource: str, call: Callable[[], Any]) -> Any:
        """Make a call, repeating what the library never does; None where there is no such object."""
        for attempt in range(self._client.retries + 1):
            try:
                return call()
            except stripe.StripeError as error:
                if error.http_status == 404:
                    return None
                if attempt == self._client.retries or not _worth_repeating(error):
                    raise _translated(error, resource) from None
                self._client.pause(min(0.5 * 2**attempt, PAUSE_S_MAX))
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


def canonical(content: Mapping[str, Any]) -> str:
    """Return an object as JSON that is the same for the same content."""
    # Money is integer minor units and decimals are strings (for_json): no float is formed here.
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
