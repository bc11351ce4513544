"""A Salesforce org in a thread: it answers queries page by page, and fails where it is told to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

TOKEN = "00Dxx!token"
PAGE_ROWS = 2


@dataclass
class Org:
    """Records by id, the queries that came, and the faults (429, 500, "cut", "short") that are still to come."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    faults: list[Any] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self) -> Iterator[Org]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"org": self}))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def rows(self, soql: str) -> list[dict[str, Any]]:
        fields = soql.removeprefix("SELECT ").split(" FROM ")[0].split(", ")
        asked = re.findall(r"'(\w+)'", soql)
        found = [r for i, r in sorted(self.records.items()) if i in asked or " WHERE " not in soql]
        return [{"attributes": {"type": "x"}} | {f: r.get(f) for f in fields} for r in found]


class _Handler(BaseHTTPRequestHandler):
    org: ClassVar[Org]

    def do_GET(self) -> None:
        fault = self.org.faults.pop(0) if self.org.faults else None
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer(401, {})
        if fault in (429, 500):
            return self._answer(fault, {})
        parts = urlsplit(self.path)
        start = int(parts.path.rpartition("-")[2]) if "-" in parts.path else 0
        if not start:
            self.org.queries.append(parse_qs(parts.query)["q"][0])
        rows = self.org.rows(self.org.queries[-1])
        end = start + PAGE_ROWS
        more = {"nextRecordsUrl": f"/services/data/v62.0/query/01gxx-{end}"} if end < len(rows) else {}
        total = len(rows) + (fault == "short")
        page = {"totalSize": total, "done": not more, "records": rows[start:end], **more}
        return self._answer(200, page, cut=fault == "cut")

    def _answer(self, status: int, content: dict[str, Any], *, cut: bool = False) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the console quiet."""
