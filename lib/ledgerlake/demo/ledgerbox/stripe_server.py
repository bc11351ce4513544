"""A local HTTP server that speaks enough of the Stripe API for the real ``stripe`` library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, urlsplit

from ledgerlake.demo.ledgerbox.stripe_days import StripeDay
from ledgerlake.demo.ledgerbox.stripe_shapes import StripeObject
from ledgerlake.demo.ledgerbox.stripe_store import BadRequestError, StripeStore
from ledgerlake.demo.serving import serving

DEMO_KEY = "sk_test_ledgerbox"
FaultKind = Literal[429, 500, "cut"]


@dataclass
class FaultPlan:
    """List requests that are to fail: ``remaining`` of them, after ``skip`` good ones."""

    remaining: int = 0
    skip: int = 0
    kind: FaultKind = 500
    _lock: Lock = field(default_factory=Lock)

    def arm(self, remaining: int, kind: FaultKind, skip: int) -> None:
        """Replace the plan."""
        with self._lock:
            self.remaining, self.kind, self.skip = remaining, kind, skip

    def next(self) -> FaultKind | None:
        """Return how this list request is to fail, or None where it succeeds."""
        with self._lock:
            if self.skip > 0:
                self.skip -= 1
                return None
            if self.remaining <= 0:
                return None
            self.remaining -= 1
            return self.kind


class StripeServer:
    """An account at Stripe to which days of the world are added."""

    def __init__(self, days: Sequence[StripeDay], key: str = DEMO_KEY) -> None:
        self._days, self._key = days, key
        self._applied: set[int] = set()
        self._http: ThreadingHTTPServer | None = None
        self.store = StripeStore()
        self.faults = FaultPlan()
        self.requests: list[str] = []  # paths with query, in order of arrival
        self.versions: set[str] = set()  # every Stripe-Version that was asked for

    @property
    def url(self) -> str:
        """Return the base address for ``StripeClient(base_addresses={"api": url})``."""
        assert self._http is not None, "use running() first"
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def apply_day(self, day_index: int) -> None:
        """Make a day's objects, changes and events visible; a second time changes nothing."""
        if day_index not in self._applied:
            self.store.put(self._days[day_index].objects)
            self._applied.add(day_index)

    def fail_next(self, requests: int, status: FaultKind = 500, *, from_page: int = 1) -> None:
        """Let ``requests`` list requests fail, starting with the ``from_page``-th from now.

        ``429`` and ``500`` answer with Stripe's error body; ``"cut"`` breaks off mid-body.
        """
        self.faults.arm(requests, status, from_page - 1)

    @contextmanager
    def running(self, port: int = 0) -> Iterator[StripeServer]:
        """Serve on 127.0.0.1 (a free port unless given) until the block ends."""
        with serving(_Handler, port, account=self) as self._http:
            yield self

    def authorised(self, header: str) -> bool:
        """Say whether an ``Authorization`` header holds the account's key."""
        return header == f"Bearer {self._key}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes; do not wait between them
    account: ClassVar[StripeServer]

    def do_GET(self) -> None:
        """Answer a list or a single object."""
        self.account.requests.append(self.path)
        self.account.versions.add(self.headers.get("Stripe-Version", ""))
        parts = urlsplit(self.path)
        _, version, *rest = parts.path.split("/")
        if not self.account.authorised(self.headers.get("Authorization", "")):
            return self._refuse(401, "invalid_request_error", "Invalid API Key provided")
        if version != "v1" or not rest or rest[0] not in self.account.store.resources:
            return self._refuse(404, "invalid_request_error", "Unrecognized request URL")
        if len(rest) == 2:
            return self._one(rest[0], rest[1])
        return self._list(rest[0], parts.query)

    def _one(self, resource: str, key: str) -> None:
        found = self.account.store.get(resource, key)
        if found is None:
            return self._refuse(404, "invalid_request_error", f"No such object: '{key}'", "resource_missing")
        return self._answer(200, found)

    def _list(self, resource: str, query: str) -> None:
        fault = self.account.faults.next()
        if fault == 429:
            return self._refuse(429, "invalid_request_error", "Too many requests", "rate_limit")
        if fault == 500:
            return self._refuse(500, "api_error", "An error occurred on our side")
        try:
            rows, more = self.account.store.page(resource, parse_qs(query))
        except (BadRequestError, ValueError) as error:
            return self._refuse(400, "invalid_request_error", str(error))
        body = {"object": "list", "url": f"/v1/{resource}", "has_more": more, "data": rows}
        return self._answer(200, body, cut=fault == "cut")

    def _refuse(self, status: int, kind: str, message: str, code: str | None = None) -> None:
        error: dict[str, Any] = {"type": kind, "message": message}
        self._answer(status, {"error": error | ({"code": code} if code else {})})

    def _answer(self, status: int, content: StripeObject, *, cut: bool = False) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", f"req_{len(self.account.requests):012d}")
        self.send_header("Stripe-Version", self.headers.get("Stripe-Version", ""))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the console quiet; ``StripeServer.requests`` holds what was asked."""
