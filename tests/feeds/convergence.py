"""The proof that a feed converges: one judge for all feeds, each feed says how it writes its changes.

A :class:`Format` plays drawn histories as its source would and writes any pile of the records
as files. The judge delivers the same records twice, split and shuffled in two ways with a fifth
of them repeated, and compares both tables with the reference fold and with each other. A history
that ends wrong is shrunk and printed as the smallest set of files that still shows it.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
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


class Format(ABC):
    """How one feed writes histories. ``columns`` are the table's columns without its key ``id``."""

    pipeline: str
    table: str
    name = "people"
    columns: tuple[str, ...] = ("owner", "city")

    @abstractmethod
    def play(self, acts: Acts) -> list[Sent]:
        """Return what the source sends for all acts, in its own order."""

    @abstractmethod
    def files(self, pile: Sequence[Sent], number: int) -> dict[str, bytes]:
        """Write a pile of records as the objects of one delivery: path below the sources → content."""

    def piles(self, sent: Sequence[Sent], random: Random, count: int) -> list[list[Sent]]:
        """Split the records into deliveries; formats whose order is the place in the file override it."""
        return dealt(sent, random, count)


def assert_converges(houses: Callable[[str], House], format_: Format, acts: Acts) -> None:
    """Judge a format on all acts at once; print the smallest failing file set where it fails."""
    names = (f"trial{n}" for n in itertools.count())
    wrong = _wrong_keys(houses, names, format_, acts)
    if wrong:
        guilty = _histories_of(format_, acts, wrong)
        raise AssertionError(_report(houses, names, format_, [a for a in acts if a[0] in guilty], wrong))


def _wrong_keys(houses: Callable[[str], House], names: Iterable[str], format_: Format, acts: Acts) -> list[str]:
    sent = format_.play(acts)
    changes = [c for s in sent for c in s.changes]
    expected = {key[0]: row for key, row in fold(changes, format_.columns).items()}
    slow, quick = (houses(next(iter(names))).declare(format_.pipeline, format_.table) for _ in range(2))
    _deliver(slow, format_, format_.piles(sent, Random(2), min(3, len(sent))))
    _deliver(quick, format_, format_.piles(sent, Random(3), 1))
    wrong = set()
    for house in (slow, quick):
        rows = {r["id"]: {c: r[c] for c in format_.columns} for r in house.silver(format_.name).collect()}
        wrong |= {k for k in expected.keys() | rows.keys() if expected.get(k) != rows.get(k)}
    if not wrong:
        assert_df_equality(_state(slow, format_), _state(quick, format_), ignore_row_order=True)
        distinct = len({(c.key, c.op, c.position) for c in changes})
        assert slow.bronze(format_.name).count() == quick.bronze(format_.name).count() == distinct
    return sorted(wrong)


def _deliver(house: House, format_: Format, piles: Sequence[Sequence[Sent]]) -> None:
    """Load each pile as a batch of its own and check that all of its changes are accounted for."""
    for number, pile in enumerate(piles):
        for path, body in format_.files(pile, number).items():
            house.deliver(path, body)
        for batch in house.load():
            assert batch["status"] == "finished", batch.get("reason")
            assert batch["read"] == sum(batch[n] for n in COUNTS[1:5])
            assert batch["quarantined"] == 0, house.reasons()


def _state(house: House, format_: Format) -> Any:
    """Return everything silver knows of a key that may not depend on the delivery."""
    frame = house.spark.read.format("delta").load(house.workspace().paths.silver(format_.name))
    partial = "_base_position" in frame.columns
    own = ["_base_position", "_delete_position"] if partial else ["_position", "_change_id"]
    at = [f"_column_positions['{c}'] AS at_{c}" for c in format_.columns] if partial else []  # maps have no order
    values = [f"CASE WHEN NOT _deleted THEN `{c}` END AS `{c}`" for c in format_.columns]
    return frame.selectExpr("id", "_deleted", *values, *own, *at)


def _histories_of(format_: Format, acts: Acts, wrong: Sequence[str]) -> set[int]:
    """Return one history that a wrong key belongs to."""
    for number in dict.fromkeys(n for n, _ in acts):
        sent = format_.play([a for a in acts if a[0] == number])
        if {c.key[0] for s in sent for c in s.changes if c.key} & set(wrong):
            return {number}
    return {n for n, _ in acts}


def _report(houses: Callable[[str], House], names: Iterable[str], format_: Format, acts: Acts, wrong: list[str]) -> str:
    trials = itertools.count(1)

    def fails(some: Acts) -> bool:
        if not some or next(trials) > TRIALS_MAX:
            return False
        try:
            return bool(_wrong_keys(houses, names, format_, some))
        except AssertionError:
            return True

    small = shrunk(acts, fails)
    sent = format_.play(small)
    files = {
        path: body
        for number, pile in enumerate(format_.piles(sent, Random(2), min(3, len(sent))))
        for path, body in format_.files(pile, number).items()
    }
    shown = "\n".join(f"--- {p}\n{_readable(p, b)}" for p, b in files.items())
    changes = [c for s in sent for c in s.changes]
    return (
        f"{len(wrong)} keys end wrong, {wrong[:5]}. Smallest case, expected {fold(changes, format_.columns)}:\n{shown}"
    )


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
    if PurePosixPath(path).suffix in (".json", ".jsonl", ".csv", ".txt"):
        return body.decode("utf-8", errors="replace")
    return f"({len(body)} bytes) {body[:200]!r}"
