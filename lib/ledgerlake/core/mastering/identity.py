"""Who is who: clusters of records by shared keys, and the ids that survive merges and splits."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence

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


def clusters(versions: Sequence[RecordVersion], holding: Iterable[int]) -> list[tuple[int, ...]]:
    """Return the transitive closure of shared keys among versions that hold together, as indexes."""
    sets, first_with = Sets(), dict[tuple[str, str], int]()
    members = list(holding)
    for index in members:
        for key in versions[index].keys:
            sets.join(index, first_with.setdefault(key, index))
    found: dict[Hashable, list[int]] = {}
    for index in members:
        found.setdefault(sets.find(index), []).append(index)
    return [tuple(sorted(c)) for c in found.values()]


def anchor(versions: Sequence[RecordVersion], cluster: Iterable[int], plan: Plan) -> Node | None:
    """Return the record that gives a cluster its id: the oldest at its source, None where none identifies a customer."""
    able = [versions[i] for i in cluster if versions[i].source in plan.identifying]
    return min(able, key=lambda v: (v.since, v.node)).node if able else None
