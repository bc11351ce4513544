"""A run that stopped tells the webhook; a webhook that fails tells nobody's secrets and stops nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from house import ACCOUNTS, NOON, SOURCES, House
from ledgerlake.errors import SourceError
from ledgerlake.ops.run import RunReport
from ledgerlake.ports.clock import FixedClock

ALERTING = SOURCES + "alerts: {webhook: env:HOOK}\n"
SECRET = "T0K3N"


class Chat(ThreadingHTTPServer):
    """A chat service that keeps what it is sent and answers with ``status``."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.received = status, list[tuple[str, Any]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def failed_run(folder: Path, secrets: dict[str, str]) -> RunReport:
    """Run a bank whose source has no folder: it stops before Spark is asked for."""
    house = House(folder, None, FixedClock(NOON), secrets=secrets)  # type: ignore[arg-type]
    report = house.declare(ALERTING, ACCOUNTS).run()
    assert (report.status, type(report.error)) == ("failed", SourceError)
    return report


def said(report: RunReport) -> str:
    [step] = [s for s in report.steps if s.stage == "alert"]
    assert SECRET not in step.result
    return step.result


def test_a_failed_run_is_told_to_the_webhook_once(tmp_path: Path, chat: Chat) -> None:
    report = failed_run(tmp_path, {"HOOK": chat.url})

    assert said(report) == "sent"
    [(path, body)] = chat.received
    assert path == f"/services/{SECRET}"
    assert list(body) == ["text"]
    assert body["text"].startswith("ledgerlake bank 2026-03-01: failed. the source's folder does not exist")


@pytest.mark.parametrize("status", [404, 500])
def test_a_webhook_that_refuses_leaves_the_run_as_it_was(tmp_path: Path, chat: Chat, status: int) -> None:
    chat.status = status

    assert said(failed_run(tmp_path, {"HOOK": chat.url})) == f"not sent: the service answered HTTP {status}"


def test_a_webhook_out_of_reach_or_without_its_secret_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    nowhere = failed_run(tmp_path / "a", {"HOOK": f"http://127.0.0.1:1/{SECRET}"})
    unset = failed_run(tmp_path / "b", {})

    assert said(nowhere) == "not sent: the connection failed or was cut (ConnectionError)"
    assert said(unset) == "not sent: the environment variable HOOK is not set"


def test_what_was_not_taken_is_told_with_every_run_until_it_is_settled(house: House, chat: Chat) -> None:
    house.secrets["HOOK"] = chat.url
    house.declare(ALERTING, ACCOUNTS).deliver("db/public/accounts/20260301-100000000.csv", "account_id\n1\n")

    reports = [house.run(), house.run()]
    house.decide("dismissed", reason="not ours")
    reports.append(house.run())

    assert [r.exit_code for r in reports] == [8, 8, 0]
    texts = [body["text"] for _, body in chat.received]
    assert len(texts) == 2 and all("not taken: 1 objects refused" in text for text in texts)
