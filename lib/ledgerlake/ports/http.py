"""HTTP as a port: one request, its answer read line by line, errors told apart by type.

Waiting between attempts is a port too (``pause``), so that tests need not wait.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ledgerlake.errors import ConfigError, SourceError, TransientError, Where

T = TypeVar("T")
CONNECT_S, READ_S = 10.0, 60.0
BACKOFF_S_FIRST, BACKOFF_S_MAX = 0.5, 60.0


@dataclass(frozen=True)
class Request:
    """One HTTP request; address, ``headers`` and body may hold secrets and are never shown."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


class Http(Protocol):
    """Sends a request and hands its answer's lines over while they arrive."""

    def lines(self, request: Request) -> Iterator[bytes]:
        """Yield the lines of a successful answer.

        Raises :class:`TransientError` for 408, 425, 429, 5xx, timeouts and cut connections, also
        in the middle of the answer; :class:`ConfigError` for 401 and 403; :class:`SourceError`
        for every other refusal.
        """
        ...


class SystemHttp:
    """The network, through ``requests``."""

    def lines(self, request: Request) -> Iterator[bytes]:
        """Yield the lines of a successful answer; see :class:`Http` for errors."""
        import requests

        where = Where(file=request.url)  # an error shows it bare
        try:
            with requests.request(
                request.method, request.url, headers=dict(request.headers), data=request.body,
                stream=True, timeout=(CONNECT_S, READ_S),
            ) as answer:  # fmt: skip
                _check_status(answer.status_code, where)
                yield from answer.iter_lines()
        except requests.RequestException as error:
            raise TransientError(
                f"the connection failed or was cut ({type(error).__name__})", where=where, then="run again"
            ) from None


def _check_status(status: int, where: Where) -> None:
    if status in (408, 425, 429) or status >= 500:
        raise TransientError(f"the service answered HTTP {status}", where=where, then="run again later")
    if status in (401, 403):
        raise ConfigError(f"the service answered HTTP {status}", where=where, then="check the connection's secret")
    if status >= 300:
        raise SourceError(f"the service answered HTTP {status}", where=where, then="check the source's options")


@dataclass(frozen=True)
class Retries:
    """How often a transient failure is tried again: exponential backoff with full jitter.

    Source of the rule: AWS Architecture Blog, "Exponential Backoff And Jitter".
    """

    attempts: int = 5
    pause: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random  # in [0, 1); jitter needs no seed: it changes no data

    def call(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns; raise its last transient error when the attempts are used up."""
        for attempt in range(1, self.attempts + 1):
            try:
                return work()
            except TransientError:
                if attempt == self.attempts:
                    raise
                self.pause(min(BACKOFF_S_MAX, BACKOFF_S_FIRST * 2 ** (attempt - 1)) * self.chance())
        raise AssertionError("the last attempt returns or raises")
