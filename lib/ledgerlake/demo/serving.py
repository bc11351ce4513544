"""Runs a demo service's HTTP server in a thread of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int, **bound: object) -> Iterator[ThreadingHTTPServer]:
    """Serve on 127.0.0.1 (a free port where ``port`` is 0) until the block ends.

    ``bound`` become attributes of the handler's class: what its requests speak to.
    """
    server = ThreadingHTTPServer(("127.0.0.1", port), type("BoundHandler", (handler,), bound))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
