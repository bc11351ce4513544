"""Masters one component: all records that any key ever connected, over all of time.

At every moment at which records changed, the clusters they leave and enter are formed again by
the keys valid then, each gets the id of its anchor, and each field its survivor. What stays the
same between two such moments is one version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from ledgerlake.core.mastering.identity import Neighbours, anchor, own_id
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
    Value,
)
from ledgerlake.core.mastering.survivorship import survivor


@dataclass(frozen=True)
class Golden:
    """What holds of a customer at one moment."""

    records: int
    fields: Mapping[str, Survivor]


@dataclass(frozen=True)
class Cluster:
    """Records that are one customer at one moment; without an id where none of them identifies one."""

    members: tuple[RecordVersion, ...]
    customer_id: str | None
    golden: Golden | None


def master(observations: Iterable[Observation], plan: Plan) -> Mastered:
    """Return every golden version and link of one component; its order of rows is fixed."""
    return _Timeline(plan).mastered(record_versions(observations))


Told = tuple[tuple[str, str, Value, datetime], ...]
Known = dict[tuple[str, Told], Survivor]
"""Survivors by field and what the records say of it: most changes leave most fields as they were."""


def golden(members: Iterable[RecordVersion], plan: Plan, known: Known) -> Golden | None:
    """Return the fields of a cluster; None where all of its records were deleted at their sources."""
    living = [v for v in members if not v.ended]
    if not living:
        return None
    fields: dict[str, Survivor] = {}
    for name, rules in plan.rules.items():
        told = tuple((*v.node, v.values.get(name), v.times[name]) for v in living if name in plan.maps[v.source])
        found = known.get((name, told))
        if found is None:
            found = survivor(name, [Candidate(*k, plan.trust.get((k[0], name), 0)) for k in told], rules)
            known[name, told] = found
        fields[name] = found
    return Golden(len(living), fields)


class _Timeline:
    """Walks the moments at which anything changed, and keeps what is open."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._near = Neighbours()
        self._known: Known = {}
        self._cluster: dict[Node, Cluster] = {}
        self._golden: dict[str, tuple[datetime, Golden]] = {}
        self._links: dict[Node, Link] = {}
        self._closed: list[GoldenVersion] = []
        self._left: list[Link] = []

    def mastered(self, versions: Iterable[RecordVersion]) -> Mastered:
        for moment, begun in groupby(sorted(versions, key=lambda v: v.valid_from), key=lambda v: v.valid_from):
            self._step(moment, list(begun))
        open_ = [_version(k, since, None, g) for k, (since, g) in self._golden.items()]
        return Mastered(
            tuple(sorted([*self._closed, *open_], key=lambda v: (v.customer_id, v.valid_from))),
            tuple(sorted([*self._left, *self._links.values()], key=lambda k: (k.source, k.record, k.valid_from))),
        )

    def _step(self, moment: datetime, begun: list[RecordVersion]) -> None:
        """Form anew the clusters that the records in ``begun`` leave or enter; all others stay as they are."""
        for version in begun:
            self._near.put(version)
        touched = {v.node for v in begun} | {n for v in begun for n in self._near.sharing(v)}
        before = {id(k): k for n in touched if (k := self._cluster.get(n))}
        affected = touched | {v.node for k in before.values() for v in k.members}
        now = [self._formed(members) for members in self._near.closures(affected)]
        for cluster in now:
            self._cluster.update(dict.fromkeys((v.node for v in cluster.members), cluster))
        before_ids = {k.customer_id for k in before.values() if k.customer_id}
        self._turn_golden(moment, before_ids, now)
        self._turn_links(moment, before_ids, now)

    def _formed(self, members: tuple[RecordVersion, ...]) -> Cluster:
        node = anchor(members, self._plan)
        if node is None:
            return Cluster(members, None, None)
        return Cluster(members, own_id(self._plan, node), golden(members, self._plan, self._known))

    def _turn_golden(self, moment: datetime, before_ids: set[str], now: Iterable[Cluster]) -> None:
        rows = {k.customer_id: k.golden for k in now if k.customer_id and k.golden}
        for customer_id in before_ids & self._golden.keys():
            since, row = self._golden[customer_id]
            if rows.get(customer_id) != row:
                self._closed.append(_version(customer_id, since, moment, row))
                del self._golden[customer_id]
        for customer_id, row in rows.items():
            self._golden.setdefault(customer_id, (moment, row))

    def _turn_links(self, moment: datetime, before_ids: set[str], now: Sequence[Cluster]) -> None:
        now_ids = {k.customer_id for k in now if k.customer_id}
        for cluster in now:
            for version in cluster.members:
                self._turn_link(moment, version, cluster.customer_id, before_ids, now_ids)

    def _turn_link(
        self, moment: datetime, version: RecordVersion, customer_id: str | None, before_ids: set[str], now_ids: set[str]
    ) -> None:
        node, link = version.node, self._links.get(version.node)
        if link is not None and (link.customer_id, link.ended) != (customer_id, version.ended):
            self._left.append(replace(self._links.pop(node), valid_to=moment))
        if customer_id is None or node in self._links:
            return
        event = "new" if link is None else _event(link, customer_id, before_ids, now_ids)
        previous = link.customer_id if link is not None and link.customer_id != customer_id else None
        self._links[node] = Link(
            *node, own_id(self._plan, node), customer_id, moment, None, event, previous, version.ended
        )


def _event(link: Link, customer_id: str, before_ids: set[str], now_ids: set[str]) -> str:
    """Return what happened to a record's membership; it ends for good, or its history has no gap."""
    if link.customer_id == customer_id:
        return "ended"
    if link.customer_id not in now_ids:
        return "merged"
    return "moved" if customer_id in before_ids else "split"


def _version(customer_id: str, since: datetime, until: datetime | None, row: Golden) -> GoldenVersion:
    return GoldenVersion(customer_id, since, until, row.records, row.fields)
