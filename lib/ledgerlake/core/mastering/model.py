"""The words of mastering: observations of records go in, golden versions and links come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

Value = str | int | bool | Decimal | date | datetime | None
RuleKind = Literal["source", "recency", "trust", "non_null", "rank", "max", "min", "sum", "count", "record"]
Node = tuple[str, str]
"""A record's name: (source, record key)."""

AGGREGATED = "aggregate"
"""What stands as the source of a value that was computed from several records."""


@dataclass(frozen=True)
class Rule:
    """One step of survivorship: narrows the candidates, or computes the value (sum, count).

    ``order`` lists sources (``source``) or values (``rank``), best first; what is not listed comes last.
    """

    kind: RuleKind
    order: tuple[str, ...] = ()

    @property
    def computes(self) -> bool:
        """Say whether the rule makes a value of all candidates instead of choosing one."""
        return self.kind in ("sum", "count")


@dataclass(frozen=True)
class Plan:
    """What a master declares, as far as the core must know it.

    ``maps`` are the fields that each source gives, ``identifying`` the sources whose records make
    a customer (the others only add to one), ``trust`` the score of a source for a field.
    """

    master: str
    id_prefix: str
    maps: Mapping[str, frozenset[str]]
    identifying: frozenset[str]
    rules: Mapping[str, tuple[Rule, ...]]
    trust: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """One version of one record as its history tells it.

    ``order`` ranks the versions of a record; ``at`` is when this one began to hold at the source,
    ``since`` when the record itself began there; ``gone_at`` stands on the record's versions where
    the source has deleted it since. ``keys`` are (key name, value) pairs.
    """

    source: str
    record: str
    order: str
    since: datetime
    at: datetime
    gone_at: datetime | None
    keys: frozenset[tuple[str, str]]
    values: Mapping[str, Value]

    @property
    def node(self) -> Node:
        """Return the record's name."""
        return self.source, self.record


@dataclass(frozen=True)
class Candidate:
    """What one record says of one field, and since when it says so."""

    source: str
    record: str
    value: Value
    time: datetime
    trust: int

    @property
    def node(self) -> Node:
        """Return the record's name."""
        return self.source, self.record


@dataclass(frozen=True)
class Loser:
    """A value that another record gives and that did not survive, with the rule that beat it."""

    field: str
    value: Value
    source: str
    record: str
    time: datetime
    lost_by: str


@dataclass(frozen=True)
class Survivor:
    """A field's value with where it comes from and the rule that decided; ``rule`` is ``none`` without any value."""

    value: Value
    source: str | None
    record: str | None
    time: datetime | None
    rule: str
    losers: tuple[Loser, ...] = ()


@dataclass(frozen=True)
class GoldenVersion:
    """What was true of one customer from ``valid_from`` until ``valid_to`` (None: still)."""

    customer_id: str
    valid_from: datetime
    valid_to: datetime | None
    records: int
    fields: Mapping[str, Survivor]

    @property
    def losers(self) -> tuple[Loser, ...]:
        """Return every value that did not survive."""
        return tuple(loser for survivor in self.fields.values() for loser in survivor.losers)


@dataclass(frozen=True)
class Link:
    """Which customer a record belonged to, from when to when, and what happened at the beginning.

    ``event``: ``new``; ``merged`` (its customer became part of another), ``split`` (it left one and
    made its own), ``moved`` (it left one for another), ``ended`` (deleted at the source). ``own_id`` is the id that the record gives a customer it anchors: every
    customer_id ever published is the own id of some record, so an old id always leads to its customer.
    """

    source: str
    record: str
    own_id: str
    customer_id: str
    valid_from: datetime
    valid_to: datetime | None
    event: str
    previous_id: str | None
    ended: bool


@dataclass(frozen=True)
class Mastered:
    """Everything that one component of records gives."""

    versions: tuple[GoldenVersion, ...]
    links: tuple[Link, ...]
