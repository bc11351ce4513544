"""Alert rules: what they find in what is published is told once, and not before it is published.

Findings go through an outbox, the control table ``alerts``: what a rule finds in a publication is
recorded as pending, then sent, then recorded as sent. A message that cannot be sent stays pending
and goes with the next run; a run that is killed between sending and recording sends it again (at
least once). A rule judges each publication once, so a killed run is made up for by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledgerlake.config.alerting import AlertRule
from ledgerlake.config.check_alerts import marts_of
from ledgerlake.core.identity import fingerprint
from ledgerlake.errors import LedgerlakeError, SourceError
from ledgerlake.lake import readers, reading
from ledgerlake.lake.readers import PublicationRecord
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.alerts import post
from ledgerlake.ops.progress import Progress
from ledgerlake.ports.failures import storage_errors
from ledgerlake.sql.relation import Relation

FINDINGS_MAX = 1_000
"""More findings than people read: the rule is wrong, or what it reads is."""


@dataclass(frozen=True)
class Finding:
    """One row of a rule's answer: what tells it from others, and what people are told."""

    key: str
    message: str


def tell_findings(workspace: Workspace, run_id: str, progress: Progress) -> None:
    """Judge the served publication where that was not done yet, then send everything that is pending."""
    rules = workspace.pipeline.spec.alerts.rules
    served = readers.served(workspace) if rules else None
    if served is None:
        return
    try:
        name = f"{workspace.pipeline.name}.alert-rules"  # no table can be called so
        with storage_errors(), workspace.leases.hold(name):
            for rule in rules:
                _judge(workspace, run_id, progress, rule, served)
                _send(workspace, run_id, progress, rule)
    except LedgerlakeError as error:  # what is published stays published
        with progress.step("alert", "rules") as words:
            words.append(f"not told, the next run tries again: {error.what}")


def _judge(workspace: Workspace, run_id: str, progress: Progress, rule: AlertRule, served: PublicationRecord) -> None:
    """Record what a rule finds in a publication; what was found before is not found again."""
    mark = fingerprint([rule.alert, served.publication_id, served.run_id])
    known = {r["finding_id"] for r in workspace.control.read("alerts")}
    if mark in known:
        return
    common = {"alert": rule.alert, "publication_id": served.publication_id}
    records: list[dict[str, Any]] = []
    with progress.step("alert", rule.alert) as words:
        try:
            found = findings(workspace, rule, served)
            records.append(common | {"finding_id": mark, "status": "judged"})
        except Exception as error:  # what is published stays published, whatever a rule's SQL does
            words.append(f"not judged: {_reason(error)}")
            found = [_not_judged(rule, served, _reason(error))]
        new = {k: f for k, f in ((_finding_id(rule, f), f) for f in found) if k not in known}
        records += [
            common | {"finding_id": k, "status": "pending", "finding_key": f.key, "message": f.message}
            for k, f in new.items()
        ]
        workspace.control.append("alerts", run_id, records)
        if not words:
            words.append(f"{len(new)} new findings, {len(found) - len(new)} told before")


def _finding_id(rule: AlertRule, finding: Finding) -> str:
    return fingerprint([rule.alert, finding.key])


def _not_judged(rule: AlertRule, served: PublicationRecord, reason: str) -> Finding:
    """Return the finding that a rule does not work, told once for each publication: silence would look like peace."""
    key = json.dumps({"publication_id": served.publication_id})
    return Finding(key, f"{rule.alert} could not judge publication {served.publication_id}: {reason}")


def _reason(error: Exception) -> str:
    """Return why a rule failed, without values, which Spark's messages may hold."""
    return error.what if isinstance(error, LedgerlakeError) else type(error).__name__


def findings(workspace: Workspace, rule: AlertRule, served: PublicationRecord) -> list[Finding]:
    """Return what a rule finds in a publication, in the order of its keys.

    Raises SourceError where that is more than anybody reads.
    """
    text = workspace.pipeline.alert_sql[rule.alert]
    found = workspace.engines.declared(text, [_published(workspace, mart, served) for mart in sorted(marts_of(text))])
    rows = workspace.engines.table(found.limited(FINDINGS_MAX + 1)).to_pylist()
    if len(rows) > FINDINGS_MAX:
        raise SourceError(f"more than {FINDINGS_MAX:,} findings", then="make the rule say less")
    return sorted((finding_of(rule, row) for row in rows), key=lambda f: (f.key, f.message))


def _published(workspace: Workspace, mart: str, served: PublicationRecord) -> Relation:
    version = readers.published_version(workspace, mart, served.publication_id)
    return reading.relation(workspace, f"_in_{mart}", workspace.paths.mart(mart), version).named(mart)


def finding_of(rule: AlertRule, row: Mapping[str, Any]) -> Finding:
    """Return a row of a rule's answer as a finding; values of the row cannot format or mention anything."""
    key = json.dumps({name: _text(row[name]) for name in rule.key})
    return Finding(key, rule.message.format_map({name: escaped(_text(value)) for name, value in row.items()}))


def _text(value: object) -> str:
    return "none" if value is None else format(value, "f") if hasattr(value, "quantize") else str(value)


def escaped(text: str) -> str:
    """Return ``text`` so that chat services show it and do nothing else with it.

    Source of the rule: Slack, "Formatting text for app surfaces", escaping text: ``&``, ``<`` and ``>``.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain_text(message: str) -> str:
    """Return a message as the chat service shows it."""
    return message.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def told(workspace: Workspace) -> list[dict[str, Any]]:
    """Return every finding in the order found, with its newest record: pending or sent."""
    records = workspace.control.read("alerts")
    sent = {r["finding_id"]: r for r in records if r["status"] == "sent"}
    return [sent.get(r["finding_id"], r) for r in records if r["status"] == "pending"]


def _send(workspace: Workspace, run_id: str, progress: Progress, rule: AlertRule) -> None:
    """Send a rule's pending messages; the first that fails leaves the rest for the next run."""
    waiting = [r for r in told(workspace) if r["status"] == "pending" and r["alert"] == rule.alert]
    webhook = workspace.pipeline.spec.alerts.webhook_of(rule)
    if not waiting or webhook is None:
        return
    with progress.step("alert", rule.channel or rule.alert) as words:
        for number, record in enumerate(waiting):
            try:
                post(workspace, webhook, record["message"], rule.channel)
            except LedgerlakeError as error:  # without its place: the address is the secret
                words.append(f"{len(waiting) - number} not sent, the next run tries again: {error.what}")
                return
            workspace.control.append("alerts", run_id, [record | {"status": "sent"}])
        words.append(f"{len(waiting)} sent")
