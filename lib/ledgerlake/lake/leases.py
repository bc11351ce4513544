"""One writer per pipeline: leases with fencing tokens, by conditional writes.

A lease is a sequence of numbered objects; the number is the fencing token. Whoever creates
the next number atomically (``If-None-Match: *`` on S3) holds the lease until it expires or is
given back. Leases are short and renewed while the work goes on, so that what a dead run leaves
behind is free again in a minute and a half. An owner is one attempt: its id is random, so that
no two ever share one, and an answer that was lost on its way is recognised by it.

A lease alone cannot stop a holder that slept and woke up: see ``lake.fence``.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ledgerlake.errors import LeaseHeld, LeaseLost, LedgerlakeError, NotFoundError, TransientError, Where
from ledgerlake.lake.attempt import Attempt, this_attempt
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.objects import ObjectInfo, ObjectStore

DURATION = timedelta(seconds=90)
"""How long a lease holds without being renewed."""
RENEWAL_S = 20.0
"""Seconds between renewals: three may fail before the lease is lost."""
SKEW = timedelta(seconds=10)
"""How far the clocks of two machines may differ."""


@dataclass(frozen=True)
class Holder:
    """What the newest object of a lease says: its token, who holds it (empty: nobody) and until when."""

    token: int
    owner: str
    expires_at: datetime
    attempt: Mapping[str, Any] = field(default_factory=dict)


class Leases:
    """Takes, renews and gives back the leases of one lake, for one attempt."""

    def __init__(
        self, store: ObjectStore, clock: Clock, attempt: Attempt | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._store, self._clock, self._sleep = store, clock, sleep
        self.attempt = attempt or this_attempt()
        self.owner = secrets.token_hex(8)

    def current(self, name: str) -> Holder | None:
        """Return the newest holder, None where there never was one.

        An object that a crash left empty or half-written holds until its own time of writing is over.
        """
        found = list(self._store.list(_prefix(name)))
        if not found:
            return None
        try:
            body = self._store.read(found[-1].path)
        except NotFoundError:  # given back and tidied up in this very moment
            return self.current(name)
        return _holder(found[-1], body)

    def take(self, name: str) -> Lease:
        """Return the lease; raise :class:`LeaseHeld` while another attempt holds it.

        A former attempt of the same job cannot be working any more: its lease is waited for.
        """
        held = self.current(name)
        while held and self._is_held(held):
            if not self.attempt.follows(held.attempt):
                raise LeaseHeld(
                    f"{name} is being written by another run ({self.attempt.describe(held.attempt)})"
                    f" until {held.expires_at.isoformat()}",
                    where=Where(table=name),
                    then="wait for it to end; if that run was killed, its lease ends by itself at that time",
                )
            self._sleep(RENEWAL_S / 4)
            held = self.current(name)
        token = held.token + 1 if held else 1
        expires_at = self._clock.now() + DURATION
        if not self._created(name, token, expires_at):
            raise LeaseHeld(f"another run took {name} at this moment", then="run again later")
        self._tidy(name, token)
        return Lease(self, name, token, expires_at)

    def _is_held(self, held: Holder) -> bool:
        if not held.owner or held.expires_at <= self._clock.now():
            return False
        return not self.attempt.is_gone(held.attempt)

    def _created(self, name: str, token: int, expires_at: datetime) -> bool:
        """Create the object of ``token``; an answer that was lost is found out by reading what stands."""
        body = self._body(token, self.owner, expires_at)
        try:
            self._store.write(_path(name, token), body, if_absent=True)
        except TransientError:
            if not self._is_newest(name, token):
                raise
            return True
        return self._is_newest(name, token)

    def _is_newest(self, name: str, token: int) -> bool:
        held = self.current(name)
        return held is not None and (held.token, held.owner) == (token, self.owner)

    def _tidy(self, name: str, token: int) -> None:
        """Remove what came before: only the newest object counts."""
        with suppress(LedgerlakeError):
            for info in list(self._store.list(_prefix(name))):
                if info.path < _path(name, token):
                    self._store.delete(info.path)

    def renew(self, lease: Lease) -> datetime:
        """Extend a lease that is still the newest; raise :class:`LeaseLost` where it is not."""
        if not self._is_newest(lease.name, lease.token):
            raise lost(lease.name)
        expires_at = self._clock.now() + DURATION
        self._store.write(_path(lease.name, lease.token), self._body(lease.token, self.owner, expires_at))
        return expires_at

    def give_back(self, lease: Lease) -> None:
        """End a lease that is still held: by writing its successor without an owner, or where that fails (a full disk) by removing it."""
        if not self._is_newest(lease.name, lease.token):
            return
        body = self._body(lease.token + 1, "", self._clock.now())
        try:
            self._store.write(_path(lease.name, lease.token + 1), body, if_absent=True)
        except LedgerlakeError:
            self._store.delete(_path(lease.name, lease.token))

    @contextmanager
    def hold(self, name: str) -> Iterator[Lease]:
        """Hold the lease inside the block, and renew it meanwhile."""
        lease = self.take(name)
        ended = threading.Event()
        renewing = threading.Thread(target=lease.keep, args=(ended,), name=f"lease {name}", daemon=True)
        renewing.start()
        try:
            yield lease
        finally:
            ended.set()
            renewing.join()
            with suppress(LedgerlakeError):  # how the work ended is worth more than why the lease stays a minute
                self.give_back(lease)

    @property
    def now(self) -> datetime:
        """Return the clock's time."""
        return self._clock.now()

    def _body(self, token: int, owner: str, expires_at: datetime) -> bytes:
        body = {
            "token": token, "owner": owner, "expires_at": expires_at.isoformat(),
            "attempt": self.attempt.facts if owner else {},
        }  # fmt: skip
        return json.dumps(body).encode()


class Lease:
    """One held lease; ``check`` is asked before everything that others can see."""

    def __init__(self, leases: Leases, name: str, token: int, expires_at: datetime) -> None:
        self._leases, self.name, self.token, self._expires_at = leases, name, token, expires_at
        self._lock = threading.Lock()
        self.is_lost = False

    def check(self, *, surely: bool = False) -> None:
        """Raise :class:`LeaseLost` unless the lease is held.

        Inside its time nobody else can have taken it, which is known without asking; ``surely``
        asks the store all the same.
        """
        with self._lock:
            if self.is_lost:
                raise lost(self.name)
            if surely or self._leases.now >= self._expires_at - SKEW:
                try:
                    self._expires_at = self._leases.renew(self)
                except LeaseLost:
                    self.is_lost = True
                    raise

    def keep(self, ended: threading.Event) -> None:
        """Renew the lease every while until ``ended``; whoever works finds out by ``check`` that it is lost."""
        while not ended.wait(RENEWAL_S):
            with suppress(LedgerlakeError):
                self.check(surely=True)


def lost(name: str) -> LeaseLost:
    """Return the error of a run that goes on no more, because another may have taken its place."""
    return LeaseLost(
        f"the lease of {name} was lost: this run slept or lost the storage for longer than {DURATION.seconds} s",
        where=Where(table=name),
        then="run the same command again; it continues from what stands",
    )


def _prefix(name: str) -> str:
    return f"control/_leases/{name}/"


def _path(name: str, token: int) -> str:
    return f"{_prefix(name)}{token:012d}.json"


def _holder(info: ObjectInfo, body: bytes) -> Holder:
    try:
        data = json.loads(body)
        return Holder(
            int(data["token"]), data["owner"], datetime.fromisoformat(data["expires_at"]), data.get("attempt", {})
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        token = int(info.path.rpartition("/")[2].removesuffix(".json"))
        return Holder(token, "unreadable", info.modified_at + DURATION)
