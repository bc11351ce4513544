"""Who is who: clusters of records by shared keys, and the ids that survive merges and splits."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable

from ledgerlake.core.mastering.intervals import RecordVersion
from ledgerlake.core.mastering.model import Node, Plan

ID_DIGITS = 20
"""Hexadecimal digits of an id: 80 bits; two of 25 million collide with a chance below 1 in 10^9."""


def own_id(plan: Plan, node: Node) -> str:
    """Return the id of the customer that this record anchors."""
    text = "\x1f".join((plan.master, *node))
    return plan.id_prefix + hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


class Sets:
    """Disjoint sets that only grow together; the smallest member stands for its set."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def find(self, item: Hashable) -> Hashable:
        """Return the item that stands for the set of ``item``."""
        root = item
        while (parent := self._parent.setdefault(root, root)) != root:
            root = parent
        while item != root:
            self._parent[item], item = root, self._parent[item]
        return root

    def join(self, one: Hashable, other: Hashable) -> None:
        """Make one set of the sets of two items."""
        low, high = sorted((self.find(one), self.find(other)))  # type: ignore[type-var]
        self._parent[high] = low


class Neighbours:
    """The versions that hold at one moment, and which of them share a key."""

    def __init__(self) -> None:
        self._holding: dict[Node, RecordVersion] = {}
        self._with: dict[tuple[str, str], set[Node]] = {}

    def put(self, version: RecordVersion) -> None:
        """Let a version hold instead of the one that its record had."""
        old = self._holding.get(version.node)
        for key in old.keys - version.keys if old else ():
            self._with[key].discard(version.node)
        for key in version.keys:
            self._with.setdefault(key, set()).add(version.node)
        self._holding[version.node] = version

    def sharing(self, version: RecordVersion) -> set[Node]:
        """Return the records that have a key of this version."""
        return {n for key in version.keys for n in self._with[key]}

    def closures(self, nodes: Iterable[Node]) -> list[tuple[RecordVersion, ...]]:
        """Return the transitive closures of shared keys that ``nodes`` belong to, each sorted by record."""
        left, found = set(nodes), []
        while left:
            waiting, reached, seen = [left.pop()], set[Node](), set[tuple[str, str]]()
            while waiting:
                node = waiting.pop()
                reached.add(node)
                fresh = self._holding[node].keys - seen
                seen |= fresh
                waiting += {n for key in fresh for n in self._with[key]} - reached
            left -= reached
            found.append(tuple(self._holding[n] for n in sorted(reached)))
        return found


def anchor(members: Iterable[RecordVersion], plan: Plan) -> Node | None:
    """Return the record that gives a cluster its id: the oldest at its source, None where none identifies a customer."""
    able = [v for v in members if v.source in plan.identifying]
    return min(able, key=lambda v: (v.since, v.node)).node if able else None
