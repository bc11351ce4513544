"""What may go: pure rules on names and times, the same for landed objects, files of tables and exports.

Every rule is a lower bound: what is unknown, or named by somebody, stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

REPLAY_DAYS = 90
"""The replay window: every version of so many days can be read and rebuilt."""


@dataclass(frozen=True)
class Stored:
    """One stored object: path in the lake, bytes, and the moment (UTC) from which its age counts."""

    path: str
    size_bytes: int
    at: datetime


@dataclass(frozen=True)
class Removal:
    """What goes of one table and kind; ``oldest_kept`` is the age mark of the oldest object that stays."""

    table: str
    kind: str
    days: int
    gone: tuple[Stored, ...]
    oldest_kept: datetime | None
    note: str = ""

    @property
    def size_bytes(self) -> int:
        """Return how many bytes go."""
        return sum(item.size_bytes for item in self.gone)


def window_days(declared: int | None) -> int:
    """Return for how many days something is kept: never less than the replay window."""
    return max(REPLAY_DAYS, declared or 0)


def older_than(now: datetime, days: int) -> datetime:
    """Return the moment before which something is older than ``days``."""
    return now - timedelta(days=days)


def removal(
    table: str, kind: str, days: int, stored: Iterable[Stored], cutoff: datetime, keep: Collection[str], note: str = ""
) -> Removal:
    """Divide what is stored: older than ``cutoff`` and not in ``keep`` goes, everything else stays."""
    gone: list[Stored] = []
    kept: list[Stored] = []
    for item in stored:
        (gone if item.at < cutoff and item.path not in keep else kept).append(item)
    return Removal(table, kind, days, tuple(gone), min((item.at for item in kept), default=None), note)


@dataclass(frozen=True)
class LoadedBatch:
    """The newest record of a batch: its state, its landed objects, and when it got there."""

    batch_id: str
    finished: bool
    paths: frozenset[str]
    at: datetime


def loaded_at(batches: Iterable[LoadedBatch]) -> dict[str, datetime]:
    """Return landed path → when its batch was finished last; other paths were never loaded."""
    found: dict[str, datetime] = {}
    for batch in batches:
        if batch.finished:
            found |= {path: max(batch.at, found.get(path, batch.at)) for path in batch.paths}
    return found


def needed_objects(
    batches: Iterable[LoadedBatch], open_batches: Collection[str], open_objects: Collection[str]
) -> set[str]:
    """Return paths that no finished batch has loaded, and those of batches of which a row is still in quarantine."""
    batches = list(batches)
    loaded = loaded_at(batches).keys()
    return {
        path
        for batch in batches
        for path in batch.paths
        if path not in loaded or batch.batch_id in open_batches or not batch.paths.isdisjoint(open_objects)
    }


def versions_to_pin(named: Iterable[int], commits: Mapping[int, datetime], cutoff: datetime) -> list[int]:
    """Return the named versions that were replaced before ``cutoff``: their files' age does not protect them.

    ``commits`` are the times of the versions that the log still holds; a version whose successor
    it has forgotten is taken for an old one.
    """
    newest = max(commits, default=-1)
    return sorted({v for v in named if 0 <= v < newest and (v + 1 not in commits or commits[v + 1] < cutoff)})
