"""Settling: the lake and the warehouse serve the same publication before anything else happens, and after.

The warehouse's ledger is written in the transaction that moves the data, so it alone says what
readers are given. A run writes down what it is about to publish (``sending``) before it asks the
warehouse; so a run that died in between is found out and recorded. What the lake does not know at
all (a lake built anew beside an old warehouse, a warehouse that was set back or is new) is
replaced: every mart is published whole, after the publication that the warehouse serves.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledgerlake.core.identity import publication_id
from ledgerlake.lake.readers import PUBLISHED, SENDING, PublicationRecord, all_records, served
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.progress import Progress
from ledgerlake.publish.model import LedgerRow, Publishing


@dataclass(frozen=True)
class Standing:
    """What the lake and the warehouse serve now; None before a first publication.

    ``said`` is what was found out, and done, where they differed.
    """

    served: PublicationRecord | None
    newest: LedgerRow | None
    said: str = ""

    @property
    def newest_id(self) -> str:
        """Return the publication that the warehouse serves, empty where there is none."""
        return self.newest.publication_id if self.newest else ""

    @property
    def agrees(self) -> bool:
        """Say whether lake and warehouse serve the same."""
        return (self.served.publication_id if self.served else "") == self.newest_id

    @property
    def next_number(self) -> int:
        """Return the next place in the pipeline's order of publications."""
        return 1 + max(self.served.number if self.served else 0, self.newest.number if self.newest else 0)

    def serves(self, state: str) -> bool:
        """Say whether readers are given exactly ``state``, in the lake and in the warehouse."""
        return self.agrees and self.served is not None and self.served.state == state

    def successor(self, pipeline: str, state: str) -> str:
        """Return the id of the publication of ``state`` that would follow."""
        last = self.served.publication_id if self.served else ""
        return publication_id(pipeline, state, (last, self.newest_id))


def look(workspace: Workspace, publishing: Publishing, run_id: str) -> Standing:
    """Ask both what they serve; changes nothing."""
    return Standing(served(workspace), publishing.newest(workspace.pipeline.name, run_id))


def settle(workspace: Workspace, publishing: Publishing, run_id: str, progress: Progress) -> Standing:
    """Return what both serve, after recording what a run that died had published; said as a step where they differ."""
    standing = look(workspace, publishing, run_id)
    if standing.agrees:
        return standing
    with progress.step("settle", "snowflake") as words:
        intent = _intent(workspace, standing)
        if intent is None:
            said = f"the warehouse serves {standing.newest_id or 'nothing'}, the lake does not: all marts are published anew"
        else:
            _record(workspace, run_id, intent, standing)
            said = f"{intent.publication_id} was published by a run that ended before it could record it: recorded now"
        words.append(said)
    return Standing(served(workspace), standing.newest, said)


def _intent(workspace: Workspace, standing: Standing) -> PublicationRecord | None:
    """Return what a run wrote down before it gave the warehouse what it serves now, None where no run of this lake did."""
    last = standing.served.number if standing.served else 0
    return next(
        (
            p for p in reversed(all_records(workspace))
            if p.status == SENDING and p.publication_id == standing.newest_id and p.number > last
        ),
        None,
    )  # fmt: skip


def _record(workspace: Workspace, run_id: str, intent: PublicationRecord, standing: Standing) -> None:
    rows = workspace.control.read("publications")
    [written] = [r for r in rows if r["status"] == SENDING and r["publication_id"] == intent.publication_id][-1:]
    kept = ("publication_id", "logical_date", "inputs", "marts", "partitions", "rows", "state", "follows", "number")
    made_by = standing.newest.run_id if standing.newest else run_id
    record = {k: written[k] for k in kept} | {"status": PUBLISHED, "reason": f"settled by {run_id}"}
    workspace.control.append("publications", made_by, [record], after=workspace.control.last_sequence("publications"))
