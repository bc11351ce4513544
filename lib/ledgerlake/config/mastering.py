"""The shape of ``masters:`` in a pipeline: canonical fields, match keys, records and survivorship."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from ledgerlake.config.base import ColumnType, Model, Name
from ledgerlake.core.identity import fingerprint
from ledgerlake.core.mastering.model import Plan, Rule, RuleKind
from ledgerlake.core.retention import REPLAY_DAYS

_PLAIN = tuple(k for k in get_args(RuleKind) if k not in ("source", "rank", "sum", "count", "max", "min"))
_AGGREGATES = ("sum", "count", "max", "min")


def _rule(given: Any) -> Rule:
    """Read one rule: a word, ``{source: […]}``, ``{rank: […]}`` or ``{aggregate: word}``."""
    if isinstance(given, Rule):
        return given
    if isinstance(given, str) and given in _PLAIN:
        return Rule(given)  # type: ignore[arg-type]
    if isinstance(given, dict) and len(given) == 1:
        [(kind, value)] = given.items()
        if kind in ("source", "rank") and isinstance(value, list) and value and len(set(value)) == len(value):
            return Rule(kind, tuple(map(str, value)))
        if kind == "aggregate" and value in _AGGREGATES:
            return Rule(value)
    raise ValueError(
        f"{given!r} is no rule of survivorship; use {', '.join(_PLAIN)}, {{source: [best, …]}},"
        f" {{rank: [best, …]}} or {{aggregate: {' | '.join(_AGGREGATES)}}}"
    )


SurvivorshipRule = Annotated[Rule, BeforeValidator(_rule)]


class MasterField(Model):
    """One field of the canonical model."""

    name: Name
    type: ColumnType
    description: str = ""
    pii: Literal["none", "personal", "sensitive"] = "none"


class MatchKey(Model):
    """An exact key that makes two records one; ``ignore`` lists values that identify nobody."""

    description: str = ""
    ignore: tuple[str, ...] = ()


class RecordSet(Model):
    """The records of one source table, and how they become canonical.

    ``since`` (when the record began at its source), ``at`` (when a version began to hold there),
    ``fields`` and ``keys`` are SQL over the table's columns. ``at`` may be left out where the
    table's history has an effective time. Records that do not ``identify`` only add to a customer.
    """

    record: Name
    table: Name
    since: str
    at: str | None = None
    fields: dict[Name, str] = Field(default_factory=dict)
    keys: dict[Name, str] = Field(min_length=1)
    identifies: bool = True
    trust: int = 50
    field_trust: dict[Name, int] = Field(default_factory=dict)


class Master(Model):
    """One kind of thing that several sources describe, mastered into golden records.

    Its tables are ``<master>_versions`` and ``<master>_links``, which marts may read.
    ``retention_days`` is how long their files are kept at least; their rows are never removed.
    """

    master: Name
    description: str = ""
    id_prefix: str = Field(pattern=r"^[a-z]+_$")
    fields: tuple[MasterField, ...] = Field(min_length=1)
    match: dict[Name, MatchKey] = Field(min_length=1)
    records: tuple[RecordSet, ...] = Field(min_length=1)
    survivorship: dict[Name, tuple[SurvivorshipRule, ...]]
    retention_days: int = Field(default=REPLAY_DAYS, ge=REPLAY_DAYS)

    def field(self, name: str) -> MasterField:
        """Return the field called ``name``; KeyError where there is none."""
        return {f.name: f for f in self.fields}[name]

    @cached_property
    def plan(self) -> Plan:
        """Return what the pure core must know."""
        return Plan(
            master=self.master,
            id_prefix=self.id_prefix,
            maps={r.record: frozenset(r.fields) for r in self.records},
            identifying=frozenset(r.record for r in self.records if r.identifies),
            rules={f.name: self.survivorship[f.name] for f in self.fields},
            trust={(r.record, f): r.field_trust.get(f, r.trust) for r in self.records for f in r.fields},
        )

    @cached_property
    def fingerprint(self) -> str:
        """Return the hash of what the declaration means: when it changes, everything is mastered again."""
        return fingerprint(self.model_dump(mode="json", exclude={"description", "retention_days"}))
