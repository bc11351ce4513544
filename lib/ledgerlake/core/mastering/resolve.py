"""Masters one component: all records that any key ever connected, over all of time.

At every moment at which any record changed, the records are clustered by the keys valid then,
each cluster gets the id of its anchor, and each field its survivor. What stays the same between
two such moments is one version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ledgerlake.core.mastering.identity import anchor, clusters, own_id
from ledgerlake.core.mastering.intervals import RecordVersion, record_versions
from ledgerlake.core.mastering.model import (
    Candidate,
    GoldenVersion,
    Link,
    Mastered,
    Node,
    Observation,
    Plan,
    Survivor,
)
from ledgerlake.core.mastering.survivorship import survivor


@dataclass(frozen=True)
class Golden:
    """What holds of a customer at one moment."""

    records: int
    fields: Mapping[str, Survivor]


@dataclass(frozen=True)
class Membership:
    """Where a record belongs at one moment."""

    customer_id: str
    ended: bool


def master(observations: Iterable[Observation], plan: Plan) -> Mastered:
    """Return every golden version and link of one component; its order of rows is fixed."""
    return _Timeline(record_versions(observations), plan).mastered()


def golden(versions: Sequence[RecordVersion], cluster: Iterable[int], plan: Plan) -> Golden | None:
    """Return the fields of a cluster; None where all of its records were deleted at their sources."""
    living = [versions[i] for i in cluster if not versions[i].ended]
    if not living:
        return None
    fields = {f: survivor(f, _candidates(living, f, plan), rules) for f, rules in plan.rules.items()}
    return Golden(len(living), fields)


def _candidates(living: Sequence[RecordVersion], field: str, plan: Plan) -> list[Candidate]:
    return [
        Candidate(v.source, v.record, v.values.get(field), v.times[field], plan.trust.get((v.source, field), 0))
        for v in living
        if field in plan.maps[v.source]
    ]


class _Timeline:
    """Walks the moments at which anything changed, and keeps what is open."""

    def __init__(self, versions: list[RecordVersion], plan: Plan) -> None:
        self._versions, self._plan = versions, plan
        self._known: dict[tuple[int, ...], tuple[str | None, Golden | None]] = {}
        self._golden: dict[str, tuple[datetime, Golden]] = {}
        self._links: dict[Node, Link] = {}
        self._closed: list[GoldenVersion] = []
        self._left: list[Link] = []

    def mastered(self) -> Mastered:
        bounds = {v.valid_from for v in self._versions} | {v.valid_to for v in self._versions if v.valid_to}
        for moment in sorted(bounds):
            self._step(moment)
        open_ = [_version(k, since, None, g) for k, (since, g) in self._golden.items()]
        return Mastered(
            tuple(sorted([*self._closed, *open_], key=lambda v: (v.customer_id, v.valid_from))),
            tuple(sorted([*self._left, *self._links.values()], key=lambda k: (k.source, k.record, k.valid_from))),
        )

    def _step(self, moment: datetime) -> None:
        holding = [n for n, v in enumerate(self._versions) if v.holds_at(moment)]
        goldens: dict[str, Golden] = {}
        members: dict[Node, Membership] = {}
        for cluster in clusters(self._versions, holding):
            customer_id, row = self._resolved(cluster)
            if customer_id is None:
                continue
            if row is not None:
                goldens[customer_id] = row
            for index in cluster:
                members[self._versions[index].node] = Membership(customer_id, self._versions[index].ended)
        self._turn_golden(moment, goldens)
        self._turn_links(moment, members)

    def _resolved(self, cluster: tuple[int, ...]) -> tuple[str | None, Golden | None]:
        if cluster not in self._known:
            node = anchor(self._versions, cluster, self._plan)
            row = golden(self._versions, cluster, self._plan) if node else None
            self._known[cluster] = (own_id(self._plan, node) if node else None, row)
        return self._known[cluster]

    def _turn_golden(self, moment: datetime, now: Mapping[str, Golden]) -> None:
        for customer_id, (since, row) in list(self._golden.items()):
            if now.get(customer_id) != row:
                self._closed.append(_version(customer_id, since, moment, row))
                del self._golden[customer_id]
        for customer_id, row in now.items():
            self._golden.setdefault(customer_id, (moment, row))

    def _turn_links(self, moment: datetime, now: Mapping[Node, Membership]) -> None:
        before_ids = {k.customer_id for k in self._links.values()}
        now_ids = {m.customer_id for m in now.values()}
        for node, link in list(self._links.items()):
            if node not in now:
                self._left.append(replace(self._links.pop(node), valid_to=moment))
            elif (link.customer_id, link.ended) != (now[node].customer_id, now[node].ended):
                self._left.append(replace(link, valid_to=moment))
                event = _event(link, now[node], before_ids, now_ids)
                self._links[node] = self._link(node, now[node], moment, event, link.customer_id)
        for node, member in now.items():
            if node not in self._links:
                self._links[node] = self._link(node, member, moment, "new", None)

    def _link(self, node: Node, member: Membership, moment: datetime, event: str, previous: str | None) -> Link:
        changed = previous if previous != member.customer_id else None
        return Link(*node, own_id(self._plan, node), member.customer_id, moment, None, event, changed, member.ended)


def _event(link: Link, now: Membership, before_ids: set[str], now_ids: set[str]) -> str:
    """Return what happened to a record's membership."""
    if link.customer_id == now.customer_id:
        return "ended" if now.ended else "resumed"
    if link.customer_id not in now_ids:
        return "merged"
    return "moved" if now.customer_id in before_ids else "split"


def _version(customer_id: str, since: datetime, until: datetime | None, row: Golden) -> GoldenVersion:
    return GoldenVersion(customer_id, since, until, row.records, row.fields)
