"""Tells people through webhooks; here: of runs that were blocked or failed.

The body is ``{"text": …}`` (and ``channel`` where one is declared), which chat services take as it
is. An alert that cannot be sent changes nothing about the run: it is one more step in its report.
"""

from __future__ import annotations

import json

from ledgerlake.core.identity import RunKey
from ledgerlake.errors import LedgerlakeError
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.progress import Progress
from ledgerlake.ports.http import Request

TEXT_LENGTH_MAX = 2_000
"""Chat services cut or refuse longer texts; the whole message stands in the report."""


def alert(workspace: Workspace, progress: Progress, key: RunKey, status: str, message: str) -> None:
    """Send what became of a run to ``alerts.webhook``; nothing happens where none is declared."""
    reference = workspace.pipeline.spec.alerts.webhook
    if reference is None:
        return
    with progress.step("alert", "webhook") as words:
        try:
            post(workspace, reference, f"ledgerlake {key.pipeline} {key.date}: {status}. {message}")
            words.append("sent")
        except LedgerlakeError as error:
            words.append(f"not sent: {error.what}")  # without its place: the address is the secret


def post(workspace: Workspace, webhook: str, text: str, channel: str | None = None) -> None:
    """Send one message to the address behind a secret reference; errors are those of the HTTP port.

    An incoming webhook of Slack is bound to a channel when it is made, so ``channel`` is advice:
    Slack's legacy webhooks and other services follow it.
    """
    body = {"channel": channel} if channel else {}
    content = json.dumps(body | {"text": text[:TEXT_LENGTH_MAX]}).encode()
    url = workspace.secrets.resolve(webhook)
    for _ in workspace.http.lines(Request("POST", url, {"Content-Type": "application/json"}, content)):
        pass
