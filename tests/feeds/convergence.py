"""The proof that a feed converges: one judge for all feeds, each feed says how it writes its changes.

A :class:`Format` plays drawn histories as its source would and writes any pile of the records
as files. The judge delivers the same records in two ways or more, split and shuffled differently
with a fifth of them repeated, and compares all tables with the reference fold and with each other.
A history that ends wrong is shrunk and printed as the smallest set of files that still shows it.

Feeds that pull are judged alike: their files are what happens at the source and when it is pulled,
and their house plays them where others put them down.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from random import Random
from typing import Any

from chispa import assert_df_equality
from histories import Act, dealt
from house import COUNTS, House
from ledgerlake.core.change import Change
from ledgerlake.core.fold import fold

Acts = list[tuple[int, Act]]
TRIALS_MAX = 40
"""Loads that shrinking may spend: each costs seconds."""


@dataclass(frozen=True)
class Sent:
    """One record as the source delivers it (whatever its format writes), and the changes it stands for."""

    record: Any
    changes: tuple[Change, ...]


Key = tuple[str, ...]
Piles = list[list[Sent]]


class Format(ABC):
    """How one feed writes histories. ``columns`` are the table's columns without its ``key``.

    Where positions are not ``told`` by the source but are moments of fetching, they and the number of
    changes depend on the pulls: then deliveries must agree in the rows that are visible, and in nothing else.
    """

    pipeline: str
    table: str
    name = "people"
    key: Key = ("id",)
    columns: tuple[str, ...] = ("owner", "city")
    told = True

    @abstractmethod
    def play(self, acts: Acts) -> list[Sent]:
        """Return what the source sends for all acts, in its own order."""

    @abstractmethod
    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        """Write a pile of records as the objects of one delivery: path below the sources → content."""

    def piles(self, sent: Sequence[Sent], random: Random, count: int) -> Piles:
        """Split the records into deliveries; formats whose order is the place in the file override it."""
        return dealt(sent, random, count)

    def ways(self, sent: Sequence[Sent]) -> list[Piles]:
        """Return the ways to deliver the same records: in a few batches, and in one."""
        return [self.piles(sent, Random(2), min(3, len(sent))), self.piles(sent, Random(3), 1)]


def assert_converges(houses: Callable[[str], House], format_: Format, acts: Acts) -> None:
    """Judge a format on all acts at once; print the smallest failing file set where it fails."""
    trials = _Trials(houses, format_)
    wrong = trials.wrong_keys(acts)
    if wrong:
        guilty = _histories_of(format_, acts, wrong.keys())
        raise AssertionError(_report(trials, [a for a in acts if a[0] in guilty], wrong))


@dataclass
class _Trials:
    """Loads of one format, each into fresh houses."""

    houses: Callable[[str], House]
    format: Format
    count: int = 0

    def wrong_keys(self, acts: Acts) -> dict[Key, int]:
        """Return the keys that end wrong, and the number of the first way in which they do."""
        sent = self.format.play(acts)
        changes = [c for s in sent for c in s.changes]
        expected = fold(changes, self.format.columns)
        wrong: dict[Key, int] = {}
        delivered = []
        for number, piles in enumerate(self.format.ways(sent)):
            house = self._delivered(piles)
            wrong = dict.fromkeys(_differing(expected, _rows(house, self.format)), number) | wrong
            delivered.append(house)
        if not wrong and self.format.told:
            _assert_the_same(delivered, self.format, len({(c.key, c.op, c.position) for c in changes}))
        return wrong

    def _delivered(self, piles: Piles) -> House:
        """Load each pile as a batch of its own and check that all of its changes are accounted for."""
        house = self.houses(f"trial{self.count}").declare(self.format.pipeline, self.format.table)
        self.count += 1
        for number, pile in enumerate(piles):
            for path, body in self.format.files(pile, number).items():
                house.deliver(path, body)
            for batch in house.load():
                assert batch["status"] == "finished", batch.get("reason")
                assert batch["read"] == sum(batch[n] for n in COUNTS[1:5])
                assert batch["quarantined"] == 0, house.reasons()
        return house


def _rows(house: House, format_: Format) -> dict[Key, dict[str, object]]:
    rows = house.silver(format_.name).collect()
    return {tuple(str(r[k]) for k in format_.key): {c: r[c] for c in format_.columns} for r in rows}


def _differing(expected: Mapping[Key, object], found: Mapping[Key, object]) -> list[Key]:
    return sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))


def _assert_the_same(delivered: Sequence[House], format_: Format, distinct: int) -> None:
    first = _state(delivered[0], format_)
    for house in delivered[1:]:
        assert_df_equality(first, _state(house, format_), ignore_row_order=True)
    assert {house.bronze(format_.name).count() for house in delivered} == {distinct}


def _state(house: House, format_: Format) -> Any:
    """Return everything silver knows of a key that may not depend on the delivery."""
    frame = house.spark.read.format("delta").load(house.workspace().paths.silver(format_.name))
    partial = "_base_position" in frame.columns
    own = ["_base_position", "_delete_position"] if partial else ["_position", "_change_id"]
    at = [f"_column_positions['{c}'] AS at_{c}" for c in format_.columns] if partial else []  # maps have no order
    values = [f"CASE WHEN NOT _deleted THEN `{c}` END AS `{c}`" for c in format_.columns]
    return frame.selectExpr(*format_.key, "_deleted", *values, *own, *at)


def _histories_of(format_: Format, acts: Acts, wrong: Iterable[Key]) -> set[int]:
    """Return one history that a wrong key belongs to."""
    for number in dict.fromkeys(n for n, _ in acts):
        sent = format_.play([a for a in acts if a[0] == number])
        if {c.key for s in sent for c in s.changes if c.key} & set(wrong):
            return {number}
    return {n for n, _ in acts}


def _report(trials: _Trials, acts: Acts, wrong: Mapping[Key, int]) -> str:
    format_, left = trials.format, iter(range(TRIALS_MAX))
    ways = [min(wrong.values())]  # the last one is that of the smallest case

    def fails(some: Acts) -> bool:
        if not some or next(left, None) is None:
            return False
        try:
            found = trials.wrong_keys(some)
        except AssertionError:
            return True
        ways.extend(sorted(set(found.values()), reverse=True))
        return bool(found)

    small = shrunk(acts, fails)
    sent = format_.play(small)
    piles = format_.ways(sent)[ways[-1]]
    files = {path: body for n, pile in enumerate(piles) for path, body in format_.files(pile, n).items()}
    shown = "\n".join(f"--- {p}\n{_readable(p, b)}" for p, b in files.items())
    expected = fold([c for s in sent for c in s.changes], format_.columns)
    names = ["|".join(key) for key in sorted(wrong)[:5]]
    return f"{len(wrong)} keys end wrong, {names}. Smallest case, expected {expected}:\n{shown}"


def shrunk(acts: Acts, fails: Callable[[Acts], bool]) -> Acts:
    """Leave acts out one by one as long as the rest still fails."""
    index = 0
    while index < len(acts):
        rest = acts[:index] + acts[index + 1 :]
        if fails(rest):
            acts = rest
        else:
            index += 1
    return acts


def _readable(path: str, body: bytes) -> str:
    if PurePosixPath(path).suffix in (".json", ".jsonl", ".csv", ".txt", ".sse"):
        return body.decode("utf-8", errors="replace")
    return f"({len(body)} bytes) {body[:200]!r}"
