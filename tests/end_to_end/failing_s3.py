"""A local S3 server of which every seventh request fails, in turn: 500, 503, no answer, half an answer, an answer lost."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

EVERY = 7
ERROR = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>try again</Message></Error>"


class FailingS3:
    """The WSGI application; ``failed`` counts what it failed on purpose, by kind."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._numbers, self._lock = itertools.count(1), threading.Lock()
        self.fails = False
        self.failed: dict[str, int] = {}
        self._kinds = itertools.cycle(["500", "503", "none", "half", "lost"])

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            kind = next(self._kinds) if self.fails and next(self._numbers) % EVERY == 0 else ""
            if kind:
                self.failed[kind] = self.failed.get(kind, 0) + 1
        if kind in ("500", "503"):
            code, name = (b"InternalError", "500 Internal Error") if kind == "500" else (b"SlowDown", "503 Slow Down")
            body = ERROR % code
            start_response(name, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        if not kind:
            return self._app(environ, start_response)  # type: ignore[no-any-return]
        return self._cut(kind, environ, start_response)

    def _cut(self, kind: str, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Break the connection off: before the request is carried out, after it, or in the middle of its answer."""
        given: list[Any] = []
        body = b"" if kind == "none" else b"".join(self._app(environ, lambda *answer: given.append(answer)))
        if kind == "half" and body:
            start_response(*given[0][:2])
            yield body[: len(body) // 2]
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError("cut on purpose")


@contextmanager
def failing_s3() -> Iterator[tuple[str, FailingS3]]:
    """Run the server; it begins to fail when ``fails`` is set."""
    app = FailingS3()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", app
    finally:
        server.shutdown()
        thread.join()
