"""A chat service on this machine: takes what is posted to its webhook and shows what it was told."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from ledgerlake.demo.serving import serving


@dataclass(frozen=True)
class Post:
    """One message as the service shows it; ``channel`` is empty where none was named."""

    channel: str
    text: str


@dataclass
class Chat:
    """What arrived so far, and the webhook's address; it answers with ``status``."""

    url: str = ""
    status: int = 200
    posts: list[Post] = field(default_factory=list)

    def take(self) -> list[Post]:
        """Return what arrived since the last call."""
        arrived, self.posts[:] = list(self.posts), []
        return arrived


class _Webhook(BaseHTTPRequestHandler):
    chat: Chat

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.chat.posts.append(Post(body.get("channel", ""), html.unescape(body["text"])))
        self.send_response(self.chat.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@contextmanager
def running_chat() -> Iterator[Chat]:
    """Run a chat service until the block ends."""
    chat = Chat()
    with serving(_Webhook, 0, chat=chat) as server:
        chat.url = f"http://127.0.0.1:{server.server_address[1]}/services/demo"
        yield chat
