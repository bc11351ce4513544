"""One writer per table: leases with fencing tokens, by conditional writes.

A lease is a sequence of numbered objects; the number is the fencing token. Whoever creates
the next number atomically (``If-None-Match: *`` on S3) holds the lease until it expires or is
given back. Delta's default S3 log store loses commits when two drivers write one table, so
two runs must never hold the same token.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from ledgerlake.errors import LeaseHeld, LedgerlakeError, Where
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.objects import ObjectStore

DURATION = timedelta(hours=2)
"""Longer than any run may take: EMR's execution timeout must be below it."""


class Leases:
    """Takes and gives back the leases of one pipeline's lake."""

    def __init__(self, store: ObjectStore, clock: Clock, is_gone: Callable[[str], bool] = lambda _: False) -> None:
        self._store, self._clock, self._is_gone = store, clock, is_gone

    def _prefix(self, name: str) -> str:
        return f"control/_leases/{name}/"

    def current(self, name: str) -> tuple[int, str, datetime] | None:
        """Return (token, owner, expiry) of the newest lease, None where there never was one."""
        paths = [info.path for info in self._store.list(self._prefix(name))]
        if not paths:
            return None
        data = json.loads(self._store.read(paths[-1]))
        return int(data["token"]), data["owner"], datetime.fromisoformat(data["expires_at"])

    def take(self, name: str, owner: str) -> int:
        """Return a fencing token; raise :class:`LeaseHeld` while another owner holds the lease."""
        held = self.current(name)
        if held and held[1] not in (owner, "") and held[2] > self._clock.now() and not self._is_gone(held[1]):
            raise LeaseHeld(
                f"{name} is being written by run {held[1]} until {held[2].isoformat()}",
                where=Where(table=name),
                then="wait for it to end; if that run was killed, it expires by itself",
            )
        token = held[0] + 1 if held else 1
        if not self._write(name, token, owner, self._clock.now() + DURATION):
            raise LeaseHeld(f"another run took {name} at this moment", then="run again later")
        return token

    def give_back(self, name: str, token: int) -> None:
        """End the lease by writing its successor without an owner."""
        self._write(name, token + 1, "", self._clock.now())

    def still_held(self, name: str, token: int) -> bool:
        """Say whether ``token`` is still the newest: asked before the lease is given back."""
        held = self.current(name)
        return held is not None and held[0] == token

    @contextmanager
    def hold(self, name: str, owner: str) -> Iterator[int]:
        """Hold the lease inside the block."""
        token = self.take(name, owner)
        try:
            yield token
        except BaseException:
            with suppress(LedgerlakeError):  # why the work stopped is worth more than why the lease stays
                self._end(name, token)
            raise
        self._end(name, token)

    def _end(self, name: str, token: int) -> None:
        if self.still_held(name, token):
            self.give_back(name, token)

    def _write(self, name: str, token: int, owner: str, expires_at: datetime) -> bool:
        body = {"token": token, "owner": owner, "expires_at": expires_at.isoformat()}
        return self._store.write(f"{self._prefix(name)}{token:012d}.json", json.dumps(body).encode(), if_absent=True)


def process_owner() -> str:
    """Return a name for this process as an owner: EMR's job run where there is one, so that a
    service retry of the same job takes its own lease over, else ``host/pid``."""
    job = os.environ.get("EMR_SERVERLESS_JOB_RUN_ID")
    return job or f"{socket.gethostname()}/{os.getpid()}"


def process_is_gone(owner: str) -> bool:
    """Say whether an owner was a process of this machine that no longer runs."""
    host, _, pid = owner.rpartition("/")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
