"""Histories as a database plays them: rows that exist are updated, and changes commit in transactions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from convergence import Acts
from histories import Act
from ledgerlake.core.change import Change, Op

COLUMNS = ("owner", "city")
FIRST_LSN = 0xFFFFF000
"""Just below 4 GiB: the high half of LSNs changes in the middle, where plain text order would fail."""
TRUNCATE_EVERY = 400


@dataclass(frozen=True)
class Step:
    """One row change as the server decodes it; ``values`` lack the columns that are left out."""

    action: str
    key: str = ""
    old_key: str = ""
    values: Mapping[str, str | None] = field(default_factory=dict)

    def changes(self, position: str) -> tuple[Change, ...]:
        """Return what the step means."""
        if self.action == "T":
            return (Change((), Op.TRUNCATE, position, {}),)
        if self.action == "D":
            return (Change((self.old_key,), Op.DELETE, position, {}),)
        op = Op.UPSERT if len(self.values) == len(COLUMNS) else Op.PATCH
        left = (Change((self.old_key,), Op.DELETE, position, {}),) if self.old_key != self.key else ()
        return (*left, Change((self.key,), op, position, dict(self.values)))


def position(commit_lsn: int, place: int) -> str:
    """Return the position of the ``place``-th change of a transaction."""
    return f"{commit_lsn:016X}|{place:012d}"


def commits(acts: Acts) -> Iterator[tuple[int, list[Step]]]:
    """Yield (commit LSN, changes) of transactions of up to five acts, in commit order."""
    random, rows, lsn = Random(7), {number: f"k{number}" for number, _ in acts}, FIRST_LSN
    alive: set[str] = set()
    steps: list[Step] = []
    for count, (number, act) in enumerate(acts, 1):
        if count % TRUNCATE_EVERY == 0:
            steps.append(Step("T"))
            alive.clear()
        steps += _played(rows, alive, number, act)
        if steps and (random.random() < 0.3 or len(steps) >= 5 or count == len(acts)):
            lsn += random.randrange(8, 200, 8)
            yield lsn, steps
            steps = []


def _played(rows: dict[int, str], alive: set[str], number: int, act: Act) -> list[Step]:
    key, whole = rows[number], {"owner": act.owner, "city": act.city}
    if act.kind == "drop":
        found = [Step("D", old_key=key)] if key in alive else []
        alive.discard(key)
        return found
    if key not in alive:
        alive.add(key)
        return [Step("I", key, key, whole)]
    if act.kind == "set":
        return [Step("U", key, key, {n: whole[n] for n in act.carried})]
    if act.kind == "put" or len(key) > 8:
        return [Step("U", key, key, whole)]
    alive.discard(key)
    rows[number] = moved = f"{key}m"
    alive.add(moved)
    return [Step("U", moved, key, whole)]
