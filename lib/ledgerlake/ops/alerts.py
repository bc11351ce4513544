"""Tells people of runs that were blocked or failed, through one webhook.

The body is ``{"text": …}``, which chat services take as it is. An alert that cannot be sent
changes nothing about the run: it is one more step in its report.
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
        text = f"ledgerlake {key.pipeline} {key.date}: {status}. {message}"
        body = json.dumps({"text": text[:TEXT_LENGTH_MAX]}).encode()
        try:
            url = workspace.secrets.resolve(reference)
            request = Request("POST", url, {"Content-Type": "application/json"}, body)
            for _ in workspace.http.lines(request):
                pass
            words.append("sent")
        except LedgerlakeError as error:
            words.append(f"not sent: {error.what}")  # without its place: the address is the secret
