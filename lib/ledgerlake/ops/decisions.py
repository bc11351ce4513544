"""What people decided about what was not taken: rows and batches in quarantine, and refused objects.

A decision is a record in the control table ``decisions``: ``requested`` (judge it again with the
next run) or ``dismissed`` (it stays on record, and is never taken). Runs add what they did:
``releasing`` and ``released`` for rows, ``judged`` for batches and objects. The first decision
about something that is open holds; whoever decides at the same moment is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ledgerlake.core.identity import fingerprint
from ledgerlake.errors import TransientError
from ledgerlake.lake.workspace import Workspace

Kind = Literal["row", "batch", "object"]
REQUESTED, DISMISSED, RELEASING, RELEASED, JUDGED = "requested", "dismissed", "releasing", "released", "judged"
_ATTEMPTS = 20


@dataclass(frozen=True)
class Subject:
    """Something that was not taken: its id, what it is, and its table."""

    id: str
    kind: Kind
    table: str


def object_id(table: str, identity: tuple[str, str]) -> str:
    """Return the id of a refused object; ``identity`` is its (name, content hash)."""
    return "o-" + fingerprint([table, *identity])[:24]


def latest(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return the newest decision about each subject."""
    return workspace.control.latest("decisions", "subject")


def with_action(workspace: Workspace, action: str) -> set[str]:
    """Return the subjects whose newest decision is ``action``."""
    return {i for i, r in latest(workspace).items() if r["action"] == action}


def decide(
    workspace: Workspace, subjects: Sequence[Subject], action: str, who: str, reason: str
) -> tuple[list[Subject], dict[str, dict[str, Any]]]:
    """Record a decision about each subject that nobody has decided on; return those, and earlier decisions by id.

    Raises :class:`TransientError` where others decide at the same moment, again and again.
    """
    for _ in range(_ATTEMPTS):
        workspace.control.forget()
        before = workspace.control.last_sequence("decisions")
        known = latest(workspace)
        standing = {s.id: known[s.id] for s in subjects if s.id in known and known[s.id]["action"] in (REQUESTED, DISMISSED)}
        mine = [s for s in subjects if s.id not in standing]
        rows = [record(s, action) | {"who": who, "reason": reason} for s in mine]
        try:
            workspace.control.append("decisions", "decision", rows, after=before)
        except TransientError:
            continue
        return mine, standing
    raise TransientError("others decide at the same moment", then="run the same command again")


def record(subject: Subject, action: str, batch_id: str | None = None) -> dict[str, Any]:
    """Return the record of what was decided, or done, about a subject."""
    return {"subject": subject.id, "kind": subject.kind, "table": subject.table, "action": action, "batch_id": batch_id}


def settle(workspace: Workspace, run_id: str, kind: Kind, table: str, ids: Iterable[str]) -> None:
    """Record that what was requested has been judged again, whatever came of it."""
    asked = with_action(workspace, REQUESTED)
    rows = [record(Subject(i, kind, table), JUDGED) for i in sorted(set(ids) & asked)]
    workspace.control.append("decisions", run_id, rows)
