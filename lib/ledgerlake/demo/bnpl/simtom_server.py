"""A local HTTP server that answers as the simtom pay-later service does: one stream of events a request.

``POST /stream/bnpl`` takes ``max_records``, ``start_date``, ``end_date`` and ``base_daily_volume``
(or, as the older service, ``total_records``) and ``seed``. Ids start again in every answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, islice
from threading import Lock
from typing import Any, ClassVar, Literal

from ledgerlake.demo.bnpl.simtom_records import transactions
from ledgerlake.demo.bnpl.tampering import TAMPERINGS
from ledgerlake.demo.serving import serving

PATH = "/stream/bnpl"
RECORDS_PER_CHUNK = 200
Tampering = Literal["inflated", "spoiled"]
FaultKind = Literal[429, 500, 503, "cut", "short", "error"]


@dataclass
class SimtomServer:
    """The service; ``requests`` are the bodies that came, ``changed_seed`` makes it tell other days than before.

    ``tampered`` names days whose first answer is wrong: ``inflated`` amounts, or some ``spoiled`` records.
    """

    requests: list[dict[str, Any]] = field(default_factory=list)
    changed_seed: int = 0
    tampered: dict[date, Tampering] = field(default_factory=dict)
    _faults: list[FaultKind] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _http: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Return the base address of the service."""
        assert self._http is not None, "use running() first"
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def fail_next(self, *kinds: FaultKind) -> None:
        """Let the next requests fail, one for each kind.

        ``"cut"`` breaks the connection off, ``"short"`` ends cleanly after half of the records,
        ``"error"`` sends an error object in the middle; numbers are HTTP statuses.
        """
        with self._lock:
            self._faults += kinds

    def next_fault(self) -> FaultKind | None:
        """Return how this request is to fail, or None where it succeeds."""
        with self._lock:
            return self._faults.pop(0) if self._faults else None

    def answer(self, body: dict[str, Any]) -> Iterator[str]:
        """Yield what this service answers; raise ``ValueError`` or ``KeyError`` for a bad request."""
        records = answered(body, self.changed_seed)
        how = self.tampered.get(date.fromisoformat(body["start_date"])) if "start_date" in body else None
        return (TAMPERINGS[how](n, r) for n, r in enumerate(records)) if how else records

    @contextmanager
    def running(self, port: int = 0) -> Iterator[SimtomServer]:
        """Serve on 127.0.0.1 (a free port unless given) until the block ends."""
        with serving(_Handler, port, service=self) as self._http:
            yield self


def answered(body: dict[str, Any], changed_seed: int = 0) -> Iterator[str]:
    """Yield the records that answer a request; raise ``ValueError`` or ``KeyError`` for a bad one."""
    seed = int(body.get("seed") or 0) + changed_seed
    if "total_records" in body:
        return transactions(date(2024, 1, 1), int(body["total_records"]), seed)
    first, last = date.fromisoformat(body["start_date"]), date.fromisoformat(body["end_date"])
    volume = int(body["base_daily_volume"])
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    records = chain.from_iterable(transactions(d, volume, seed, n * volume) for n, d in enumerate(days))
    return islice(records, int(body["max_records"]))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: ClassVar[SimtomServer]

    def do_POST(self) -> None:
        """Answer one request for a stream."""
        text, fault = self.rfile.read(int(self.headers.get("Content-Length", 0))), self.service.next_fault()
        try:
            body = json.loads(text)
            self.service.requests.append(body)
            records = self.service.answer(body)
        except (ValueError, KeyError, TypeError):
            return self._refuse(422)
        if self.path != PATH:
            return self._refuse(404)
        if isinstance(fault, int):
            return self._refuse(fault)
        return self._stream(records, fault)

    def _stream(self, records: Iterator[str], fault: FaultKind | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if fault is not None:
            some = list(records)
            records = iter(some[: len(some) // 2])
        while part := list(islice(records, RECORDS_PER_CHUNK)):
            self._chunk("".join(f"data: {r}\n\n" for r in part))
        if fault == "cut":
            self.close_connection = True
            return
        if fault == "error":
            self._chunk('data: {"error": "generator failed"}\n\n')
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        body = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))

    def _refuse(self, status: int) -> None:
        body = json.dumps({"detail": "refused"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the console quiet; ``SimtomServer.requests`` holds what was asked."""
