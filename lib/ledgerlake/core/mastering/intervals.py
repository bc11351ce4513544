"""From the versions that a record's history tells to intervals of time in which each held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from ledgerlake.core.mastering.model import Node, Observation, Value


@dataclass(frozen=True)
class RecordVersion:
    """What one record said from ``valid_from`` until ``valid_to`` (None: still).

    ``times`` holds, per field, since when the record has said this value without a break.
    An ``ended`` version is that of a deleted record: it says nothing more, and keeps its keys so
    that its customer's id survives it.
    """

    source: str
    record: str
    since: datetime
    valid_from: datetime
    valid_to: datetime | None
    keys: frozenset[tuple[str, str]]
    values: Mapping[str, Value]
    times: Mapping[str, datetime]
    ended: bool

    @property
    def node(self) -> Node:
        """Return the record's name."""
        return self.source, self.record


def record_versions(observations: Iterable[Observation]) -> list[RecordVersion]:
    """Return the intervals of every record, sorted by record and time.

    A version never begins before the one it follows; of several that begin at one moment the
    last holds. After a delete the record has one more, ended version without end.
    """
    named = sorted(observations, key=lambda o: (o.node, o.order))
    found: list[RecordVersion] = []
    for _, own in groupby(named, key=lambda o: o.node):
        found += _of_record(list(own))
    return found


def _of_record(own: list[Observation]) -> list[RecordVersion]:
    since, gone = min(o.since for o in own), own[-1].gone_at
    begun: dict[datetime, Observation] = {}
    latest = own[0].at
    for observation in own:
        latest = max(latest, observation.at)
        begun[latest] = observation
    turns: list[tuple[datetime, Observation, bool]] = [(at, o, False) for at, o in begun.items()]
    if gone is not None:
        end = max(gone, latest)
        turns = [t for t in turns if t[0] < end] + [(end, own[-1], True)]
    found: list[RecordVersion] = []
    for (at, seen, ended), until in zip(turns, [*(t[0] for t in turns[1:]), None], strict=True):
        times = _said_since(found, seen.values, at)
        found.append(RecordVersion(*seen.node, since, at, until, seen.keys, seen.values, times, ended))
    return found


def _said_since(before: list[RecordVersion], values: Mapping[str, Value], at: datetime) -> dict[str, datetime]:
    if not before:
        return dict.fromkeys(values, at)
    last = before[-1]
    return {f: last.times[f] if f in last.values and last.values[f] == v else at for f, v in values.items()}
