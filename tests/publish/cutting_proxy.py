"""A TCP proxy that fails as networks do: it can cut on sight of a statement, before or after.

Between the real connector and the real server; it reads HTTP only as far as to find the SQL.
"""

from __future__ import annotations

import gzip
import socket
import threading
from contextlib import suppress
from types import TracebackType


class CuttingProxy:
    """Forwards to ``upstream_port``; ``cut`` arms one fault, ``heal`` ends the outage it starts."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._fault: tuple[bytes, bool] | None = None
        self._down = threading.Event()
        self.cuts = 0

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def cut(self, statement: str, *, forward: bool) -> None:
        """Go down at the next request holding ``statement``; ``forward``: after it has run."""
        self._fault = (statement.encode(), forward)

    def heal(self) -> None:
        self._down.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._down.is_set():
                    client.close()
                    continue
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        upstream = socket.create_connection(("127.0.0.1", self._upstream_port))
        with client, upstream, suppress(OSError):
            while request := _read_message(client):
                forward = True
                if self._fault and self._fault[0] in _body(request):
                    forward, self._fault = self._fault[1], None
                    self.cuts += 1
                    self._down.set()
                if self._down.is_set() and not forward:
                    return
                upstream.sendall(request)
                answer = _read_message(upstream)
                if self._down.is_set():
                    return
                client.sendall(answer)


def _read_message(stream: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = stream.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    missing = _content_length(head) - len(body)
    while missing > 0:
        part = stream.recv(65536)
        data, missing = data + part, missing - len(part)
        if not part:
            return b""
    return data


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def _body(request: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    return gzip.decompress(body) if b"gzip" in head.lower().split(b"content-encoding:")[-1][:8] else body
